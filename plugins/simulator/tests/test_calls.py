"""The simulated telephone: what the hub is told of calls, whoever called."""

from __future__ import annotations

import contextlib
import io
import json
import wave
from typing import Any

import pytest
from hub_simulator import CallSimulator
from hub_simulator.calling import read
from hub_simulator.phone import Talk
from hub_simulator.sounds import seconds_of, wav
from hypothesis import given
from hypothesis import strategies as st

from hub.plugin import (
    Address,
    CallEnded,
    CallOutcome,
    CallStarted,
    Event,
    Malformed,
    MediaRef,
    OutcomeUnknown,
    Permanent,
    Recording,
    Transcript,
    Unsupported,
    Voicemail,
)
from hub.plugin.kit.checks import check_class
from plugins.simulator.tests.world import CUSTOMER, OWN, World, running

MEMBER = Address(scheme="phone", value="+12025550177")


def test_it_is_a_plugin_that_reaches_nobody() -> None:
    assert check_class(CallSimulator) == []
    assert CallSimulator.INFO.real is False


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_called_malformed(body: bytes) -> None:
    with contextlib.suppress(Malformed):
        read(body)


async def call(world: World, **more: Any) -> str:
    wanted = {"number": CUSTOMER, "own_number": OWN, **more}
    reply = await world.call("POST", "calls", wanted)
    assert reply.status == 202, reply.body
    return json.loads(reply.body)["id"]


async def act(world: World, call_id: str, what: str, said: str = "") -> int:
    wanted = {"number": CUSTOMER, "call": call_id, "act": what, "said": said}
    return (await world.call("POST", "call", wanted)).status


async def told(world: World, kind: type[Event]) -> Any:
    """The one event of that kind, once the hub has been told everything."""
    await world.quiet()
    (event,) = [each for each in world.ctx.events if isinstance(each, kind)]
    return event


async def test_a_call_that_is_lost_on_its_way_rings_nowhere() -> None:
    async with running(kind=CallSimulator) as world:
        await world.behave(answer="lost_gone")
        with pytest.raises(OutcomeUnknown):
            await world.send("t1", kind="call", wire=(), member_address=MEMBER)
        phone = await world.phone()
        lost = phone.transmission("t1")
        assert lost is not None
        assert (lost.arrived, lost.due) == (False, ())
        assert world.ctx.events == []


async def test_an_answered_call_has_a_length_a_recording_and_a_transcript() -> None:
    async with running(kind=CallSimulator) as world:
        call_id = await call(world)
        assert await act(world, call_id, "answer") == 204
        assert await act(world, call_id, "voicemail") == 422
        assert await act(world, call_id, "hang_up", "My tap is dripping") == 204
        started = await told(world, CallStarted)
        assert (started.direction, started.caller[0].value) == ("in", CUSTOMER)
        ended = await told(world, CallEnded)
        assert (ended.external_id, ended.outcome) == (call_id, "answered")
        assert ended.duration >= 1
        assert "My tap is dripping" in str((await told(world, Transcript)).turns)
        media = (await told(world, Recording)).media
        fetched = await world.plugin.fetch_media(world.ctx, media)
        assert (len(fetched.body), fetched.content_type) == (media.size, "audio/wav")
        assert await act(world, call_id, "hang_up") == 422


@pytest.mark.parametrize(
    ("what", "outcome"), [("nobody", "missed"), ("busy", "busy"), ("hang_up", "canceled")]
)
async def test_a_call_that_nobody_takes(what: str, outcome: str) -> None:
    async with running(kind=CallSimulator) as world:
        assert await act(world, await call(world, withheld=True), what) == 204
        assert (await told(world, CallStarted)).caller == ()
        ended = await told(world, CallEnded)
        assert (ended.outcome, ended.duration) == (outcome, None)


async def test_a_call_has_its_callers_name_unless_the_number_is_withheld() -> None:
    async with running(kind=CallSimulator) as world:
        await world.call_them("Finn O'Rourke")
        for more in ({}, {"withheld": True}):
            call_id = await call(world, **more)
            await world.call_them("Somebody Else")
            await act(world, call_id, "nobody")
            await world.call_them("Finn O'Rourke")
        await world.send("t1", kind="call", wire=(), member_address=MEMBER)
        await act(world, "out-t1", "decline")
        await world.quiet()
        came = [each for each in world.ctx.events if isinstance(each, CallStarted)]
        assert [(each.direction, bool(each.caller), each.caller_name) for each in came] == [
            ("in", True, "Finn O'Rourke"),
            ("in", False, None),
            ("out", True, None),
        ]
        bodies = [json.loads(delivery.body) for delivery in world.ctx.emitted]
        rang = [(b["customer"], b["caller_name"]) for b in bodies if b["type"] == "call.started"]
        assert rang == [(CUSTOMER, "Finn O'Rourke"), (None, None), (CUSTOMER, None)]


async def test_a_call_that_rings_too_long_is_missed() -> None:
    async with running(kind=CallSimulator, ring=1) as world:
        call_id = await call(world)
        assert (await told(world, CallEnded)).outcome == "missed"
        content = (await world.phone()).message(call_id)
        assert content is not None
        assert isinstance(content.content, Talk)
        assert (content.content.state, content.content.outcome) == ("ended", "missed")
        assert await act(world, call_id, "answer") == 422


async def test_a_voicemail_has_words_and_a_sound() -> None:
    async with running(kind=CallSimulator) as world:
        await act(world, await call(world), "voicemail", "Please call me back")
        left = await told(world, Voicemail)
        assert left.text == "Please call me back"
        assert (await world.plugin.fetch_media(world.ctx, left.media)).body.startswith(b"RIFF")


@pytest.mark.parametrize(("what", "handed_over"), [("agent", False), ("agent_hands_over", True)])
async def test_a_voice_agent_reports(what: str, handed_over: bool) -> None:
    async with running(kind=CallSimulator) as world:
        await act(world, await call(world), what, "The boiler is cold")
        report = await told(world, CallOutcome)
        speakers = {who for _, who, _ in (await told(world, Transcript)).turns}
        assert speakers == {"assistant", "customer"}
        assert "The boiler is cold" in report.summary
        assert report.handed_over is handed_over
        assert report.facts
        assert report.due_at > world.ctx.clock.now()


@pytest.mark.parametrize(
    ("acts", "outcome"), [(("answer", "hang_up"), "answered"), (("decline",), "busy")]
)
async def test_the_hub_calls(acts: tuple[str, ...], outcome: str) -> None:
    async with running(kind=CallSimulator) as world:
        accepted = await world.send("t1", kind="call", wire=(), member_address=MEMBER)
        for what in acts:
            assert await act(world, accepted.external_id, what) == 204
        started = await told(world, CallStarted)
        assert (started.direction, started.external_id) == ("out", accepted.external_id)
        assert (await told(world, CallEnded)).outcome == outcome
        with pytest.raises(Unsupported):
            await world.send("t2")


async def test_one_call_at_a_time_and_only_to_the_business() -> None:
    async with running(kind=CallSimulator) as world:
        await call(world)
        for own in (OWN, "+12025550199"):
            wanted = {"number": CUSTOMER, "own_number": own}
            assert (await world.call("POST", "calls", wanted)).status == 422
        assert await act(world, "call-gone", "answer") == 422
        assert ("POST", "texts") not in world.routes


async def test_a_sound_is_as_long_as_it_says() -> None:
    with wave.open(io.BytesIO(wav(3))) as file:
        assert file.getnframes() / file.getframerate() == 3
    assert [seconds_of(each) for each in ("sound-7", "sound-21", "sound-0", "x")] == [
        7,
        None,
        None,
        None,
    ]
    async with running(kind=CallSimulator) as world:
        with pytest.raises(Permanent):
            await world.plugin.fetch_media(world.ctx, MediaRef(provider_id="sound-99"))
