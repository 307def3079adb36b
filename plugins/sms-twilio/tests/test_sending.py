"""Sending through the official client to a Twilio that checks every request by its own spec."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from hub_sms_twilio import TwilioSms
from hub_sms_twilio.settings import Settings
from msgspec.structs import replace

from hub.plugin import (
    Accepted,
    Address,
    Attachment,
    CredentialsInvalid,
    HookError,
    Outbound,
    OutcomeUnknown,
    Permanent,
    Secret,
    Temporary,
    Unsupported,
    WirePart,
)
from tests import recorded
from tests.plugin_kit.provider import Request, running
from tests.small_context import SmallContext
from tests.standins.twilio import ACCOUNT, NUMBER, TOKEN, Answer, Refuse, TwilioStandIn

CUSTOMER = "+15550199999"
SERVICE = "MG" + "0" * 32
PNG = Attachment(id="file1", name="a.png", content_type="image/png", size=1000)


def message(ctx: SmallContext, text: str = "Hello", to: str = CUSTOMER, **more: Any) -> Outbound:
    known: dict[str, Any] = {
        "id": "t1",
        "address": Address(scheme="phone", value=to),
        "own_address": NUMBER,
        "deadline": ctx.clock.now() + timedelta(minutes=10),
        "started_at": ctx.clock.now(),
        "wire": (WirePart(text=text),),
    }
    return Outbound(**(known | more))


@pytest.fixture
def channel(settings: Settings) -> TwilioSms:
    return TwilioSms(settings)


async def test_a_text_goes_out_as_twilio_wants_it(
    twilio: TwilioStandIn, ctx: SmallContext, channel: TwilioSms
) -> None:
    text = "Hé & +1 😀\nsecond line"
    accepted = await channel.send(ctx, message(ctx, text))
    (sent,) = twilio.sent
    assert accepted == Accepted(external_id=sent.sid, status="queued")
    assert (sent.body, sent.resource["from"], sent.resource["to"]) == (text, NUMBER, CUSTOMER)
    assert sent.status_callback == f"{ctx.public_url()}?transmission=t1"
    (request,) = twilio.requests
    assert request.method == "POST"
    assert request.path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert [name for name, _ in request.form] == ["To", "StatusCallback", "From", "Body"]
    assert request.user == ACCOUNT
    assert request.host == "api.twilio.com"
    assert request.headers["user-agent"].startswith("twilio-python/")


async def test_the_wire_is_what_render_showed(
    twilio: TwilioStandIn, ctx: SmallContext, channel: TwilioSms
) -> None:
    from hub.plugin import Item

    rendered = channel.render(Item(direction="out", text="  as typed "), "wire")
    await channel.send(ctx, message(ctx, wire=rendered.wire))
    assert twilio.sent[0].body == "  as typed "


async def test_files_are_offered_by_signed_addresses(
    twilio: TwilioStandIn, settings: Settings
) -> None:
    async def file(request: Request) -> None:
        await request.answer(body=b"picture", headers={"Content-Type": "image/png"})

    async with running(file) as hub:
        ctx = SmallContext(routes=twilio.routes, files=hub.url)
        second = replace(PNG, id="file2")
        part = WirePart(text="", attachment_ids=("file1", "file2"))
        files = {"wire": (part,), "attachments": (PNG, second)}
        accepted = await TwilioSms(settings).send(ctx, message(ctx, **files))
        (sent,) = twilio.sent
        assert sent.media_urls == [ctx.media.signed_url(f"file{n}", seconds=36000) for n in (1, 2)]
        assert "Body" not in dict(twilio.requests[0].form)
        assert accepted.external_id.startswith("MM")
        fetched = await asyncio.to_thread(twilio.fetch, sent.sid)
        assert [each.content for each in fetched] == [b"picture", b"picture"]
        await ctx.aclose()


async def test_a_messaging_service_with_and_without_the_conversations_number(
    twilio: TwilioStandIn, ctx: SmallContext, settings: Settings
) -> None:
    serviced = TwilioSms(replace(settings, messaging_service_sid=SERVICE))
    accepted = await serviced.send(ctx, message(ctx))
    assert accepted.status == "queued"  # Twilio says "accepted" until it has chosen a sender
    await serviced.send(ctx, message(ctx, own_address="+15550100002"))
    first, second = (dict(request.form) for request in twilio.requests)
    assert (first["MessagingServiceSid"], first["From"]) == (SERVICE, NUMBER)
    assert second["MessagingServiceSid"] == SERVICE
    assert "From" not in second


async def test_an_api_key_opens_the_api(
    twilio: TwilioStandIn, ctx: SmallContext, settings: Settings
) -> None:
    key = "SK" + "a" * 32
    keyed = TwilioSms(replace(settings, api_key=key, api_secret=Secret("its secret")))
    with pytest.raises(CredentialsInvalid):
        await keyed.send(ctx, message(ctx))
    twilio._accounts[key] = "its secret"
    await keyed.send(ctx, message(ctx))
    assert twilio.requests[-1].user == key


async def test_without_status_callbacks_none_is_asked_for(
    twilio: TwilioStandIn, ctx: SmallContext, settings: Settings
) -> None:
    await TwilioSms(replace(settings, status_callbacks=False)).send(ctx, message(ctx))
    assert twilio.sent[0].status_callback is None


@pytest.mark.parametrize(
    ("to", "reason", "code"),
    [
        ("+15005550001", "bad_address", "21211"),
        ("+15005550002", "bad_address", "21612"),
        ("+15005550003", "configuration", "21408"),
        ("+15005550004", "opted_out", "21610"),
        ("+15005550009", "bad_address", "21614"),
    ],
)
async def test_what_can_never_go_out(
    twilio: TwilioStandIn, ctx: SmallContext, channel: TwilioSms, to: str, reason: str, code: str
) -> None:
    with pytest.raises(Permanent) as failed:
        await channel.send(ctx, message(ctx, to=to))
    assert (failed.value.reason, failed.value.provider_code) == (reason, code)
    assert failed.value.detail
    assert len(twilio.requests) == 1


@pytest.mark.parametrize(
    ("mood", "error", "wait"),
    [
        (Refuse(401, 20003), CredentialsInvalid, None),
        (Refuse(403, 20003), CredentialsInvalid, None),
        (Refuse(401, page="no"), CredentialsInvalid, None),
        (Refuse(400, 30002), CredentialsInvalid, None),
        (Refuse(429, 20429, {"Retry-After": "7"}), Temporary, 7.0),
        (Refuse(429, page="slow down"), Temporary, None),
        (Refuse(429, 20429, {"Retry-After": "soon"}), Temporary, None),
        (Refuse(500, 20500), Temporary, None),
        (Refuse(502, 20500), Temporary, None),
        (Refuse(503, page="<html>"), Temporary, None),
        (Refuse(500, page="<html>"), OutcomeUnknown, None),
        (Refuse(502, page="<html>"), OutcomeUnknown, None),
        (Refuse(504, page=""), OutcomeUnknown, None),
        (Refuse(302, page=""), OutcomeUnknown, None),
        (Refuse(400, 21999), Permanent, None),
        (Refuse(404, page="[]"), Permanent, None),
        (Refuse(400, page="[" * 100_000), Permanent, None),
        (Answer(b"<html>Welcome</html>"), OutcomeUnknown, None),
        (Answer(b""), OutcomeUnknown, None),
        (Answer(b"[]"), OutcomeUnknown, None),
        (Answer(b"{}"), OutcomeUnknown, None),
        (Answer(b'{"sid": "", "status": "queued"}'), OutcomeUnknown, None),
        (Answer(b'{"sid": "SM1", "status": "queued"}'), OutcomeUnknown, None),
    ],
)
async def test_what_an_answer_means(
    twilio: TwilioStandIn, ctx: SmallContext, channel: TwilioSms, mood: Any, error: type, wait: Any
) -> None:
    twilio.moods[CUSTOMER] = mood
    with pytest.raises(HookError) as failed:
        await channel.send(ctx, message(ctx))
    assert type(failed.value) is error
    assert getattr(failed.value, "retry_after", None) == wait
    assert TOKEN not in failed.value.detail
    assert len(twilio.requests) == 1  # one attempt, whatever it means


async def test_a_date_to_come_back_at(
    twilio: TwilioStandIn, ctx: SmallContext, channel: TwilioSms
) -> None:
    from email.utils import format_datetime

    later = ctx.clock.now().replace(microsecond=0) + timedelta(seconds=90)
    twilio.moods[CUSTOMER] = Refuse(
        429, 20429, {"Retry-After": format_datetime(later, usegmt=True)}
    )
    with pytest.raises(Temporary) as failed:
        await channel.send(ctx, message(ctx))
    assert failed.value.retry_after == pytest.approx(90, abs=1)


async def test_a_message_that_failed_at_once(
    twilio: TwilioStandIn, ctx: SmallContext, channel: TwilioSms
) -> None:
    sid = "SM" + "0" * 32
    failed_at_once = f'{{"sid": "{sid}", "status": "failed", "error_code": 30007}}'
    twilio.moods[CUSTOMER] = Answer(failed_at_once.encode())
    with pytest.raises(Permanent) as failed:
        await channel.send(ctx, message(ctx))
    assert (failed.value.reason, failed.value.provider_code) == ("policy", "30007")


@pytest.mark.parametrize("to", ["+15005550007", "+15005550008"])
async def test_a_time_out_leaves_the_outcome_open(
    twilio: TwilioStandIn, ctx: SmallContext, channel: TwilioSms, to: str
) -> None:
    soon = ctx.clock.now() + timedelta(seconds=0.3)
    began = asyncio.get_running_loop().time()
    with pytest.raises(OutcomeUnknown):
        await channel.send(ctx, message(ctx, to=to, deadline=soon))
    assert asyncio.get_running_loop().time() - began < 5  # the deadline, not the usual limit
    assert len(twilio.requests) == 1


async def test_nobody_there_is_temporary(settings: Settings) -> None:
    async with running() as gone:
        routes = {"api.twilio.com": gone.url}
    ctx = SmallContext(routes=routes)
    with pytest.raises(Temporary):
        await TwilioSms(settings).send(ctx, message(ctx))
    await ctx.aclose()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"kind": "template"}, Unsupported),
        ({"kind": "of_a_later_version"}, Unsupported),
        ({"kind": "assist"}, Unsupported),
        ({"wire": ()}, Permanent),
        ({"wire": (WirePart(text="a"), WirePart(text="b"))}, Permanent),
        ({"wire": (WirePart(text=" \n"),)}, Permanent),
        ({"wire": (WirePart(text="a" * 1601),)}, Permanent),
        ({"to": "+1555\r\nBcc: x"}, Permanent),
        ({"to": "ACME"}, Permanent),
        ({"to": ""}, Permanent),
        ({"address": Address(scheme="email", value="a@b.example")}, Permanent),
        ({"own_address": "+15550100002"}, Permanent),
        (
            {
                "wire": (WirePart(attachment_ids=("file1",)),),
                "attachments": (replace(PNG, size=5_000_001),),
            },
            Permanent,
        ),
    ],
)
async def test_what_is_refused_before_anything_leaves(
    twilio: TwilioStandIn,
    ctx: SmallContext,
    channel: TwilioSms,
    change: dict[str, Any],
    error: type,
) -> None:
    with pytest.raises(HookError) as refused:
        await channel.send(ctx, message(ctx, **change))
    assert type(refused.value) is error
    assert twilio.requests == []


async def test_nothing_is_done_after_the_deadline(
    twilio: TwilioStandIn, ctx: SmallContext, channel: TwilioSms
) -> None:
    late = message(ctx)
    ctx.time.pass_by(600)
    with pytest.raises(Temporary):
        await channel.send(ctx, late)
    assert twilio.requests == []


async def test_many_at_once_keep_apart(
    twilio: TwilioStandIn, ctx: SmallContext, settings: Settings
) -> None:
    twilio.numbers.add("+15550100002")
    other = TwilioSms(replace(settings, numbers=("+15550100002",)))
    one = TwilioSms(settings)
    sends = [
        channel.send(ctx, message(ctx, f"{number}", id=f"t{number}", own_address=own))
        for number in range(10)
        for channel, own in ((one, NUMBER), (other, "+15550100002"))
    ]
    accepted = await asyncio.gather(*sends)
    assert len({each.external_id for each in accepted}) == 20
    bodies = sorted((sent.body, sent.resource["from"]) for sent in twilio.sent)
    assert bodies == sorted(
        (f"{number}", own) for number in range(10) for own in (NUMBER, "+15550100002")
    )


# ---- was it sent?


async def test_a_message_whose_answer_was_lost_is_found(
    twilio: TwilioStandIn, ctx: SmallContext, channel: TwilioSms
) -> None:
    to = "+15005550007"
    soon = ctx.clock.now() + timedelta(seconds=0.5)
    lost = message(ctx, "Did it go?", to=to, deadline=soon)
    with pytest.raises(OutcomeUnknown):
        await channel.send(ctx, lost)
    (sent,) = twilio.sent
    found = await channel.reconcile(ctx, lost)
    assert (found.outcome, found.external_id, found.status) == ("found", sent.sid, "queued")
    sent.resource["status"] = "delivered"
    assert (await channel.reconcile(ctx, lost)).status == "delivered"
    assert len(twilio.sent) == 1


async def test_a_message_that_never_arrived_is_absent_once_that_is_sure(
    twilio: TwilioStandIn, ctx: SmallContext, channel: TwilioSms
) -> None:
    lost = message(ctx, to="+15005550008")
    assert (await channel.reconcile(ctx, lost)).outcome == "unknown"
    ctx.time.pass_by(120)
    assert (await channel.reconcile(ctx, lost)).outcome == "absent"
    assert (await channel.reconcile(ctx, replace(lost, started_at=None))).outcome == "unknown"
    assert twilio.sent == []


async def test_the_same_words_of_before_are_another_message(
    twilio: TwilioStandIn, ctx: SmallContext, channel: TwilioSms
) -> None:
    await channel.send(ctx, message(ctx, "ok"))
    ctx.time.pass_by(3600)
    lost = message(ctx, "ok")
    ctx.time.pass_by(120)
    assert (await channel.reconcile(ctx, lost)).outcome == "absent"


@pytest.mark.parametrize(
    "other",
    [
        {"body": "other words"},
        {"to": "+15550188888"},
        {"from": "+15550100002"},
        {"direction": "inbound"},
        {"num_media": "1"},
    ],
)
async def test_other_messages_are_not_taken_for_it(
    twilio: TwilioStandIn, ctx: SmallContext, channel: TwilioSms, other: dict[str, str]
) -> None:
    lost = message(ctx)
    await channel.send(ctx, lost)
    twilio.sent[0].resource.update(other)
    ctx.time.pass_by(120)
    assert (await channel.reconcile(ctx, lost)).outcome == "absent"


async def test_more_messages_than_were_looked_at_leave_it_open(
    twilio: TwilioStandIn, ctx: SmallContext, channel: TwilioSms
) -> None:
    lost = message(ctx, "the first")
    for number in range(50):
        twilio._store(NUMBER, CUSTOMER, f"{number}", "outbound-api", "sent", "SM")
    ctx.time.pass_by(120)
    assert (await channel.reconcile(ctx, lost)).outcome == "unknown"


# ---- health


async def test_health(twilio: TwilioStandIn, ctx: SmallContext, settings: Settings) -> None:
    channel = TwilioSms(settings)
    assert (await channel.health(ctx)).state == "ok"
    twilio.account_status = "suspended"
    suspended = await channel.health(ctx)
    assert suspended.state == "needs_attention"
    assert "suspended" in (suspended.reason or "")
    twilio.account_status = "active"
    wrong = TwilioSms(replace(settings, auth_token=Secret("wrong")))
    assert (await wrong.health(ctx)).state == "needs_attention"
    keyed = replace(settings, api_key="SK" + "a" * 32, api_secret=Secret("wrong"))
    assert (await TwilioSms(keyed).health(ctx)).state == "needs_attention"


async def test_health_when_twilio_is_away(settings: Settings) -> None:
    async with running() as gone:
        routes = {"api.twilio.com": gone.url}
    ctx = SmallContext(routes=routes)
    assert (await TwilioSms(settings).health(ctx)).state == "transient"
    await ctx.aclose()


def test_the_client_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, hub_sms_twilio; sys.exit('twilio' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))


def test_whoever_comes_while_the_client_is_imported_waits_for_it() -> None:
    code = """
import asyncio, sys
from hub.plugin import Secret
from hub_sms_twilio.plugin import TwilioSms
from hub_sms_twilio.settings import Settings
from tests.small_context import SmallContext

async def main():
    ctx = SmallContext()
    numbers = ("+15550100001",)
    settings = Settings(account_sid="AC" + "0" * 32, auth_token=Secret("token"), numbers=numbers)
    channel = TwilioSms(settings)
    first = asyncio.create_task(channel._sending(ctx))
    while "hub_sms_twilio.sending" not in sys.modules:
        await asyncio.sleep(0)
    assert hasattr(await channel._sending(ctx), "send")
    await first
    await ctx.aclose()

asyncio.run(main())
"""
    subprocess.run(
        [sys.executable, "-c", code], check=True, env=dict(os.environ), cwd=recorded.ROOT
    )


async def test_a_region_in_the_environment_does_not_move_the_channel(
    twilio: TwilioStandIn, ctx: SmallContext, channel: TwilioSms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_REGION", "ie1")
    monkeypatch.setenv("TWILIO_EDGE", "dublin")
    await channel.send(ctx, message(ctx))
    assert twilio.requests[0].host == "api.twilio.com"
