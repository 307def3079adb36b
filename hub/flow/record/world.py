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
from hub.store.rows import struct

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
                self._member(command.by_member_id)
            case c.SendMessage():
                self.addresses.add((org, command.address.scheme, command.address.value))
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


def load(connection: Connection, commands: Sequence[c.Command]) -> World:
    """Everything the commands may touch, with the threads locked."""
    return _Loader(connection, Wanted(commands)).load()


class _Loader:
    def __init__(self, connection: Connection, wanted: Wanted) -> None:
        self.connection = connection
        self.wanted = wanted
        self.world = World()

    def load(self) -> World:
        self._requests()
        self._addresses()
        self._channels_of_accepted()
        self._external()
        self._owners()
        self._threads()
        self._transmissions_and_entries()
        self._attachments()
        self._receipts()
        self._consents()
        self._members()
        self._inbound()
        return self.world

    def _rows(self, statement: sa.Select[*tuple[Any, ...]]) -> Sequence[sa.Row[Any]]:
        return self.connection.execute(statement).all()

    def _requests(self) -> None:
        table = t.idempotency_keys.c
        for (org, member), keys in _grouped(self.wanted.requests).items():
            for row in self._rows(
                sa.select(table.key, table.request, table.entry_id).where(
                    table.organisation_id == org, table.member_id == member, table.key.in_(keys)
                )
            ):
                self.world.requests[org, member, row.key] = (row.request, row.entry_id)
                self.wanted.entries.add(row.entry_id)

    def _addresses(self) -> None:
        table = t.addresses.c
        for (org, scheme), values in _grouped(self.wanted.addresses).items():
            for row in self._rows(
                sa.select(table.value, table.contact_id).where(
                    table.organisation_id == org, table.scheme == scheme, table.value.in_(values)
                )
            ):
                self.world.addresses[org, scheme, row.value] = row.contact_id
                self.wanted.contacts.add(row.contact_id)

    def _channels_of_accepted(self) -> None:
        """An accepted send names only its transmission; its ids belong to the channel of that."""
        unplaced = {key for key in self.wanted.external if key[1] == ""}
        if not unplaced:
            return
        self.wanted.external -= unplaced
        table = t.transmissions.c
        channels = {
            (row.organisation_id, row.channel_id)
            for row in self._rows(
                sa.select(table.organisation_id, table.channel_id).where(
                    table.id.in_(self.wanted.transmissions)
                )
            )
        }
        self.wanted.external.update(
            (org, channel, external_id)
            for org, channel in channels
            for owner, _, external_id in unplaced
            if owner == org
        )

    def _external(self) -> None:
        """Locked before the threads: while an id names no message yet, a receipt for it and the
        accepted send have no thread in common, and would not see each other."""
        table = t.external_ids.c
        for (org, channel), ids in sorted(_grouped(self.wanted.external).items()):
            for row in self._rows(
                sa.select(table.external_id, table.thread_id, table.entry_id, table.transmission_id)
                .where(
                    table.organisation_id == org,
                    table.channel_id == channel,
                    table.external_id.in_(ids),
                )
                .order_by(table.external_id)
                .with_for_update()
            ):
                self.world.external[org, channel, row.external_id] = ExternalId(
                    row.thread_id, row.entry_id, row.transmission_id
                )
                if row.transmission_id is not None:
                    self.wanted.transmissions.add(row.transmission_id)

    def _owners(self) -> None:
        """The threads of what is named by its own id, so that they are locked first."""
        wanted = self.wanted
        table = t.attachments.c
        if wanted.attachments:
            wanted.entries.update(
                row.entry_id
                for row in self._rows(
                    sa.select(table.entry_id).where(table.id.in_(wanted.attachments))
                )
                if row.entry_id is not None
            )
        for owned, ids in ((t.transmissions, wanted.transmissions), (t.entries, wanted.entries)):
            if ids:
                wanted.threads.update(
                    self.connection.scalars(
                        sa.select(owned.c.thread_id).where(owned.c.id.in_(ids)).distinct()
                    )
                )

    def _threads(self) -> None:
        wanted, world = self.wanted, self.world
        if not (wanted.threads or wanted.contacts):
            return
        table = t.threads.c
        rows = self._rows(
            sa.select(t.threads)
            .where(sa.or_(table.id.in_(wanted.threads), table.contact_id.in_(wanted.contacts)))
            .order_by(table.id)
            .with_for_update()
        )
        for row in rows:
            thread = struct(Thread, row)
            world.threads[thread.id] = thread
            world.thread_of[thread.contact_id] = thread.id
        ids = list(world.threads)
        if ids:
            for row in self._rows(
                sa.select(t.thread_channels).where(t.thread_channels.c.thread_id.in_(ids))
            ):
                channel = struct(ThreadChannel, row)
                world.channels[channel.thread_id, channel.channel_id] = channel
        contacts = wanted.contacts | {thread.contact_id for thread in world.threads.values()}
        if contacts:
            for row in self._rows(sa.select(t.contacts).where(t.contacts.c.id.in_(contacts))):
                world.contacts[row.id] = struct(Contact, row)

    def _transmissions_and_entries(self) -> None:
        wanted, world = self.wanted, self.world
        table = t.transmissions.c
        if wanted.transmissions or wanted.entries:
            # All transmissions of an entry decide its status, so one brings the others.
            entries = wanted.entries | set(
                self.connection.scalars(
                    sa.select(table.entry_id).where(table.id.in_(wanted.transmissions))
                )
            )
            for row in self._rows(
                sa.select(t.transmissions)
                .where(table.entry_id.in_(entries))
                .order_by(table.id)
                .with_for_update()
            ):
                transmission = struct(Transmission, row)
                world.transmissions[transmission.id] = transmission
                world.of_entry[transmission.entry_id].append(transmission.id)
            for row in self._rows(sa.select(t.entries).where(t.entries.c.id.in_(entries))):
                world.entries[row.id] = struct(Entry, row)

    def _attachments(self) -> None:
        if not self.wanted.attachments:
            return
        for row in self._rows(
            sa.select(t.attachments).where(t.attachments.c.id.in_(self.wanted.attachments))
        ):
            self.world.attachments[row.id] = struct(AttachmentState, row)

    def _receipts(self) -> None:
        table = t.receipts.c
        for (org, channel), ids in _grouped(self.wanted.external).items():
            for row in self._rows(
                sa.select(t.receipts).where(
                    table.organisation_id == org,
                    table.channel_id == channel,
                    table.external_id.in_(ids),
                )
            ):
                receipt = struct(StoredReceipt, row)
                self.world.receipts[org, channel, receipt.external_id][receipt.status] = receipt

    def _consents(self) -> None:
        """Of the addresses named, and of those about to be sent to."""
        table = t.consents.c
        wanted = set(self.wanted.addresses)
        wanted.update(
            (row.organisation_id, row.scheme, row.address)
            for id_ in self.wanted.transmissions
            if (row := self.world.transmissions.get(id_)) is not None
        )
        for (org, scheme), values in _grouped(wanted).items():
            for row in self._rows(
                sa.select(t.consents).where(
                    table.organisation_id == org, table.scheme == scheme, table.value.in_(values)
                )
            ):
                consent = struct(Consent, row)
                self.world.consents[consent_key(consent)] = consent

    def _members(self) -> None:
        if not self.wanted.members:
            return
        for row in self._rows(
            sa.select(
                t.members.c.id,
                t.members.c.organisation_id,
                t.members.c.deactivated_at,
                t.users.c.name,
                t.users.c.deactivated_at.label("user_deactivated_at"),
            )
            .join(t.users, t.users.c.id == t.members.c.user_id)
            .where(t.members.c.id.in_(self.wanted.members))
        ):
            active = row.deactivated_at is None and row.user_deactivated_at is None
            self.world.members[row.id] = MemberName(row.organisation_id, row.name, active)

    def _inbound(self) -> None:
        """What is unread in the threads that are about to be read, and the last inbound one."""
        world = self.world
        entry = t.entries.c
        for thread_id in sorted(self.wanted.reading & world.threads.keys()):
            thread = world.threads[thread_id]
            inbound = sa.select(entry.seq, entry.channel_id).where(
                entry.thread_id == thread_id, entry.direction == "in"
            )
            rows = self._rows(inbound.where(entry.seq > thread.read_through).order_by(entry.seq))
            world.inbound[thread_id] = [Inbound(row.seq, row.channel_id) for row in rows]
            last = self.connection.execute(inbound.order_by(entry.seq.desc()).limit(1)).first()
            if last is not None:
                world.last_inbound[thread_id] = Inbound(last.seq, last.channel_id)


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
