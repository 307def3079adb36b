"""``kill -9`` at random moments under load: what was answered is there once, what was accepted
went out once or is marked unknown.

``HUB_KILLS`` is how often the hub is killed on each database; ``HUB_KILL_SEED`` draws the same
moments again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from hub.rules.statuses import WAITING
from hub.store import tables as t
from tests import books, recorded
from tests.crash.load import CUSTOMERS, Load
from tests.hubs import wait_for
from tests.patience import PATIENCE
from tests.standins.hub import TwilioHub
from tests.standins.twilio import Stored, TwilioStandIn

KILLS = int(os.environ.get("HUB_KILLS", "15"))
MOMENTS = {"delivered": 40, "accepted": 12, "made": 6, "reported": 8}
"""A hub lives until so many of these have happened at the most, and a few milliseconds more."""
LONGEST_LIFE = 3.0
KILLED_EARLY = 0.15
"""How many of the kills come while the hub starts."""
LONGEST_START = 0.4


@pytest.mark.timeout(600 + KILLS * 30)
@pytest.mark.feature("OPER-03", "ROUT-01", "ROUT-06", "THRD-03")
async def test_nothing_is_lost_and_nothing_goes_out_twice(
    database_url: str, tmp_path: Path
) -> None:
    seed = int(os.environ.get("HUB_KILL_SEED") or random.SystemRandom().getrandbits(32))
    print(f"HUB_KILL_SEED={seed}")  # shown when the test fails
    spec = recorded.path("openapi/twilio_api_v2010.json")
    with TwilioStandIn(spec) as twilio:
        hub = TwilioHub(tmp_path, twilio, database_url, environ={"HUB_LEASE_MS": "3000"})
        load = Load(hub.public_url, hub.hook, random.Random(seed))
        twilio.made = load.took
        running = asyncio.create_task(load.run())
        try:
            await _kill_again_and_again(hub, load, random.Random(seed))
            await _start(hub, load)
            load.finish()
            await asyncio.wait_for(running, PATIENCE)
            await asyncio.to_thread(_wait_until_settled, database_url)
            await _check_list(load)
            await books.read(database_url, lambda connection: _check(connection, load))
            assert twilio.spec_errors == []
        finally:
            running.cancel()
            await load.close()
            await asyncio.to_thread(hub.stop)


async def _start(hub: TwilioHub, load: Load) -> None:
    await asyncio.to_thread(hub.start)
    load.up.set()


async def _kill_again_and_again(hub: TwilioHub, load: Load, chance: random.Random) -> None:
    for _ in range(KILLS):
        if chance.random() < KILLED_EARLY:
            await _kill_while_it_starts(hub, chance)
            continue
        await _start(hub, load)
        kind = chance.choice(list(MOMENTS))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_LIFE):
                await load.until(kind, chance.randint(1, MOMENTS[kind]))
        await _moment(chance.uniform(0, 0.02))
        load.up.clear()
        hub.kill()


async def _kill_while_it_starts(hub: TwilioHub, chance: random.Random) -> None:
    starting = asyncio.create_task(asyncio.to_thread(hub.start))
    await _moment(chance.uniform(0, LONGEST_START))
    with contextlib.suppress(AssertionError):  # there may be no process yet
        hub.kill()
    with contextlib.suppress(AssertionError):  # that it ended at once is what was wanted
        await starting
        hub.kill()


async def _moment(seconds: float) -> None:
    """A random moment later, whatever happens until then."""
    await asyncio.sleep(seconds)


def _wait_until_settled(database_url: str) -> None:
    """Until nothing waits to be sent or is being sent."""
    moving = sa.select(sa.func.count()).where(t.transmissions.c.status.in_([*WAITING, "sending"]))

    def settled() -> bool:
        left = books.read(database_url, lambda connection: connection.scalar(moving))
        return asyncio.run(left) == 0

    wait_for(settled, what="the end of all sending")


async def _check_list(load: Load) -> None:
    """The list is whole and in order, and the counts are those of what it shows."""
    page = await load.get("threads", status="all", limit="200")
    threads = page["items"]
    assert page["next_cursor"] is None
    assert len(threads) <= len(CUSTOMERS)
    order = [(datetime.fromisoformat(one["sort_at"]), int(one["id"])) for one in threads]
    assert order == sorted(order, reverse=True)
    counts = await load.get("threads/counts", status="all")
    assert counts["filter"]["all"] == len(threads)
    assert counts["filter"]["unread"] == sum(one["unread"] > 0 for one in threads)
    assert counts["filter"]["needs_response"] == sum(one["needs_response"] for one in threads)


def _check(connection: Connection, load: Load) -> None:
    books.check(connection)
    _check_received(connection, load)
    _check_sent(connection, load)


def _check_received(connection: Connection, load: Load) -> None:
    entries = [one for one in books.rows(connection, t.entries) if one.direction == "in"]
    found = Counter(entry.preview.removeprefix("in ") for entry in entries)
    assert [sid for sid, times in found.items() if times > 1] == []
    assert load.answered - found.keys() == set(), "answered and lost"
    assert found.keys() - load.posted == set(), "never posted"
    threads = {entry.address: entry.thread_id for entry in entries}
    assert all(threads[entry.address] == entry.thread_id for entry in entries)
    assert len(load.answered) >= KILLS, "too little came in to prove anything"


def _check_sent(connection: Connection, load: Load) -> None:
    outgoing = [one for one in books.rows(connection, t.entries) if one.direction == "out"]
    entries = {entry.preview: entry for entry in outgoing}
    assert len(entries) == len(outgoing), "two entries of one message"
    assert entries.keys() <= load.asked
    for text, entry_id in load.accepted.items():
        assert str(entries[text].id) == entry_id, "accepted and lost"
    made = _made(load)
    assert made.keys() <= entries.keys(), "nobody asked for it"
    transmissions = {one.entry_id: one for one in books.rows(connection, t.transmissions)}
    for text, entry in entries.items():
        if text in load.reported:
            assert entry.status == "delivered", text
        elif text in made:
            assert entry.status in {"queued", "unknown"}, text
        else:
            assert entry.status == "unknown", text
        if entry.status != "unknown":
            assert list(json.loads(transmissions[entry.id].parts)) == [made[text].sid]
    assert len(load.accepted) >= KILLS // 2, "too little went out to prove anything"


def _made(load: Load) -> dict[str, Stored]:
    """What the provider made, by its text."""
    times = Counter(stored.body for stored in load.made)
    assert [text for text, often in times.items() if often > 1] == [], "went out twice"
    return {stored.body: stored for stored in load.made}
