"""The traps that plugins are, on the real host: a fault stays in its channel, is named, is bounded,
and carries no secret."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import threading
from pathlib import Path

import pytest
import structlog

from hub.flow.host import (
    Channel,
    ChannelResting,
    HookTimeout,
    LoopsExhausted,
    PluginFault,
    channel,
    loops,
)
from hub.plugin import (
    Address,
    ComposeFacts,
    CredentialsInvalid,
    Health,
    Item,
    Malformed,
    Message,
    Permanent,
    Temporary,
    Unverified,
)
from tests.host.conftest import Load
from tests.host.unruly import TOKEN, delivery, leaks, outbound, until

pytestmark = pytest.mark.feature("PLUG-04")

OUTCOMES = {
    "raise": PluginFault,
    "cancel": PluginFault,
    "malformed": Malformed,
    "hang": HookTimeout,
}
ITEM = Item(direction="in", text="hello")


@pytest.fixture
async def odd(load: Load) -> Channel:
    made = load()
    assert isinstance(made, Channel), made
    return made


async def works(one: Channel) -> None:
    """The channel still takes in."""
    ingested = await one.ingest(delivery())
    assert ingested.error is None, ingested.error
    assert ingested.result is not None
    assert len(ingested.result.events) == 1


def collected() -> bool:
    """A task that failed unseen is reported when it is thrown away."""
    gc.collect()
    return True


def threads() -> set[str]:
    """The channels that have a thread."""
    return {one.name for one in threading.enumerate() if one.name.startswith("channel ")}


# ---------------------------------------------------------------------- where hooks run


@pytest.mark.parametrize("do", [None, *OUTCOMES, "exit", "leak-malformed"])
async def test_a_hook_does_the_same_wherever_it_runs(odd: Channel, do: str | None) -> None:
    there = await odd.ingest(delivery(do))
    odd.inline = True
    here = await odd.ingest(delivery(do))
    assert type(here.error) is type(there.error)
    assert str(here.error) == str(there.error)
    assert here.result == there.result
    assert here.proof is not None
    assert there.proof is not None
    assert here.proof.method == there.proof.method
    await works(odd)


async def test_what_ends_at_once_needs_no_thread(odd: Channel) -> None:
    odd.inline = True
    await works(odd)
    assert "channel main/odd" not in threads()
    large = await odd.ingest(delivery(text="x" * channel.INLINE_BODY))
    assert large.error is None
    assert "channel main/odd" in threads()
    assert odd.inline


async def test_what_waits_or_takes_long_is_not_run_here_again(
    odd: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd.inline = True
    assert isinstance((await odd.ingest(delivery("hang"))).error, HookTimeout)
    assert not odd.inline
    odd.inline = True
    monkeypatch.setattr(channel, "SLOW", 0.0)
    await works(odd)
    assert not odd.inline


# ---------------------------------------------------------------------- what hooks do


async def test_a_hook_that_raises_is_a_fault_and_keeps_the_proof(odd: Channel) -> None:
    ingested = await odd.ingest(delivery("raise"))
    assert isinstance(ingested.error, PluginFault)
    assert str(ingested.error) == "ingest: RuntimeError: a bug"
    assert ingested.proof is not None, "once verified, nothing may lose it"
    await works(odd)


@pytest.mark.parametrize("do", ["exit", "cancel", "cancel-self"])
async def test_what_is_no_exception_does_not_get_past_the_host(odd: Channel, do: str) -> None:
    ingested = await odd.ingest(delivery(do))
    assert isinstance(ingested.error, PluginFault)
    assert ingested.proof is not None
    await works(odd)


async def test_a_task_that_wants_to_end_the_process_does_not_end_the_channels_loop(
    odd: Channel,
) -> None:
    for _ in range(2):
        await odd.ingest(delivery("exit-task"))
    await works(odd)


async def test_a_hook_that_swallows_its_cancellation_is_not_waited_for(
    odd: Channel, tmp_path: Path
) -> None:
    ingested = await odd.ingest(delivery("swallow"))
    assert isinstance(ingested.error, HookTimeout)
    assert ingested.proof is not None
    del ingested  # it holds what it was raised in
    await works(odd)
    with structlog.testing.capture_logs() as logs:
        (tmp_path / "go").touch()  # now it fails, and nobody waits for it
        # Loops that other tests left behind may speak up at any time.
        await until(lambda: collected() and [line for line in logs if "too late" in str(line)])
    (line,) = (line for line in logs if "too late" in str(line))
    assert line["event"] == "plugin.stray"
    assert not leaks(str(line))


async def test_a_hook_that_hangs_runs_out_of_time(odd: Channel) -> None:
    with pytest.raises(HookTimeout):
        await odd.send(outbound("hang"))
    await works(odd)
    assert odd.health.state == "ok", "once is not several times in a row"


@pytest.mark.parametrize(
    "which",
    ["none", "text", "coroutine", "events-none", "events-of-none", "id-number", "html-text",
     "proof", "status", "reply-status", "reply-header", "reply-text"],
)  # fmt: skip
async def test_nonsense_is_a_fault(odd: Channel, which: str) -> None:
    ingested = await odd.ingest(delivery("nonsense", which=which))
    assert isinstance(ingested.error, PluginFault), ingested
    assert ingested.proof is not None
    await works(odd)


@pytest.mark.parametrize("text", ["nonsense", "numbered"])
async def test_nonsense_for_an_answer_to_a_send(odd: Channel, text: str) -> None:
    with pytest.raises(PluginFault, match="send: "):
        await odd.send(outbound(text))


async def test_an_error_that_is_made_wrongly_is_still_understood(odd: Channel) -> None:
    ingested = await odd.ingest(delivery("malformed-object"))
    assert isinstance(ingested.error, Malformed)
    assert ingested.error.detail == "an exception for a detail"
    ingested = await odd.ingest(delivery("uncalled"))
    assert isinstance(ingested.error, PluginFault)
    assert "Uncalled without calling its __init__" in str(ingested.error)
    with pytest.raises(Temporary) as later:
        await odd.send(outbound("later"))
    assert later.value.retry_after == 0.1, "taken from a header, it is a text"


async def test_each_of_many_calls_at_once_gets_its_own_answer(
    odd: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They go over to the channel's thread together, and their answers come back together."""
    monkeypatch.setattr(channel, "FAULTS", 10_000)
    kinds = ("message", "raise", "malformed", "hang", "cancel", "given up")

    async def call(number: int) -> None:
        kind = kinds[number % len(kinds)]
        task = asyncio.create_task(odd.ingest(delivery(kind, id=str(number))))
        if kind == "given up":
            await asyncio.sleep(number % 4 * 0.0005)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            return
        ingested = await task
        if kind == "message":
            assert ingested.result is not None, ingested.error
            (event,) = ingested.result.events
            assert isinstance(event, Message)
            assert event.external_id == str(number)
        else:
            assert isinstance(ingested.error, OUTCOMES[kind]), (number, ingested)

    for first in range(0, 600, 150):
        await asyncio.gather(*(call(number) for number in range(first, first + 150)))
    await works(odd)


# ---------------------------------------------------------------------- blocked threads


async def test_a_blocked_thread_is_replaced_and_the_channel_goes_on(
    odd: Channel, load: Load, tmp_path: Path
) -> None:
    other = load(id_="other")
    assert isinstance(other, Channel)
    with structlog.testing.capture_logs() as logs:
        blocked = asyncio.create_task(odd.send(outbound("block")))
        await until((tmp_path / "blocked").exists)
        await works(other)
        with pytest.raises(HookTimeout):
            await blocked
        await until(lambda: any(line["event"] == "channel.loop_stuck" for line in logs))
    (stuck,) = [line for line in logs if line["event"] == "channel.loop_stuck"]
    assert stuck["channel"] == "main/odd", "the stuck loop is named"
    await works(odd)
    assert odd.health.state == "ok"


async def test_what_blocks_again_and_again_is_switched_off(
    odd: Channel, load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "FAULTS", 100)
    before = threading.active_count()
    told: list[Health] = []
    odd.changed = lambda one: told.append(one.health)
    for number in range(loops.REPLACEMENTS + 1):
        with pytest.raises(HookTimeout):
            await odd.send(outbound("block"))
        await until(lambda number=number: odd._loop.replaced == number + 1)
    assert threading.active_count() <= before + loops.REPLACEMENTS + 1, "bounded"
    assert odd.health.state == "off"
    assert "restart the hub" in (odd.health.reason or "")
    assert [health.state for health in told].count("off") == 1
    assert not odd.can_send
    for _ in range(channel.FAULTS + 1):
        with pytest.raises(LoopsExhausted):
            await odd.send(outbound("hello"))
    ingested = await odd.ingest(delivery())
    assert isinstance(ingested.error, LoopsExhausted)
    assert odd.health.state == "off", "no later fault says that it is better"
    other = load(id_="other")
    assert isinstance(other, Channel)
    await works(other)


async def test_a_blocked_thread_of_its_own_does_not_stall_the_channel(
    odd: Channel, tmp_path: Path
) -> None:
    sending = asyncio.create_task(odd.send(outbound("thread")))
    await until((tmp_path / "blocked").exists)
    await works(odd)
    (blocked,) = [one for one in threading.enumerate() if one.name == "run_blocking"]
    assert blocked.daemon, "it must not keep the process from ending"
    (tmp_path / "go").touch()
    assert (await sending).external_id == "u-77"


# ---------------------------------------------------------------------- the breaker


async def test_the_breaker_opens_after_several_faults_in_a_row_and_recovers(
    odd: Channel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    odd.changed = lambda one: told.append(one.health.state)
    (tmp_path / "broken").touch()
    for _ in range(channel.FAULTS - 1):
        with pytest.raises(PluginFault):
            await odd.send(outbound("hello"))
    assert (odd.health.state, odd.can_send) == ("ok", True)
    with pytest.raises(PluginFault):
        await odd.send(outbound("hello"))
    assert (odd.health.state, odd.can_send) == ("degraded", False)
    assert "send failed 5 times in a row" in (odd.health.reason or "")
    asked = len((tmp_path / "asked").read_text().splitlines())
    with pytest.raises(ChannelResting):
        await odd.send(outbound("hello"))
    assert len((tmp_path / "asked").read_text().splitlines()) == asked, "left alone meanwhile"

    await until(lambda: odd.can_send)
    with pytest.raises(PluginFault):
        await odd.send(outbound("hello"))
    assert not odd.can_send, "one more fault after the rest is enough"

    (tmp_path / "broken").unlink()
    await until(lambda: odd.can_send)
    await odd.send(outbound("hello"))
    assert (odd.health, odd.can_send) == (Health(), True)
    assert told == ["degraded", "degraded", "ok"]


async def test_faults_that_are_not_in_a_row_open_nothing(odd: Channel, tmp_path: Path) -> None:
    for _ in range(3):
        for _ in range(channel.FAULTS - 1):
            await odd.ingest(delivery("raise"))
        await works(odd)
    assert odd.health.state == "ok"


async def test_a_hook_that_rests_does_not_hold_up_another(odd: Channel, tmp_path: Path) -> None:
    for _ in range(channel.FAULTS):
        with pytest.raises(PluginFault):
            await odd.send(outbound("raise"))
    assert not odd.can_send
    await works(odd)
    assert not odd.can_send, "that it takes in does not mean that it can send"


async def test_who_only_guesses_tokens_opens_no_breaker(odd: Channel) -> None:
    for _ in range(channel.FAULTS + 1):
        ingested = await odd.ingest(delivery(signed=False))
        assert isinstance(ingested.error, Unverified)
    await works(odd)


# ---------------------------------------------------------------------- pure hooks


async def test_pure_hooks_that_fail_are_faults_too(odd: Channel, tmp_path: Path) -> None:
    facts = ComposeFacts(
        address=Address(scheme="phone", value="+15550100002"),
        own_address="",
        now=delivery().received_at,
        last_inbound_at=None,
    )
    assert odd.render(ITEM, "timeline").preview == "hello"
    (tmp_path / "pure-nonsense").touch()
    with pytest.raises(PluginFault):
        odd.render(ITEM, "timeline")
    (tmp_path / "pure-raises").touch()
    with pytest.raises(PluginFault) as fault:
        odd.own_addresses()
    assert not leaks(str(fault.value))
    with pytest.raises(PluginFault):  # it wants to end the process
        odd.compose_rules(facts)
    with pytest.raises(PluginFault):  # it says that the caller was cancelled
        odd.render(ITEM, "timeline")


async def test_what_cannot_be_shown_is_taken_in_all_the_same(odd: Channel, tmp_path: Path) -> None:
    (tmp_path / "pure-raises").touch()
    for _ in range(channel.FAULTS):
        with pytest.raises(PluginFault):
            odd.render(ITEM, "timeline")
    assert odd.health.state == "degraded"
    await works(odd)
    assert odd.can_send
    (tmp_path / "pure-raises").unlink()
    odd.render(ITEM, "timeline")
    assert odd.health.state == "ok"


async def test_a_channel_whose_routes_cannot_be_had_goes_without(
    load: Load, tmp_path: Path
) -> None:
    (tmp_path / "no-routes").touch()
    pages = load("unruly-pages")
    assert isinstance(pages, Channel)
    assert pages.route("GET", "page") is None
    await works(pages)


# ---------------------------------------------------------------------- secrets


@pytest.mark.feature("PLUG-03")
async def test_no_secret_gets_out_by_an_error(odd: Channel) -> None:
    said: list[str] = []
    with structlog.testing.capture_logs() as logs:
        for do in ("leak", "leak-malformed"):
            ingested = await odd.ingest(delivery(do))
            said.append(str(ingested.error))
        ignored = (await odd.ingest(delivery("leak-ignored"))).result
        assert ignored is not None
        said.append(str(ignored.ignored))
        with pytest.raises(Permanent) as refused:
            await odd.send(outbound("leak"))
        said += [refused.value.detail, refused.value.provider_code or ""]
        with pytest.raises(CredentialsInvalid) as invalid:
            await odd.send(outbound("refused"))
        said.append(invalid.value.detail)
        for _ in range(channel.FAULTS):
            with pytest.raises(PluginFault) as fault:
                await odd.send(outbound("raise"))
            said.append(str(fault.value))
        said.append(odd.health.reason or "")
        await odd.check_health()
        said.append(odd._found.reason or "")
    assert len(logs) >= 3
    assert all("***" in text for text in said), said
    assert not leaks("\n".join([*said, *map(str, logs)]))


@pytest.mark.feature("PLUG-03")
async def test_no_secret_gets_out_by_a_task_nobody_waits_for(
    odd: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    with structlog.testing.capture_logs() as logs, caplog.at_level(logging.DEBUG):
        await odd.ingest(delivery("leak-late"))
        await until(lambda: collected() and logs)
    assert "later, with ***" in logs[0]["error"]
    assert not leaks(str(logs) + caplog.text)


# ---------------------------------------------------------------------- starting


@pytest.mark.parametrize(
    ("word", "state"), [("startup-raises", "degraded"), ("startup-refused", "needs_attention")]
)
async def test_a_channel_that_cannot_start_says_so(
    odd: Channel, tmp_path: Path, word: str, state: str
) -> None:
    (tmp_path / word).touch()
    await odd.startup()
    assert odd.health.state == state
    assert (odd.health.reason or "").startswith("could not start: ")
    assert not leaks(odd.health.reason or "")
    await works(odd)


async def test_a_paused_channel_takes_in_and_does_not_send(odd: Channel) -> None:
    odd.pause("Paused by Ana")
    assert odd.health == Health(state="needs_attention", reason="Paused by Ana")
    assert not odd.can_send
    await works(odd)
    odd.pause(None)
    assert (odd.health, odd.can_send) == (Health(), True)


def test_the_token_of_these_tests_is_worth_looking_for() -> None:
    assert leaks(f"x{TOKEN}x")
    assert leaks(repr({"token": TOKEN}))
