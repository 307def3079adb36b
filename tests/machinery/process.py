"""A hub with work in the background, as a process that may be killed at any moment.

Busy, it keeps making work besides; idle, it only does what is there. Whatever is to be done once
leaves a mark, and so does what makes it.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Sequence

from msgspec import Struct

from hub.app.hub import Hub
from hub.config import load
from hub.flow.clock import Timer
from hub.flow.consumers import Consumer
from hub.flow.host import now_ms
from hub.flow.jobs import Commit, JobKind, Progress, Task
from hub.flow.writer import Transaction
from hub.rules import commands as c
from hub.rules.content import Content
from hub.store.clock import Due
from hub.store.journal import Line
from tests.machinery.conftest import mark, message

STEPS = 12


class Nothing(Struct):
    """A request, or a payload, that says nothing."""


def see(transaction: Transaction, _org: int, lines: Sequence[Line]) -> None:
    for line in lines:
        mark(transaction.connection, "seen", line.position)


def fire(transaction: Transaction, due: Due, _payload: Nothing) -> None:
    mark(transaction.connection, "fired", int(due.key))


async def count(task: Task[Nothing, int]) -> Commit[int]:
    number = task.saved

    def commit(transaction: Transaction) -> Progress[int]:
        mark(transaction.connection, f"job {task.id}", number)
        return Progress(saved=number + 1, done=number, total=STEPS, finished=number == STEPS)

    return commit


TIMER = Timer(kind="mark", payload=Nothing, fire=fire)
JOB = JobKind(name="count", request=Nothing, saved=int, begin=lambda _: 1, step=count)


def register(hub: Hub) -> None:
    """What this process does."""

    def answer(transaction: Transaction, org: int, lines: Sequence[Line]) -> None:
        """A note, by a command, for every text that has come in."""
        transaction.record(
            [
                c.AddNote(
                    organisation_id=org,
                    at=now_ms(),
                    entry_id=hub.ids.new(),
                    thread_id=line.thread_id or 0,
                    content=Content(text="seen"),
                    preview="seen",
                    by_member_id=1,
                )
                for line in lines
                if line.type == "entry.added" and line.channel_id == "sms"
            ]
        )

    hub.work.consumers += [
        Consumer(name="seeing", apply=see, begins="start"),
        Consumer(name="answering", apply=answer, begins="start"),
    ]
    hub.work.timers.append(TIMER)
    hub.work.jobs.append(JOB)


async def keep_busy(hub: Hub) -> None:
    """Texts, timers and jobs, each with a mark of it in the same transaction."""
    org = hub.organisations["main"]
    chance = random.Random()

    def begin(transaction: Transaction) -> None:
        id_ = hub.ids.new()
        transaction.record([message(hub.ids, f"in {id_}", f"m{id_}", org)])
        due_at = now_ms() + chance.randrange(800)
        TIMER.put(transaction.connection, org, str(id_), due_at, Nothing())
        mark(transaction.connection, "set", id_)
        if chance.random() < 0.1:
            JOB.put(
                transaction.connection,
                id_,
                Nothing(),
                organisation_id=org,
                member_id=None,
                now=now_ms(),
            )
            mark(transaction.connection, "begun", id_)

    while True:
        await asyncio.gather(*(hub.writer.transact(begin) for _ in range(chance.randrange(1, 6))))
        await asyncio.sleep(chance.random() / 50)


async def _work(busy: bool) -> None:
    hub = Hub(load(None, os.environ), os.environ)
    register(hub)
    await hub.start()
    print("ready", flush=True)
    await (keep_busy(hub) if busy else asyncio.Event().wait())


def run(arguments: Sequence[str]) -> None:
    """Run until killed."""
    asyncio.run(_work(arguments[0] == "busy"))
