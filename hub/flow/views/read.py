"""What is read of conversations and entries before they can be shown, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection

from hub.store import contacts, inbox, people, timeline
from hub.store.contacts import AddressRow
from hub.store.inbox import ThreadRow
from hub.store.scope import Scope
from hub.store.timeline import AttachmentRow, EntryRow


class Threads(Struct, frozen=True):
    """Rows of the list with what is told of them: everybody who may be assigned, the addresses of
    contacts without a name, the channels of each."""

    rows: Sequence[ThreadRow]
    members: Sequence[people.Member]
    addresses: dict[int, list[AddressRow]]
    channels: dict[int, list[str]]


class Entries(Struct, frozen=True):
    """Entries of a timeline with their files."""

    rows: Sequence[EntryRow]
    files: dict[int, list[AttachmentRow]]


def threads(connection: Connection, scope: Scope, rows: Sequence[ThreadRow]) -> Threads:
    """What rows of the list need."""
    if not rows:
        return Threads(rows, (), {}, {})
    nameless = [row.contact_id for row in rows if not row.contact_name]
    return Threads(
        rows,
        people.members_of(connection, scope.organisation_id),
        contacts.addresses_of(connection, nameless),
        inbox.channels_of(connection, scope, [row.id for row in rows]),
    )


def entries(connection: Connection, rows: Sequence[EntryRow]) -> Entries:
    """What entries need."""
    return Entries(rows, timeline.attachments_of(connection, [row.id for row in rows]))
