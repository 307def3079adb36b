"""What must be true of a database whatever happened to it, counted anew from its entries."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from msgspec.structs import asdict
from pyroaring import BitMap
from sqlalchemy import Connection

from hub.rules import calls, sight, updates
from hub.store import inbox, inbox_counts, inbox_sets
from hub.store import tables as t
from hub.store.database import Database
from hub.store.inbox_sets import Owner
from hub.store.rows import facts
from hub.store.scope import Scope

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


def unguard(connection: Connection) -> None:
    """Let a test do to the audit what the database refuses."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ALTER TABLE audit DISABLE TRIGGER USER")
        return
    for verb in ("update", "delete"):
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS audit_refuses_{verb}")


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
        check_thread(thread, own)
        check_channels(thread, channels[thread.id], own)
    check_counts(connection)
    _check_statuses(connection)
    _check_journal(connection)


def check_counts(connection: Connection) -> None:
    """What is counted with each change is what counting everything finds."""
    there: Counter[Any] = Counter()
    for one in rows(connection, t.threads):
        kind = (one.status, one.assignee_id or -1, one.unread > 0, one.needs_response)
        for level in range(inbox_counts.LEVELS if one.sort_at else 0):
            block = one.active_at // (inbox_counts.HOUR << inbox_counts.STEP * level)
            there[one.organisation_id, level, block, *kind] += 1
    kept = {tuple(row[:-1]): row.n for row in rows(connection, t.thread_counts) if row.n}
    assert kept == there
    check_sets(connection)


def check_sets(connection: Connection) -> None:
    """What has something in common is kept so, and numbered without doubles."""
    threads = rows(connection, t.threads)
    for org in rows(connection, t.organisations):
        own = [one for one in threads if one.organisation_id == org.id]
        listed = {one.id: one for one in own if one.sort_at}
        check_sets_of(connection, Owner(Scope(org.id)), own, listed)


def check_sets_of(connection: Connection, owner: Owner, threads: Rows, listed: Any) -> None:
    """The same of one list, in which some of an organisation's threads are ``listed``."""
    entries: dict[int, list[Any]] = defaultdict(list)
    for entry in rows(connection, t.entries):
        if owner.scope.sees_at(entry.channel_id, entry.own_address):
            entries[entry.thread_id].append(entry)
    there: dict[str, set[int]] = defaultdict(set)
    for one in threads:
        assert one.number is not None
        names = {f"channel {said.channel_id}" for said in entries[one.id] if said.channel_id}
        names |= {f"own {said.own_address}" for said in entries[one.id] if said.own_address}
        times = [("active", said.sort_at) for said in entries[one.id]]
        if row := listed.get(one.id):
            times.append(("sorted", row.sort_at))
            names |= {f"status {row.status}", f"assignee {row.assignee_id or -1}"}
            names |= {"unread"} if row.unread else set()
            names |= {"needs"} if row.needs_response else set()
        for (what, at), level in itertools.product(times, range(inbox_counts.LEVELS)):
            names.add(f"{what} {level} {at // (inbox_counts.HOUR << inbox_counts.STEP * level)}")
        for name in names:
            there[name].add(one.number)
    kept: dict[str, set[int]] = defaultdict(set)
    for row in connection.execute(owner.book.read_all, {"whose": owner.id}):
        numbers = BitMap.deserialize(row.numbers)
        assert {number >> inbox_sets.PART for number in numbers} == {row.part}
        kept[row.name].update(numbers)
    assert kept == there


def check_sights(connection: Connection) -> None:
    """The lists of limited roles are what is made of the entries, and counted so."""
    found = {one.id: one for one in rows(connection, t.sights)}
    for org in rows(connection, t.organisations):
        own = [one for one in found.values() if one.organisation_id == org.id]
        assert org.sights == sum(one.state != "gone" for one in own)
    threads = [one.id for one in rows(connection, t.threads)]
    for one in found.values():
        if one.state == "kept":
            own_org = one.organisation_id
            scope = Scope(own_org, sight.of_text(one.places))
            own = sa.select(t.sight_threads).where(t.sight_threads.c.sight_id == one.id)
            kept = {row.thread_id: facts(row) for row in connection.execute(own)}
            # A row that is seen of another organisation would be one too many.
            seen = inbox.listed(connection, scope, threads)
            org_of = {row.id: row.organisation_id for row in rows(connection, t.threads)}
            wanted = {
                row.thread_id: {**asdict(row), "sight_id": one.id}
                for row in seen
                if org_of[row.thread_id] == own_org
            }
            assert {id_: dict(row) for id_, row in kept.items()} == wanted
            if one.sets:
                all_ = [row for row in rows(connection, t.threads) if org_of[row.id] == own_org]
                listed = {row.thread_id: row for row in seen if row.thread_id in wanted}
                check_sets_of(connection, Owner(scope, one.id), all_, listed)
    there: Counter[Any] = Counter()
    for one in rows(connection, t.sight_threads):
        if found[one.sight_id].state == "gone":
            continue
        kind = (one.status, one.assignee_id or -1, one.unread > 0, one.needs_response)
        for level in range(inbox_counts.LEVELS):
            block = one.sort_at // (inbox_counts.HOUR << inbox_counts.STEP * level)
            there[one.sight_id, level, block, *kind] += 1
    counted = [row for row in rows(connection, t.sight_counts) if row.n]
    needed = [row for row in counted if found[row.sight_id].state != "gone"]
    assert {tuple(row[:-1]): row.n for row in needed} == there


def check_thread(thread: Any, entries: Rows) -> None:
    check_numbers(thread, entries)
    inbound = [entry for entry in entries if entry.direction == "in"]
    assert (thread.unread, thread.unresolved) == unread(thread, entries)
    assert thread.has_inbound == bool(inbound)
    assert thread.active_at == max(entry.sort_at for entry in entries)
    assert thread.last_inbound_at == max((entry.sort_at for entry in inbound), default=None)
    told = [entry for entry in entries if entry.kind != "system"]
    if told:
        last = max(told, key=lambda entry: (entry.sort_at, entry.id))
        assert (thread.sort_at, thread.last_entry_id) == (last.sort_at, last.id)
        assert (thread.preview, thread.preview_direction) == (last.preview, last.direction)
        assert (thread.preview_channel_id, thread.preview_status) == (last.channel_id, last.status)
    else:  # its only call was moved away
        assert (thread.sort_at, thread.last_entry_id) == (0, None)
        assert (thread.preview, thread.preview_direction) == ("", "internal")
    assert (thread.status == "outbound_only") <= (not inbound)


def check_numbers(thread: Any, entries: Rows, removed: int = 0) -> None:
    """Entries are numbered without a gap, unless a call was moved out or in, or some were removed
    as doubles."""
    numbers = [entry.seq for entry in entries]
    moved = any("call_moved" in entry.content for entry in entries if entry.kind == "system")
    assert moved or removed or numbers == list(range(1, len(entries) + 1))
    assert moved or thread.seq == len(numbers) + removed
    assert len(set(numbers)) == len(numbers)
    assert thread.seq == max(numbers) or removed


def unread(thread: Any, entries: Rows) -> tuple[int, int]:
    """Messages nobody has seen with calls nobody has seen to, and those calls alone."""
    told = [entry for entry in entries if entry.direction == "in"]
    unseen = sum(one.kind == "message" and one.seq > thread.read_through for one in told)
    waiting = sum(
        one.kind == "call"
        and calls.unresolved(one.direction, updates.decode(one.updates).call or calls.Call())
        for one in told
    )
    return unseen + waiting, waiting


def check_channels(thread: Any, channels: Rows, entries: Rows) -> None:
    used = {entry.channel_id for entry in entries if entry.channel_id is not None}
    assert {channel.channel_id for channel in channels} == used
    for channel in channels:
        own = [entry for entry in entries if entry.channel_id == channel.channel_id]
        last = max(own, key=lambda entry: (entry.sort_at, entry.id))
        assert (channel.unread, channel.unresolved) == unread(thread, own)
        assert (channel.sort_at, channel.last_entry_id) == (last.sort_at, last.id)
        wrote = [min(one.occurred_at, one.sort_at) for one in own if one.direction == "in"]
        told = [one.content for one in entries if one.kind == "system"]
        if any("call_moved" in one for one in told):
            assert (channel.wrote_at or 0) <= max(wrote, default=0)  # by the last ones alone
        elif any("reached_at" in one for one in told):
            assert (channel.wrote_at or 0) >= max(wrote, default=0)  # under another address, too
        else:
            assert channel.wrote_at == max(wrote, default=None)


NOT_SENT = {"waiting": "pending_approval", "rejected": "rejected", "withdrawn": "canceled"}


def _check_statuses(connection: Connection) -> None:
    sent = {one.entry_id: one for one in rows(connection, t.transmissions)}
    waited = {one.entry_id: one.state for one in rows(connection, t.approvals)}
    for entry in rows(connection, t.entries):
        one = sent.get(entry.id)
        assert one is None or one.thread_id == entry.thread_id
        status = None if one is None else one.status
        if entry.id in waited:
            assert (waited[entry.id] == "approved") == (one is not None)
            status = status or NOT_SENT[waited[entry.id]]
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
