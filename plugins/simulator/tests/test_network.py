"""What the network tells the hub, however it behaves."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hub_simulator import network
from hub_simulator.sms import read

from hub.plugin import (
    CredentialsInvalid,
    Delivery,
    KvEntry,
    Message,
    OptIn,
    OptOut,
    OutcomeUnknown,
    Permanent,
    Receipt,
    Temporary,
    Unsupported,
    Unverified,
)
from plugins.simulator.tests.world import CUSTOMER, OWN, MemoryKv, World, outbound, running


def statuses(world: World) -> list[str]:
    return [event.status for event in world.ctx.events if isinstance(event, Receipt)]


def texts(world: World) -> list[Message]:
    return [event for event in world.ctx.events if isinstance(event, Message)]


async def test_a_text_from_the_phone_becomes_a_message_of_the_customer() -> None:
    async with running() as world:
        message_id = await world.text("The tap drips")
        await world.quiet()
        (message,) = texts(world)
        assert message.external_id == message_id
        assert [address.value for address in message.sender] == [CUSTOMER]
        assert message.sender[0].display == "+1 202-555-0142"
        assert message.own_address == OWN
        assert message.text == "The tap drips"
        assert message.occurred_at is not None
        assert message.occurred_at.tzinfo is not None


async def test_the_same_words_twice_are_two_messages() -> None:
    async with running() as world:
        await world.text("Hello?")
        await world.text("Hello?")
        await world.quiet()
        assert len({message.external_id for message in texts(world)}) == 2


async def test_an_accepted_message_is_sent_delivered_and_read_once_it_is_seen() -> None:
    async with running() as world:
        accepted = await world.send("t1", "We come at nine")
        phone = await world.quiet()
        assert statuses(world) == ["sent", "delivered"]
        assert phone.messages[0].text == "We come at nine"
        assert phone.messages[0].id == accepted.external_id
        await world.see(accepted.external_id)
        await world.see(accepted.external_id)
        await world.until(lambda phone: phone.messages[0].told[-1] == "read")
        await world.see(accepted.external_id)
        await world.quiet()
        assert statuses(world) == ["sent", "delivered", "read"]
        named = {e.external_id for e in world.ctx.events if isinstance(e, Receipt)}
        assert named == {accepted.external_id}


async def test_a_message_seen_just_as_its_receipts_end_is_read_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(network, "ABANDONED", 3600.0)
    async with running() as world:
        looked, go_on = asyncio.Event(), asyncio.Event()
        get = world.ctx.kv.get

        async def slow_for_the_carrier(key: str) -> KvEntry | None:
            entry = await get(key)
            task = asyncio.current_task()
            carrier = task is not None and "Network._carry" in repr(task.get_coro())
            if carrier and statuses(world)[-1:] == ["delivered"]:
                nothing_due = entry is not None and '"due":[{' not in entry.value
                if nothing_due:
                    looked.set()
                    await go_on.wait()
            return entry

        monkeypatch.setattr(world.ctx.kv, "get", slow_for_the_carrier)
        accepted = await world.send("t1")
        await looked.wait()
        await world.see(accepted.external_id)
        go_on.set()
        await world.until(lambda phone: phone.messages[0].told[-1] == "read")


async def test_a_message_not_delivered_yet_cannot_be_read() -> None:
    async with running() as world:
        await world.behave(delay=60)
        accepted = await world.send("t1")
        await world.see(accepted.external_id)
        assert [step.kind for step in (await world.phone()).messages[0].due] == [
            "sent",
            "delivered",
        ]


@pytest.mark.parametrize(
    ("receipts", "order", "expected"),
    [
        ("delivered", "in_order", ["sent", "delivered"]),
        ("sent", "in_order", ["sent"]),
        ("none", "in_order", []),
        ("failed", "in_order", ["sent", "failed"]),
        ("read", "backwards", ["read", "delivered", "sent"]),
        ("failed", "backwards", ["failed", "sent"]),
    ],
)
async def test_receipts_come_as_chosen(receipts: str, order: str, expected: list[str]) -> None:
    async with running() as world:
        await world.behave(receipts=receipts, order=order, reason="policy")
        accepted = await world.send("t1")
        await world.quiet()
        await world.see(accepted.external_id)
        await world.quiet()
        assert statuses(world) == expected
        reasons = {e.reason for e in world.ctx.events if isinstance(e, Receipt)}
        assert reasons - {None} == ({"policy"} if "failed" in expected else set())


async def test_early_receipts_are_there_before_the_hub_hears_of_acceptance() -> None:
    async with running(receipt_pause=30) as world:
        await world.behave(order="early")
        await world.send("t1")
        assert statuses(world) == ["sent", "delivered"]


@pytest.mark.parametrize("at_once", [False, True])
async def test_copies_are_the_very_same_bytes(at_once: bool) -> None:
    async with running() as world:
        await world.behave(copies=3, at_once=at_once)
        message_id = await world.text("Once, please")
        await world.quiet()
        assert len(world.ctx.emitted) == 3
        assert len({delivery.body for delivery in world.ctx.emitted}) == 1
        assert {message.external_id for message in texts(world)} == {message_id}


async def test_copies_at_once_do_not_wait_for_each_other() -> None:
    async with running() as world:
        together = asyncio.Barrier(2)
        take = world.ctx.emit

        async def meet(delivery: Delivery) -> None:
            await together.wait()
            await take(delivery)

        world.ctx.emit = meet
        await world.behave(copies=2, at_once=True)
        await world.text("Both at the door")
        await world.quiet()
        assert len(world.ctx.emitted) == 2


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody carries is taken up at once."""
    monkeypatch.setattr(network, "ABANDONED", 0.0)
    monkeypatch.setattr(network, "SWEEP", 0.01)


@pytest.mark.usefixtures("no_patience")
async def test_a_delayed_text_is_on_its_way_and_survives_a_restart() -> None:
    kv = MemoryKv()
    async with running(kv) as world:
        await world.behave(delay=0.05)
        await world.text("Slow")
        assert (await world.phone()).messages[0].told == ()
    assert world.ctx.emitted == []
    async with running(kv) as world:
        phone = await world.until(lambda phone: phone.messages[0].told == ("text",))
    assert [message.text for message in texts(world)] == ["Slow"]
    assert phone.messages[0].due == ()


@pytest.mark.usefixtures("no_patience")
async def test_what_the_hub_did_not_take_is_told_again() -> None:
    async with running() as world:
        world.ctx.refuses.append(RuntimeError("the queue is full"))
        await world.text("Hello?")
        await world.until(lambda _: bool(world.ctx.log.errors))
        await world.quiet()
        assert [message.text for message in texts(world)] == ["Hello?"]


async def test_a_send_is_made_once_however_often_it_is_asked_for() -> None:
    async with running() as world:
        first, second = await asyncio.gather(world.send("t1"), world.send("t1", attempt=2))
        assert first == second
        phone = await world.quiet()
        assert len(phone.messages) == 1
        assert statuses(world) == ["sent", "delivered"]


async def test_parallel_sends_keep_their_own_words() -> None:
    async with running() as world:
        await asyncio.gather(*(world.send(f"t{n}", f"text {n}") for n in range(50)))
        phone = await world.quiet()
        assert {m.transmission: m.text for m in phone.messages} == {
            f"t{n}": f"text {n}" for n in range(50)
        }


async def test_a_refused_message_says_why() -> None:
    async with running() as world:
        await world.behave(answer="refuse", reason="policy")
        with pytest.raises(Permanent) as refused:
            await world.send("t1")
        assert refused.value.reason == "policy"
        assert refused.value.provider_code == "sim-policy"
        assert (await world.phone()).messages == ()


async def test_a_busy_network_accepts_after_the_attempts_it_was_told() -> None:
    async with running() as world:
        await world.behave(answer="busy", busy_times=2)
        for attempt in (1, 2):
            with pytest.raises(Temporary) as busy:
                await world.send("t1", attempt=attempt)
            assert busy.value.retry_after is not None
        await world.send("t1", attempt=3)
        assert len((await world.phone()).messages) == 1


async def test_refused_credentials_keep_the_message_waiting() -> None:
    async with running() as world:
        await world.behave(answer="credentials")
        with pytest.raises(CredentialsInvalid):
            await world.send("t1")
        await world.behave()
        assert (await world.send("t1", attempt=2)).external_id


@pytest.mark.parametrize(
    ("answer", "outcome"), [("lost_arrived", "found"), ("lost_gone", "absent")]
)
async def test_a_lost_answer_can_be_looked_up(answer: str, outcome: str) -> None:
    async with running() as world:
        await world.behave(answer=answer)
        message = outbound("t1")
        with pytest.raises(OutcomeUnknown):
            await world.plugin.send(world.ctx, message)
        await world.quiet()
        found = await world.plugin.reconcile(world.ctx, message)
        assert found.outcome == outcome
        if outcome == "found":
            assert found.external_id == (await world.phone()).messages[0].id
            assert found.status == "delivered"
            return
        await world.behave()
        accepted = await world.plugin.send(world.ctx, message)
        assert (await world.plugin.reconcile(world.ctx, message)).external_id == (
            accepted.external_id
        )


async def test_a_provider_that_cannot_be_asked_says_nothing() -> None:
    async with running() as world:
        await world.behave(answer="lost_arrived", lookup=False)
        with pytest.raises(OutcomeUnknown):
            await world.send("t1")
        assert (await world.plugin.reconcile(world.ctx, outbound("t1"))).outcome == "unknown"


async def test_nothing_is_known_of_a_message_the_phone_has_forgotten() -> None:
    async with running() as world:
        assert (await world.plugin.reconcile(world.ctx, outbound("t1"))).outcome == "unknown"


async def test_a_hanging_network_lets_go_when_the_hub_does() -> None:
    async with running() as world:
        await world.behave(answer="hang")
        hanging = asyncio.create_task(world.send("t1"))
        await world.quiet()
        await world.until(lambda _: statuses(world) == ["sent", "delivered"])
        assert not hanging.done()
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        assert (await world.send("t1", attempt=2)).external_id


async def test_stop_and_start_are_reported_and_kept() -> None:
    async with running() as world:
        await world.text(" Stop ")
        phone = await world.quiet()
        assert [m.author for m in phone.messages] == ["customer", "network"]
        (out,) = [event for event in world.ctx.events if isinstance(event, OptOut)]
        assert (out.address.value, out.own_address, out.how) == (CUSTOMER, OWN, "replied Stop")
        with pytest.raises(Permanent) as refused:
            await world.send("t1")
        assert refused.value.reason == "opted_out"
        await world.text("yes")
        await world.quiet()
        assert [e.address.value for e in world.ctx.events if isinstance(e, OptIn)] == [CUSTOMER]
        await world.text("yes")
        await world.text("Stop by tomorrow")
        await world.quiet()
        assert len([e for e in world.ctx.events if isinstance(e, OptIn | OptOut)]) == 2
        assert len(texts(world)) == 4
        assert (await world.send("t2")).external_id


async def test_numbers_that_are_not_the_channels_are_refused() -> None:
    async with running() as world:
        with pytest.raises(Permanent) as refused:
            await world.send("t1", own="+12025550199")
        assert refused.value.reason == "configuration"
        for address in ("", "+1202555\r\n0142", "+12025550142\n", "mira@example.com"):
            with pytest.raises(Permanent) as refused:
                await world.send("t1", number=address)
            assert refused.value.reason == "bad_address"


async def test_what_cannot_be_sent_touches_nothing() -> None:
    async with running() as world:
        for kind in ("assist", "of_a_later_version"):
            with pytest.raises(Unsupported):
                await world.send("t1", kind=kind)
        with pytest.raises(Temporary):
            await world.send("t1", deadline=datetime.now(UTC) - timedelta(seconds=1))
        with pytest.raises(Permanent) as refused:
            await world.send("t1", "x" * 1601)
        assert refused.value.reason == "too_large"
        assert (await world.phone()).messages == ()
        await world.send("t2", "x" * 1600)


async def test_a_webhook_from_outside_is_never_believed() -> None:
    async with running() as world:
        await world.text("Hello")
        await world.quiet()
        forged = Delivery(
            source="http", body=world.ctx.emitted[0].body, received_at=datetime.now(UTC)
        )
        with pytest.raises(Unverified):
            await world.plugin.ingest(world.ctx, forged)
        replayed = Delivery(
            source="replay", body=world.ctx.emitted[0].body, received_at=datetime.now(UTC)
        )
        again = await world.plugin.ingest(world.ctx, replayed)
        assert again == read(world.ctx.emitted[0].body)
        assert list(again.events) == world.ctx.events


async def test_two_channels_share_nothing() -> None:
    async with running() as one, running() as other:
        await one.text("For one", number=CUSTOMER)
        await one.quiet()
        assert (await other.phone()).messages == ()
        assert other.ctx.events == []


async def test_it_starts_again_after_it_was_stopped() -> None:
    async with running() as world:
        await world.send("t1")
        await world.plugin.shutdown(world.ctx)
        with pytest.raises(Temporary):
            await world.send("t2")
        await world.plugin.startup(world.ctx)
        await world.send("t2")
        assert len((await world.phone()).messages) == 2
