"""``answer``: who waits for words hears them after everything is stored, and the same again."""

from __future__ import annotations

import asyncio

import pytest

from hub.app import hub
from hub.flow.host import Limits
from hub.store import tables as t
from tests.inlets.conftest import House

CALL = {"id": "call-1", "text": "ring", "question": "call-1:1"}


async def test_the_answer_is_kept_and_said_again(house: House) -> None:
    async with house.open("courier-voice"):
        first = await house.post(**CALL)
        assert first.status_code == 200
        assert first.headers["content-type"] == "application/xml"
        assert first.text == "<Response>call-1:1 ring 1 True</Response>"
        assert await house.texts() == ["ring"]
        again = await house.post(**CALL)
        assert (again.text, again.headers["content-type"]) == (first.text, "application/xml")
        next_ = await house.post(**{**CALL, "question": "call-1:2"})
        assert next_.text == "<Response>call-1:2 ring 2 True</Response>"
    async with house.open("courier-voice"):
        assert (await house.post(**CALL)).text == first.text, "also after a restart"


async def test_two_who_ask_at_once_hear_the_same(house: House) -> None:
    async with house.open("courier-voice"):
        answers = await asyncio.gather(*(house.post(**CALL) for _ in range(8)))
    assert len({answer.text for answer in answers}) == 1
    assert len(await house.rows(t.replies)) == 1


@pytest.mark.feature("PLUG-04")
@pytest.mark.parametrize("fault", ["mute", "slow", "nonsense"])
async def test_without_an_answer_what_came_is_stored_and_the_provider_hears_what_there_is(
    house: House, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(hub, "Limits", lambda: Limits(answer=0.3))
    house.tell(fault)
    async with house.open("courier-voice"):
        none = await house.post(**CALL)
        assert none.status_code == 503
        assert "no answer" in none.json()["detail"]
        assert await house.texts() == ["ring"]
        other = await house.post(id="call-2", text="ring", question="call-2:1", reply="<Hold/>")
        assert (other.status_code, other.text) == (200, "<Hold/>")
        house.tell(fault, on=False)
        assert (await house.post(**CALL)).text.startswith("<Response>"), "nothing was kept"


async def test_who_cannot_be_asked_and_what_is_read_again_is_not_answered(house: House) -> None:
    async with house.open("courier-fetch"):
        await house.post(**CALL)
        ((row),) = await house.rows(t.deliveries)
        assert row.reason == "the plugin says that an answer is awaited, but has no hook answer"
    async with house.open("courier-voice"):
        (replayed,) = await house.hub.replay.replay()
        assert replayed.state == "done"
    assert await house.rows(t.replies) == []
