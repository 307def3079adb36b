"""Files nobody refers to go, and no others: whatever is kept, sent or forgotten meanwhile, by
whichever process."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Connection

from hub.flow.clock import Clock
from hub.flow.host import now_ms
from hub.flow.jobs import Jobs
from hub.flow.media import upload
from hub.flow.sweep import Nothing, Sweep
from hub.rules import commands as c
from hub.rules.states import Refusal
from hub.store import clock, kv, replies
from hub.store import tables as t
from hub.store.blobs import Blobs
from tests.hubs import lay_database
from tests.machinery.conftest import ORG, Rig, opened, until

BODIES = [f"file {number}".encode() * 50 for number in range(4)]
BY_NAME = {hashlib.sha256(body).hexdigest(): body for body in BODIES}
bodies = st.sampled_from(BODIES)
DAY = 24 * 3600


class Disturbed(Blobs):
    """A store in which others are at work just when it is being tidied."""

    before_looking: Callable[[str], None] | None = None
    before_removing: Callable[[str], None] | None = None

    def old(self, prefix: str, *, now: float | None = None) -> list[str]:
        found = super().old(prefix, now=now)
        if found and self.before_looking is not None:
            act, self.before_looking = self.before_looking, None
            act(found[0])
        return found

    def remove(self, sha256: str, *, now: float | None = None) -> bool:
        if self.before_removing is not None:
            act, self.before_removing = self.before_removing, None
            act(sha256)
        return super().remove(sha256, now=now)


async def keep(rig: Rig, blobs: Blobs, body: bytes) -> int:
    """A member uploads a file; its id."""
    async with blobs.receive() as incoming:
        await incoming.write(body)
        made = await upload(
            rig.writer, rig.ids, incoming, organisation_id=ORG, member_id=1, name="a.txt"
        )
    return made.id


async def sweep_once(rig: Rig, blobs: Blobs) -> int:
    """As the job does it; how many files it removed."""
    sweep = Sweep(rig.database, blobs, rig.ids)

    def begin(connection: Connection) -> Any:
        return sweep.job.put(
            connection, rig.ids.new(), Nothing(), organisation_id=0, member_id=None, now=now_ms()
        )

    task = sweep.job.task(await rig.write(begin))
    while True:
        progress = await rig.writer.transact(await sweep.job.step(task))
        if progress.finished:
            return progress.saved.removed
        task = type(task)(
            id=task.id,
            organisation_id=0,
            member_id=None,
            request=task.request,
            saved=progress.saved,
            done=progress.done,
            total=progress.total,
        )


def names(folder: Path) -> set[str]:
    """The blobs that are there."""
    return {path.name for path in folder.glob("??/*")}


def referred(connection: Connection) -> set[str]:
    """The blobs that rows name."""
    files, deliveries = t.attachments.c.sha256, t.deliveries.c.body_blob
    found = [*connection.execute(sa.select(files)).scalars()]
    found += connection.execute(sa.select(deliveries)).scalars()
    return {name for name in found if name is not None}


def check(folder: Path, connection: Connection) -> None:
    """What is referred to is there, and is what its name says."""
    for name in referred(connection):
        body = (folder / name[:2] / name).read_bytes()
        assert hashlib.sha256(body).hexdigest() == name


def grow_older(folder: Path, seconds: float) -> None:
    """Let all files be older."""
    for path in folder.rglob("*"):
        if path.is_file():
            at = path.stat().st_mtime - seconds
            os.utime(path, (at, at))


class Files(RuleBasedStateMachine):
    """Anything that may happen to files, in any order."""

    template: Path

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = self.template.parent / f"run {time.monotonic_ns()}"
        self.folder.mkdir()
        shutil.copy(self.template, self.folder / "hub.db")
        self.blobs = Disturbed(self.folder / "blobs")
        self.opening = opened(f"sqlite:///{self.folder / 'hub.db'}")
        self.rig = self.runner.run(self.opening.__aenter__())
        self.ids: list[int] = []

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    @rule(body=bodies)
    def uploads(self, body: bytes) -> None:
        self.ids.append(self.do(keep(self.rig, self.blobs, body)))

    @rule(body=bodies)
    def dies_before_it_refers(self, body: bytes) -> None:
        self.do(self.blobs.put(body))

    @rule()
    def dies_while_it_writes(self) -> None:
        handle, _ = self.blobs.temporary()
        os.close(handle)

    @rule(number=st.integers(0, 9))
    def sends(self, number: int) -> None:
        self.change(number, sa.update(t.attachments).values(entry_id=1))

    @rule(number=st.integers(0, 9))
    def is_erased(self, number: int) -> None:
        self.change(number, sa.delete(t.attachments))

    def change(self, number: int, statement: Any) -> None:
        if number < len(self.ids):
            statement = statement.where(t.attachments.c.id == self.ids[number])
            self.do(self.rig.write(lambda connection: connection.execute(statement).rowcount))

    @rule(body=bodies)
    def delivers(self, body: bytes) -> None:
        name = self.do(self.blobs.put(body))
        row = {
            "id": self.rig.ids.new(), "organisation_id": ORG, "channel_id": "sms",
            "state": "quarantined", "source": "http", "method": "POST", "url": "", "headers": "[]",
            "body_blob": name, "size": len(body), "attempts": 1, "received_at": 0,
        }  # fmt: skip
        insert = sa.insert(t.deliveries)
        self.do(self.rig.write(lambda connection: connection.execute(insert, [row]).rowcount))

    @rule(days=st.sampled_from([0.5, 1.5, 8]))
    def time_passes(self, days: float) -> None:
        grow_older(self.folder, days * DAY)
        older = sa.update(t.attachments).values(
            created_at=t.attachments.c.created_at - int(days * DAY * 1000)
        )
        self.do(self.rig.write(lambda connection: connection.execute(older).rowcount))

    @rule()
    def is_tidied(self) -> None:
        self.do(sweep_once(self.rig, self.blobs))

    @rule(late=st.booleans())
    def is_tidied_while_the_same_file_is_uploaded(self, late: bool) -> None:
        loop = self.runner.get_loop()

        def upload_it(name: str) -> None:
            """Called in the thread that tidies."""
            work = keep(self.rig, Blobs(self.folder / "blobs"), BY_NAME[name])
            self.ids.append(asyncio.run_coroutine_threadsafe(work, loop).result(30))

        if late:
            self.blobs.before_removing = upload_it
        else:
            self.blobs.before_looking = upload_it
        self.do(sweep_once(self.rig, self.blobs))
        self.blobs.before_removing = self.blobs.before_looking = None

    @invariant()
    def what_is_referred_to_is_there(self) -> None:
        if hasattr(self, "rig"):
            self.do(self.rig.database.read(partial(check, self.folder / "blobs")))

    def teardown(self) -> None:
        if not hasattr(self, "rig"):
            return
        try:
            self.time_passes(8)
            self.is_tidied()  # forgets what was never sent,
            self.is_tidied()  # and then its blobs
            self.what_is_referred_to_is_there()
            kept = self.do(self.rig.database.read(referred))
            assert names(self.folder / "blobs") == kept
            unsent = sa.select(t.attachments.c.id).where(t.attachments.c.entry_id.is_(None))
            found = self.do(
                self.rig.database.read(lambda connection: connection.execute(unsent).all())
            )
            assert found == []
            assert list(self.folder.glob("blobs/incoming/*")) == []
        finally:
            self.do(self.opening.__aexit__(None, None, None))
            self.runner.close()


def test_what_is_referred_to_stays_and_all_else_goes(tmp_path: Path) -> None:
    template = tmp_path / "template.db"
    lay_database(template)
    machine = type("FilesHere", (Files,), {"template": template})
    machine.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
    machine.TestCase().runTest()


async def test_what_was_forgotten_cannot_be_sent(rig: Rig, tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    id_ = await keep(rig, blobs, b"late")
    old = sa.update(t.attachments).values(created_at=now_ms() - 8 * DAY * 1000)
    await rig.write(lambda connection: connection.execute(old).rowcount)
    await sweep_once(rig, blobs)
    assert await rig.rows(t.attachments) == []
    assert names(tmp_path) == {hashlib.sha256(b"late").hexdigest()}, "it is young yet"
    failed = c.MediaFailed(organisation_id=ORG, at=0, attachment_id=id_, reason="", due_at=None)
    (outcome,) = await rig.writer.record(failed)
    assert isinstance(outcome, Refusal)


async def test_it_comes_round_every_day_by_itself(rig: Rig, tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    sweep = Sweep(rig.database, blobs, rig.ids)
    await blobs.put(b"nobody's")
    grow_older(tmp_path, 2 * DAY)
    await rig.write(sweep.ensure)
    await rig.write(sweep.ensure)
    (due,) = await rig.rows(t.due)
    later = now_ms() + 3_600_000
    ticking = Clock(rig.database, rig.writer, [sweep.timer], now=lambda: later)
    jobs = Jobs(rig.database, rig.writer, [sweep.job], lambda: None)
    ticking.start()
    await jobs.start()
    try:
        await until(lambda: not names(tmp_path))
        done = sa.select(t.jobs).where(t.jobs.c.state == "done")
        (job,) = await until(
            lambda: rig.database.read(lambda connection: connection.execute(done).all())
        )
    finally:
        await jobs.stop()
        await ticking.stop()
    assert job.result == '{"removed":1}'
    (again,) = await rig.rows(t.due)
    assert again.due_at > due.due_at
    given_up = sa.update(t.due).values(look_at=None)
    await rig.write(lambda connection: connection.execute(given_up).rowcount)
    await rig.write(sweep.ensure)
    found = await rig.database.read(lambda connection: clock.get(connection, 0, "sweep", "files"))
    assert found is not None
    assert found.look_at is not None


async def test_what_providers_were_told_is_forgotten_when_nobody_asks_again(
    rig: Rig, tmp_path: Path
) -> None:
    told = replies.Told(200, "text/xml", b"<Response/>")
    week = 7 * DAY * 1000

    def say(connection: Connection) -> None:
        for question, age in (("old", week + 60_000), ("new", week - 60_000)):
            replies.keep(connection, (ORG, "calls"), question, told, now=now_ms() - age)

    await rig.write(say)
    await sweep_once(rig, Blobs(tmp_path / "blobs"))
    assert [row.question for row in await rig.rows(t.replies)] == ["new"]


async def test_what_plugins_kept_for_a_time_goes_when_it_is_over(rig: Rig, tmp_path: Path) -> None:
    now = now_ms()

    def keep_some(connection: Connection) -> None:
        for key, end in (("over", now - 1), ("to come", now + 60_000), ("for good", None)):
            assert kv.put(
                connection,
                (ORG, "sms"),
                key,
                lambda: "v",
                None,
                most=9,
                now=now - 9,
                expires_at=end,
            )

    await rig.write(keep_some)
    await sweep_once(rig, Blobs(tmp_path / "blobs"))
    assert {row.key for row in await rig.rows(t.plugin_kv)} == {"to come", "for good"}


async def test_a_value_that_is_over_is_as_good_as_deleted(rig: Rig) -> None:
    sms, other = (ORG, "sms"), (ORG, "calls")

    async def put(now: int, key: str = "a", **more: Any) -> bool:
        version = more.pop("version", None)
        channel = more.pop("channel", sms)
        return await rig.write(
            lambda c: kv.put(c, channel, key, lambda: f"at {now}", version, most=2, now=now, **more)
        )

    async def get(now: int, key: str = "a") -> tuple[str, int] | None:
        found = await rig.database.read(lambda c: kv.get(c, sms, key, now=now))
        return None if found is None else (found.value, found.version)

    assert await put(100, expires_at=200)
    assert await get(199) == ("at 100", 1)
    assert await get(200) is None
    assert not await put(150, version=0), "it is there"
    assert not await put(250, version=1), "it is not there any more"
    assert await put(250, version=0, expires_at=300)
    assert await get(299) == ("at 250", 1)
    assert await put(260, version=1)
    assert await get(10_000) == ("at 260", 2), "it stays, since it was put without a time"
    # What is over does not fill the quota, and makes room for its own channel alone.
    assert await put(270, "b", expires_at=280)
    assert await put(270, "b", expires_at=280, channel=other)
    with pytest.raises(kv.TooManyKeys):
        await put(279, "c")
    assert await put(280, "c")
    assert {(row.channel_id, row.key) for row in await rig.rows(t.plugin_kv)} == {
        ("sms", "a"),
        ("sms", "c"),
        ("calls", "b"),
    }
