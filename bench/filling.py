"""Many conversations in a moment: every table is filled by one statement of the database's own."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence

import asyncpg
import sqlalchemy as sa
from sqlalchemy import Connection

from bench.webhooks import NUMBER
from hub.rules import sight
from hub.rules.sight import Places
from hub.store import inbox_counts, inbox_sets, search, sights
from hub.store import tables as t
from hub.store.database import Database
from hub.store.ids import Ids

ENTRIES = 3
TEXT = "When will you come to look at the tap? It drips again."
SAID = {"today": 20, "urgent": 1_000}
"""Words that every so many entries have besides."""
PHONE = 5_100_000_000
"""Customers' numbers begin behind this one, after the +1."""
SECOND = "mail"
"""A channel that brought the first entry of every tenth conversation; the others are of ``sms``."""
BRANCH = "+15550100002"
"""The own number that every tenth conversation came through."""
_NUMBERS = (
    "WITH RECURSIVE numbers(i) AS "
    "(SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM numbers WHERE i < {n})"
)


def fill(url: str, count: int, eyes: Iterable[Places] = ()) -> None:
    """``count`` conversations of the only organisation, a minute apart, the last one now, and roles
    that see ``eyes``."""
    _execute(url, list(_conversations(count, int(time.time() * 1000))))
    asyncio.run(_index(url, list(eyes)))
    _execute(url, [])  # what is there now is counted, and written back


async def _index(url: str, eyes: list[Places]) -> None:
    ids = Ids(0)

    def work(connection: Connection) -> None:
        inbox_counts.fill(connection)
        inbox_sets.fill(connection)
        search.fill(connection)
        org = connection.execute(sa.select(t.organisations.c.id)).scalar_one()
        for number, places in enumerate(eyes, 1):
            role = {"id": number, "organisation_id": org, "name": f"Part {number}"}
            role |= {"capabilities": "[]", "created_at": 0, "channel_ids": sight.text_of(places)}
            connection.execute(sa.insert(t.roles), [role])

    def step(connection: Connection) -> bool:
        sights.step(connection, ids)
        return sights.waiting(connection)

    database = Database(url)
    if database.path is not None:
        engine = database.sync_engine()
        with engine.begin() as connection:
            work(connection)
        more = bool(eyes)
        while more:
            with engine.begin() as connection:
                more = step(connection)
        return
    # As in a hub, each step is a transaction: what many of them change in one is read ever slower.
    engine = database.async_engine()
    async with engine.begin() as connection:
        await connection.run_sync(work)
    more = bool(eyes)
    while more:
        async with engine.begin() as connection:
            more = await connection.run_sync(step)
    await engine.dispose()


def fill_sent(url: str, count: int) -> None:
    """``count`` messages that went out long ago: what the outbox must not look at again."""
    _execute(url, [_sent(count)])


def _execute(url: str, statements: Sequence[str]) -> None:
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return

    async def fill_postgres() -> None:
        connection = await asyncpg.connect(url)
        for statement in (*statements, "VACUUM ANALYZE"):
            await connection.execute(statement)
        await connection.close()

    asyncio.run(fill_postgres())


def _conversations(count: int, now: int) -> Iterator[str]:
    """Ids are small numbers: the hub's own begin far above them. ``mixed`` spreads who is what
    over the list."""
    org = "(SELECT id FROM organisations)"
    me = "(SELECT id FROM members)"
    at = f"{now} - ({count} - i) * 60000"
    mixed = "(i * 7919) % 60"
    phone = f"'+1' || ({PHONE} + i)"
    yield _insert(
        "contacts", count, id="i", organisation_id=org, name="'Customer ' || i", created_at=at
    )
    yield _insert(
        "addresses",
        count,
        id="i",
        organisation_id=org,
        contact_id="i",
        scheme="'phone'",
        value=phone,
        verified="true",
        created_at=at,
    )
    yield _insert(
        "threads",
        count,
        id="i",
        organisation_id=org,
        contact_id="i",
        assignee_id=f"CASE WHEN {mixed} < 20 THEN NULL WHEN {mixed} < 26 THEN {me} ELSE 1 END",
        status=f"CASE WHEN {mixed} % 5 < 2 THEN 'closed' ELSE 'open' END",
        has_inbound="true",
        needs_response=f"{mixed} % 12 = 0",
        waiting_since=f"CASE WHEN {mixed} % 12 = 0 THEN {at} END",
        unread=f"CASE WHEN {mixed} % 20 = 7 THEN 1 ELSE 0 END",
        read_through=str(ENTRIES),
        seq=str(ENTRIES),
        sort_at=at,
        active_at=at,
        last_entry_id=f"i * {ENTRIES}",
        preview=f"'{TEXT}'",
        preview_direction="'in'",
        preview_channel_id="'sms'",
        channel_id="'sms'",
        last_inbound_at=at,
        created_at=at,
    )
    for channel, place in (("sms", ENTRIES - 1), (SECOND, 0)):
        yield _insert(
            "thread_channels",
            count,
            where="true" if channel == "sms" else "i % 10 = 0",
            thread_id="i",
            channel_id=f"'{channel}'",
            organisation_id=org,
            unread=f"CASE WHEN {mixed} % 20 = 7 THEN 1 ELSE 0 END" if channel == "sms" else "0",
            sort_at=_entry_at(at, "i", str(place)),
            active_at=_entry_at(at, "i", str(place)),
            last_entry_id=f"(i - 1) * {ENTRIES} + {place} + 1",
            last_inbound_at=_entry_at(at, "i", str(place)),
            last_inbound_address=phone,
            last_inbound_own="''",
        )
    thread, place = f"((i + {ENTRIES} - 1) / {ENTRIES})", f"((i - 1) % {ENTRIES})"
    entry_at = _entry_at(f"{now} - ({count} - {thread}) * 60000", thread, place)
    second = f"{place} = 0 AND {thread} % 10 = 0"
    said = " || ".join(
        f"CASE WHEN i % {often} = 0 THEN ' {word}' ELSE '' END" for word, often in SAID.items()
    )
    yield _insert(
        "entries",
        count * ENTRIES,
        id="i",
        organisation_id=org,
        thread_id=thread,
        seq=f"{place} + 1",
        kind="'message'",
        grouping="'texts'",
        direction="'in'",
        channel_id=f"CASE WHEN {second} THEN '{SECOND}' ELSE 'sms' END",
        scheme="'phone'",
        own_address=f"CASE WHEN {second} THEN '' WHEN {thread} % 10 = 3 THEN '{BRANCH}' "
        f"ELSE '{NUMBER}' END",
        author_kind="'contact'",
        content=f"""'{{"text": "{TEXT} Job' || i || {said} || '."}}'""",
        preview=f"'{TEXT}'",
        occurred_at=entry_at,
        sort_at=entry_at,
        created_at=entry_at,
    )


def _entry_at(at: str, thread: str, place: str) -> str:
    """When a conversation that ends ``at`` has the entry at a ``place`` (0 is the first): they lie
    up to 200 days apart, differently in each."""
    apart = f"({thread} * 7919 % 17280) * 1000000"
    return f"{at} - ({ENTRIES} - 1 - {place}) * {apart} / {ENTRIES - 1}"


def _sent(count: int) -> str:
    return _insert(
        "transmissions",
        count,
        id="i",
        organisation_id="(SELECT id FROM organisations)",
        thread_id="i",
        entry_id="i",
        channel_id="'sms'",
        scheme="'phone'",
        address=f"'+1' || ({PHONE} + i)",
        own_address="'+15550100001'",
        kind="'message'",
        wire="'[]'",
        status="'delivered'",
        parts="'{}'",
        attempts="1",
        due_at="i",
        deadline="i",
        status_at="i",
        created_at="i",
    )


def _insert(table: str, count: int, /, where: str = "true", **columns: str) -> str:
    """One statement that makes ``count`` rows, or those of them ``where`` something holds; ``i`` is
    the number of each, from 1."""
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) {_NUMBERS.format(n=count)} "
        f"SELECT {', '.join(columns.values())} FROM numbers WHERE {where}"
    )
