"""Composing: when one may write, and to whom; templates take their parameters; one person is one
address, however it is written."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, cast

from hub.conformance.check import Failed, NeedsCase, NotApplicable, check
from hub.conformance.checks.send import judge
from hub.conformance.stage import Instance, Outcome, Stage, plain
from hub.plugin import (
    Address,
    ComposeFacts,
    ComposeRules,
    IngestResult,
    Item,
    Message,
    Rendered,
    TemplateInfo,
    TemplateUse,
)
from hub.plugin.kit.recorded import NOW, Script

NO_ADDRESSES = ("", "   ", "\x00", "a\r\nBcc: b@example.org", "\u202e", "x" * 5000)


def _may(stage: Stage, one: Instance, last_inbound_at: datetime | None) -> str:
    """What may be written at ``NOW``; or what came instead of rules."""
    message = stage.accepted().message
    facts = ComposeFacts(
        address=message.address,
        own_address=message.own_address,
        now=NOW,
        last_inbound_at=last_inbound_at,
    )
    outcome = one.pure("compose_rules", facts=facts)
    return outcome.value.may if isinstance(outcome.value, ComposeRules) else str(outcome)


@check("CMP-01", "The window closes when it ends", why="Or words are lost, or held back.",
       on="reply_window")  # fmt: skip
async def the_window_ends_in_time(stage: Stage) -> None:
    """Free a second before ``can.reply_window`` is over, not free a second after; by the time that
    the facts name."""
    window = stage.can.reply_window or 0.0
    async with stage.running() as one:
        for seconds, free in ((window - 1, True), (window + 1, False)):
            may = _may(stage, one, NOW - timedelta(seconds=seconds))
            if (may == "free") != free:
                raise Failed(
                    "other_time",
                    done=f"asked for the rules {seconds:g} seconds after the last message came",
                    expected="free" if free else "not free",
                    got=may,
                )


@check("CMP-02", "Nobody is written to freely who never wrote", why="The provider refuses it.",
       on="reply_window")  # fmt: skip
async def the_window_is_opened_by_the_customer(stage: Stage) -> None:
    """Without a message that came in there is no window."""
    async with stage.running() as one:
        may = _may(stage, one, None)
        if may == "free":
            raise Failed(
                "open_by_default",
                done="asked for the rules of somebody who has never written",
                expected="not free",
                got=may,
            )


@check("CMP-03", "A closed window has its own reason", why="Then a template is what helps.",
       on="reply_window")  # fmt: skip
async def a_closed_window_is_told(stage: Stage) -> None:
    """The cases in ``send/`` that expect the reason ``window_closed``. Where the channel reports
    what failed, a receipt has to expect it, too."""
    wanted = [case for case in stage.cases.send if case.expect.get("reason") == "window_closed"]
    if not wanted:
        raise NeedsCase("no case in send/ expects the reason window_closed")
    for case in wanted:
        await judge(stage, case, "other_reason")
    if "failed" not in stage.can.receipts:
        return
    reasons = {event.get("reason") for case in stage.cases.ingest for event in case.events}
    if "window_closed" not in reasons:
        raise NeedsCase("no case in ingest/ expects a receipt with the reason window_closed")


@check("CMP-04", "A template takes its parameters", why="A customer would read a gap, or a mark.",
       on="templates")  # fmt: skip
async def templates_take_their_parameters(stage: Stage) -> None:
    """Of every approved template that the cases in ``templates/`` tell of: its parameters have
    names, each value goes out, and what has none is refused, or said."""
    templates = [
        one for one in await _templates(stage) if one.state == "approved" and one.parameters
    ]
    if not templates:
        raise NeedsCase("no case in templates/ tells of an approved template with parameters")
    async with stage.running() as one:
        for template in templates:
            _check_names(template)
            values = {
                name: f"value-{stage.random.randrange(10**9):09d}" for name in template.parameters
            }
            _check_filled(template, values, _wire(one, template, values))
            for name in values:
                rest = {other: value for other, value in values.items() if other != name}
                _check_gap(template, name, _wire(one, template, rest))


async def _templates(stage: Stage) -> list[TemplateInfo]:
    """What is listed; that it is as recorded is ASK-05's."""
    found: list[TemplateInfo] = []
    for case in stage.cases.templates:
        async with stage.running(answering=Script(case.exchanges)) as one:
            one.ctx.conversations[:] = case.conversations
            outcome = await one.call("templates")
        value: object = outcome.value
        listed = cast("tuple[object, ...]", value) if isinstance(value, tuple) else ()
        found += [each for each in listed if isinstance(each, TemplateInfo)]
    return found


def _check_names(template: TemplateInfo) -> None:
    names = template.parameters
    named = all(name.strip() for name in names) and len(set(names)) == len(names)
    if not named or len(template.examples) > len(names):
        raise Failed(
            "unnamed",
            done=f"listed the template {template.name!r}",
            expected="parameters with a name each, and no more examples than parameters",
            got=f"parameters {names}, examples {template.examples}",
        )


def _wire(one: Instance, template: TemplateInfo, values: dict[str, str]) -> Outcome:
    use = TemplateUse(template=template, values=values)
    return one.render(Item(direction="out", template=use), "wire")


def _check_filled(template: TemplateInfo, values: dict[str, str], outcome: Outcome) -> None:
    parts: Any = outcome.value.wire if isinstance(outcome.value, Rendered) else ()
    written = json.dumps(plain(parts), ensure_ascii=False)
    lost = [name for name, value in values.items() if value not in written]
    if lost or not any(part.text.strip() for part in parts):
        raise Failed(
            "left_out",
            done=f"rendered the template {template.name!r} with values for the wire",
            expected="what the recipient reads, and every value in it",
            got=f"{outcome}"[:300] + (f"; without {', '.join(lost)}" if lost else ""),
        )


def _check_gap(template: TemplateInfo, name: str, outcome: Outcome) -> None:
    if outcome.error is not None:
        return
    rendered = outcome.value
    if isinstance(rendered, Rendered):
        said = [*rendered.warnings, *(part.text for part in rendered.wire)]
        if any(name in each for each in said):
            return
    raise Failed(
        "gap",
        done=f"rendered the template {template.name!r} without a value for {name!r}",
        expected="an error of the API, or the parameter's name in the text or a warning",
        got=str(outcome)[:300],
    )


def _can_normalise(one: Instance) -> None:
    if not one.has("normalise_address"):
        raise NotApplicable("it has no normalise_address")


def _known(stage: Stage) -> list[str]:
    """Addresses of the cases: where messages go."""
    return sorted(
        {
            case.message.address.value
            for case in stage.cases.send
            if case.message.address.scheme == stage.info.address_scheme
        }
    )


@check("CMP-05", "An address has one spelling", why="Or one person has two conversations.")
async def one_spelling(stage: Stage) -> None:
    """Normal ones stay as they are, spaces around them mean nothing, no address: ``BadAddress``."""
    async with stage.running() as one:
        _can_normalise(one)
        for value in _known(stage):
            for written in (value, f" {value} ", f"{value}\u00a0"):
                outcome = one.normalise(written)
                if not isinstance(outcome.value, Address) or outcome.value.value != value:
                    raise Failed(
                        "other_spelling",
                        done=f"normalised {written!r}",
                        expected=value,
                        got=str(outcome),
                    )
        for text in NO_ADDRESSES:
            outcome = one.normalise(text)
            if outcome.name != "bad_address":
                raise Failed(
                    "taken",
                    done=f"normalised {text[:30]!r}",
                    expected="BadAddress",
                    got=str(outcome),
                )


@check("CMP-06", "Senders are normal", why="Who writes is found again by the address.",
       on="inbound")  # fmt: skip
async def senders_are_normal(stage: Stage) -> None:
    """The sender of every case, normalised, is the sender."""
    async with stage.running() as one:
        _can_normalise(one)
        for case in stage.with_events():
            outcome = await one.ingest(stage.delivery(case))
            events = outcome.value.events if isinstance(outcome.value, IngestResult) else ()
            for event in events:
                for sender in event.sender if isinstance(event, Message) else ():
                    if sender.scheme != stage.info.address_scheme:
                        continue
                    normal = one.normalise(sender.value)
                    same = isinstance(normal.value, Address) and normal.value.value == sender.value
                    if not same and normal.name != "bad_address":
                        raise Failed(
                            "raw_sender",
                            done=f"normalised the sender of the case {case.name}",
                            expected=sender.value,
                            got=str(normal),
                        )
