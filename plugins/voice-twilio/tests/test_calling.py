"""Calls that members make, recordings, and what is looked at with the provider: at a Twilio that
checks every request by its own specification."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hub_voice_twilio import TwilioVoice
from hub_voice_twilio.settings import Settings
from msgspec.structs import replace

from hub.plugin import (
    Accepted,
    Address,
    CredentialsInvalid,
    HookError,
    MediaRef,
    Outbound,
    OutcomeUnknown,
    Permanent,
    Secret,
    Temporary,
    Unsupported,
    WirePart,
)
from tests.plugin_kit.provider import Request, running
from tests.small_context import SmallContext
from tests.standins.twilio import ACCOUNT, NUMBER, TOKEN, Answer, Hang, Refuse
from tests.standins.twilio_voice import SOUND, TwilioVoiceStandIn

CUSTOMER, MEMBER = "+12125550142", "+14155550111"


def call(ctx: SmallContext, **more: Any) -> Outbound:
    known: dict[str, Any] = {
        "id": "t1",
        "kind": "call",
        "address": Address(scheme="phone", value=CUSTOMER),
        "member_address": Address(scheme="phone", value=MEMBER),
        "own_address": NUMBER,
        "deadline": ctx.clock.now() + timedelta(minutes=1),
        "started_at": ctx.clock.now(),
    }
    return Outbound(**(known | more))


@pytest.fixture
def channel(settings: Settings) -> TwilioVoice:
    return TwilioVoice(settings)


async def test_the_member_is_rung_and_then_the_contact(
    twilio: TwilioVoiceStandIn, ctx: SmallContext, channel: TwilioVoice
) -> None:
    accepted = await channel.send(ctx, call(ctx))
    (made,) = twilio.calls
    assert accepted == Accepted(external_id=made.sid, status="sent")
    assert (made.resource["to"], made.resource["from"]) == (MEMBER, NUMBER)
    assert made.events == ["initiated", "ringing", "answered", "completed"]
    assert made.status_callback.startswith(f"{ctx.public_url()}?step=made&transmission=t1")
    assert made.dial.attrib["callerId"] == NUMBER
    assert [each.text for each in made.dial] == [CUSTOMER]
    assert "record" not in made.dial.attrib
    assert len(twilio.requests) == 1


async def test_a_recorded_call_is_announced_to_both(
    twilio: TwilioVoiceStandIn, ctx: SmallContext, settings: Settings
) -> None:
    words = "Recorded & <kept>"
    recording = TwilioVoice(replace(settings, record=True, record_announcement=words))
    await recording.send(ctx, call(ctx))
    (made,) = twilio.calls
    assert '<Say language="en-US">Recorded &amp; &lt;kept&gt;</Say>' in made.twiml
    assert made.dial.attrib["record"] == "record-from-answer-dual"
    assert "step=announce" in made.dial[0].attrib["url"]


async def test_a_member_may_have_to_press_a_key(
    twilio: TwilioVoiceStandIn, ctx: SmallContext, settings: Settings
) -> None:
    await TwilioVoice(replace(settings, accept_by_key=True)).send(ctx, call(ctx))
    (made,) = twilio.calls
    assert "<Dial" not in made.twiml
    assert "to=%2B12125550142" in made.twiml


@pytest.mark.parametrize(
    ("mood", "error", "reason"),
    [
        (Refuse(401, 20003), CredentialsInvalid, None),
        (Refuse(400, 10001), CredentialsInvalid, None),
        (Refuse(429, 20429, {"Retry-After": "7"}), Temporary, None),
        (Refuse(429, page="slow down"), Temporary, None),
        (Refuse(500, 20500), Temporary, None),
        (Refuse(503, page="<html>"), Temporary, None),
        (Refuse(502, page="<html>"), OutcomeUnknown, None),
        (Refuse(302, page=""), OutcomeUnknown, None),
        (Refuse(400, 21215), Permanent, "configuration"),
        (Refuse(400, 21210), Permanent, "configuration"),
        (Refuse(400, 21217), Permanent, "bad_address"),
        (Refuse(400, 13224), Permanent, "bad_address"),
        (Refuse(400, 21216), Permanent, "policy"),
        (Refuse(400, 29999), Permanent, "other"),
        (Answer(b"<html>Welcome</html>"), OutcomeUnknown, None),
        (Answer(b"{}"), OutcomeUnknown, None),
        (Answer(b'{"sid": "CA1", "status": "queued"}'), OutcomeUnknown, None),
        (Answer(b'{"sid": "CA1", "status": "failed"}'), Permanent, "other"),
    ],
)
async def test_what_an_answer_means(
    twilio: TwilioVoiceStandIn,
    ctx: SmallContext,
    channel: TwilioVoice,
    mood: Any,
    error: type,
    reason: str | None,
) -> None:
    twilio.moods[MEMBER] = mood
    with pytest.raises(HookError) as failed:
        await channel.send(ctx, call(ctx))
    assert type(failed.value) is error
    assert getattr(failed.value, "reason", None) == reason
    assert TOKEN not in failed.value.detail
    assert len(twilio.requests) == 1


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"kind": "message", "wire": (WirePart(text="Hello"),)}, Unsupported),
        ({"kind": "template"}, Unsupported),
        ({"member_address": None}, Permanent),
        ({"member_address": Address(scheme="email", value="a@b.example")}, Permanent),
        ({"member_address": Address(scheme="phone", value=CUSTOMER)}, Permanent),
        ({"address": Address(scheme="voice-twilio:sip", value="a@b.example")}, Permanent),
        ({"address": Address(scheme="phone", value="38383")}, Permanent),
        ({"address": Address(scheme="phone", value="+1212<Say>")}, Permanent),
        ({"own_address": "+15550100002"}, Permanent),
    ],
)
async def test_what_is_refused_before_anything_leaves(
    twilio: TwilioVoiceStandIn,
    ctx: SmallContext,
    channel: TwilioVoice,
    change: dict[str, Any],
    error: type,
) -> None:
    with pytest.raises(HookError) as refused:
        await channel.send(ctx, call(ctx, **change))
    assert type(refused.value) is error
    assert twilio.requests == []


async def test_nothing_is_done_after_the_deadline(
    twilio: TwilioVoiceStandIn, ctx: SmallContext, channel: TwilioVoice
) -> None:
    late = call(ctx)
    ctx.time.pass_by(60)
    with pytest.raises(Temporary):
        await channel.send(ctx, late)
    assert twilio.requests == []


async def test_a_call_whose_answer_was_lost_is_found(
    twilio: TwilioVoiceStandIn, ctx: SmallContext, channel: TwilioVoice
) -> None:
    twilio.moods[MEMBER] = Hang(after=True)
    lost = call(ctx, deadline=ctx.clock.now() + timedelta(seconds=1))
    with pytest.raises(OutcomeUnknown):
        await channel.send(ctx, lost)
    (made,) = twilio.calls
    found = await channel.reconcile(ctx, lost)
    assert (found.outcome, found.external_id) == ("found", made.sid)
    del twilio.moods[MEMBER]
    await channel.send(ctx, call(ctx))
    assert (await channel.reconcile(ctx, lost)).outcome == "unknown"  # which of the two?


async def test_a_call_that_never_arrived_is_absent_once_that_is_sure(
    twilio: TwilioVoiceStandIn, ctx: SmallContext, channel: TwilioVoice
) -> None:
    twilio.moods[MEMBER] = Hang(after=False)
    lost = call(ctx, deadline=ctx.clock.now() + timedelta(seconds=0.3))
    with pytest.raises(OutcomeUnknown):
        await channel.send(ctx, lost)
    assert (await channel.reconcile(ctx, lost)).outcome == "unknown"
    ctx.time.pass_by(120)
    assert (await channel.reconcile(ctx, lost)).outcome == "absent"
    assert (await channel.reconcile(ctx, replace(lost, started_at=None))).outcome == "unknown"
    assert twilio.calls == []


async def test_many_at_once_keep_apart(
    twilio: TwilioVoiceStandIn, ctx: SmallContext, channel: TwilioVoice
) -> None:
    customers = [f"+1212555{number:04}" for number in range(20)]
    calls = [call(ctx, id=to, address=Address(scheme="phone", value=to)) for to in customers]
    accepted = await asyncio.gather(*(channel.send(ctx, each) for each in calls))
    assert len({each.external_id for each in accepted}) == 20
    by_sid = {made.sid: made for made in twilio.calls}
    for each, one in zip(calls, accepted, strict=True):
        assert [leg.text for leg in by_sid[one.external_id].dial] == [each.address.value]


# ---- recordings


async def test_a_recording_is_fetched_with_credentials(
    twilio: TwilioVoiceStandIn, ctx: SmallContext, channel: TwilioVoice
) -> None:
    _, url = twilio.records()
    file = await channel.fetch_media(ctx, MediaRef(url=f"{url}.mp3"))
    assert (file.body, file.content_type) == (SOUND, "audio/mpeg")
    assert twilio.requests[-1].user == ACCOUNT


async def test_one_that_is_not_there_yet_comes_later_and_one_that_is_gone_never(
    twilio: TwilioVoiceStandIn, ctx: SmallContext, channel: TwilioVoice
) -> None:
    recording, url = twilio.records(None)
    ref = MediaRef(url=f"{url}.mp3")
    with pytest.raises(Temporary):
        await channel.fetch_media(ctx, ref)
    twilio.recordings[recording] = b"sound"
    assert (await channel.fetch_media(ctx, ref)).body == b"sound"
    del twilio.recordings[recording]
    with pytest.raises(Permanent, match="no longer at Twilio"):
        await channel.fetch_media(ctx, ref)


async def test_another_agents_recording_is_fetched_without_credentials(settings: Settings) -> None:
    async def sound(request: Request) -> None:
        assert "authorization" not in request.headers
        await request.answer(body=b"sound")

    async with running(sound) as elsewhere:
        ctx = SmallContext(routes={"night-desk.example": elsewhere.url})
        file = await TwilioVoice(settings).fetch_media(
            ctx, MediaRef(url="https://night-desk.example/r.mp3")
        )
        assert file.body == b"sound"
        await ctx.aclose()


@pytest.mark.parametrize(
    "url",
    [
        *(None, "", "http://night-desk.example/r.mp3", "https://127.0.0.1/", "https://["),
        *("https://169.254.169.254/latest/meta-data", "file:///etc/passwd"),
    ],
)
async def test_nothing_is_fetched_from_inside(settings: Settings, url: str | None) -> None:
    ctx = SmallContext()
    with pytest.raises(Permanent) as refused:
        await TwilioVoice(settings).fetch_media(ctx, MediaRef(url=url))
    assert refused.value.reason == "policy"
    await ctx.aclose()


@pytest.mark.parametrize(
    ("status", "error"), [(401, CredentialsInvalid), (429, Temporary), (500, Temporary)]
)
async def test_what_keeps_a_recording_away(settings: Settings, status: int, error: type) -> None:
    async def refuses(request: Request) -> None:
        await request.answer(status)

    async with running(refuses) as twilio:
        ctx = SmallContext(routes={"api.twilio.com": twilio.url})
        url = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/RE{'0' * 32}.mp3"
        with pytest.raises(error):
            await TwilioVoice(settings).fetch_media(ctx, MediaRef(url=url))
        await ctx.aclose()


# ---- health and check


async def test_health(twilio: TwilioVoiceStandIn, ctx: SmallContext, settings: Settings) -> None:
    assert (await TwilioVoice(settings).health(ctx)).state == "ok"
    key = replace(settings, api_key="SK" + "a" * 32, api_secret=Secret("s"))
    assert (await TwilioVoice(key).health(ctx)).state == "needs_attention"
    twilio._accounts["SK" + "a" * 32] = "s"
    assert (await TwilioVoice(key).health(ctx)).state == "ok"
    twilio.account_status = "suspended"
    assert (await TwilioVoice(settings).health(ctx)).state == "needs_attention"


async def test_a_number_that_delivers_here_is_right(
    twilio: TwilioVoiceStandIn, ctx: SmallContext, channel: TwilioVoice
) -> None:
    hook = ctx.public_url()
    twilio.configured[NUMBER] = {"voice_url": f"{hook}#rc=3&rp=all", "status_callback": hook}
    found = await channel.check(ctx)
    assert len(found) == 3
    assert {one.state for one in found} == {"ok"}


@pytest.mark.parametrize(
    ("said", "detail", "advice"),
    [
        (None, "none of the account's numbers", "buy it"),
        ({"capabilities": {"voice": False}}, "carries no calls", "Voice"),
        ({"trunk_sid": "TK" + "0" * 32}, "SIP trunk", "webhook"),
        ({"voice_url": "https://old.example/x?key=1"}, "https://old.example/x", "set it to"),
        ({"voice_url": None}, "nothing", "set it to"),
        ({"voice_method": "GET"}, "by GET", "HTTP POST"),
        ({"status_callback": None}, "nothing", "set it to"),
    ],
)
async def test_what_is_wrong_with_a_number(
    twilio: TwilioVoiceStandIn,
    ctx: SmallContext,
    channel: TwilioVoice,
    said: dict[str, Any] | None,
    detail: str,
    advice: str,
) -> None:
    hook = ctx.public_url()
    if said is not None:
        twilio.configured[NUMBER] = {"voice_url": hook, "status_callback": hook, **said}
    wrong = [one for one in await channel.check(ctx) if one.state == "wrong"]
    assert len(wrong) == 1
    assert detail in wrong[0].detail
    assert "key=1" not in wrong[0].detail
    assert advice in (wrong[0].advice or "")


async def test_a_wrong_token_is_said_alone(
    twilio: TwilioVoiceStandIn, ctx: SmallContext, settings: Settings
) -> None:
    (found,) = await TwilioVoice(replace(settings, auth_token=Secret("wrong"))).check(ctx)
    assert (found.about, found.state) == ("credentials", "wrong")
    assert "wrong" not in found.detail
