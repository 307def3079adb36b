"""What a batch of commands touches, loaded and locked in one go.

Providers' ids are locked first, then threads, each in the order of their keys, so that two
processes never wait for each other; everything that hangs on a thread is read after its lock.
What was loaded stays beside what the fold makes of it, so that only differences are written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.rules import commands as c
from hub.rules.assignment import Candidate
from hub.rules.settings import Assignment
from hub.rules.states import (
    Approval,
    Consent,
    Entry,
    Rotation,
    Thread,
    ThreadChannel,
    Transmission,
)
from hub.store import people
from hub.store import tables as t
from hub.store.rows import Row, struct, structs
from hub.store.scope import Scope
from hub.store.statements import among, bound, columns, fields, fixed

AddressKey = tuple[int, str, str]  # organisation, scheme, value
ExternalKey = tuple[int, str, str]  # organisation, channel, external id
ConsentKey = tuple[int, str, str, str, str]  # organisation, channel, scheme, value, own address
IdempotencyKey = tuple[int, int, str]  # organisation, member (0: the hub itself), key


class ExternalId(Struct, frozen=True):
    """What a provider's id names; nothing yet while only a receipt has been seen. The thread is the
    one where the entry was then; a call may have been moved since."""

    thread_id: int | None = None
    entry_id: int | None = None
    transmission_id: int | None = None
    fingerprint: str | None = None


class Contact(Struct, frozen=True, kw_only=True):
    id: int
    organisation_id: int
    name: str | None
    merged_into: int | None = None
    created_at: int
    property_address: str | None = None
    account: str | None = None
    lead_id: str | None = None


class StoredReceipt(Struct, frozen=True, kw_only=True):
    organisation_id: int
    channel_id: str
    external_id: str
    status: str
    reason: str | None
    detail: str | None
    provider_code: str | None
    occurred_at: int | None
    received_at: int


class StoredNews(Struct, frozen=True, kw_only=True):
    """What was told of a message; ``news`` as JSON."""

    organisation_id: int
    channel_id: str
    external_id: str
    key: str
    news: str
    received_at: int


class AttachmentState(Struct, frozen=True, kw_only=True):
    id: int
    organisation_id: int
    entry_id: int | None
    channel_id: str | None
    place: int
    name: str
    content_type: str
    size: int | None
    sha256: str | None
    state: str
    reason: str | None = None
    ref: str | None = None
    attempts: int = 0
    due_at: int | None = None
    width: int | None = None
    height: int | None = None
    uploaded_by: int | None = None
    created_at: int
    content_id: str | None = None


class MemberState(Candidate, frozen=True, kw_only=True):
    """A member, with what they may do. ``mailed``: they want a mail of what is assigned to them."""

    organisation_id: int
    email: str
    mailed: bool


class Rota(Struct, frozen=True):
    """By what an organisation's conversations are assigned by themselves: its settings, who is
    there, and how many open conversations each has besides those that were loaded."""

    settings: Assignment
    members: list[MemberState]
    busy: dict[int, int]


class Inbound(Struct, frozen=True):
    """An inbound entry as reading needs it."""

    seq: int
    channel_id: str | None
    own_address: str | None


class World:
    """The rows a batch may change, by id and by what commands name them with."""

    def __init__(self) -> None:
        self.addresses: dict[AddressKey, int] = {}
        self.contacts: dict[int, Contact] = {}
        self.threads: dict[int, Thread] = {}
        self.thread_of: dict[int, int] = {}  # contact → thread
        self.channels: dict[tuple[int, str], ThreadChannel] = {}
        self.entries: dict[int, Entry] = {}
        self.transmissions: dict[int, Transmission] = {}
        self.of_entry: dict[int, list[int]] = defaultdict(list)
        self.approvals: dict[int, Approval] = {}
        self.external: dict[ExternalKey, ExternalId] = {}
        self.receipts: dict[ExternalKey, dict[str, StoredReceipt]] = defaultdict(dict)
        self.news: dict[ExternalKey, dict[str, StoredNews]] = defaultdict(dict)
        self.answered: dict[ExternalKey, int] = {}
        """What we sent, and in which threads, as far as strangers answer it."""
        self.consents: dict[ConsentKey, Consent] = {}
        self.attachments: dict[int, AttachmentState] = {}
        self.members: dict[int, MemberState] = {}
        self.rotations: dict[int, Rotation] = {}
        self.rotas: dict[int, Rota] = {}
        """Of organisations that may assign in this batch."""
        self.requests: dict[IdempotencyKey, tuple[str, int]] = {}
        self.inbound: dict[int, list[Inbound]] = {}
        """Of threads being read, from the first on that is unread or may become so."""
        self.dialled: dict[tuple[int, str, str], list[int]] = defaultdict(list)
        """Calls of ours that are being made, by organisation, channel and address."""


class Wanted:
    """The keys a batch names, gathered from its commands."""

    def __init__(self, commands: Iterable[c.Command]) -> None:
        self.addresses: set[AddressKey] = set()
        self.consents: set[AddressKey] = set()
        self.copies: dict[int, tuple[str, ...]] = {}
        """Who gets messages besides whom they are addressed to."""
        self.external: set[ExternalKey] = set()
        self.told: set[ExternalKey] = set()
        """Of ``external`` those whose entries may change."""
        self.echoes: set[ExternalKey] = set()
        """Of ``external`` those of messages that went out elsewhere."""
        self.identities: set[AddressKey] = set()
        """Of ``addresses`` those that may become another contact's."""
        self.news: set[ExternalKey] = set()  # with the key of the news as its last part
        self.entries: set[int] = set()
        self.transmissions: set[int] = set()
        self.approvals: set[int] = set()
        self.attachments: set[int] = set()
        self.threads: set[int] = set()
        self.contacts: set[int] = set()
        self.members: set[int] = set()
        self.requests: set[IdempotencyKey] = set()
        self.reading: set[int] = set()
        self.unreading: dict[int, set[Scope]] = defaultdict(set)
        """Threads that are to be unread again, to whom."""
        self.calls: dict[int, tuple[int, str]] = {}
        """Calls that the batch brings, with their organisations and channels."""
        self.moving: set[tuple[int, int | None]] = set()
        """Calls that are moved, and to which contacts."""
        self.dialled: set[tuple[int, str, str]] = set()  # organisation, channel, address
        self.assigning: set[int] = set()
        """Organisations in which conversations may be assigned by themselves."""
        self.answers: list[tuple[ExternalKey, list[AddressKey]]] = []
        """What messages that came in answer, and whose they are."""
        for command in commands:
            self._gather(command)

    def _gather(self, command: c.Command) -> None:  # noqa: C901, PLR0912, PLR0915 — one case a command
        org = command.organisation_id
        match command:
            case c.ReceiveMessage():
                self.external.update((org, command.channel_id, name) for name in command.names)
                self.addresses.update((org, a.scheme, a.value) for a in command.sender)
                if command.assigns:
                    self.assigning.add(org)
                if command.echo:
                    self.echoes.add((org, command.channel_id, command.external_id))
                elif command.content.reply_to is not None:
                    answered = (org, command.channel_id, command.content.reply_to)
                    senders = [(org, one.scheme, one.value) for one in command.sender]
                    self.answers.append((answered, senders))
            case c.ReceiveReceipt():
                if command.external_id is not None:
                    self._told((org, command.channel_id, command.external_id))
                if command.transmission_id is not None:
                    self.transmissions.add(command.transmission_id)
            case c.ReceiveCall():
                self.calls[command.entry_id] = (org, command.channel_id)
                self.external.add((org, command.channel_id, command.external_id))
                self.addresses.update((org, a.scheme, a.value) for a in command.caller)
                if command.assigns:
                    self.assigning.add(org)
                if command.direction == "out":
                    self.dialled.update((org, command.channel_id, a.value) for a in command.caller)
            case c.ReceiveNews():
                self._told((org, command.channel_id, command.external_id))
                self.news.add((org, command.channel_id, command.key))
            case c.ChangeConsent():
                self.addresses.add((org, command.address.scheme, command.address.value))
                self.consents.add((org, command.address.scheme, command.address.value))
                self._member(command.by_member_id)
                if command.said_in is not None:
                    self.external.add((org, command.channel_id, command.said_in[0]))
                if command.answer is not None:
                    self._gather(command.answer)
            case c.ChangeIdentity():
                both = {(org, one.scheme, one.value) for one in (command.old, command.new)}
                self.addresses |= both
                self.consents |= both
                self.identities |= both
            case c.SendMessage():
                self.addresses.add((org, command.address.scheme, command.address.value))
                people = (command.address.value, *command.content.cc, *command.content.bcc)
                self.consents.update((org, command.address.scheme, value) for value in people)
                self.attachments.update(command.attachment_ids)
                if command.thread_id is not None:
                    self.threads.add(command.thread_id)
                if command.said_in is not None:
                    self.external.add((org, command.channel_id, command.said_in[0]))
                self._member(command.by_member_id)
                self._request(org, command.by.id, command.idempotency_key)
            case c.ApproveMessage():
                self._gather(command.message)
                self._approval(command.entry_id, command.by_member_id)
            case c.RejectMessage() | c.WithdrawMessage():
                self._approval(command.entry_id, command.by_member_id)
            case c.HoldMessage():
                self._approval(command.entry_id, None)
            case c.AddNote():
                self.threads.add(command.thread_id)
                self._member(command.by_member_id)
                for id_ in command.mentioned:
                    self._member(id_)
                self._request(org, command.by.id, command.idempotency_key)
            case c.ChangeContact():
                self.contacts.add(command.contact_id)
                self._member(command.by_member_id)
            case c.ChangeThread():
                self.threads.add(command.thread_id)
                self._member(command.by_member_id)
                self._member(command.assignee_id)
            case c.ReadThread():
                self.threads.add(command.thread_id)
                self.reading.add(command.thread_id)
                self.entries.add(command.up_to)
            case c.UnreadThread():
                self.threads.add(command.thread_id)
                self.reading.add(command.thread_id)
                self.unreading[command.thread_id].add(Scope(org, command.places))
            case c.CancelEntry() | c.RetryEntry() | c.ResolveEntry() | c.GiveUpCall():
                self.entries.add(command.entry_id)
            case c.CorrectNote():
                self.entries.add(command.entry_id)
                for id_ in (command.by_member_id, *command.mentioned):
                    self._member(id_)
            case c.ResolveCall() | c.FollowUpCall():
                self.entries.add(command.entry_id)
                self._member(command.by_member_id)
            case c.ReassignCall():
                self.entries.add(command.entry_id)
                self.moving.add((command.entry_id, command.contact_id))
                self._member(command.by_member_id)
                if command.contact_id is not None:
                    self.contacts.add(command.contact_id)
            case c.PlaceCall():
                self.calls[command.entry_id] = (org, command.channel_id)
                self.addresses.add((org, command.address.scheme, command.address.value))
                self.consents.add((org, command.address.scheme, command.address.value))
                self.threads.add(command.thread_id)
                self._member(command.by_member_id)
                self._request(org, command.by.id, command.idempotency_key)
            case c.SendAccepted():
                self.transmissions.add(command.transmission_id)
                self.external.update((org, "", id_) for id_ in command.external_ids)
            case c.StartSending():
                self.transmissions.add(command.transmission_id)
                self.copies[command.transmission_id] = command.copies
            case c.Step() | c.SendUnknown() | c.SendAbsent():
                self.transmissions.add(command.transmission_id)
            case c.MediaFetched() | c.MediaFailed():
                self.attachments.add(command.attachment_id)
            case _:
                pass

    def _told(self, key: ExternalKey) -> None:
        self.external.add(key)
        self.told.add(key)

    def _approval(self, entry_id: int, member_id: int | None) -> None:
        self.entries.add(entry_id)
        self.approvals.add(entry_id)
        self._member(member_id)

    def _member(self, member_id: int | None) -> None:
        if member_id is not None:
            self.members.add(member_id)

    def _request(self, org: int, member_id: int | None, key: str | None) -> None:
        if key is not None:
            self.requests.add((org, member_id or 0, key))


class _Owner(Struct, frozen=True):
    """What a transmission belongs to; none of it ever changes."""

    id: int
    organisation_id: int
    channel_id: str
    thread_id: int
    entry_id: int


_REQUESTS = sa.select(*columns(t.idempotency_keys, "key", "request", "entry_id")).where(
    *bound(org=t.idempotency_keys.c.organisation_id, member=t.idempotency_keys.c.member_id),
    among(t.idempotency_keys.c.key, "keys"),
)
_ADDRESSES = sa.select(*columns(t.addresses, "value", "contact_id")).where(
    *bound(org=t.addresses.c.organisation_id, scheme=t.addresses.c.scheme),
    among(t.addresses.c.value, "values"),
)
_ALL_ADDRESSES = sa.select(
    *columns(t.addresses, "organisation_id", "scheme", "value", "contact_id")
).where(among(t.addresses.c.contact_id, "ids"))
_OWNERS = sa.select(*fields(t.transmissions, _Owner)).where(among(t.transmissions.c.id, "ids"))
_EXTERNAL = (
    sa.select(
        *columns(
            t.external_ids,
            "external_id",
            "thread_id",
            "entry_id",
            "transmission_id",
            "fingerprint",
        )
    )
    .where(
        *bound(org=t.external_ids.c.organisation_id, channel=t.external_ids.c.channel_id),
        among(t.external_ids.c.external_id, "ids"),
    )
    .order_by(t.external_ids.c.external_id)
    .with_for_update()
)
_SENT = sa.select(*columns(t.external_ids, "external_id", "thread_id")).where(
    *bound(org=t.external_ids.c.organisation_id, channel=t.external_ids.c.channel_id),
    among(t.external_ids.c.external_id, "ids"),
    t.external_ids.c.transmission_id.is_not(None),
    t.external_ids.c.thread_id.is_not(None),
)
_ENTRIES_OF_FILES = sa.select(t.attachments.c.entry_id).where(among(t.attachments.c.id, "ids"))
_THREADS_OF_ENTRIES = (
    sa.select(t.entries.c.thread_id).where(among(t.entries.c.id, "ids")).distinct()
)
_THREADS = (
    sa.select(*fields(t.threads, Thread), *fields(t.contacts, Contact))
    .join(t.contacts, t.contacts.c.id == t.threads.c.contact_id)
    .where(sa.or_(among(t.threads.c.id, "ids"), among(t.threads.c.contact_id, "contacts")))
    .order_by(t.threads.c.id)
    .with_for_update(of=t.threads)
)
_OF_THREAD = len(Thread.__struct_fields__)
_CHANNELS = sa.select(*fields(t.thread_channels, ThreadChannel)).where(
    among(t.thread_channels.c.thread_id, "ids")
)
_CONTACTS = sa.select(*fields(t.contacts, Contact)).where(among(t.contacts.c.id, "ids"))
_TRANSMISSIONS = (
    sa.select(*fields(t.transmissions, Transmission))
    .where(among(t.transmissions.c.entry_id, "entries"))
    .order_by(t.transmissions.c.id)
    .with_for_update()
)
_ENTRIES = sa.select(*fields(t.entries, Entry)).where(among(t.entries.c.id, "ids"))
_APPROVALS = sa.select(*fields(t.approvals, Approval)).where(among(t.approvals.c.entry_id, "ids"))
_ATTACHMENTS = (
    sa.select(*fields(t.attachments, AttachmentState))
    .where(among(t.attachments.c.id, "ids"))
    .order_by(t.attachments.c.id)
    .with_for_update()  # an upload that is sent just now is not forgotten meanwhile
)
_RECEIPTS = sa.select(*fields(t.receipts, StoredReceipt)).where(
    *bound(org=t.receipts.c.organisation_id, channel=t.receipts.c.channel_id),
    among(t.receipts.c.external_id, "ids"),
)
_NEWS = sa.select(*fields(t.message_events, StoredNews)).where(
    *bound(org=t.message_events.c.organisation_id, channel=t.message_events.c.channel_id),
    among(t.message_events.c.external_id, "ids"),
)
_SAME_NEWS = _NEWS.where(among(t.message_events.c.key, "keys"))
_CONSENTS = sa.select(*fields(t.consents, Consent)).where(
    *bound(org=t.consents.c.organisation_id, scheme=t.consents.c.scheme),
    among(t.consents.c.value, "values"),
)
_EVERYBODY = (
    sa.select(
        *columns(
            t.members, "id", "organisation_id", "deactivated_at", "available", "assignment_mail"
        ),
        *columns(t.users, "name", "email"),
        t.users.c.deactivated_at.label("user_deactivated_at"),
        *columns(t.roles, "ready", "capabilities", "channel_ids"),
    )
    .join(t.users, t.users.c.id == t.members.c.user_id)
    .outerjoin(t.roles, t.roles.c.id == t.members.c.role_id)
)
_MEMBERS = _EVERYBODY.where(among(t.members.c.id, "ids"))
_OF_ORGANISATION = _EVERYBODY.where(
    *bound(org=t.members.c.organisation_id), t.members.c.deactivated_at.is_(None)
)
_ROTATION = (
    sa.select(*fields(t.rotations, Rotation))
    .where(*bound(org=t.rotations.c.organisation_id))
    .with_for_update()
)
_BUSY = (
    sa.select(t.threads.c.assignee_id, sa.func.count().label("held"))
    .where(
        *bound(org=t.threads.c.organisation_id),
        t.threads.c.assignee_id.is_not(None),
        fixed(t.threads.c.status, "open"),
    )
    .group_by(t.threads.c.assignee_id)
)
_INBOUND = sa.select(*columns(t.entries, "seq", "channel_id", "own_address")).where(
    *bound(thread=t.entries.c.thread_id),
    t.entries.c.direction == "in",
    t.entries.c.kind == "message",
)
_INBOUND_FROM = _INBOUND.where(t.entries.c.seq >= sa.bindparam("first")).order_by(t.entries.c.seq)
_LAST_INBOUND = _INBOUND.order_by(t.entries.c.seq.desc()).limit(1)
_LAST_SEEN = _LAST_INBOUND.where(*Scope.entries(limited=True))
_DIALLED = (
    sa.select(*columns(t.transmissions, "id", "address"))
    .where(
        *bound(org=t.transmissions.c.organisation_id, channel=t.transmissions.c.channel_id),
        fixed(t.transmissions.c.status, "sending", "unknown"),
        t.transmissions.c.kind == "call",
        among(t.transmissions.c.address, "values"),
    )
    .order_by(t.transmissions.c.id)
)
_STAYING = (
    sa.select(*fields(t.entries, Entry))
    .where(*bound(thread=t.entries.c.thread_id), ~among(t.entries.c.id, "moving"))
    .order_by(t.entries.c.sort_at.desc(), t.entries.c.id.desc())
    .limit(1)
)
_LAST_ONES = (
    _STAYING,
    _STAYING.where(t.entries.c.kind != "system"),
    _STAYING.where(t.entries.c.direction == "in"),
    _STAYING.where(t.entries.c.kind != "system", t.entries.c.direction == "out"),
)
"""What a thread is known by, of the entries that are not moved."""
_LAST_ONES_OF_CHANNEL = tuple(
    statement.where(*bound(channel=t.entries.c.channel_id))
    for statement in (_STAYING, _STAYING.where(t.entries.c.direction == "in"))
)


def load(connection: Connection, commands: Sequence[c.Command]) -> World:
    """Everything the commands may touch, with the threads locked."""
    return _Loader(connection, Wanted(commands)).load()


class _Loader:
    def __init__(self, connection: Connection, wanted: Wanted) -> None:
        self.connection = connection
        self.wanted = wanted
        self.world = World()
        self._placed: set[int] = set()
        """Entries whose threads are known."""
        self._accepted: set[ExternalKey] = set()
        self._doubles: dict[int, set[str]] = defaultdict(set)
        """Threads with an entry that may be another one's double, and on which channels."""
        self._echoes: set[int] = set()
        """Those entries, as far as they are stored."""

    def load(self) -> World:
        self._requests()
        self._addresses()
        self._answered()
        self._dialled()
        self._place_accepted(self._owners(self.wanted.transmissions))
        self._external()
        self._threads()
        self._transmissions_and_entries()
        self._follow_moved()
        self._approvals()
        self._staying()
        self._beside_doubles()
        self._attachments()
        self._receipts()
        self._news()
        self._consents()
        self._members()
        self._inbound()
        self._rotas()
        return self.world

    def _rows(self, statement: sa.Select[*tuple[Any, ...]], **values: Any) -> Sequence[Row]:
        return self.connection.execute(statement, values).all()

    def _requests(self) -> None:
        for (org, member), keys in _grouped(self.wanted.requests).items():
            for row in self._rows(_REQUESTS, org=org, member=member, keys=keys):
                self.world.requests[org, member, row.key] = (row.request, row.entry_id)
                self.wanted.entries.add(row.entry_id)

    def _addresses(self) -> None:
        for (org, scheme), values in _grouped(self.wanted.addresses).items():
            for row in self._rows(_ADDRESSES, org=org, scheme=scheme, values=values):
                self.world.addresses[org, scheme, row.value] = row.contact_id
                self.wanted.contacts.add(row.contact_id)
        known = self.world.addresses
        if changing := {known[key] for key in self.wanted.identities if key in known}:
            self._all_addresses(changing)

    def _all_addresses(self, contact_ids: Collection[int]) -> None:
        """What else they are reached at."""
        for row in self._rows(_ALL_ADDRESSES, ids=contact_ids):
            key = (row.organisation_id, row.scheme, row.value)
            self.world.addresses[key] = row.contact_id

    def _answered(self) -> None:
        """The conversations in which strangers answer what was sent to somebody else."""
        asked = {
            answered
            for answered, senders in self.wanted.answers
            if self.world.addresses.keys().isdisjoint(senders)
        }
        for (org, channel), ids in _grouped(asked).items():
            for row in self._rows(_SENT, org=org, channel=channel, ids=ids):
                self.world.answered[org, channel, row.external_id] = row.thread_id
                self.wanted.threads.add(row.thread_id)

    def _dialled(self) -> None:
        """Calls of ours under way, which a provider may tell of before it has named them."""
        for (org, channel), values in _grouped(self.wanted.dialled).items():
            for row in self._rows(_DIALLED, org=org, channel=channel, values=values):
                self.world.dialled[org, channel, row.address].append(row.id)
                self.wanted.transmissions.add(row.id)

    def _owners(self, transmissions: set[int]) -> list[_Owner]:
        """The threads and entries of what is named by its own id, so that they are locked first."""
        if not transmissions:
            return []
        owners = structs(_Owner, self._rows(_OWNERS, ids=transmissions))
        self.wanted.threads.update(owner.thread_id for owner in owners)
        self._placed.update(owner.entry_id for owner in owners)
        self.wanted.entries |= self._placed
        return owners

    def _place_accepted(self, owners: list[_Owner]) -> None:
        """An accepted send names only its transmission; its ids belong to the channel of that."""
        unplaced = {key for key in self.wanted.external if key[1] == ""}
        if not unplaced:
            return
        self.wanted.external -= unplaced
        channels = {(owner.organisation_id, owner.channel_id) for owner in owners}
        self._accepted.update(
            (org, channel, external_id)
            for org, channel in channels
            for owner, _, external_id in unplaced
            if owner == org
        )
        self.wanted.external |= self._accepted
        if told_elsewhere := self._accepted & self.wanted.echoes:
            for owner in owners:
                self._doubles[owner.thread_id].update(key[1] for key in told_elsewhere)

    def _external(self) -> None:
        """Locked before the threads: while an id names no message yet, a receipt for it and the
        accepted send have no thread in common, and would not see each other."""
        named: set[int] = set()
        for (org, channel), ids in sorted(_grouped(self.wanted.external).items()):
            for row in self._rows(_EXTERNAL, org=org, channel=channel, ids=ids):
                self.world.external[org, channel, row.external_id] = ExternalId(
                    row.thread_id, row.entry_id, row.transmission_id, row.fingerprint
                )
                if row.transmission_id is not None:
                    named.add(row.transmission_id)
                elif row.entry_id is not None:
                    key = (org, channel, row.external_id)
                    if key in self.wanted.told or key in self._accepted:
                        self._placed.add(row.entry_id)
                        self.wanted.entries.add(row.entry_id)
                        self.wanted.threads.add(row.thread_id)
                    if key in self._accepted:
                        self._doubles[row.thread_id].add(channel)
                        self._echoes.add(row.entry_id)
        self._owners(named - self.wanted.transmissions)
        self.wanted.transmissions |= named

    def _threads(self) -> None:
        wanted, world = self.wanted, self.world
        if wanted.attachments:
            entries = self._rows(_ENTRIES_OF_FILES, ids=wanted.attachments)
            wanted.entries.update(row.entry_id for row in entries if row.entry_id is not None)
        if unplaced := wanted.entries - self._placed:
            threads = self._rows(_THREADS_OF_ENTRIES, ids=unplaced)
            wanted.threads.update(row.thread_id for row in threads)
        if not (wanted.threads or wanted.contacts):
            return
        self._lock(wanted.threads, wanted.contacts)
        if without_thread := wanted.contacts - world.contacts.keys():
            for row in self._rows(_CONTACTS, ids=without_thread):
                world.contacts[row.id] = struct(Contact, row)

    def _lock(self, threads: Collection[int], contacts: Collection[int] = ()) -> None:
        world = self.world
        found: list[int] = []
        # An empty array is false, which implies any condition: PostgreSQL would take a partial
        # index for as good as the key, and walk along it.
        ids = {"ids": threads or [0], "contacts": contacts or [0]}
        for row in self._rows(_THREADS, **ids):
            thread, contact = struct(Thread, row[:_OF_THREAD]), struct(Contact, row[_OF_THREAD:])
            world.threads[thread.id] = thread
            world.thread_of[contact.id] = thread.id
            world.contacts[contact.id] = contact
            found.append(thread.id)
        if found:
            for row in self._rows(_CHANNELS, ids=found):
                channel = struct(ThreadChannel, row)
                world.channels[channel.thread_id, channel.channel_id] = channel

    def _transmissions_and_entries(self) -> None:
        """All transmissions of an entry decide its status, so one brings the others."""
        world, entries = self.world, self.wanted.entries
        if not entries:
            return
        for row in self._rows(_TRANSMISSIONS, entries=entries):
            transmission = struct(Transmission, row)
            world.transmissions[transmission.id] = transmission
            world.of_entry[transmission.entry_id].append(transmission.id)
        for row in self._rows(_ENTRIES, ids=entries):
            world.entries[row.id] = struct(Entry, row)

    def _beside_doubles(self) -> None:
        """The entries that a thread will be known by when its doubles are gone."""
        for thread_id, channels in self._doubles.items():
            of = {"thread": thread_id, "moving": self._echoes}
            found = [row for statement in _LAST_ONES for row in self._rows(statement, **of)]
            for channel in channels:
                for statement in _LAST_ONES_OF_CHANNEL:
                    found += self._rows(statement, channel=channel, **of)
            for row in found:
                self.world.entries.setdefault(row.id, struct(Entry, row))

    def _follow_moved(self) -> None:
        """A call may have been moved since its provider's id was written down, or since it was
        found: its conversation is locked now, and what was read before that is read again."""
        world = self.world
        while moved := {one.thread_id for one in world.entries.values()} - world.threads.keys():
            self._lock(moved)
            world.of_entry.clear()
            self._transmissions_and_entries()

    def _staying(self) -> None:
        """Of the conversations that a call is moved out of or into, the entries that they will be
        known by; what else is in the batch is known."""
        world = self.world
        moving = {id_ for id_, _ in self.wanted.moving}
        sources: set[int] = set()
        for id_, contact_id in self.wanted.moving:
            call = world.entries.get(id_)
            if call is not None:
                channel, left = call.channel_id, {call.thread_id}
            elif id_ in self.wanted.calls:  # the batch brings it: to one of the organisation's
                org, channel = self.wanted.calls[id_]
                left = {one.id for one in world.threads.values() if one.organisation_id == org}
            else:
                continue
            sources |= left
            for thread_id in (left | {world.thread_of.get(contact_id or 0)}) - {None}:
                of = {"thread": thread_id, "moving": moving, "channel": channel}
                for statement in (*_LAST_ONES, *_LAST_ONES_OF_CHANNEL):
                    for row in self._rows(statement, **of):
                        world.entries.setdefault(row.id, struct(Entry, row))
        if sources:
            self._all_addresses({world.threads[id_].contact_id for id_ in sources})

    def _approvals(self) -> None:
        """Read after their threads were locked: of two who decide, the second sees the first."""
        if not self.wanted.approvals:
            return
        for row in self._rows(_APPROVALS, ids=self.wanted.approvals):
            self.world.approvals[row.entry_id] = struct(Approval, row)

    def _attachments(self) -> None:
        if not self.wanted.attachments:
            return
        for row in self._rows(_ATTACHMENTS, ids=self.wanted.attachments):
            self.world.attachments[row.id] = struct(AttachmentState, row)

    def _receipts(self) -> None:
        """Of ids that were there already: what has come of them left its id as well."""
        for (org, channel), ids in _grouped(self.world.external).items():
            for row in self._rows(_RECEIPTS, org=org, channel=channel, ids=ids):
                receipt = struct(StoredReceipt, row)
                self.world.receipts[org, channel, receipt.external_id][receipt.status] = receipt

    def _news(self) -> None:
        """What waits for its message, all of it; of the others only what is told again."""
        waiting = [
            key
            for key, names in self.world.external.items()
            if names.entry_id is None or (key in self._accepted and names.transmission_id is None)
        ]
        keys = _grouped(self.wanted.news)
        for (org, channel), ids in _grouped(waiting).items():
            self._keep_news(self._rows(_NEWS, org=org, channel=channel, ids=ids))
        known = self.wanted.told - set(waiting)
        for (org, channel), ids in _grouped(known & self.world.external.keys()).items():
            if again := keys.get((org, channel)):
                rows = self._rows(_SAME_NEWS, org=org, channel=channel, ids=ids, keys=again)
                self._keep_news(rows)

    def _keep_news(self, rows: Sequence[Row]) -> None:
        for row in rows:
            one = struct(StoredNews, row)
            self.world.news[one.organisation_id, one.channel_id, one.external_id][one.key] = one

    def _consents(self) -> None:
        """Of the addresses they are about, and of those about to be sent to."""
        wanted = set(self.wanted.consents)
        wanted.update(
            (row.organisation_id, row.scheme, row.address)
            for id_ in self.wanted.transmissions
            if (row := self.world.transmissions.get(id_)) is not None
        )
        wanted.update(
            (row.organisation_id, row.scheme, value)
            for id_, copies in self.wanted.copies.items()
            if (row := self.world.transmissions.get(id_)) is not None
            for value in copies
        )
        for (org, scheme), values in _grouped(wanted).items():
            for row in self._rows(_CONSENTS, org=org, scheme=scheme, values=values):
                consent = struct(Consent, row)
                self.world.consents[consent_key(consent)] = consent

    def _members(self) -> None:
        if not self.wanted.members:
            return
        for row in self._rows(_MEMBERS, ids=self.wanted.members):
            self.world.members[row.id] = _member(row)

    def _rotas(self) -> None:
        """Who may be assigned what is nobody's. Read after the rotation was locked: of two
        processes that assign, the second sees what the first has done."""
        world = self.world
        for org in sorted(self.wanted.assigning):
            for row in self._rows(_ROTATION, org=org):
                world.rotations[org] = struct(Rotation, row)
            settings = people.settings_of(self.connection, org)[0].assignment
            members = [_member(row) for row in self._rows(_OF_ORGANISATION, org=org)]
            busy: dict[int, int] = {}
            if "least_busy" in {settings.mode, *(one.mode for one in settings.channels)}:
                busy = {row.assignee_id: row.held for row in self._rows(_BUSY, org=org)}
                for thread in world.threads.values():
                    if thread.organisation_id == org and thread.status == "open":
                        busy[thread.assignee_id or 0] = busy.get(thread.assignee_id or 0, 0) - 1
            world.rotas[org] = Rota(settings, members, busy)

    def _inbound(self) -> None:
        """What is unread in the threads that are about to be read, and what will be, once the last
        one is that somebody sees."""
        world = self.world
        for thread_id in sorted(self.wanted.reading & world.threads.keys()):
            first = world.threads[thread_id].read_through + 1
            for scope in self.wanted.unreading.get(thread_id, ()):
                last = _LAST_SEEN if scope.limited else _LAST_INBOUND
                rows = self._rows(last, thread=thread_id, **scope.values)
                first = min([first, *(row.seq for row in rows)])
            rows = self._rows(_INBOUND_FROM, thread=thread_id, first=first)
            world.inbound[thread_id] = structs(Inbound, rows)


def _member(row: Row) -> MemberState:
    return MemberState(
        id=row.id,
        organisation_id=row.organisation_id,
        name=row.name,
        email=row.email,
        active=row.deactivated_at is None and row.user_deactivated_at is None,
        available=bool(row.available),
        capabilities=people.capabilities_of(row.ready, row.capabilities or "[]"),
        channels=people.channels_of(row.channel_ids),
        mailed=bool(row.assignment_mail),
    )


def consent_key(consent: Consent) -> ConsentKey:
    """What names a consent."""
    return (
        consent.organisation_id,
        consent.channel_id,
        consent.scheme,
        consent.value,
        consent.own_address,
    )


K = TypeVar("K")


def _grouped(keys: Iterable[tuple[Any, Any, K]]) -> dict[tuple[Any, Any], list[K]]:
    groups: dict[tuple[Any, Any], list[K]] = defaultdict(list)
    for first, second, last in keys:
        groups[first, second].append(last)
    return groups
