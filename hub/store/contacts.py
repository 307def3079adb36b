"""Contacts with their addresses and consents, and how each channel knows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.store import tables as t
from hub.store.rows import struct, structs
from hub.store.scope import Scope, at_numbers
from hub.store.statements import among, bound, columns, fields
from hub.store.timeline import EntryRow


class AddressRow(Struct, kw_only=True, frozen=True):
    id: int
    contact_id: int
    scheme: str
    value: str
    display: str | None
    verified: bool


class ContactRow(Struct, kw_only=True, frozen=True):
    id: int
    name: str | None
    created_at: int
    property_address: str | None
    account: str | None
    lead_id: str | None


class ContactOfThread(Struct, kw_only=True, frozen=True):
    """A contact and the conversation with them."""

    id: int
    name: str | None
    thread_id: int


class ConsentRow(Struct, kw_only=True, frozen=True):
    channel_id: str
    scheme: str
    value: str
    own_address: str
    state: str
    how: str
    by_member_id: int | None
    at: int


class ConsentEventRow(Struct, kw_only=True, frozen=True):
    """A change of a consent, and the name of the member who made it."""

    id: int
    channel_id: str
    scheme: str
    value: str
    own_address: str
    state: str
    how: str
    by_member_id: int | None
    at: int
    by: str | None


class ChannelUse(Struct, kw_only=True, frozen=True):
    """How a contact last wrote on a channel: ``wrote_at``, while it stands at
    ``last_inbound_at``."""

    channel_id: str
    last_inbound_at: int | None
    wrote_at: int | None
    last_inbound_address: str | None
    last_inbound_own: str | None


_ADDRESSES = (
    sa.select(*fields(t.addresses, AddressRow))
    .where(among(t.addresses.c.contact_id, "contacts"))
    .order_by(t.addresses.c.contact_id, t.addresses.c.id)
)
_CONTACT = sa.select(*fields(t.contacts, ContactRow)).where(
    *bound(id=t.contacts.c.id, org=t.contacts.c.organisation_id)
)
_OF_THREADS = (
    sa.select(t.threads.c.id, t.contacts.c.id, t.contacts.c.name)
    .join(t.contacts, t.contacts.c.id == t.threads.c.contact_id)
    .where(among(t.threads.c.id, "ids"))
)
_CONTACT_OF_THREAD = sa.select(t.threads.c.contact_id).where(*bound(thread=t.threads.c.id))
_THREAD_OF = sa.select(t.threads.c.id).where(
    *bound(contact=t.threads.c.contact_id, org=t.threads.c.organisation_id)
)
_THREAD_AT = (
    sa.select(t.threads.c.id)
    .join(t.addresses, t.addresses.c.contact_id == t.threads.c.contact_id)
    .where(
        *bound(
            value=t.addresses.c.value,
            scheme=t.addresses.c.scheme,
            org=t.addresses.c.organisation_id,
        )
    )
)
_CONSENTS = sa.select(*fields(t.consents, ConsentRow)).where(
    *bound(org=t.consents.c.organisation_id),
    among(t.consents.c.scheme, "schemes"),
    among(t.consents.c.value, "values"),
)
_EVENTS = (
    sa.select(
        *columns(
            t.consent_events,
            "id",
            "channel_id",
            "scheme",
            "value",
            "own_address",
            "state",
            "how",
            "by_member_id",
            "at",
        ),
        t.users.c.name.label("by"),
    )
    .select_from(t.addresses)
    .join(
        t.consent_events,
        sa.and_(
            t.consent_events.c.value == t.addresses.c.value,
            t.consent_events.c.scheme == t.addresses.c.scheme,
            t.consent_events.c.organisation_id == t.addresses.c.organisation_id,
        ),
    )
    .outerjoin(t.members, t.members.c.id == t.consent_events.c.by_member_id)
    .outerjoin(t.users, t.users.c.id == t.members.c.user_id)
    .where(
        *bound(contact=t.addresses.c.contact_id, org=t.addresses.c.organisation_id),
        t.consent_events.c.id < sa.bindparam("before", type_=t.Id),
    )
    .order_by(t.consent_events.c.id.desc())
    .limit(sa.bindparam("count", type_=sa.Integer))
)
_EVENTS_SEEN = _EVENTS.where(
    sa.or_(
        among(t.consent_events.c.channel_id, "channels"),
        at_numbers(t.consent_events),
        sa.and_(  # of every number
            among(t.consent_events.c.channel_id, "part"), t.consent_events.c.own_address == ""
        ),
    )
)
_USES = (
    sa.select(*fields(t.thread_channels, ChannelUse))
    .where(*bound(thread=t.thread_channels.c.thread_id))
    .order_by(t.thread_channels.c.sort_at.desc())
)


_USES_OF = sa.select(t.thread_channels.c.thread_id, *fields(t.thread_channels, ChannelUse)).where(
    among(t.thread_channels.c.thread_id, "ids")
)


def addresses_of(connection: Connection, contact_ids: Sequence[int]) -> dict[int, list[AddressRow]]:
    """The addresses of contacts, oldest first."""
    found: dict[int, list[AddressRow]] = {}
    if contact_ids:
        for row in connection.execute(_ADDRESSES, {"contacts": contact_ids}):
            found.setdefault(row.contact_id, []).append(struct(AddressRow, row))
    return found


def contact_by_id(connection: Connection, organisation_id: int, id_: int) -> ContactRow | None:
    """One contact of an organisation."""
    row = connection.execute(_CONTACT, {"id": id_, "org": organisation_id}).first()
    return None if row is None else struct(ContactRow, row)


def contact_of_thread(connection: Connection, thread_id: int) -> int:
    """Whose conversation it is."""
    return connection.execute(_CONTACT_OF_THREAD, {"thread": thread_id}).scalar_one()


def thread_of(connection: Connection, organisation_id: int, contact_id: int) -> int | None:
    """The conversation with a contact, if there is one."""
    values = {"contact": contact_id, "org": organisation_id}
    return connection.execute(_THREAD_OF, values).scalar()


def thread_at(connection: Connection, organisation_id: int, scheme: str, value: str) -> int | None:
    """The conversation with whoever has an address, if there is one."""
    values = {"org": organisation_id, "scheme": scheme, "value": value}
    return connection.execute(_THREAD_AT, values).scalar()


def of_threads(connection: Connection, thread_ids: Sequence[int]) -> list[ContactOfThread]:
    """The contacts of conversations, in the order of these."""
    if not thread_ids:
        return []
    rows = connection.execute(_OF_THREADS, {"ids": thread_ids})
    found = {
        thread_id: ContactOfThread(id=id_, name=name, thread_id=thread_id)
        for thread_id, id_, name in rows
    }
    return [found[id_] for id_ in thread_ids if id_ in found]


def consents_of(
    connection: Connection, organisation_id: int, addresses: Sequence[AddressRow]
) -> list[ConsentRow]:
    """What has been said about addresses."""
    known = {(address.scheme, address.value) for address in addresses}
    return _consents(connection, organisation_id, known)


def consents_of_entries(
    connection: Connection, organisation_id: int, entries: Sequence[EntryRow]
) -> list[ConsentRow]:
    """What has been said about the addresses that entries go to."""
    known = {(one.scheme or "", one.address or "") for one in entries}
    return _consents(connection, organisation_id, known)


def consents_at(
    connection: Connection, organisation_id: int, scheme: str, value: str
) -> list[ConsentRow]:
    """What has been said about one address, whether or not it is a contact's."""
    return _consents(connection, organisation_id, {(scheme, value)})


def consent_history(
    connection: Connection, scope: Scope, contact_id: int, *, before: int, limit: int
) -> list[ConsentEventRow]:
    """What was said of a contact's consent before an event's id, on the channels that are seen, the
    newest first."""
    values: dict[str, Any] = {
        "org": scope.organisation_id,
        "contact": contact_id,
        "before": before,
        "count": limit,
    }
    statement = _EVENTS
    if scope.limited:
        statement, values = _EVENTS_SEEN, {**scope.values, **values}
    return structs(ConsentEventRow, connection.execute(statement, values).all())


def _consents(
    connection: Connection, organisation_id: int, known: set[tuple[str, str]]
) -> list[ConsentRow]:
    values = {
        "org": organisation_id,
        "schemes": sorted({scheme for scheme, _ in known}),
        "values": sorted({value for _, value in known}),
    }
    rows = structs(ConsentRow, connection.execute(_CONSENTS, values).all())
    return [row for row in rows if (row.scheme, row.value) in known]


def uses_of(connection: Connection, thread_ids: Sequence[int]) -> dict[tuple[int, str], ChannelUse]:
    """How the contacts of threads used each channel, by thread and channel."""
    rows = connection.execute(_USES_OF, {"ids": thread_ids})
    return {(row.thread_id, row.channel_id): struct(ChannelUse, row[1:]) for row in rows}


def channel_uses(connection: Connection, thread_id: int) -> list[ChannelUse]:
    """How the contact of a thread used each channel, the last used first."""
    uses = structs(ChannelUse, connection.execute(_USES, {"thread": thread_id}).all())
    return sorted(uses, key=lambda use: -(use.last_inbound_at or 0))
