"""Sending through the official client to a Twilio that checks every request by its own spec."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from hub_whatsapp_cloud import people
from hub_whatsapp_twilio import TwilioWhatsApp
from hub_whatsapp_twilio.settings import Settings
from msgspec.structs import replace

from hub.plugin import (
    Address,
    Attachment,
    ComposeFacts,
    CredentialsInvalid,
    HookError,
    Item,
    Outbound,
    OutcomeUnknown,
    Permanent,
    Secret,
    TemplateInfo,
    TemplateUse,
    Temporary,
    Unsupported,
    WirePart,
)
from tests.plugin_kit.provider import running
from tests.small_context import SmallContext
from tests.standins.twilio import ACCOUNT, NUMBER, TOKEN, Answer, Hang, Refuse
from tests.standins.twilio_whatsapp import CONTENT, SENDER, WhatsAppStandIn, content

ME = "+4915112345678"
THERE = f"whatsapp:{ME}"
PNG = Attachment(id="f1", name="a.png", content_type="image/png", size=1000)
SOUND = Attachment(id="f2", name="a.mp3", content_type="audio/mpeg", size=1000)
CARD = Attachment(id="f3", name="a.vcf", content_type="text/vcard", size=1000)


def message(ctx: SmallContext, text: str = "Hello", **more: Any) -> Outbound:
    known: dict[str, Any] = {
        "id": "7",
        "address": Address(scheme="phone", value=ME),
        "own_address": NUMBER,
        "deadline": ctx.clock.now() + timedelta(minutes=10),
        "started_at": ctx.clock.now(),
        "wire": (WirePart(text=text),),
    }
    return Outbound(**(known | more))


def rendered(
    ctx: SmallContext, channel: TwilioWhatsApp, text: str, *files: Attachment, **more: Any
) -> Outbound:
    wire = channel.render(Item(direction="out", text=text, attachments=files), "wire").wire
    return message(ctx, wire=wire, attachments=files, **more)


def forms(twilio: WhatsAppStandIn) -> list[dict[str, str]]:
    return [dict(one.form) for one in twilio.requests if one.method == "POST"]


async def test_a_text(twilio: WhatsAppStandIn, ctx: SmallContext, channel: TwilioWhatsApp) -> None:
    text = "Hé & +1 😀\nsecond line"
    accepted = await channel.send(ctx, message(ctx, text))
    (sent,) = twilio.sent
    assert (accepted.external_id, accepted.status) == (sent.sid, "queued")
    assert forms(twilio) == [
        {
            "To": THERE,
            "From": SENDER,
            "Body": text,
            "StatusCallback": f"{ctx.public_url()}?transmission=7",
        }
    ]


async def test_who_has_no_number_is_reached_by_the_user_id(
    twilio: WhatsAppStandIn, ctx: SmallContext, channel: TwilioWhatsApp
) -> None:
    user = Address(scheme=people.USER, value="DE.7730185520041966")
    await channel.send(ctx, message(ctx, address=user))
    assert forms(twilio)[0]["To"] == "whatsapp:DE.7730185520041966"


async def test_through_a_service_with_a_key_and_without_callbacks(
    twilio: WhatsAppStandIn, ctx: SmallContext, settings: Settings
) -> None:
    key = "SK" + "a" * 32
    twilio._accounts[key] = "its secret"
    other = replace(
        settings,
        messaging_service_sid="MG" + "0" * 32,
        api_key=key,
        api_secret=Secret("its secret"),
        status_callbacks=False,
    )
    await TwilioWhatsApp(other).send(ctx, message(ctx, own_address=""))
    assert forms(twilio) == [
        {
            "To": THERE,
            "From": SENDER,
            "Body": "Hello",
            "MessagingServiceSid": "MG" + "0" * 32,
        }
    ]
    assert twilio.requests[0].user == key


async def test_a_file_in_each_message(
    twilio: WhatsAppStandIn, ctx: SmallContext, channel: TwilioWhatsApp
) -> None:
    accepted = await channel.send(ctx, rendered(ctx, channel, "Both", PNG, SOUND, CARD))
    first, second, third = forms(twilio)
    assert (first["Body"], first["MediaUrl"]) == ("Both", ctx.media.signed_url("f1", seconds=36000))
    assert all("Body" not in one for one in (second, third))
    assert accepted.parts == tuple(sent.sid for sent in twilio.sent)
    await channel.send(ctx, rendered(ctx, channel, "Listen", SOUND, id="8"))
    assert ["MediaUrl" in one for one in forms(twilio)[3:]] == [False, True]


async def test_what_is_out_does_not_go_out_again(
    twilio: WhatsAppStandIn, ctx: SmallContext, channel: TwilioWhatsApp
) -> None:
    """The answer for the second of three is lost; it is looked for, found, and the third goes."""
    three = rendered(ctx, channel, "", PNG, SOUND, CARD)

    class Lossy(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            return Answer(b"<html>") if len(twilio.sent) in {1, 2} else default

    twilio.moods = Lossy()
    with pytest.raises(OutcomeUnknown):
        await channel.send(ctx, three)
    twilio.moods = {}
    assert len(twilio.sent) == 2
    assert (await channel.reconcile(ctx, three)).outcome == "absent"  # the whole, that is
    accepted = await channel.send(ctx, replace(three, attempt=2))
    assert len(twilio.sent) == 3
    assert accepted.parts == tuple(sent.sid for sent in twilio.sent)


@pytest.mark.parametrize(
    ("mood", "error", "wait"),
    [
        (Refuse(401, 20003), CredentialsInvalid, None),
        (Refuse(401, page="no"), CredentialsInvalid, None),
        (Refuse(400, 30002), CredentialsInvalid, None),
        (Refuse(400, 63001), CredentialsInvalid, None),
        (Refuse(429, 20429, {"Retry-After": "7"}), Temporary, 7.0),
        (Refuse(429, 63018), Temporary, None),
        (Refuse(500, 63012), Temporary, None),
        (Refuse(500, 20500), Temporary, None),
        (Refuse(503, page="<html>"), Temporary, None),
        (Refuse(502, page="<html>"), OutcomeUnknown, None),
        (Refuse(302, page=""), OutcomeUnknown, None),
        (Refuse(400, 63999), Permanent, None),
        (Refuse(404, page="[]"), Permanent, None),
        (Answer(b"<html>Welcome</html>"), OutcomeUnknown, None),
        (Answer(b"{}"), OutcomeUnknown, None),
    ],
)
async def test_what_an_answer_means(
    twilio: WhatsAppStandIn,
    ctx: SmallContext,
    channel: TwilioWhatsApp,
    mood: Any,
    error: type,
    wait: Any,
) -> None:
    twilio.moods[THERE] = mood
    with pytest.raises(HookError) as failed:
        await channel.send(ctx, message(ctx))
    assert type(failed.value) is error
    assert getattr(failed.value, "retry_after", None) == wait
    assert TOKEN not in failed.value.detail
    assert len(twilio.requests) == 1


@pytest.mark.feature("COMP-06")
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (63016, "window_closed"),
        (63024, "bad_address"),
        (63003, "bad_address"),
        (21610, "opted_out"),
        (63005, "policy"),
        (63007, "configuration"),
        (63027, "configuration"),
        (63028, "unsupported_content"),
    ],
)
async def test_what_can_never_go_out(
    twilio: WhatsAppStandIn, ctx: SmallContext, channel: TwilioWhatsApp, code: int, reason: str
) -> None:
    twilio.moods[THERE] = Refuse(400, code)
    with pytest.raises(Permanent) as failed:
        await channel.send(ctx, message(ctx))
    assert (failed.value.reason, failed.value.provider_code) == (reason, str(code))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"kind": "of_a_later_version"}, Unsupported),
        ({"kind": "assist"}, Unsupported),
        ({"kind": "template"}, Permanent),
        ({"wire": ()}, Permanent),
        ({"wire": (WirePart(text=" "),)}, Permanent),
        ({"wire": (WirePart(text="a" * 1601),)}, Permanent),
        ({"address": Address(scheme="phone", value="+1\r\nX: 1")}, Permanent),
        ({"address": Address(scheme="phone", value="ACME")}, Permanent),
        ({"own_address": "+15550100999"}, Permanent),
        (
            {
                "wire": (WirePart(attachment_ids=("f1",)),),
                "attachments": (replace(PNG, content_type="application/zip"),),
            },
            Permanent,
        ),
    ],
)
async def test_what_is_refused_before_anything_goes_out(
    twilio: WhatsAppStandIn, ctx: SmallContext, channel: TwilioWhatsApp, change: Any, error: type
) -> None:
    with pytest.raises(HookError) as refused:
        await channel.send(ctx, message(ctx, **change))
    assert type(refused.value) is error
    assert twilio.requests == []


@pytest.mark.parametrize("after", [True, False])
async def test_no_answer_leaves_the_outcome_open_until_it_is_looked_for(
    twilio: WhatsAppStandIn, ctx: SmallContext, channel: TwilioWhatsApp, after: bool
) -> None:
    twilio.moods[THERE] = Hang(after)
    lost = message(ctx, deadline=ctx.clock.now() + timedelta(seconds=0.4))
    with pytest.raises(OutcomeUnknown):
        await channel.send(ctx, lost)
    ctx.time.pass_by(150)
    found = await channel.reconcile(ctx, lost)
    assert found.outcome == ("found" if after else "absent")


async def test_nobody_there_is_temporary(settings: Settings) -> None:
    async with running() as gone:
        routes = {"api.twilio.com": gone.url, CONTENT: gone.url}
    ctx = SmallContext(routes=routes)
    channel = TwilioWhatsApp(settings)
    with pytest.raises(Temporary):
        await channel.send(ctx, message(ctx))
    with pytest.raises(Temporary):
        await channel.templates(ctx)
    assert (await channel.health(ctx)).state == "transient"
    await ctx.aclose()


async def test_sends_at_once_stay_apart(
    twilio: WhatsAppStandIn, ctx: SmallContext, channel: TwilioWhatsApp
) -> None:
    sends = [channel.send(ctx, message(ctx, f"no. {n}", id=f"{n}")) for n in range(20)]
    accepted = await asyncio.gather(*sends)
    told = {sent.sid: sent.body for sent in twilio.sent}
    assert [told[each.external_id] for each in accepted] == [f"no. {n}" for n in range(20)]


@pytest.mark.feature("COMP-06")
def test_the_window_of_24_hours(ctx: SmallContext, channel: TwilioWhatsApp) -> None:
    now = ctx.clock.now()
    for seconds, may in ((86_399, "free"), (86_401, "template"), (None, "template")):
        last = None if seconds is None else now - timedelta(seconds=seconds)
        address = Address(scheme="phone", value=ME)
        facts = ComposeFacts(address=address, own_address=NUMBER, now=now, last_inbound_at=last)
        assert channel.compose_rules(facts).may == may


def test_the_client_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, hub_whatsapp_twilio; sys.exit('twilio' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))


# ---- templates

VISIT = content(
    1,
    "visit_tomorrow",
    {
        "twilio/quick-reply": {
            "body": "Hello {{1}}, we come at {{2}}.",
            "actions": [{"title": "Confirm", "id": "yes"}, {"title": "Later {{3}}", "id": "no"}],
        }
    },
    "approved",
    variables={"1": "Ana", "2": "nine", "3": "today"},
)
CONTENTS = [
    VISIT,
    content(2, "plain", {"twilio/text": {"body": "We are open."}}, "approved"),
    content(
        3,
        "offer",
        {
            "whatsapp/card": {
                "body": "Here is our offer.",
                "header_text": "For {{1}}",
                "footer": "Roofs of the north",
                "actions": [{"type": "URL", "title": "Open", "url": "https://r.example/{{2}}"}],
            }
        },
        "approved",
        variables={"1": "you", "2": "7"},
    ),
    content(
        4,
        "picture",
        {"twilio/media": {"body": "The roof", "media": ["https://r.example/{{1}}.jpg"]}},
        "approved",
    ),
    content(
        5,
        "sale",
        {"twilio/text": {"body": "Buy"}},
        "rejected",
        approval={"rejection_reason": "Tone"},
    ),
    content(6, "waiting", {"twilio/text": {"body": "Soon"}}, "pending"),
    content(7, "draft", {"twilio/text": {"body": "Not yet"}}, "unsubmitted"),
    content(8, "tired", {"twilio/text": {"body": "Again"}}, "paused"),
    content(9, "rows", {"twilio/list-picker": {"body": "Choose", "button": "x"}}, "unsubmitted"),
    content(10, "plain", {"twilio/text": {"body": "Another"}}, "unsubmitted"),
]


@pytest.fixture
async def templates(
    twilio: WhatsAppStandIn, ctx: SmallContext, channel: TwilioWhatsApp
) -> dict[str, TemplateInfo]:
    twilio.contents = CONTENTS
    return {one.name: one for one in await channel.templates(ctx)}


@pytest.mark.feature("COMP-06")
async def test_all_pages_are_listed(
    twilio: WhatsAppStandIn, templates: dict[str, TemplateInfo]
) -> None:
    assert len([one for one in twilio.requests if one.path == "/v1/ContentAndApprovals"]) == 5
    names = ["visit_tomorrow", "plain", "offer", "picture", "sale", "waiting", "draft", "tired"]
    assert list(templates) == names
    visit = templates["visit_tomorrow"]
    assert (visit.parameters, visit.examples) == (("1", "2", "3"), ("Ana", "nine", "today"))
    assert (visit.buttons, visit.language, visit.state) == (
        ("Confirm", "Later {{3}}"),
        "en",
        "approved",
    )
    offer = templates["offer"]
    assert (offer.header, offer.footer) == ("For {{1}}", "Roofs of the north")
    assert offer.parameters == ("1", "2")
    assert templates["picture"].header == "[File: https://r.example/{{1}}.jpg]"
    states = {name: (one.state, one.reason) for name, one in templates.items()}
    assert states["sale"] == ("rejected", "Tone")
    assert states["waiting"][0] == "pending"
    assert states["draft"] == ("pending", "It was never sent to WhatsApp for approval")
    assert states["tired"] == ("paused", "WhatsApp has paused it")
    assert templates["plain"].body == "We are open."  # the approved one of two


@pytest.mark.feature("COMP-06")
async def test_what_is_shown_is_what_goes_out(
    twilio: WhatsAppStandIn,
    ctx: SmallContext,
    channel: TwilioWhatsApp,
    templates: dict[str, TemplateInfo],
) -> None:
    values = {"1": "Zoë", "2": "nine\n sharp", "3": "on"}
    used = TemplateUse(template=templates["visit_tomorrow"], values=values)
    item = Item(direction="out", template=used)
    assert channel.render(item, "composer").preview == "Hello Zoë, we come at nine sharp."
    wire = channel.render(item, "wire").wire
    assert wire[0].text == "Hello Zoë, we come at nine sharp."
    accepted = await channel.send(ctx, message(ctx, wire=wire, kind="template"))
    (form,) = forms(twilio)
    assert accepted.external_id == twilio.sent[0].sid
    assert (form["ContentSid"], "Body" in form) == (VISIT["sid"], False)
    assert json.loads(form["ContentVariables"]) == {"1": "Zoë", "2": "nine sharp", "3": "on"}
    plain = TemplateUse(template=templates["plain"])
    wire = channel.render(Item(direction="out", template=plain), "wire").wire
    await channel.send(ctx, message(ctx, wire=wire, kind="template"))
    assert "ContentVariables" not in forms(twilio)[1]


async def test_a_template_whose_answer_was_lost(
    twilio: WhatsAppStandIn,
    ctx: SmallContext,
    channel: TwilioWhatsApp,
    templates: dict[str, TemplateInfo],
) -> None:
    used = TemplateUse(template=templates["plain"])
    wire = channel.render(Item(direction="out", template=used), "wire").wire
    lost = message(ctx, wire=wire, kind="template")
    ctx.time.pass_by(150)
    assert (await channel.reconcile(ctx, lost)).outcome == "absent"
    await channel.send(ctx, lost)
    # Twilio shows it in other words than it reads: better a person decides than it goes twice.
    assert (await channel.reconcile(ctx, lost)).outcome == "unknown"
    twilio.sent[0].resource["body"] = "We are open."
    assert (await channel.reconcile(ctx, lost)).outcome == "found"


@pytest.mark.parametrize(
    ("other", "error"),
    [
        (Refuse(401, 20003), CredentialsInvalid),
        (Refuse(429, 20429), Temporary),
        (Refuse(500, 20500), Temporary),
        (Refuse(502, page="<html>"), Temporary),
        (b"<html>Welcome</html>", Temporary),
        (b"[]", Temporary),
    ],
)
async def test_a_list_that_does_not_come(
    twilio: WhatsAppStandIn, ctx: SmallContext, channel: TwilioWhatsApp, other: Any, error: type
) -> None:
    twilio.other = other
    with pytest.raises(error):
        await channel.templates(ctx)


async def test_odd_contents_are_passed_over(
    twilio: WhatsAppStandIn, ctx: SmallContext, channel: TwilioWhatsApp
) -> None:
    elsewhere = "https://elsewhere.example/v1/ContentAndApprovals?Page=1"
    rows = [7, {}, {"sid": 7}, {"sid": "HX1", "types": {}}, {"sid": "HX2", "types": {"x": 7}}]
    rows.append({"sid": "HX3", "types": {"x": {"body": 7}}, "approval_requests": 7})
    page = {"contents": rows, "meta": {"next_page_url": elsewhere}}
    twilio.other = json.dumps(page).encode()
    (odd,) = await channel.templates(ctx)
    assert (odd.name, odd.body, odd.state) == ("HX3", "", "pending")
    assert len(twilio.requests) == 1  # the credentials go to no other host


# ---- check


async def states(ctx: SmallContext, channel: TwilioWhatsApp) -> dict[str, tuple[str, str | None]]:
    return {one.about: (one.state, one.advice) for one in await channel.check(ctx)}


async def test_check(
    twilio: WhatsAppStandIn, ctx: SmallContext, settings: Settings, channel: TwilioWhatsApp
) -> None:
    twilio.senders[0]["webhook"]["callback_url"] = f"{ctx.public_url()}#rc=3&rp=all"
    found = await states(ctx, channel)
    assert {state for state, _ in found.values()} == {"ok"}
    assert f"webhook address of {NUMBER}" in found

    twilio.senders[0]["webhook"]["callback_url"] = "https://other.example/hook"
    state, advice = (await states(ctx, channel))[f"webhook address of {NUMBER}"]
    assert state == "wrong"
    assert ctx.public_url() in (advice or "")

    twilio.senders[0]["status"] = "OFFLINE"
    assert (await states(ctx, channel))[f"sender {NUMBER}"][0] == "wrong"
    twilio.senders = []
    assert (await states(ctx, channel))[f"sender {NUMBER}"][0] == "wrong"
    twilio.other = Refuse(502, page="<html>")
    assert (await states(ctx, channel))["WhatsApp senders"][0] == "unknown"

    twilio.account_status = "suspended"
    assert (await states(ctx, channel))["account"][0] == "wrong"
    wrong = TwilioWhatsApp(replace(settings, auth_token=Secret("another")))
    assert await states(ctx, wrong) == {
        "credentials": (
            "wrong",
            "copy account_sid and auth_token anew from the first page of Twilio's console",
        )
    }
    keyed = TwilioWhatsApp(replace(settings, api_key="SK" + "a" * 32, api_secret=Secret("x")))
    assert (await states(ctx, keyed))["API key"][0] == "wrong"
    assert {one.method for one in twilio.requests} == {"GET"}
    assert {one.user for one in twilio.requests} <= {ACCOUNT, "SK" + "a" * 32}
