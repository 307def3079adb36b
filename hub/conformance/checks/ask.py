"""Ask: what the provider is asked besides sending, and what is made of its answers."""

from __future__ import annotations

from typing import Any

from hub.conformance.cases import AskCase
from hub.conformance.check import Failed, NotApplicable, check
from hub.conformance.checks.send import told
from hub.conformance.matching import differences
from hub.conformance.stage import Outcome, Stage
from hub.plugin import FetchedMedia
from hub.plugin.kit.recorded import Script


@check("ASK-01", "A file is fetched as recorded", why="Another file, or none, is what people see.",
       on="media_in")  # fmt: skip
async def files_are_fetched(stage: Stage) -> None:
    """The cases in ``media/``: the requests, and the bytes or the error."""
    await _as_recorded(stage, "fetch_media", "media", stage.cases.media, "other_file")


@check("ASK-02", "Health is found out as recorded", why="A dead channel looks like a quiet one.")
async def health_is_found_out(stage: Stage) -> None:
    """The cases in ``health/``: the requests, and the state or the error."""
    await _as_recorded(stage, "health", "health", stage.cases.health, "other_health")


async def _as_recorded(
    stage: Stage, hook: str, folder: str, cases: tuple[AskCase, ...], code: str
) -> None:
    for case in cases:
        script = Script(case.exchanges)
        async with stage.running(answering=script) as one:
            if not one.has(hook):
                raise NotApplicable(f"it has no {hook}")
            given: dict[str, Any] = {} if case.ref is None else {"ref": case.ref}
            outcome = await one.call(hook, **given)
        wanted = case.expect.get("fetched", case.expect.get("health", case.expect))
        found = [*differences(wanted, _told(outcome)), *script.problems]
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


def _told(outcome: Outcome) -> dict[str, Any]:
    """What came of it, as a case writes it: a file's bytes as text."""
    if isinstance(outcome.value, FetchedMedia):
        return {**told(outcome), "body": outcome.value.body.decode("utf-8", "replace")}
    return told(outcome)
