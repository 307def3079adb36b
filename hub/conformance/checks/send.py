"""Send: one request, the right one, and the truth about what came of it."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime
from itertools import product
from typing import Any

from hub.conformance.cases import SendCase
from hub.conformance.check import Failed, NeedsCase, NotApplicable, check
from hub.conformance.matching import differences
from hub.conformance.stage import Outcome, Stage, plain
from hub.plugin import HookError, OutcomeUnknown, Temporary
from hub.plugin.kit.recorded import NOW, Answer, Answering, Call, Script

HTML = b"<html><body><h1>Gateway</h1></body></html>"
ELSEWHERE = "https://elsewhere.example/taken"
COMMANDS = ("\r\nBcc: x@example.org", "\n", "\x00", "\x7f")
KINDS = {
    "template": "templates",
    "call": "calls",
    "assist": None,  # of assistants, whatever a channel claims
    "of_a_later_version": None,
}
"""A kind of transmission to the flag that claims it; ``None``: a channel of this version has
none."""


def always(answer: Answer) -> Answering:
    """A provider that gives one answer to everything."""

    async def answering(call: Call) -> Answer:  # noqa: ARG001
        return answer

    return answering


def raising(error: type[HookError]) -> Answering:
    """A network that fails."""

    async def answering(call: Call) -> Answer:  # noqa: ARG001
        raise error("the network failed")

    return answering


async def attempt(stage: Stage, case: SendCase, answering: Answering, **change: Any) -> Outcome:
    """One attempt at a case."""
    async with stage.running(answering=answering, case=case) as one:
        return await one.send(stage.message(case, **change))


async def judge(stage: Stage, case: SendCase, code: str) -> tuple[Outcome, Script]:
    """A case, as it was recorded. Raises ``Failed`` if something else came of it."""
    script = Script(case.exchanges)
    outcome = await attempt(stage, case, script)
    wanted = case.expect.get("accepted", case.expect)
    found = list(differences(wanted, told(outcome)))
    if found or ("accepted" in case.expect) != (outcome.name == "answered"):
        raise Failed(
            code,
            done=f"sent the case {case.name}",
            expected=str(case.expect),
            got=f"{outcome}; {'; '.join([*found, *script.problems])}"[:500],
        )
    return outcome, script


def told(outcome: Outcome) -> dict[str, Any]:
    """What came of it, as a case writes it."""
    if outcome.error is not None:
        return {"error": outcome.name, **vars(outcome.error)}
    return {"error": outcome.name} if outcome.fault is not None else plain(outcome.value)


def _expecting(stage: Stage, *errors: str) -> list[SendCase]:
    return [case for case in stage.cases.send if case.expect.get("error") in errors]


@check("SND-01", "A message that goes out has an id", why="Receipts name it.", on="outbound")
async def accepted_has_an_id(stage: Stage) -> None:
    """And one request was made, or as many as were recorded."""
    for case in stage.send_cases(lambda case: "accepted" in case.expect):
        script = Script(case.exchanges)
        outcome = await attempt(stage, case, script)
        done = f"sent the case {case.name}"
        found = getattr(outcome.value, "external_id", None)
        if outcome.name != "answered" or found is None:
            raise Failed("not_accepted", done=done, expected="Accepted", got=str(outcome))
        if not found:
            raise Failed("empty_id", done=done, expected="the provider's id", got="an empty one")
        if wrong := list(differences(case.expect["accepted"], plain(outcome.value))):
            raise Failed("other_answer", done=done, expected=str(case.expect), got="; ".join(wrong))
        if len(outcome.calls) != len(case.exchanges):
            expected = f"{len(case.exchanges)} requests"
            raise Failed("calls", done=done, expected=expected, got=str(len(outcome.calls)))


@check("SND-02", "The request is the right one", why="A person's words go out as written.",
       on="outbound")  # fmt: skip
async def the_request_is_right(stage: Stage) -> None:
    """As recorded: address, text, credentials."""
    for case in stage.send_cases(lambda case: "accepted" in case.expect):
        script = Script(case.exchanges)
        await attempt(stage, case, script)
        if script.problems:
            raise Failed(
                "other_request",
                done=f"sent the case {case.name}",
                expected="the request that was recorded",
                got="; ".join(script.problems)[:500],
            )


@check("SND-03", "A refusal is permanent, with its reason", why="Or it is tried for hours.",
       on="outbound")  # fmt: skip
async def refusals_are_permanent(stage: Stage) -> None:
    """The cases that expect ``permanent``."""
    others = {"opted_out", "window_closed"}  # have checks of their own
    cases = [
        case for case in _expecting(stage, "permanent") if case.expect.get("reason") not in others
    ]
    if not cases:
        raise NeedsCase("no case in send/ expects the error permanent")
    for case in cases:
        await judge(stage, case, "not_permanent")


@check("SND-04", "A busy provider says when to come back", why="Or it is asked at once again.",
       on="outbound")  # fmt: skip
async def busy_says_when(stage: Stage) -> None:
    """429 with seconds, and with a date."""
    case = stage.over_http()
    date = format_datetime(NOW + timedelta(seconds=90), usegmt=True)
    for value, seconds in (("7", 7.0), (date, 90.0)):
        answer = Answer(status=429, headers={"Retry-After": value}, body=b"{}")
        outcome = await attempt(stage, case, always(answer))
        wait = getattr(outcome.error, "retry_after", None)
        if outcome.name != "temporary" or wait is None or abs(wait - seconds) > 1:
            raise Failed(
                "no_wait",
                done=f"sent {case.name}, answered 429 with Retry-After: {value}",
                expected=f"Temporary(retry_after={seconds:g})",
                got=str(outcome),
            )


@check("SND-05", "A provider that fails is tried again", why="It is its fault, not the message's.",
       on="outbound")  # fmt: skip
async def failures_are_temporary(stage: Stage) -> None:
    """500, 502, 503, 504: ``Temporary``, or ``OutcomeUnknown`` where a gateway may have let it
    through; and the cases that expect either."""
    for recorded in _expecting(stage, "temporary", "outcome_unknown"):
        await judge(stage, recorded, "other_failure")
    case = stage.over_http()
    for status in (500, 502, 503, 504):
        headers = {"Content-Type": "text/html"}
        outcome = await attempt(
            stage, case, always(Answer(status=status, headers=headers, body=HTML))
        )
        if outcome.name not in {"temporary", "outcome_unknown"}:
            raise Failed(
                "not_temporary",
                done=f"sent {case.name}, answered {status} with a gateway's page",
                expected="Temporary or OutcomeUnknown",
                got=str(outcome),
            )


@check("SND-06", "Refused credentials pause the channel", why="A person has to act.", on="outbound")
async def credentials_are_invalid(stage: Stage) -> None:
    """401, and the cases that expect ``credentials_invalid``."""
    for recorded in _expecting(stage, "credentials_invalid"):
        await judge(stage, recorded, "other_refusal")
    case = stage.over_http()
    outcome = await attempt(stage, case, always(Answer(status=401, body=b"{}")))
    if outcome.name != "credentials_invalid":
        raise Failed(
            "not_credentials",
            done=f"sent {case.name}, answered 401",
            expected="CredentialsInvalid",
            got=str(outcome),
        )


@check("SND-07", "What the network knows is told", why="A guess sends twice, or never.",
       on="outbound")  # fmt: skip
async def the_network_is_believed(stage: Stage) -> None:
    """Never left: ``Temporary``. Left without an answer: ``OutcomeUnknown``."""
    case = stage.over_http()
    for error, when in ((Temporary, "before it left"), (OutcomeUnknown, "after it had left")):
        outcome = await attempt(stage, case, raising(error))
        if type(outcome.error) is not error:
            raise Failed(
                "guessed",
                done=f"sent {case.name}; the connection broke {when}",
                expected=error.__name__,
                got=str(outcome),
            )


@check("SND-08", "A success that says nothing is none", why="Nobody knows what went out.",
       on="outbound")  # fmt: skip
async def success_has_to_say_something(stage: Stage) -> None:
    """The status of a success with a page, with nothing, with an error."""
    case = stage.over_http()
    status = case.exchanges[-1].response.status
    for body in (HTML, b"", b'{"error": {"code": 1}}', b"[]", b"null"):
        outcome = await attempt(stage, case, always(Answer(status=status, body=body)))
        if outcome.name not in {"outcome_unknown", "permanent"}:
            raise Failed(
                "believed",
                done=f"sent {case.name}, answered {status} with {body[:30]!r}",
                expected="OutcomeUnknown",
                got=str(outcome),
            )


@check("SND-09", "Credentials go to no other host", why="A redirect is easily made.", on="outbound")
async def redirects_get_no_credentials(stage: Stage) -> None:
    """Answered with redirects to another host."""
    case = stage.over_http()
    for status in (302, 307):
        answer = Answer(status=status, headers={"Location": ELSEWHERE})
        async with stage.running(answering=always(answer), case=case) as one:
            outcome = await one.send(stage.message(case))
            for call in outcome.calls:
                there = call.url.startswith(ELSEWHERE)
                secret = any(each in call.text() for each in one.secrets())
                if there and (secret or "authorization" in call.headers):
                    raise Failed(
                        "sent_elsewhere",
                        done=f"sent {case.name}, answered {status} to {ELSEWHERE}",
                        expected="no credentials there",
                        got=f"{call.method} {call.url} with credentials",
                    )


@check("SND-12", "What is not claimed is Unsupported", why="A silent nothing looks like success.",
       on="outbound")  # fmt: skip
async def what_is_not_claimed(stage: Stage) -> None:
    """Each kind of transmission whose flag is off, those of assistants, and one that only a later
    version knows: nothing touches the network."""
    case = stage.accepted()
    for kind, flag in KINDS.items():
        if flag is not None and getattr(stage.can, flag):
            continue
        outcome = await attempt(stage, case, Script(case.exchanges), kind=kind)
        if outcome.name != "unsupported" or outcome.calls:
            raise Failed(
                "done_silently",
                done=f"sent a transmission of kind {kind!r}, which INFO.can does not claim",
                expected="Unsupported, and no request",
                got=f"{outcome}, {len(outcome.calls)} requests",
            )


@check("SND-13", "An address cannot carry commands", why="A line end begins another header.",
       on="outbound")  # fmt: skip
async def addresses_carry_no_commands(stage: Stage) -> None:
    """Line ends and control characters are refused before any request; of a call also in the number
    of the member."""
    case = stage.accepted()
    addresses = {"address": case.message.address, "member_address": case.message.member_address}
    for (field, address), tail in product(addresses.items(), COMMANDS):
        if address is None:
            continue
        bad = type(address)(scheme=address.scheme, value=address.value + tail)
        outcome = await attempt(stage, case, Script(case.exchanges), **{field: bad})
        if outcome.error is None or outcome.calls:
            raise Failed(
                "injected",
                done=f"sent {case.name} to {bad.value!r}",
                expected="an error before any request",
                got=f"{outcome}, {len(outcome.calls)} requests",
            )


@check("SND-14", "Who opted out is told so", why="To write on is against the law.", on="opt_out")
async def opted_out_is_told(stage: Stage) -> None:
    """The cases that expect the reason ``opted_out``. A provider that takes such a message and
    says so later does it by a receipt."""
    if not stage.can.outbound:
        raise NotApplicable("it does not send")
    cases = [case for case in stage.cases.send if case.expect.get("reason") == "opted_out"]
    told = [event for case in stage.cases.ingest for event in case.events]
    if not cases and any(event.get("reason") == "opted_out" for event in told):
        raise NotApplicable("its provider tells it by a receipt")
    if not cases:
        raise NeedsCase("no case in send/ expects the reason opted_out")
    for case in cases:
        await judge(stage, case, "not_opted_out")
