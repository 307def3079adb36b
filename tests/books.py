"""What must be true of a database whatever happened to it, counted anew from its entries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection

from hub.store import tables as t
from hub.store.database import Database

T = TypeVar("T")
Rows = Sequence[Any]


async def read(url: str, work: Callable[[Connection], T]) -> T:
    """``work`` on a connection of its own to a database that a hub may be running on."""
    database = Database(url)
    try:
        return await database.read(work)
    finally:
        await database.close()


async def write(url: str, work: Callable[[Connection], T]) -> T:
    """``work`` in a transaction of its own."""
    database = Database(url)
    if database.dialect == "sqlite":
        engine = database.sync_engine()
        try:
            with engine.begin() as connection:
                return work(connection)
        finally:
            engine.dispose()
    engine = database.async_engine()
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


def rows(connection: Connection, table: sa.Table) -> Rows:
    """Every row of a table, in the order of its key."""
    return connection.execute(sa.select(table).order_by(*table.primary_key.columns)).all()


def check(connection: Connection) -> None:
    """Threads, their channels, entries, journal: all as their entries say."""
    entries: dict[int, list[Any]] = defaultdict(list)
    for entry in rows(connection, t.entries):
        entries[entry.thread_id].append(entry)
    channels: dict[int, list[Any]] = defaultdict(list)
    for channel in rows(connection, t.thread_channels):
        channels[channel.thread_id].append(channel)
    threads = rows(connection, t.threads)
    assert set(entries) == {thread.id for thread in threads}
    assert len({thread.contact_id for thread in threads}) == len(threads)
    for thread in threads:
        own = sorted(entries[thread.id], key=lambda entry: entry.seq)
        _check_thread(thread, own)
        _check_channels(thread, channels[thread.id], own)
    _check_statuses(connection)
    _check_journal(connection)


def _check_thread(thread: Any, entries: Rows) -> None:
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert thread.seq == len(entries)
    inbound = [entry for entry in entries if entry.direction == "in"]
    assert thread.unread == sum(entry.seq > thread.read_through for entry in inbound)
    assert thread.has_inbound == bool(inbound)
    assert thread.active_at == max(entry.sort_at for entry in entries)
    assert thread.last_inbound_at == max((entry.sort_at for entry in inbound), default=None)
    told = [entry for entry in entries if entry.kind != "system"]
    last = max(told, key=lambda entry: (entry.sort_at, entry.id))
    assert (thread.sort_at, thread.last_entry_id) == (last.sort_at, last.id)
    assert (thread.preview, thread.preview_direction) == (last.preview, last.direction)
    assert (thread.preview_channel_id, thread.preview_status) == (last.channel_id, last.status)
    assert (thread.status == "outbound_only") <= (not inbound)


def _check_channels(thread: Any, channels: Rows, entries: Rows) -> None:
    used = {entry.channel_id for entry in entries if entry.channel_id is not None}
    assert {channel.channel_id for channel in channels} == used
    for channel in channels:
        own = [entry for entry in entries if entry.channel_id == channel.channel_id]
        unread = [e for e in own if e.direction == "in" and e.seq > thread.read_through]
        last = max(own, key=lambda entry: (entry.sort_at, entry.id))
        assert channel.unread == len(unread)
        assert (channel.sort_at, channel.last_entry_id) == (last.sort_at, last.id)


def _check_statuses(connection: Connection) -> None:
    statuses = {one.entry_id: one.status for one in rows(connection, t.transmissions)}
    for entry in rows(connection, t.entries):
        status = statuses.get(entry.id)
        assert entry.status == ("pending" if status == "sending" else status)


def _check_journal(connection: Connection) -> None:
    """Positions without a gap, and every entry announced once."""
    lines: dict[int, list[Any]] = defaultdict(list)
    for line in rows(connection, t.journal):
        lines[line.organisation_id].append(line)
    for organisation in rows(connection, t.organisations):
        positions = [line.position for line in lines[organisation.id]]
        assert positions == list(range(1, organisation.position + 1))
    added = [line.entry_id for own in lines.values() for line in own if line.type == "entry.added"]
    assert sorted(added) == [entry.id for entry in rows(connection, t.entries)]
