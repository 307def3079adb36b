"""Looking at what arrived: in pages, without storing anything, and reading all of it again."""

from __future__ import annotations

from typing import Any

import pytest

from hub.flow import replay as flow_replay
from hub.flow.host import now_ms
from hub.flow.host.channel import FAULTS
from hub.store import deliveries as store
from hub.store import jobs as job_store
from hub.store import tables as t
from hub.store.ids import first_at
from hub.store.jobs import Job
from tests.flow.conftest import House
from tests.host.unruly import TOKEN, until

pytestmark = pytest.mark.feature("ROUT-07")
NEWEST = (1 << 63) - 1


async def page(house: House, **asked: Any) -> store.Page:
    wanted = {"state": None, "first": 0, "before": NEWEST, "limit": 50, **asked}
    return await house.hub.database.read(
        lambda connection: store.page(connection, house.org, "odd", **wanted)
    )


async def everything(house: House) -> list[list[Any]]:
    """Every row that a delivery could change."""
    tables = (t.deliveries, t.entries, t.threads, t.contacts, t.external_ids, t.journal)
    return [await house.rows(table) for table in tables]


async def test_deliveries_come_in_pages_the_newest_first(
    any_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        await any_house.take(id=f"in-{number}")
        await any_house.take("leak-ignored")
        await any_house.take("malformed")
    ids = [row.id for row in await any_house.rows(t.deliveries)][::-1]
    states = ["quarantined", "ignored", "done"] * 4

    def has(found: store.Page) -> list[tuple[int, str]]:
        return [(row.id, row.state) for row in found.rows]

    whole = await page(any_house)
    assert has(whole) == list(zip(ids, states, strict=True))
    assert whole.next is None
    half = await page(any_house, limit=7)
    assert (has(half), half.next) == (has(whole)[:7], ids[6])
    assert has(await page(any_house, limit=7, before=half.next)) == has(whole)[7:]
    for state in ("quarantined", "ignored", "done", "refused"):
        found = await page(any_house, state=state)
        assert (has(found), found.next) == ([one for one in has(whole) if one[1] == state], None)
        after = await page(any_house, state=state, limit=2)
        assert after.next == (None if state == "refused" else has(found)[1][0])
    assert has(await page(any_house, first=ids[5], before=ids[1])) == has(whole)[2:6]
    now = now_ms()
    assert has(await page(any_house, first=first_at(now + 60_000))) == []
    assert has(await page(any_house, before=first_at(now + 60_000))) == has(whole)

    monkeypatch.setattr(store, "LOOKED_AT", 5)
    seen: list[tuple[int, str]] = []
    before: int | None = NEWEST
    pages = 0
    while before is not None:
        found = await page(any_house, state="refused" if pages > 9 else "ignored", before=before)
        seen, before, pages = seen + has(found), found.next, pages + 1
    assert seen == [one for one in has(whole) if one[1] == "ignored"]
    assert pages == 3, "a rare state is looked for a stretch at a time"


async def test_what_waits_is_counted(any_house: House) -> None:
    (any_house.folder / "deaf").touch()
    await any_house.take()
    (any_house.folder / "deaf").unlink()
    for _ in range(3):
        await any_house.take("malformed")
    counts = await any_house.hub.database.read(
        lambda connection: store.waiting(connection, any_house.org, "odd")
    )
    assert counts == {"quarantined": 3, "unverified": 1}


async def test_the_entries_of_a_delivery_are_found(any_house: House) -> None:
    await any_house.take("clock", text="one")
    first = await any_house.delivery()
    await any_house.take(id="in-2", text="two")
    entries = await any_house.hub.database.read(
        lambda connection: store.entries_of(connection, any_house.org, first.id, first.received_at)
    )
    (stored, _) = await any_house.rows(t.entries)
    assert [(row.id, row.thread_id) for row in entries] == [(stored.id, stored.thread_id)]


async def test_a_dry_run_stores_nothing(any_house: House) -> None:
    (any_house.folder / "broken").touch()
    await any_house.take("remember")
    (any_house.folder / "broken").unlink()
    row = await any_house.delivery()
    before, counts = await everything(any_house), dict(any_house.hub.intake.counts)
    for _ in range(2):
        dry = await any_house.hub.replay.dry_run(any_house.channel, row)
        assert (dry.state, dry.reason) == ("done", None)
        assert dry.proof is not None
        assert dry.result is not None
        assert [event.text for event in dry.result.events] == ["None, then yes"]  # type: ignore[union-attr]
    assert await everything(any_house) == before
    assert await any_house.rows(t.plugin_kv) == []
    assert dict(any_house.hub.intake.counts) == counts


@pytest.mark.parametrize(
    ("told", "state", "reason"),
    [
        ({"do": "malformed"}, "quarantined", "it says nothing"),
        ({"do": "raise"}, "quarantined", "ingest: RuntimeError: a bug"),
        ({"do": "leak"}, "quarantined", "ingest: RuntimeError: the token *** was refused"),
        ({"do": "temporary"}, "quarantined", "the key server is away"),
        ({"do": "nonsense", "which": "no-sender"}, "quarantined", "a message without a sender"),
        ({"do": "unclaimed"}, "quarantined",
         "the plugin does not say that it emits events of the kind opt_out"),
        ({"do": "leak-ignored"}, "ignored", "not for ***"),
        ({}, "done", None),
    ],
)  # fmt: skip
async def test_a_dry_run_says_what_a_replay_would(
    house: House, told: dict[str, Any], state: str, reason: str | None
) -> None:
    await house.take(**told)
    row = await house.delivery()
    dry = await house.hub.replay.dry_run(house.channel, row)
    assert (dry.state, dry.reason) == (state, reason)
    (replayed,) = await house.hub.replay.replay(delivery_id=row.id)
    assert (replayed.state, replayed.reason) == (dry.state, dry.reason)


async def test_a_dry_run_of_what_was_kept_unread_verifies_it(house: House) -> None:
    (house.folder / "deaf").touch()
    await house.take()
    await house.take(token="guessed", id="in-2")
    mine, theirs = await house.rows(t.deliveries)
    dry = await house.hub.replay.dry_run(house.channel, mine)
    assert (dry.state, dry.reason) == ("unverified", "ingest: RuntimeError: cannot verify for now")
    (house.folder / "deaf").unlink()
    assert (await house.hub.replay.dry_run(house.channel, mine)).state == "done"
    dry = await house.hub.replay.dry_run(house.channel, theirs)
    assert (dry.state, dry.reason) == ("refused", "X-Token does not match")


@pytest.mark.feature("PLUG-04")
async def test_dry_runs_do_no_harm_to_the_channel(house: House) -> None:
    await house.take("raise")
    row = await house.delivery()
    for _ in range(FAULTS + 1):
        await house.hub.replay.dry_run(house.channel, row)
    assert house.channel.health.state == "ok"
    assert (await house.take(id="in-2")).state == "done"
    for _ in range(FAULTS):
        await house.take("raise")
    assert house.channel.health.state == "degraded"
    assert (await house.take(id="in-3")).state == "unverified", "its breaker is open"
    dry = await house.hub.replay.dry_run(house.channel, await house.delivery())
    assert dry.state == "done", "who mends it does not have to wait"
    assert house.channel.health.state == "degraded", "and it counts for nothing"


async def put(house: House, channel_id: str = "odd") -> int:
    """A job that reads again what waits."""
    id_ = house.hub.ids.new()
    await house.hub.writer.execute(
        lambda connection: house.hub.replay.job.put(
            connection,
            id_,
            flow_replay.ReplayAll(channel_id=channel_id),
            organisation_id=house.org,
            member_id=7,
            now=now_ms(),
        )
    )
    return id_


async def job(house: House, id_: int) -> Job:
    """The job as it is."""
    found = await house.hub.database.read(
        lambda connection: job_store.one(connection, house.org, 7, id_)
    )
    assert found is not None
    return found


async def test_a_job_reads_again_all_that_waits(
    any_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_replay, "BATCH", 2)
    (any_house.folder / "deaf").touch()
    await any_house.take(id="in-0", text="0")
    (any_house.folder / "deaf").unlink()
    await any_house.take("malformed")
    await any_house.take("temporary", id="in-1", text="1")
    await any_house.take("temporary", id="in-2", text="2")
    await any_house.take(id="in-3", text="3")
    assert await any_house.texts() == ["3"]
    (any_house.folder / "mended").touch()
    id_, failing = await put(any_house), await put(any_house, "stillborn")
    await any_house.hub.machinery.jobs.start()
    try:
        await until(lambda: any_house.hub.machinery.jobs.ended.total() == 2)
    finally:
        await any_house.hub.machinery.jobs.stop()
    done, failed = await job(any_house, id_), await job(any_house, failing)
    assert (done.state, done.done, done.total) == ("done", 4, 4)
    assert done.result == '{"read":4,"understood":3}'
    assert sorted(await any_house.texts()) == ["0", "1", "2", "3"]
    assert (failed.state, failed.reason) == ("failed", 'The channel "stillborn" is not running.')


async def test_a_body_whose_file_is_gone_stops_nothing(house: House) -> None:
    await house.take("malformed", text="x" * 100_000)
    lost = await house.delivery()
    await house.take("temporary", id="in-2")
    (house.folder / "mended").touch()
    house.hub.blobs.path(lost.body_blob).unlink()
    done = await house.hub.replay.replay()
    assert [(one.state, one.reason) for one in done] == [
        ("quarantined", "the file with its body is gone"),
        ("done", None),
    ]


async def test_a_delivery_with_a_forged_token_is_not_kept(house: House) -> None:
    assert (await house.take(token=f"not {TOKEN}")).state == "refused"
    assert (await page(house)).rows == []
