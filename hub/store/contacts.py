"""Contacts with their addresses and consents, and how each channel knows them."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.store import tables as t
from hub.store.rows import struct, structs
from hub.store.statements import among, bound, fields


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


class ConsentRow(Struct, kw_only=True, frozen=True):
    channel_id: str
    scheme: str
    value: str
    own_address: str
    state: str
    how: str
    by_member_id: int | None
    at: int


class ChannelUse(Struct, kw_only=True, frozen=True):
    """How a contact last wrote on a channel."""

    channel_id: str
    last_inbound_at: int | None
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
_CONSENTS = sa.select(*fields(t.consents, ConsentRow)).where(
    *bound(org=t.consents.c.organisation_id),
    among(t.consents.c.scheme, "schemes"),
    among(t.consents.c.value, "values"),
)
_USES = (
    sa.select(*fields(t.thread_channels, ChannelUse))
    .where(*bound(thread=t.thread_channels.c.thread_id))
    .order_by(t.thread_channels.c.sort_at.desc())
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


def consents_of(
    connection: Connection, organisation_id: int, addresses: Sequence[AddressRow]
) -> list[ConsentRow]:
    """What has been said about addresses."""
    known = {(address.scheme, address.value) for address in addresses}
    return _consents(connection, organisation_id, known)


def consents_at(
    connection: Connection, organisation_id: int, scheme: str, value: str
) -> list[ConsentRow]:
    """What has been said about one address, whether or not it is a contact's."""
    return _consents(connection, organisation_id, {(scheme, value)})


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


def channel_uses(connection: Connection, thread_id: int) -> list[ChannelUse]:
    """How the contact of a thread used each channel, the last used first."""
    uses = structs(ChannelUse, connection.execute(_USES, {"thread": thread_id}).all())
    return sorted(uses, key=lambda use: -(use.last_inbound_at or 0))
