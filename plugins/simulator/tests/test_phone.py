"""A phone's memory: whatever happens to it, it stays whole and small enough to be kept."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from hub_simulator.behaviour import Behaviour, planned_receipts
from hub_simulator.phone import (
    MAX_BYTES,
    MAX_MESSAGES,
    Phone,
    PhoneMessage,
    Step,
    decode,
    encode,
    with_log,
    with_message,
)
from hub_simulator.sms import body_of, read
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.plugin import HookError, Message, Receipt, Temporary
from plugins.simulator.tests.world import OWN, MemoryKv, World, running

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

behaviours = st.builds(
    dict,
    answer=st.sampled_from(
        ["accept", "refuse", "busy", "lost_arrived", "lost_gone", "hang", "credentials"]
    ),
    busy_times=st.integers(1, 3),
    receipts=st.sampled_from(["read", "delivered", "sent", "none", "failed"]),
    order=st.sampled_from(["in_order", "backwards", "early"]),
    reason=st.sampled_from(["bad_address", "policy"]),
    copies=st.sampled_from([1, 2, 5]),
    at_once=st.booleans(),
    lookup=st.booleans(),
)
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
actions = st.lists(
    st.one_of(
        st.tuples(st.just("text"), words.filter(str.strip)),
        st.tuples(st.just("send"), st.integers(0, 4)),
        st.tuples(st.just("see"), st.integers(0, 4)),
        st.tuples(st.just("behave"), behaviours),
    ),
    max_size=12,
)


async def act(world: World, steps: list[tuple[str, object]]) -> None:
    attempts: dict[str, int] = {}
    for kind, what in steps:
        match kind, what:
            case "text", str():
                await world.text(what)
            case "behave", dict():
                await world.behave(**what)
            case "see", int():
                await world.see(f"out-t{what}")
            case _:
                transmission = f"t{what}"
                attempts[transmission] = attempts.get(transmission, 0) + 1
                await attempt(world, transmission, attempts[transmission])


async def attempt(world: World, transmission: str, number: int) -> None:
    """A send as the hub makes it, with a limit of its own."""
    logged = (await world.phone()).logged
    sending = asyncio.create_task(world.send(transmission, attempt=number))
    await world.until(lambda phone: phone.logged > logged)
    phone = await world.phone()
    if phone.behaviour.answer == "hang":
        await asyncio.wait([sending], timeout=0.01)
        sending.cancel()
    await asyncio.wait([sending])
    assert sending.cancelled() or isinstance(sending.exception(), HookError | None)


@given(actions)
@settings(max_examples=60, deadline=None)
def test_any_behaviour_ends_in_a_consistent_phone(steps: list[tuple[str, object]]) -> None:
    async def story() -> None:
        kv = MemoryKv()
        async with running(kv) as world:
            await act(world, steps)
            phone = await world.quiet()
            check(world, phone)
        assert all(len(entry.value.encode()) <= MAX_BYTES for entry in kv.values.values())

    asyncio.run(story())


def check(world: World, phone: Phone) -> None:
    ids = [message.id for message in phone.messages]
    assert len(set(ids)) == len(ids)
    for message in phone.messages:
        told = list(message.told)
        assert len(set(told)) == len(told)
        if message.author == "business":
            assert (told == []) or message.arrived
            possible = [("read", "delivered", "sent"), ("failed", "sent")]
            full = [("sent", "delivered", "read"), ("sent", "delivered"), ("sent",), ()]
            assert tuple(told) in [*full, *possible, ("sent", "failed"), ("delivered", "sent")]
    heard = {(e.external_id, e.status) for e in world.ctx.events if isinstance(e, Receipt)}
    shown = {(m.id, s) for m in phone.messages if m.author == "business" for s in m.told}
    assert heard == shown
    texted = {e.external_id: e.text for e in world.ctx.events if isinstance(e, Message)}
    assert texted == {m.id: m.text for m in phone.messages if m.author == "customer"}
    bodies = [delivery.body for delivery in world.ctx.emitted]
    assert len(set(bodies)) == len(heard) + len(texted)
    assert [read(body) for body in bodies] == [read(body) for body in bodies]


@given(words, behaviours)
def test_the_same_bytes_give_the_same_events(text: str, behaviour: dict[str, object]) -> None:
    message = PhoneMessage(id="in-1", author="customer", own_number=OWN, at=NOW, text=text)
    for kind in ("text", *planned_receipts(Behaviour(receipts="failed"))):
        body = body_of("+12025550142", message, Step(kind=kind, at=NOW))
        assert read(body) == read(bytes(body))
        (event,) = read(body).events
        assert isinstance(event, Message | Receipt)
        assert event.external_id == "in-1"
        if isinstance(event, Message):
            assert event.text == text


@given(st.lists(st.text(max_size=1600), max_size=80), st.integers(0, 80))
@settings(max_examples=40, deadline=None)
def test_a_full_phone_forgets_the_oldest_that_nothing_is_due_of(
    texts: list[str], still_due: int
) -> None:
    phone = Phone(number="+12025550142")
    for number, text in enumerate(texts):
        due = (Step(kind="text", at=NOW),) if number < still_due % 5 else ()
        message = PhoneMessage(
            id=f"in-{number}",
            author="customer",
            own_number=OWN,
            at=NOW,
            text=text,
            due=due,
        )
        phone = with_log(with_message(phone, message), NOW, "to_hub", "told", text)
        phone = decode(encode(phone))
    encoded = encode(phone)
    assert len(encoded.encode()) <= MAX_BYTES
    kept = decode(encoded)
    assert len(kept.messages) <= MAX_MESSAGES
    waiting = {f"in-{n}" for n in range(min(still_due % 5, len(texts)))}
    assert waiting <= {message.id for message in kept.messages}
    if texts:
        assert kept.messages[-1].text == texts[-1]


def test_a_phone_full_of_what_is_due_takes_no_more() -> None:
    due = (Step(kind="text", at=NOW),)
    waiting = [
        PhoneMessage(
            id=f"in-{n}",
            author="customer",
            own_number=OWN,
            at=NOW,
            text="\N{GEM STONE}" * 1600,
            due=due,
        )
        for n in range(20)
    ]
    phone = Phone(number="+12025550142", messages=tuple(waiting))
    with pytest.raises(Temporary):
        encode(phone)
    almost = Phone(number="+12025550142", messages=tuple(waiting[:8]))
    assert decode(encode(almost)) == almost
    settled = replace(waiting[8], due=())
    with pytest.raises(Temporary):
        encode(with_message(almost, settled))


async def test_two_processes_change_one_phone_without_losing_anything() -> None:
    kv = MemoryKv()
    async with running(kv) as one, running(kv) as other:
        pairs = (("a", one), ("b", other))
        sends = [world.send(f"{name}{n}") for n in range(20) for name, world in pairs]
        await asyncio.gather(*sends)
        await one.quiet()
        phone = await other.quiet()
        assert len(phone.messages) == 40
        assert all(message.told == ("sent", "delivered") for message in phone.messages)


async def test_at_most_a_hundred_phones_are_kept() -> None:
    kv = MemoryKv()
    async with running(kv) as world:
        for n in range(120):
            await world.text("Hi", number=f"+1202555{n:04}")
            await world.quiet(f"+1202555{n:04}")
    assert len([key for key in kv.values if key.startswith("phone:")]) == 100


async def test_a_memory_of_another_version_is_forgotten() -> None:
    kv = MemoryKv()
    await kv.put("phone:+12025550142", '{"number": 5}')
    async with running(kv) as world:
        await world.text("Hello")
        assert [m.text for m in (await world.quiet()).messages] == ["Hello"]
