"""Ask: what the provider is asked besides sending, and what is made of its answers."""

from __future__ import annotations

from typing import Any

from hub.conformance.cases import AskCase
from hub.conformance.check import Failed, NotApplicable, check
from hub.conformance.checks.send import told
from hub.conformance.matching import differences
from hub.conformance.stage import Outcome, Stage
from hub.plugin import Delivery, FetchedMedia, Reply
from hub.plugin.kit.answers import checked
from hub.plugin.kit.recorded import Script

ANSWERS = ("fetched", "health", "templates", "delivery", "reply")
"""What a case may expect, besides an error."""


@check("ASK-01", "A file is fetched as recorded", why="Another file, or none, is what people see.",
       on="media_in")  # fmt: skip
async def files_are_fetched(stage: Stage) -> None:
    """The cases in ``media/``: the requests, and the bytes or the error."""
    await _as_recorded(stage, "fetch_media", "media", stage.cases.media, "other_file")


@check("ASK-02", "Health is found out as recorded", why="A dead channel looks like a quiet one.")
async def health_is_found_out(stage: Stage) -> None:
    """The cases in ``health/``: the requests, and the state or the error."""
    await _as_recorded(stage, "health", "health", stage.cases.health, "other_health")


@check("ASK-03", "What a delivery only names is fetched as recorded", why="It is what was written.")
async def references_are_fetched(stage: Stage) -> None:
    """The cases in ``fetch/``: the requests, and the delivery or the error."""
    await _as_recorded(stage, "fetch", "fetch", stage.cases.fetch, "other_delivery")


@check("ASK-04", "Who waits is answered as recorded", why="A caller hears it.", on="calls")
async def who_waits_is_answered(stage: Stage) -> None:
    """The cases in ``answer/``: the reply to the facts, or the error."""
    async with stage.running() as one:
        if one.has("answer") and not stage.cases.answer:
            raise Failed(
                "not_proven",
                done="looked for a case of the hook answer",
                expected="one in answer/",
                got="none",
            )
    await _as_recorded(stage, "answer", "answer", stage.cases.answer, "other_answer")


@check("ASK-05", "Templates are listed as recorded", why="Who writes misses one, or is refused.",
       on="templates")  # fmt: skip
async def templates_are_listed(stage: Stage) -> None:
    """The cases in ``templates/``: the requests, and the templates or the error."""
    await _as_recorded(stage, "templates", "templates", stage.cases.templates, "other_templates")


async def _as_recorded(
    stage: Stage, hook: str, folder: str, cases: tuple[AskCase, ...], code: str
) -> None:
    for case in cases:
        script = Script(case.exchanges)
        async with stage.running(answering=script) as one:
            if not one.has(hook):
                raise NotApplicable(f"it has no {hook}")
            one.ctx.conversations[:] = case.conversations
            one.ctx.assistant[:] = case.asked
            outcome = await one.call(hook, **case.given)
        given = _told(outcome)
        wanted = next((case.expect[name] for name in ANSWERS if name in case.expect), case.expect)
        found = [*differences(wanted, given), *script.problems]
        missing = len(case.exchanges) - len(outcome.calls)
        if missing > 0:
            found.append(f"{missing} of the recorded requests were not made")
        if found or ("error" in case.expect) != (outcome.name != "answered"):
            raise Failed(
                code,
                done=f"called {hook} with the case {case.name}",
                expected=str(case.expect)[:300],
                got=f"{outcome}; {'; '.join(found)}"[:500],
            )
    if not cases:
        raise NotApplicable(f"there is no case in {folder}/")


def _told(outcome: Outcome) -> Any:
    """What came of it, as a case writes it: bytes as text."""
    value = outcome.value
    if isinstance(value, Reply):
        try:
            checked(value, Reply)
        except (TypeError, ValueError) as error:
            return {"error": str(error)}
    if isinstance(value, FetchedMedia | Delivery | Reply):
        return {**told(outcome), "body": value.body.decode("utf-8", "replace")}
    return told(outcome)
