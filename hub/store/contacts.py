"""Contacts with their addresses and consents, and how each channel knows them."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.store import tables as t
from hub.store.rows import struct, structs


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


_ADDRESS = [t.addresses.c[name] for name in AddressRow.__struct_fields__]
_CONTACT = [t.contacts.c[name] for name in ContactRow.__struct_fields__]
_CONSENT = [t.consents.c[name] for name in ConsentRow.__struct_fields__]
_USE = [t.thread_channels.c[name] for name in ChannelUse.__struct_fields__]


async def addresses_of(
    connection: AsyncConnection, contact_ids: Sequence[int]
) -> dict[int, list[AddressRow]]:
    """The addresses of contacts, oldest first."""
    if not contact_ids:
        return {}
    table = t.addresses.c
    statement = (
        sa.select(*_ADDRESS)
        .where(table.contact_id.in_(contact_ids))
        .order_by(table.contact_id, table.id)
    )
    found: dict[int, list[AddressRow]] = {}
    for row in (await connection.execute(statement)).all():
        found.setdefault(row.contact_id, []).append(struct(AddressRow, row))
    return found


async def contact_by_id(
    connection: AsyncConnection, organisation_id: int, id_: int
) -> ContactRow | None:
    """One contact of an organisation."""
    statement = sa.select(*_CONTACT).where(
        t.contacts.c.id == id_, t.contacts.c.organisation_id == organisation_id
    )
    row = (await connection.execute(statement)).first()
    return None if row is None else struct(ContactRow, row)


async def consents_of(
    connection: AsyncConnection, organisation_id: int, addresses: Sequence[AddressRow]
) -> list[ConsentRow]:
    """What has been said about addresses."""
    values = {address.value for address in addresses}
    schemes = {address.scheme for address in addresses}
    table = t.consents.c
    statement = sa.select(*_CONSENT).where(
        table.organisation_id == organisation_id,
        table.scheme.in_(schemes),
        table.value.in_(values),
    )
    rows = (await connection.execute(statement)).all()
    known = {(address.scheme, address.value) for address in addresses}
    return [struct(ConsentRow, row) for row in rows if (row.scheme, row.value) in known]


async def channel_uses(connection: AsyncConnection, thread_id: int) -> list[ChannelUse]:
    """How the contact of a thread used each channel, the last used first."""
    table = t.thread_channels.c
    statement = (
        sa.select(*_USE)
        .where(table.thread_id == thread_id)
        .order_by(table.last_inbound_at.desc(), table.sort_at.desc())
    )
    rows = (await connection.execute(statement)).all()
    uses = structs(ChannelUse, rows)
    return sorted(uses, key=lambda use: -(use.last_inbound_at or 0))
