"""Who is where is over by itself, however they went."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from hub.flow.presence import Presence
from hub.flow.stream import Subscriber
from hub.store import tables as t
from hub.store.people import Organisation
from hub.store.scope import Scope
from tests.machinery.conftest import ORG, Rig

HOUSE = Organisation(id=ORG, slug="main", name="Main", time_zone="UTC")
ANA, BEN = 11, 12


@asynccontextmanager
async def going(rig: Rig, **options: Any) -> AsyncIterator[Presence]:
    """One process's part, at work."""
    presence = Presence(rig.database, **options)
    presence.start()
    try:
        yield presence
    finally:
        await presence.stop()


async def people(rig: Rig) -> int:
    """Two members, and a conversation."""

    def add(connection: Connection) -> None:
        for id_, name in ((ANA, "Ana"), (BEN, "Ben")):
            user = {"id": id_, "email": f"{name}@example.com", "name": name, "password_hash": ""}
            more = {"must_change_password": False, "created_at": 0}
            connection.execute(sa.insert(t.users), [{**user, **more}])
            member = {"id": id_, "organisation_id": ORG, "user_id": id_, "role_id": 1}
            connection.execute(sa.insert(t.members), [{**member, "created_at": 0}])

    await rig.write(add)
    await rig.message("Is anybody there?")
    (thread,) = await rig.rows(t.threads)
    return thread.id


def watcher(member_id: int) -> Subscriber:
    return Subscriber(HOUSE, Scope(ORG), member_id)


async def told(subscriber: Subscriber) -> list[tuple[str, bool]]:
    """Who is there, as the next message says."""
    message = await subscriber.queue.get()
    assert message is not None
    return [(one["name"], one["typing"]) for one in json.loads(message)["people"]]


@pytest.mark.feature("THRD-14")
async def test_what_is_not_said_again_is_over(rig: Rig) -> None:
    thread = await people(rig)
    ana, ben = watcher(ANA), watcher(BEN)
    async with going(rig, looks=1.5, types=0.3) as presence:
        presence.say(ana, thread)
        assert await told(ana) == []
        presence.say(ben, thread, typing=True)
        assert await told(ana) == [("Ben", True)]
        assert await told(ana) == [("Ben", False)], "he stopped typing"
        presence.say(ana, thread)
        assert await told(ana) == [("Ben", False)]
        assert await told(ana) == [], "he never said that he left"


@pytest.mark.feature("THRD-14", "OPER-02")
async def test_who_is_on_another_process_is_over_when_that_dies(rig: Rig) -> None:
    thread = await people(rig)
    ana, ben = watcher(ANA), watcher(BEN)
    async with going(rig, looks=1.5) as here:
        async with going(rig) as there:
            there.relay = here.heard
            here.relay = there.heard
            here.say(ana, thread)
            assert await told(ana) == []
            there.say(ben, thread)
            assert await told(ben) == [("Ana", False)]
            assert await told(ana) == [("Ben", False)]
            here.heard(b"what no version of the hub says")
            there.say(ben, thread, typing=True)
            assert await told(ana) == [("Ben", True)]
        assert await told(ana) == []


@pytest.mark.feature("THRD-14")
async def test_one_person_in_two_tabs_is_one_and_is_not_told_of_themselves(rig: Rig) -> None:
    thread = await people(rig)
    ana, tab, other_tab = watcher(ANA), watcher(BEN), watcher(BEN)
    async with going(rig) as presence:
        presence.say(ana, thread)
        assert await told(ana) == []
        presence.say(tab, thread)
        assert await told(ana) == [("Ben", False)]
        assert await told(tab) == [("Ana", False)]
        presence.say(other_tab, thread, typing=True)
        assert await told(ana) == [("Ben", True)]
        presence.gone(other_tab)
        assert await told(ana) == [("Ben", False)]
        presence.gone(tab)
        assert await told(ana) == []
