"""The simulated mail: threads, receipts, opens and clicks, automatic answers, no more mail."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hub_simulator import EmailSimulator
from hub_simulator.mailing import read
from hub_simulator.phone import Mail
from hub_simulator.reading_mail import links
from hub_simulator.settings import EmailSettings
from hypothesis import given
from hypothesis import strategies as st

from hub.plugin import (
    Address,
    BadAddress,
    Clicked,
    Malformed,
    Message,
    Opened,
    OptIn,
    OptOut,
    Permanent,
    Receipt,
    WirePart,
)
from hub.plugin.kit.checks import check_class
from plugins.simulator.tests.world import PURE, World, running

MAYA = "maya@example.com"
OWN = "hello@business.example"
TO_MAYA: dict[str, Any] = {"address": Address(scheme="email", value=MAYA), "own": OWN}


def test_it_is_a_plugin_that_reaches_nobody() -> None:
    assert check_class(EmailSimulator) == []
    assert EmailSimulator.INFO.real is False


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_called_malformed(body: bytes) -> None:
    with contextlib.suppress(Malformed):
        read(body)


def test_addresses_have_one_spelling() -> None:
    plugin = EmailSimulator(EmailSettings())
    assert plugin.normalise_address(PURE, " Maya@Example.COM ").value == MAYA
    for wrong in ("maya", "a@b", "a@b.c\r\nBcc: x@y.z", f"{'x' * 250}@example.com"):
        with pytest.raises(BadAddress):
            plugin.normalise_address(PURE, wrong)


def test_links_are_found_once_and_without_what_ends_the_sentence() -> None:
    text = "See https://a.example/x, or (http://b.example/y?z=1). Again: https://a.example/x."
    assert links(text) == ("https://a.example/x", "http://b.example/y?z=1")


async def write(world: World, text: str, number: str = MAYA, **more: Any) -> str:
    content = {"what": "mail", "subject": ""}
    content |= {key: more.pop(key) for key in ("subject", "cc", "automatic") if key in more}
    return await world.text(text, number, own_number=OWN, content=content, **more)


async def mail(world: World, transmission: str, text: str, **more: Any) -> str:
    wire = (WirePart(text=text, subject="Your visit"),)
    accepted = await world.send(transmission, wire=wire, **TO_MAYA, **more)
    return accepted.external_id


async def act(world: World, message: str, what: str, url: str = "") -> int:
    wanted = {"number": MAYA, "message": message, "act": what, "url": url}
    return (await world.call("POST", "mail", wanted)).status


async def test_answers_thread_both_ways() -> None:
    async with running(kind=EmailSimulator) as world:
        asked = await write(world, "My tap drips", subject="The tap")
        sent = await mail(world, "t1", "We come", reply_to=asked, earlier=(asked,), automatic=True)
        await write(world, "Thank you", subject="Re: Your visit", reply_to=sent)
        await write(world, "I am away", subject="Out of office", automatic=True)
        phone = await world.quiet(MAYA)
        shown = phone.message(sent)
        assert shown is not None
        assert shown.quoted == asked
        assert shown.content == Mail(subject="Your visit", automatic=True, earlier=(asked,))
        came = {e.text: e for e in world.ctx.events if isinstance(e, Message)}
        assert came["My tap drips"].subject == "The tap"
        assert came["Thank you"].reply_to == sent
        assert [text for text, each in came.items() if each.automatic] == ["I am away"]


async def test_a_mail_goes_with_the_name_its_sender_had_when_it_was_written() -> None:
    async with running(kind=EmailSimulator) as world:
        await world.call_them("Maya Lindqvist", MAYA)
        await write(world, "From Maya", subject="The tap")
        await world.quiet(MAYA)
        await world.call_them("Maya", MAYA)
        await write(world, "From Maya alone")
        await write(world, "From somebody", "sam@example.net")
        for mailbox in (MAYA, "sam@example.net"):
            await world.quiet(mailbox)
        names = {e.text: e.sender_name for e in world.ctx.events if isinstance(e, Message)}
        assert names == {
            "From Maya": "Maya Lindqvist",
            "From Maya alone": "Maya",
            "From somebody": None,
        }


@pytest.mark.feature("COMP-12")
async def test_people_in_copy_are_told_both_ways_and_blind_ones_not() -> None:
    async with running(kind=EmailSimulator) as world:
        kim, boss = (
            Address(scheme="email", value=f"{name}@example.org") for name in ("kim", "boss")
        )
        sent = await mail(world, "t1", "We come", cc=(kim,), bcc=(boss,))
        await write(world, "Kim has the key", cc=[kim.value])
        phone = await world.quiet(MAYA)
        shown = phone.message(sent)
        assert shown is not None
        assert shown.content == Mail(subject="Your visit", cc=(kim.value,))
        (came,) = [each for each in world.ctx.events if isinstance(each, Message)]
        assert [each.value for each in came.cc] == [kim.value]
        with pytest.raises(Permanent) as refused:
            await mail(world, "t2", "Hello", bcc=(Address(scheme="email", value="nobody"),))
        assert refused.value.reason == "bad_address"
        content = {"what": "mail", "cc": ["nobody"]}
        wanted = {"number": MAYA, "own_number": OWN, "text": "x", "content": content}
        assert (await world.call("POST", "texts", wanted)).status == 422


async def test_a_mail_is_delivered_opened_and_its_link_followed() -> None:
    async with running(kind=EmailSimulator) as world:
        sent = await mail(world, "t1", "Look at https://business.example/offer.")
        assert await act(world, sent, "open") == 204
        assert await act(world, sent, "click", "https://business.example/offer") == 204
        assert await act(world, sent, "click", "https://elsewhere.example/") == 422
        assert await act(world, "out-gone", "open") == 422
        await world.quiet(MAYA)
        events = world.ctx.events
        assert [e.status for e in events if isinstance(e, Receipt)] == ["sent", "delivered"]
        assert [e.external_id for e in events if isinstance(e, Opened)] == [sent]
        assert [e.url for e in events if isinstance(e, Clicked)] == [
            "https://business.example/offer"
        ]


@pytest.mark.parametrize("order", ["in_order", "backwards", "early"])
async def test_a_mail_bounces_or_arrives_but_is_never_read(order: str) -> None:
    async with running(kind=EmailSimulator) as world:
        await world.behave(MAYA, order=order)
        sent = await mail(world, "t1", "Hello")
        await world.see(sent, number=MAYA)
        await world.behave(MAYA, receipts="failed", order=order)
        await mail(world, "t2", "Hello again")
        await world.quiet(MAYA)
        told = [each for each in world.ctx.events if isinstance(each, Receipt)]
        assert "read" not in {each.status for each in told}
        assert [each.reason for each in told if each.status == "failed"] == ["bad_address"]


async def test_who_wants_no_more_mail_gets_none() -> None:
    async with running(kind=EmailSimulator) as world:
        sent = await mail(world, "t1", "Buy!")
        assert await act(world, sent, "unsubscribe") == 204
        with pytest.raises(Permanent) as refused:
            await mail(world, "t2", "Buy more!")
        assert refused.value.reason == "opted_out"
        assert await act(world, sent, "subscribe") == 204
        await mail(world, "t3", "Welcome back")
        await world.quiet(MAYA)
        (out,) = [each for each in world.ctx.events if isinstance(each, OptOut)]
        (back,) = [each for each in world.ctx.events if isinstance(each, OptIn)]
        assert out.address.value == back.address.value == MAYA
        assert out.own_address == OWN


async def test_what_makes_no_sense_is_refused_in_words() -> None:
    async with running(kind=EmailSimulator) as world:
        content = {"what": "mail", "subject": ""}
        for wanted in (
            {"number": MAYA, "own_number": OWN, "text": " ", "content": content},
            {"number": "+12025550142", "own_number": OWN, "text": "x"},
            {"number": MAYA, "own_number": "x@business.example", "text": "x"},
            {"number": MAYA, "own_number": OWN, "content": {"what": "odd", "kind": "poll"}},
        ):
            try:
                reply = await world.call("POST", "texts", wanted)
            except Malformed:
                continue
            assert reply.status == 422
            assert json.loads(reply.body)["detail"]
        assert (await world.phone(MAYA)).messages == ()
