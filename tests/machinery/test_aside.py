"""What was put aside can be seen, tried again and dropped, whatever it is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.flow import consumers as flow
from hub.flow.aside import Aside, Unknown
from hub.flow.clock import Timer
from hub.flow.consumers import ApplyFailed, Consumer, Consumers
from hub.flow.host import now_ms
from hub.flow.jobs import Commit, JobKind, Task
from hub.flow.writer import Transaction
from hub.store import clock, jobs, notices
from hub.store import tables as t
from hub.store.journal import Line
from tests.machinery.conftest import ORG, Rig, mark, until


class Nothing(Struct):
    """Says nothing."""


async def step(_task: Task[Nothing, int]) -> Commit[int]:
    raise AssertionError("nobody runs it here")


TIMER: Timer[Nothing] = Timer(kind="remind", payload=Nothing, fire=lambda *_: None)
JOB = JobKind(name="import", request=Nothing, saved=int, begin=lambda _: 0, step=step)


async def test_a_change_is_taken_in_when_it_can_be(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "FIRST_WAIT", 0.001)
    broken = True

    def apply(transaction: Transaction, _org: int, lines: Sequence[Line]) -> None:
        for line in lines:
            if broken and line.position == 1:
                raise ValueError("not today")
            mark(transaction.connection, "seen", line.position)

    consumers = Consumers(
        rig.database, rig.writer, [Consumer(name="odd", apply=apply, begins="start")]
    )
    aside = Aside(rig.database, rig.writer, consumers)
    await rig.message()
    await rig.message()
    await consumers.start([ORG])
    try:
        (one,) = await until(aside.all)
        assert one.id == f"change:odd:{ORG}:1"
        assert (one.organisation_id, one.reason) == (ORG, "ValueError: not today")
        with pytest.raises(ApplyFailed, match="not today"):
            await aside.retry(one.id)
        assert await aside.all() == [one]
        broken = False
        assert await aside.retry(one.id) == "taken in"
        assert await aside.all() == []
        assert 1 in await rig.marked("seen")
        with pytest.raises(Unknown, match="is not put aside"):
            await aside.retry(one.id)
        with pytest.raises(Unknown, match="nothing here is called other"):
            await aside.retry(f"change:other:{ORG}:1")
    finally:
        await consumers.stop()


def put_aside(rig: Rig, connection: Connection) -> dict[str, str]:
    """One of each kind; their ids by kind."""
    now, key = now_ms(), "a key: with: colons"
    TIMER.put(connection, ORG, key, now, Nothing())
    due = clock.get(connection, ORG, "remind", key)
    assert due is not None
    clock.put_off(connection, due, None, "it broke")
    ids = [rig.ids.new() for _ in range(3)]
    JOB.put(connection, ids[0], Nothing(), organisation_id=ORG, member_id=7, now=now)
    failed = {"state": "failed", "reason": "it broke", "finished_at": now, "attempts": 5}
    connection.execute(sa.update(t.jobs).values(**failed))
    for id_, state in ((ids[1], "failed"), (ids[2], "unknown")):
        notices.queue_text(connection, id_, organisation_id=ORG, recipient="+1", text="hi", now=now)
        ended = sa.update(t.notices).where(t.notices.c.id == id_)
        connection.execute(ended.values(state=state, reason="it broke", attempts=3))
    return {
        "due": f"due:{ORG}:remind:{key}",
        "job": f"job:{ids[0]}",
        "notice": f"notice:{ids[1]}",
        "unknown": f"notice:{ids[2]}",
    }


async def test_all_else_waits_to_be_done_again(rig: Rig) -> None:
    aside = Aside(rig.database, rig.writer, Consumers(rig.database, rig.writer, []))
    ids = await rig.write(lambda connection: put_aside(rig, connection))
    found = await aside.all()
    assert {one.id for one in found} == set(ids.values())
    assert {one.reason for one in found} == {"it broke"}
    assert [one.id for one in found if one.may_be_done] == [ids["unknown"]]
    for id_ in ids.values():
        assert await aside.retry(id_) == "waits to be done"
        with pytest.raises(Unknown):
            await aside.retry(id_)
        with pytest.raises(Unknown):
            await aside.drop(id_)
    assert await aside.all() == []
    now = now_ms()
    look = rig.database.read
    assert len(await look(lambda connection: clock.ready(connection, now, 9))) == 1
    assert await look(lambda connection: jobs.waits(connection, now))
    (job,) = await rig.rows(t.jobs)
    assert (job.state, job.attempts, job.finished_at, job.reason) == ("waiting", 0, None, None)
    rows = await rig.rows(t.notices)
    assert {(row.state, row.attempts, row.reason) for row in rows} == {("queued", 0, None)}


async def test_what_is_dropped_is_gone_and_nothing_else(rig: Rig) -> None:
    aside = Aside(rig.database, rig.writer, Consumers(rig.database, rig.writer, []))
    ids = await rig.write(lambda connection: put_aside(rig, connection))
    kept = await rig.write(lambda connection: put_aside(rig, connection)["notice"])
    for id_ in ids.values():
        await aside.drop(id_)
    assert kept in {one.id for one in await aside.all()}
    assert await rig.rows(t.due) == []
    assert len(await rig.rows(t.notices)) == 2
    for wrong in ("", "job", "job:x", "notice:-1", "due:1:x", "change:a:1", "mail:1", "job:"):
        with pytest.raises(Unknown):
            await aside.drop(wrong)
