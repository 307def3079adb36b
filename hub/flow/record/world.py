"""What a batch of commands touches, loaded and locked in one go.

Providers' ids are locked first, then threads, each in the order of their keys, so that two
processes never wait for each other; everything that hangs on a thread is read after its lock.
What was loaded stays beside what the fold makes of it, so that only differences are written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.rules import commands as c
from hub.rules.states import Consent, Entry, Thread, ThreadChannel, Transmission
from hub.store import tables as t
from hub.store.rows import Row, struct, structs
from hub.store.statements import among, bound, columns, fields

AddressKey = tuple[int, str, str]  # organisation, scheme, value
ExternalKey = tuple[int, str, str]  # organisation, channel, external id
ConsentKey = tuple[int, str, str, str, str]  # organisation, channel, scheme, value, own address
IdempotencyKey = tuple[int, int, str]  # organisation, member, key


class ExternalId(Struct, frozen=True):
    """What a provider's id names; nothing yet while only a receipt has been seen."""

    thread_id: int | None = None
    entry_id: int | None = None
    transmission_id: int | None = None


class Contact(Struct, frozen=True, kw_only=True):
    id: int
    organisation_id: int
    name: str | None
    merged_into: int | None = None
    created_at: int


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


class MemberName(Struct, frozen=True):
    organisation_id: int
    name: str
    active: bool


class Inbound(Struct, frozen=True):
    """An inbound entry as reading needs it."""

    seq: int
    channel_id: str | None


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
        self.external: dict[ExternalKey, ExternalId] = {}
        self.receipts: dict[ExternalKey, dict[str, StoredReceipt]] = defaultdict(dict)
        self.consents: dict[ConsentKey, Consent] = {}
        self.attachments: dict[int, AttachmentState] = {}
        self.members: dict[int, MemberName] = {}
        self.requests: dict[IdempotencyKey, tuple[str, int]] = {}
        self.inbound: dict[int, list[Inbound]] = {}  # threads being read: what is unread
        self.last_inbound: dict[int, Inbound] = {}


class Wanted:
    """The keys a batch names, gathered from its commands."""

    def __init__(self, commands: Iterable[c.Command]) -> None:
        self.addresses: set[AddressKey] = set()
        self.consents: set[AddressKey] = set()
        self.external: set[ExternalKey] = set()
        self.entries: set[int] = set()
        self.transmissions: set[int] = set()
        self.attachments: set[int] = set()
        self.threads: set[int] = set()
        self.contacts: set[int] = set()
        self.members: set[int] = set()
        self.requests: set[IdempotencyKey] = set()
        self.reading: set[int] = set()
        for command in commands:
            self._gather(command)

    def _gather(self, command: c.Command) -> None:  # noqa: C901, PLR0912 — one case a command
        org = command.organisation_id
        match command:
            case c.ReceiveMessage():
                self.external.add((org, command.channel_id, command.external_id))
                self.addresses.update((org, a.scheme, a.value) for a in command.sender)
            case c.ReceiveReceipt():
                if command.external_id is not None:
                    self.external.add((org, command.channel_id, command.external_id))
                if command.transmission_id is not None:
                    self.transmissions.add(command.transmission_id)
            case c.ChangeConsent():
                self.addresses.add((org, command.address.scheme, command.address.value))
                self.consents.add((org, command.address.scheme, command.address.value))
                self._member(command.by_member_id)
            case c.SendMessage():
                self.addresses.add((org, command.address.scheme, command.address.value))
                self.consents.add((org, command.address.scheme, command.address.value))
                self.attachments.update(command.attachment_ids)
                if command.thread_id is not None:
                    self.threads.add(command.thread_id)
                self._member(command.by_member_id)
                self._request(org, command.by_member_id, command.idempotency_key)
            case c.AddNote():
                self.threads.add(command.thread_id)
                self._member(command.by_member_id)
                self._request(org, command.by_member_id, command.idempotency_key)
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
            case c.CancelEntry() | c.RetryEntry() | c.ResolveEntry():
                self.entries.add(command.entry_id)
            case c.SendAccepted():
                self.transmissions.add(command.transmission_id)
                self.external.update((org, "", id_) for id_ in command.external_ids)
            case c.Step() | c.SendUnknown() | c.SendAbsent():
                self.transmissions.add(command.transmission_id)
            case c.MediaFetched() | c.MediaFailed():
                self.attachments.add(command.attachment_id)
            case _:
                pass

    def _member(self, member_id: int | None) -> None:
        if member_id is not None:
            self.members.add(member_id)

    def _request(self, org: int, member_id: int | None, key: str | None) -> None:
        if key is not None and member_id is not None:
            self.requests.add((org, member_id, key))


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
_OWNERS = sa.select(*fields(t.transmissions, _Owner)).where(among(t.transmissions.c.id, "ids"))
_EXTERNAL = (
    sa.select(*columns(t.external_ids, "external_id", "thread_id", "entry_id", "transmission_id"))
    .where(
        *bound(org=t.external_ids.c.organisation_id, channel=t.external_ids.c.channel_id),
        among(t.external_ids.c.external_id, "ids"),
    )
    .order_by(t.external_ids.c.external_id)
    .with_for_update()
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
_CONSENTS = sa.select(*fields(t.consents, Consent)).where(
    *bound(org=t.consents.c.organisation_id, scheme=t.consents.c.scheme),
    among(t.consents.c.value, "values"),
)
_MEMBERS = (
    sa.select(
        *columns(t.members, "id", "organisation_id", "deactivated_at"),
        t.users.c.name,
        t.users.c.deactivated_at.label("user_deactivated_at"),
    )
    .join(t.users, t.users.c.id == t.members.c.user_id)
    .where(among(t.members.c.id, "ids"))
)
_INBOUND = sa.select(*columns(t.entries, "seq", "channel_id")).where(
    *bound(thread=t.entries.c.thread_id), t.entries.c.direction == "in"
)
_UNREAD = _INBOUND.where(t.entries.c.seq > sa.bindparam("through")).order_by(t.entries.c.seq)
_LAST_INBOUND = _INBOUND.order_by(t.entries.c.seq.desc()).limit(1)


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

    def load(self) -> World:
        self._requests()
        self._addresses()
        self._place_accepted(self._owners(self.wanted.transmissions))
        self._external()
        self._threads()
        self._transmissions_and_entries()
        self._attachments()
        self._receipts()
        self._consents()
        self._members()
        self._inbound()
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
        self.wanted.external.update(
            (org, channel, external_id)
            for org, channel in channels
            for owner, _, external_id in unplaced
            if owner == org
        )

    def _external(self) -> None:
        """Locked before the threads: while an id names no message yet, a receipt for it and the
        accepted send have no thread in common, and would not see each other."""
        named: set[int] = set()
        for (org, channel), ids in sorted(_grouped(self.wanted.external).items()):
            for row in self._rows(_EXTERNAL, org=org, channel=channel, ids=ids):
                self.world.external[org, channel, row.external_id] = ExternalId(
                    row.thread_id, row.entry_id, row.transmission_id
                )
                if row.transmission_id is not None:
                    named.add(row.transmission_id)
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
        for row in self._rows(_THREADS, ids=wanted.threads, contacts=wanted.contacts):
            thread, contact = struct(Thread, row[:_OF_THREAD]), struct(Contact, row[_OF_THREAD:])
            world.threads[thread.id] = thread
            world.thread_of[contact.id] = thread.id
            world.contacts[contact.id] = contact
        if world.threads:
            for row in self._rows(_CHANNELS, ids=world.threads):
                channel = struct(ThreadChannel, row)
                world.channels[channel.thread_id, channel.channel_id] = channel
        if without_thread := wanted.contacts - world.contacts.keys():
            for row in self._rows(_CONTACTS, ids=without_thread):
                world.contacts[row.id] = struct(Contact, row)

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

    def _consents(self) -> None:
        """Of the addresses they are about, and of those about to be sent to."""
        wanted = set(self.wanted.consents)
        wanted.update(
            (row.organisation_id, row.scheme, row.address)
            for id_ in self.wanted.transmissions
            if (row := self.world.transmissions.get(id_)) is not None
        )
        for (org, scheme), values in _grouped(wanted).items():
            for row in self._rows(_CONSENTS, org=org, scheme=scheme, values=values):
                consent = struct(Consent, row)
                self.world.consents[consent_key(consent)] = consent

    def _members(self) -> None:
        if not self.wanted.members:
            return
        for row in self._rows(_MEMBERS, ids=self.wanted.members):
            active = row.deactivated_at is None and row.user_deactivated_at is None
            self.world.members[row.id] = MemberName(row.organisation_id, row.name, active)

    def _inbound(self) -> None:
        """What is unread in the threads that are about to be read, and the last inbound one."""
        world = self.world
        for thread_id in sorted(self.wanted.reading & world.threads.keys()):
            thread = world.threads[thread_id]
            rows = self._rows(_UNREAD, thread=thread_id, through=thread.read_through)
            world.inbound[thread_id] = structs(Inbound, rows)
            for row in self._rows(_LAST_INBOUND, thread=thread_id):
                world.last_inbound[thread_id] = struct(Inbound, row)


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
