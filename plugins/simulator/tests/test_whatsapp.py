"""The simulated WhatsApp: what the customer sends, the window, templates, answers, reactions."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hub_simulator import WhatsAppSimulator
from hub_simulator.settings import MessengerSettings
from hub_simulator.templates import TEMPLATES
from hub_simulator.whatsapp import body_of, read
from hypothesis import given
from hypothesis import strategies as st

from hub.plugin import (
    Address,
    ComposeFacts,
    Item,
    Malformed,
    Message,
    OutcomeUnknown,
    Permanent,
    Reaction,
    TemplateUse,
    Unsupported,
)
from hub.plugin.kit.checks import check_class
from plugins.simulator.tests.world import CUSTOMER, OWN, PURE, MemoryKv, World, running

plugin = WhatsAppSimulator(MessengerSettings(window=60))


async def test_it_is_a_plugin_that_reaches_nobody() -> None:
    assert check_class(WhatsAppSimulator) == []
    assert WhatsAppSimulator.INFO.real is False


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_called_malformed(body: bytes) -> None:
    with contextlib.suppress(Malformed):
        read(body)


async def post(world: World, path: str, **wanted: Any) -> int:
    reply = await world.call("POST", path, {"number": CUSTOMER, **wanted})
    return reply.status


async def test_a_place_a_card_and_what_is_not_passed_on_arrive() -> None:
    async with running(kind=WhatsAppSimulator) as world:
        place = {"what": "place", "latitude": 40.7, "longitude": -74.0, "name": "Home"}
        await world.text("", content=place)
        await world.text("", content={"what": "card", "name": "Robin", "phone": "+12025550187"})
        await world.text("", content={"what": "odd", "kind": "poll"})
        await world.quiet()
        facts = [event.facts for event in world.ctx.events]
        assert {"Place": "Home", "Location": "40.7, -74"} in facts
        assert {"Contact": "Robin +12025550187"} in facts
        assert {"Unsupported": "poll"} in facts


async def test_a_message_goes_with_the_name_its_sender_had_when_it_was_written() -> None:
    async with running(kind=WhatsAppSimulator) as world:
        await world.text("Who am I?")
        await world.call_them("  Zoë O'Rourke ")
        await world.text("I am Zoë")
        await world.behave(delay=300)
        message_id = await world.text("Still Zoë")
        before = (await world.phone()).message(message_id)
        await world.call_them("Zoë Winter")
        kept = (await world.phone()).message(message_id)
        assert before is not None
        assert kept is not None
        (step,) = kept.due
        assert body_of(CUSTOMER, kept, step) == body_of(CUSTOMER, before, step)
        (told,) = read(body_of(CUSTOMER, kept, step)).events
        assert isinstance(told, Message)
        assert told.sender_name == "Zoë O'Rourke"
        await world.behave()
        await world.text("Married")
        await world.call_them(" ")
        await world.text("Nobody")
        phone = await world.until(
            lambda phone: sum(bool(message.told) for message in phone.messages) == 4
        )
        names = {event.text: event.sender_name for event in world.ctx.events}
        assert names == {
            "Who am I?": None,
            "I am Zoë": "Zoë O'Rourke",
            "Married": "Zoë Winter",
            "Nobody": None,
        }
        said = [line.text for line in phone.log if "The customer is now" in line.text]
        assert said == [
            "The customer is now called Zoë O'Rourke",
            "The customer is now called Zoë Winter",
        ]
        assert "The customer has no name any more" in [line.text for line in phone.log]


async def test_a_name_is_the_phones_own_and_stays() -> None:
    kv = MemoryKv()
    async with running(kv, kind=WhatsAppSimulator) as world:
        await world.call_them("Zoë")
        logged = (await world.phone()).logged
        await world.call_them("Zoë ")
        assert (await world.phone()).logged == logged, "said once"
        await world.text("Hello", number="+12025550187")
    async with running(kv, kind=WhatsAppSimulator) as world:
        await world.text("Hello again")
        await world.quiet()
        assert world.ctx.events[-1].sender_name == "Zoë"
        shown = json.loads((await world.call("GET", "events", number=CUSTOMER)).body)
        assert shown["phone"]["name"] == "Zoë"
        assert (await world.phone("+12025550187")).name == ""


@pytest.mark.parametrize(
    "wanted", [{"name": "x" * 201}, {"name": None}, {}, {"name": "x", "number": "twelve"}]
)
async def test_a_name_that_makes_no_sense_is_refused_in_words(wanted: dict[str, Any]) -> None:
    async with running(kind=WhatsAppSimulator) as world:
        reply = await world.call("POST", "name", {"number": CUSTOMER, **wanted})
        assert reply.status == 422
        assert json.loads(reply.body)["detail"]
        assert (await world.phone()).name == ""
        await world.call_them("x" * 200)


async def test_answers_go_both_ways() -> None:
    async with running(kind=WhatsAppSimulator) as world:
        asked = await world.text("Thursday or Friday?")
        await world.send("t1", "Friday", reply_to=asked)
        message = (await world.phone()).transmission("t1")
        assert message is not None
        assert message.quoted == asked
        await world.text("Fine", reply_to=message.id)
        await world.quiet()
        replies = [event.reply_to for event in world.ctx.events if isinstance(event, Message)]
        assert replies == [None, message.id]


async def test_a_reaction_is_put_on_a_message_and_taken_back() -> None:
    async with running(kind=WhatsAppSimulator) as world:
        await world.text("Hello")
        await world.send("t1", "We come at nine")
        assert await post(world, "reactions", message="out-t1", emoji="👍") == 204
        assert await post(world, "reactions", message="out-t1", emoji=None) == 204
        assert await post(world, "reactions", message="out-gone", emoji="👍") == 422
        await world.quiet()
        told = [event for event in world.ctx.events if isinstance(event, Reaction)]
        assert [(each.to, each.emoji) for each in told] == [("out-t1", "👍"), ("out-t1", None)]
        assert told[0].external_id != told[1].external_id


async def test_nobody_reacts_to_a_message_that_never_came() -> None:
    async with running(kind=WhatsAppSimulator) as world:
        await world.text("Hello")
        await world.behave(answer="lost_gone")
        with pytest.raises(OutcomeUnknown):
            await world.send("t1", "We come at nine")
        assert await post(world, "reactions", message="out-t1", emoji="👍") == 422
        await world.quiet()
        assert not any(isinstance(event, Reaction) for event in world.ctx.events)


async def test_the_provider_refuses_who_is_too_late_and_takes_a_template() -> None:
    async with running(kind=WhatsAppSimulator) as world:
        with pytest.raises(Permanent) as refused:
            await world.send("t1")
        assert refused.value.reason == "window_closed"
        use = TemplateUse(template=TEMPLATES[0], values={"name": "A", "day": "B", "time": "C"})
        wire = world.plugin.render(PURE, Item(direction="out", template=use), "wire").wire
        await world.send("t2", kind="template", wire=wire)
        message = (await world.phone()).transmission("t2")
        assert message is not None
        assert "Hi A, we are coming on B at C." in message.text
        label = "Yes, see you then"
        await world.text("", content={"what": "pressed", "label": label}, reply_to=message.id)
        await world.send("t3", "See you")
        await world.quiet()
        (pressed,) = [event for event in world.ctx.events if isinstance(event, Message)]
        assert (pressed.text, pressed.reply_to) == (label, "out-t2")
        assert pressed.facts == {"Button": label}


async def test_only_an_approved_template_goes_out() -> None:
    async with running(kind=WhatsAppSimulator) as world:
        listed = await world.plugin.templates(world.ctx)
        assert {each.state for each in listed} == {"approved", "pending", "rejected"}
        for template in listed:
            values = dict(zip(template.parameters, template.examples, strict=True))
            item = Item(direction="out", template=TemplateUse(template=template, values=values))
            wire = world.plugin.render(PURE, item, "wire").wire
            assert "{{" not in wire[0].text
            if template.state == "approved":
                await world.send(
                    f"t-{template.name}-{template.language}", kind="template", wire=wire
                )
                continue
            with pytest.raises(Permanent):
                await world.send(f"t-{template.name}", kind="template", wire=wire)
        lacking = Item(direction="out", template=TemplateUse(template=listed[0]))
        with pytest.raises(Unsupported):
            world.plugin.render(PURE, lacking, "wire")


def test_the_window_is_as_long_as_the_settings_say() -> None:
    now = datetime(2026, 3, 2, 9, tzinfo=UTC)
    rules = [
        plugin.compose_rules(
            PURE,
            ComposeFacts(
                address=Address(scheme="phone", value=CUSTOMER),
                own_address=OWN,
                now=now,
                last_inbound_at=None if ago is None else now - timedelta(seconds=ago),
            ),
        )
        for ago in (None, 59, 60)
    ]
    assert [each.may for each in rules] == ["template", "free", "template"]
    assert rules[1].until == now + timedelta(seconds=1)


async def test_a_text_phone_has_nothing_of_it() -> None:
    async with running() as world:
        assert ("POST", "reactions") not in world.routes
        for more in ({"reply_to": "x"}, {"content": {"what": "odd", "kind": "poll"}}):
            wanted = {"number": CUSTOMER, "own_number": OWN, "text": "x", **more}
            reply = await world.call("POST", "texts", wanted)
            assert reply.status == 422
            assert json.loads(reply.body)["detail"]
