"""Retries and time: the hub owns both."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, NoReturn

from hub.conformance.cases import AskCase
from hub.conformance.check import Failed, NeedsCase, NotApplicable, check
from hub.conformance.checks.claims import idempotency_keys
from hub.conformance.checks.instances import Provider
from hub.conformance.checks.send import always, attempt
from hub.conformance.matching import differences
from hub.conformance.stage import PATIENCE, Instance, Stage, plain
from hub.plugin import PollResult, Temporary
from hub.plugin.kit.recorded import NOW, Answer, Call, Script

LISTENS = 0.3
"""Seconds for which a hook that listens is let alone."""
MOST_TRIES = 5
"""Requests it may make meanwhile to a provider that is away."""


@check("RTY-01", "One attempt a call", why="The hub's pauses are for every channel.", on="outbound")
async def one_attempt(stage: Stage) -> None:
    """A provider that is busy or fails is asked once."""
    case = stage.over_http()
    for status in (429, 503):
        outcome = await attempt(stage, case, always(Answer(status=status, body=b"{}")))
        if len(outcome.calls) > 1:
            raise Failed(
                "retried",
                done=f"sent {case.name}, answered {status}",
                expected="one request",
                got=f"{len(outcome.calls)} requests",
            )


@check("RTY-02", "A further attempt has the same key", why="Or it goes out twice.",
       on="provider_idempotency")  # fmt: skip
async def further_attempts_have_the_same_key(stage: Stage) -> None:
    """The header ``Idempotency-Key``: one for all attempts at a message, another for another."""
    case = stage.over_http()
    keys: dict[str, list[str]] = {}
    async with stage.running(answering=Provider(case), case=case) as one:
        for name, number in (("t-501", 1), ("t-501", 2), ("t-502", 1)):
            outcome = await one.send(stage.message(case, id=name, attempt=number))
            found = [value for call in outcome.calls for value in idempotency_keys(call.headers)]
            keys[f"{name}, attempt {number}"] = found
    first, again, other = keys.values()
    if not first or first != again or set(first) & set(other) or not other:
        raise Failed(
            "other_key",
            done=f"sent {case.name} twice with one id, and once with another",
            expected="the same key twice, and then another",
            got=str(keys),
        )


@check("RTY-03", "A send can be cancelled", why="A hook that hangs is given up.", on="outbound")
async def cancellation_ends_it(stage: Stage) -> None:
    """While the provider does not answer."""
    case = stage.over_http()
    asked = asyncio.Event()

    async def never(call: Call) -> Answer:  # noqa: ARG001
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with stage.running(answering=never, case=case) as one:
        task = asyncio.ensure_future(one.begin("send", message=stage.message(case)))
        waiting = asyncio.ensure_future(asked.wait())
        await asyncio.wait({task, waiting}, timeout=PATIENCE, return_when="FIRST_COMPLETED")
        waiting.cancel()
        task.cancel()
        await asyncio.wait({task}, timeout=PATIENCE)
        if not task.cancelled():
            got = "still running" if not task.done() else f"{task.exception()!r}"
            raise Failed(
                "swallowed",
                done=f"cancelled the send of {case.name} while the provider did not answer",
                expected="CancelledError",
                got=got,
            )


@check("RTY-04", "Nothing is done after the deadline", why="The hub has given the message up.",
       on="outbound")  # fmt: skip
async def nothing_after_the_deadline(stage: Stage) -> None:
    """A message whose time is up."""
    case = stage.accepted()
    late = NOW - timedelta(seconds=1)
    outcome = await attempt(stage, case, Script(case.exchanges), deadline=late)
    if outcome.error is None or outcome.calls:
        raise Failed(
            "late",
            done=f"sent {case.name} a second after its deadline",
            expected="an error of the API, and no request",
            got=f"{outcome}, {len(outcome.calls)} requests",
        )


@check("RTY-05", "What went out is found, nothing is invented", why="It decides on a second send.",
       on="reconciles")  # fmt: skip
async def reconcile_is_honest(stage: Stage) -> None:
    """The cases of ``reconcile/``: one that is found, one that is not."""
    outcomes = {str(c.expect.get("reconciled", {}).get("outcome")) for c in stage.cases.reconcile}
    if "found" not in outcomes or not outcomes & {"absent", "unknown"}:
        raise NeedsCase("reconcile/ needs a case that is found and one that is not")
    for case in stage.cases.reconcile:
        script = Script(case.exchanges)
        async with stage.running(answering=script, case=case) as one:
            outcome = await one.call("reconcile", message=stage.message(case))
        given = plain(outcome.value) if outcome.name == "answered" else {"error": outcome.name}
        found = list(differences(case.expect.get("reconciled", case.expect), given))
        if found or script.problems:
            raise Failed(
                "wrong_outcome",
                done=f"asked what became of {case.name}",
                expected=str(case.expect),
                got=f"{outcome}; {'; '.join([*found, *script.problems])}"[:500],
            )


@check("RTY-06", "Listening ends when it cannot go on", why="The rests are the hub's.",
       on="listen")  # fmt: skip
async def listening_ends(stage: Stage) -> None:
    """While the provider is away it tries a few times at most; cancelled, it ends at once; and with
    the cases of ``listen/`` it hands over what arrives, also after a failure."""

    async def away(call: Call) -> Answer:  # noqa: ARG001
        await asyncio.sleep(0)
        raise Temporary("connection refused")

    async with stage.running() as one:
        if not one.has("listen"):
            raise NotApplicable("its routes bring in what arrives")
    if not stage.cases.listen:
        raise _not_proven("listen")
    for case in stage.cases.listen:
        async with stage.running(answering=away) as one:
            connected = _counted_connections(one)
            await _listen(one, "while the provider was away")
            tries = len(one.ctx.network.calls) + len(connected)
            if tries > MOST_TRIES:
                raise Failed(
                    "busy_loop",
                    done="called listen while the provider was away",
                    expected=f"an error, or {MOST_TRIES} requests at most",
                    got=f"{tries} requests or connections",
                )
            script = Script(case.exchanges)
            vars(one.ctx).pop("connect")
            one.ctx.network.answering = script
            one.ctx.conversations[:] = case.conversations
            await _listen(one, f"with the case {case.name}")
            emitted = [{**plain(each), "body": each.body.decode()} for each in one.ctx.emitted]
        found = [*differences(case.expect["emitted"], emitted), *script.problems]
        if found:
            raise Failed(
                "not_handed_over",
                done=f"called listen with the case {case.name}, after it had failed",
                expected=str(case.expect)[:300],
                got="; ".join(found)[:500],
            )


def _not_proven(hook: str) -> Failed:
    """The hook is there, and no case of it."""
    return Failed(
        "not_proven",
        done=f"looked for a case of the hook {hook}",
        expected=f"one in {hook}/",
        got="none",
    )


def _counted_connections(one: Instance) -> list[str]:
    """The hosts that the plugin connects to from now on; none of them is there."""
    tried: list[str] = []

    async def connect(host: str, port: int, **how: Any) -> NoReturn:  # noqa: ARG001
        tried.append(host)
        await asyncio.sleep(0)
        raise Temporary("connection refused")

    one.ctx.connect = connect  # type: ignore[method-assign]
    return tried


async def _listen(one: Instance, how: str) -> None:
    """Until it ends, or for a while; cancelled then, it has to end."""
    task = asyncio.ensure_future(one.begin("listen"))
    await asyncio.wait({task}, timeout=LISTENS)
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=PATIENCE)
    if not task.done():
        raise Failed(
            "not_cancelled", done=f"cancelled listen {how}", expected="its end", got="it goes on"
        )
    if not task.cancelled():
        task.exception()  # whatever it is, the hub calls again


@check("RTY-07", "A cursor that was not saved loses nothing", why="A process may die any moment.",
       on="poll")  # fmt: skip
async def unsaved_cursor_loses_nothing(stage: Stage) -> None:
    """The cases in ``poll/``, each asked for twice from the same cursor, as after a commit that
    failed: the same arrives. Where it keeps a connection, whose other side was recorded once, the
    second time is after a crash: on a new instance, with what the first has kept in ``ctx.kv``."""
    async with stage.running() as one:
        if not one.has("poll"):
            raise NotApplicable("it has no poll")
    if not stage.cases.poll:
        raise _not_proven("poll")
    for case in stage.cases.poll:
        if not case.conversations:
            async with stage.running() as one:
                await _poll(one, case, "first")
                await _poll(one, case, "a second time")
            continue
        async with stage.running() as one:
            await _poll(one, case, "first")
            kept = one.ctx.memory.entries
        async with stage.running() as another:
            another.ctx.memory.entries |= kept
            await _poll(another, case, "after a crash")


async def _poll(one: Instance, case: AskCase, when: str) -> None:
    one.ctx.network.answering = script = Script(case.exchanges)
    one.ctx.conversations[:] = case.conversations
    outcome = await one.call("poll", **case.given)
    done = f"polled with the case {case.name}, {when}"
    if not isinstance(outcome.value, PollResult) or script.problems:
        got = f"{outcome}; {'; '.join(script.problems)}"
        wanted = "the recorded requests, and a PollResult"
        raise Failed("other_poll", done=done, expected=wanted, got=got[:500])
    told = [
        {**plain(each), "body": each.body.decode("utf-8", "replace")}
        for each in outcome.value.deliveries
    ]
    given = {"deliveries": told, "cursor": outcome.value.cursor}
    if found := list(differences(case.expect, given)):
        raise Failed(
            "other_poll", done=done, expected=str(case.expect)[:300], got="; ".join(found)[:500]
        )
