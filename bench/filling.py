"""Many conversations in a moment: every table is filled by one statement of the database's own."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator, Sequence

import asyncpg

from hub.store import search
from hub.store.database import Database

ENTRIES = 3
TEXT = "When will you come to look at the tap? It drips again."
PHONE = 5_100_000_000
"""Customers' numbers begin behind this one, after the +1."""
_NUMBERS = (
    "WITH RECURSIVE numbers(i) AS "
    "(SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM numbers WHERE i < {n})"
)


def fill(url: str, count: int) -> None:
    """``count`` conversations of the only organisation, a minute apart, the last one now."""
    _execute(url, list(_conversations(count, int(time.time() * 1000))))
    asyncio.run(_index(url))
    _execute(url, [])  # what is there now is counted, and written back


async def _index(url: str) -> None:
    database = Database(url)
    if database.path is not None:
        with database.sync_engine().begin() as connection:
            search.fill(connection)
        return
    engine = database.async_engine()
    async with engine.begin() as connection:
        await connection.run_sync(search.fill)
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
    yield _insert(
        "thread_channels",
        count,
        thread_id="i",
        channel_id="'sms'",
        organisation_id=org,
        unread=f"CASE WHEN {mixed} % 20 = 7 THEN 1 ELSE 0 END",
        sort_at=at,
        active_at=at,
        last_entry_id=f"i * {ENTRIES}",
        last_inbound_at=at,
        last_inbound_address=phone,
    )
    thread, place = f"(i + {ENTRIES} - 1) / {ENTRIES}", f"(i - 1) % {ENTRIES}"
    entry_at = f"{now} - ({count} - {thread}) * 60000 - ({ENTRIES} - 1 - {place}) * 1000"
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
        channel_id="'sms'",
        scheme="'phone'",
        author_kind="'contact'",
        content=f"""'{{"text": "{TEXT} Job' || i || '."}}'""",
        preview=f"'{TEXT}'",
        occurred_at=entry_at,
        sort_at=entry_at,
        created_at=entry_at,
    )


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


def _insert(table: str, count: int, /, **columns: str) -> str:
    """One statement that makes ``count`` rows; ``i`` is the number of each, from 1."""
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) {_NUMBERS.format(n=count)} "
        f"SELECT {', '.join(columns.values())} FROM numbers"
    )
