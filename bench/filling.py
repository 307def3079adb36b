"""Many conversations in a moment: every table is filled by one statement of the database's own."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator

import asyncpg

ENTRIES = 3
_NUMBERS = (
    "WITH RECURSIVE numbers(i) AS "
    "(SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM numbers WHERE i < {n})"
)


def fill(url: str, count: int) -> None:
    """``count`` conversations of the only organisation, a minute apart, the last one now."""
    statements = list(_statements(count, int(time.time() * 1000)))
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.execute("ANALYZE")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return

    async def fill_postgres() -> None:
        connection = await asyncpg.connect(url)
        for statement in (*statements, "VACUUM ANALYZE"):
            await connection.execute(statement)
        await connection.close()

    asyncio.run(fill_postgres())


def _statements(count: int, now: int) -> Iterator[str]:
    """Ids are small numbers: the hub's own begin far above them. ``mixed`` spreads who is what
    over the list."""
    org = "(SELECT id FROM organisations)"
    me = "(SELECT id FROM members)"
    at = f"{now} - ({count} - i) * 60000"
    mixed = "(i * 7919) % 60"
    phone = "'+1' || (5100000000 + i)"

    def insert(table: str, numbers: int = count, /, **columns: str) -> str:
        return (
            f"INSERT INTO {table} ({', '.join(columns)}) {_NUMBERS.format(n=numbers)} "
            f"SELECT {', '.join(columns.values())} FROM numbers"
        )

    yield insert("contacts", id="i", organisation_id=org, name="'Customer ' || i", created_at=at)
    yield insert(
        "addresses",
        id="i",
        organisation_id=org,
        contact_id="i",
        scheme="'phone'",
        value=phone,
        verified="true",
        created_at=at,
    )
    yield insert(
        "threads",
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
        preview="'When will you come to look at the tap? It drips again.'",
        preview_direction="'in'",
        preview_channel_id="'sms'",
        channel_id="'sms'",
        last_inbound_at=at,
        created_at=at,
    )
    yield insert(
        "thread_channels",
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
    yield insert(
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
        content='\'{"text": "When will you come to look at the tap? It drips again."}\'',
        preview="'When will you come to look at the tap? It drips again.'",
        occurred_at=entry_at,
        sort_at=entry_at,
        created_at=entry_at,
    )
