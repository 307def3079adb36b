"""Templates: as Meta lists them, as they are shown, and as they go out."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hub_whatsapp_cloud import WhatsAppCloud
from msgspec.structs import replace

from hub.plugin import (
    Address,
    Buttons,
    CredentialsInvalid,
    Item,
    Outbound,
    Permanent,
    TemplateInfo,
    TemplateUse,
    Temporary,
    Text,
)
from tests.small_context import SmallContext
from tests.standins.meta import Answer, MetaStandIn, Refuse

GIVEN: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "templates.json").read_text(encoding="utf-8")
)


@pytest.fixture
async def templates(
    meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud
) -> dict[tuple[str, str], TemplateInfo]:
    meta.templates = GIVEN
    found = await channel.templates(ctx)
    return {(one.name, one.language): one for one in found}


@pytest.mark.feature("COMP-06")
async def test_all_pages_are_listed(
    meta: MetaStandIn, templates: dict[tuple[str, str], TemplateInfo]
) -> None:
    assert list(templates) == [(one["name"], one["language"]) for one in GIVEN]
    asked = [url for _, url, _ in meta.requests]
    assert len(asked) == 6
    assert all(url.startswith("https://graph.facebook.com/v24.0/") for url in asked)
    assert all("access_token" not in url for url in asked)


async def test_parameters_have_one_name_each(
    templates: dict[tuple[str, str], TemplateInfo],
) -> None:
    visit = templates["visit_tomorrow", "en"]
    assert visit.parameters == ("header", "1", "2", "button_2")
    assert visit.examples == ("no. 4711", "Ana", "nine", "4711")
    assert (visit.header, visit.footer) == ("Visit {{header}}", "Roofs of the north")
    assert visit.buttons == ("Confirm", "See the map", "Call us")
    assert (visit.state, visit.reason) == ("approved", None)
    welcome = templates["welcome", "de"]
    assert welcome.parameters == ("first_name", "member")
    assert welcome.examples == ("Ana", "Jo")
    offer = templates["offer", "en"]
    assert offer.parameters == ("header", "button_1")
    assert offer.header == "[Document: {{header}}]"
    assert templates["plain", "en"].parameters == ()


@pytest.mark.parametrize(
    ("key", "state", "reason"),
    [
        (("sale", "en"), "rejected", "INVALID_FORMAT"),
        (("sale", "de"), "pending", None),
        (("tired", "en"), "paused", None),
        (("gone", "en"), "paused", "Meta says pending deletion"),
        (("cards", "en"), "paused", "The hub cannot fill in the part carousel"),
        (("place", "en"), "paused", "The hub cannot fill in a header that is a location"),
        (("shop", "en"), "paused", "The hub cannot fill in a button of the kind catalog"),
    ],
)
async def test_what_cannot_be_used_says_why(
    templates: dict[tuple[str, str], TemplateInfo], key: tuple[str, str], state: str, reason: str
) -> None:
    assert (templates[key].state, templates[key].reason) == (state, reason)


def use(template: TemplateInfo, **values: str) -> TemplateUse:
    return TemplateUse(
        template=template, values={k.removeprefix("p"): v for k, v in values.items()}
    )


def sending(ctx: SmallContext, channel: WhatsAppCloud, used: TemplateUse) -> Outbound:
    rendered = channel.render(Item(direction="out", template=used), "wire")
    return Outbound(
        id="t1",
        kind="template",
        address=Address(scheme="phone", value="+46701740605"),
        own_address="",
        deadline=ctx.clock.now() + timedelta(minutes=10),
        wire=rendered.wire,
    )


@pytest.mark.feature("COMP-06")
async def test_what_is_shown_is_what_goes_out(
    meta: MetaStandIn,
    ctx: SmallContext,
    channel: WhatsAppCloud,
    templates: dict[tuple[str, str], TemplateInfo],
) -> None:
    used = use(
        templates["visit_tomorrow", "en"], header="7", p1="Zoë ", p2="nine\n sharp", button_2="x7"
    )
    shown = channel.render(Item(direction="out", template=used), "composer")
    words = ("Visit 7", "Hello Zoë, we come at nine sharp.", "Roofs of the north")
    assert shown.blocks == (
        *(Text(text=each) for each in words),
        Buttons(labels=("Confirm", "See the map", "Call us")),
    )
    assert (shown.preview, shown.warnings) == ("Hello Zoë, we come at nine sharp.", ())
    message = sending(ctx, channel, used)
    assert message.wire[0].text == "\n\n".join(words)
    accepted = await channel.send(ctx, message)
    (sent,) = meta.sent  # Meta has counted and looked at the values
    assert accepted.external_id == sent.id
    assert sent.body["template"] == {
        "name": "visit_tomorrow",
        "language": {"code": "en"},
        "components": [
            {"type": "header", "parameters": [{"type": "text", "text": "7"}]},
            {
                "type": "body",
                "parameters": [
                    {"type": "text", "text": "Zoë"},
                    {"type": "text", "text": "nine sharp"},
                ],
            },
            {
                "type": "button",
                "sub_type": "url",
                "index": "1",
                "parameters": [{"type": "text", "text": "x7"}],
            },
        ],
    }


async def test_named_values_files_codes_and_none(
    meta: MetaStandIn,
    ctx: SmallContext,
    channel: WhatsAppCloud,
    templates: dict[tuple[str, str], TemplateInfo],
) -> None:
    link = "https://roof.example/offer.pdf"
    for used in (
        use(templates["welcome", "de"], first_name="Ana", member="Jo"),
        use(templates["offer", "en"], header=link, button_1="SPRING"),
        use(templates["plain", "en"]),
    ):
        await channel.send(ctx, sending(ctx, channel, used))
    named, offer, plain = (sent.body["template"] for sent in meta.sent)
    assert named["components"][0]["parameters"] == [
        {"type": "text", "parameter_name": "first_name", "text": "Ana"},
        {"type": "text", "parameter_name": "member", "text": "Jo"},
    ]
    assert offer["components"] == [
        {"type": "header", "parameters": [{"type": "document", "document": {"link": link}}]},
        {
            "type": "button",
            "sub_type": "copy_code",
            "index": "0",
            "parameters": [{"type": "coupon_code", "coupon_code": "SPRING"}],
        },
    ]
    assert "components" not in plain


async def test_what_meta_says_of_a_template(
    meta: MetaStandIn,
    ctx: SmallContext,
    channel: WhatsAppCloud,
    templates: dict[tuple[str, str], TemplateInfo],
) -> None:
    used = use(templates["welcome", "de"], first_name="Ana", member="Jo")
    message = sending(ctx, channel, used)
    meta.templates = [one | {"status": "PAUSED"} for one in GIVEN]
    with pytest.raises(Permanent) as paused:
        await channel.send(ctx, message)
    assert (paused.value.reason, paused.value.provider_code) == ("policy", "132015")
    meta.templates = []
    with pytest.raises(Permanent) as gone:
        await channel.send(ctx, message)
    assert (gone.value.reason, gone.value.provider_code) == ("configuration", "132001")
    other = replace(used, template=replace(used.template, data=used.template.data | {"body": []}))
    meta.templates = GIVEN
    with pytest.raises(Permanent) as short:
        await channel.send(ctx, sending(ctx, channel, other))
    assert (short.value.reason, short.value.provider_code) == ("unsupported_content", "132000")


async def test_a_text_that_is_too_long_with_its_values(
    channel: WhatsAppCloud, templates: dict[tuple[str, str], TemplateInfo]
) -> None:
    used = use(templates["welcome", "de"], first_name="A" * 1024, member="Jo")
    item = Item(direction="out", template=used)
    (warning,) = channel.render(item, "composer").warnings
    assert warning.startswith("Too long: 1,0")
    with pytest.raises(Permanent) as long:
        channel.render(item, "wire")
    assert long.value.reason == "too_large"


async def test_a_half_filled_template_can_be_shown(
    channel: WhatsAppCloud, templates: dict[tuple[str, str], TemplateInfo]
) -> None:
    used = use(templates["visit_tomorrow", "en"], p1="Ana")
    shown = channel.render(Item(direction="out", template=used), "composer")
    assert shown.preview == "Hello Ana, we come at {{2}}."


@pytest.mark.parametrize(
    ("mood", "error"),
    [
        (Refuse(401, 190), CredentialsInvalid),
        (Refuse(429, 80007), Temporary),
        (Refuse(500, 2), Temporary),
        (Refuse(502, page="<html>"), Temporary),
        (Refuse(400, 100), Permanent),
        (Answer(b"<html>Welcome</html>"), Temporary),
        (Answer(b"[]"), Temporary),
        (Answer(b"{}"), Temporary),
        (Answer(b'{"data": 7}'), Temporary),
        (Answer(b'{"data": [{"name": 7}]}'), Temporary),
        (Answer(b'{"data": [{"name": "a", "language": "en", "components": {}}]}'), Temporary),
    ],
)
async def test_a_list_that_does_not_come(
    meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud, mood: Any, error: type
) -> None:
    meta.mood = mood
    with pytest.raises(error):
        await channel.templates(ctx)


async def test_odd_examples_break_nothing(
    meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud
) -> None:
    odd = [None, 7, [], {}, {"body_text": [7]}, {"body_text": []}, {"header_text": 7}]
    parts = [{"type": "HEADER", "text": "{{1}}"}, {"type": "BODY", "text": "{{1}} {{12}} {{2}}"}]
    meta.templates = [
        {
            "name": f"odd_{number}",
            "language": "en",
            "status": "APPROVED",
            "components": [part | {"example": example} for part in parts],
        }
        for number, example in enumerate(odd)
    ]
    for one in await channel.templates(ctx):
        assert one.parameters == ("header", "1", "2", "12")
        assert len(one.examples) == 4
