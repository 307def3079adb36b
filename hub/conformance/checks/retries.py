"""Retries and time: the hub owns both."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from hub.conformance.check import Failed, NeedsCase, check
from hub.conformance.checks.send import always, attempt
from hub.conformance.matching import differences
from hub.conformance.stage import PATIENCE, Stage, plain
from hub.plugin.kit.recorded import NOW, Answer, Call, Script


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
