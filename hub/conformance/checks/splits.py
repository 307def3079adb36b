"""Splits: a long text goes out whole and in order, and what went out of it is known."""

from __future__ import annotations

import re

from msgspec.structs import replace

from hub.conformance.check import Failed, check
from hub.conformance.checks.instances import Provider, holds
from hub.conformance.stage import Instance, Outcome, Stage
from hub.plugin import (
    Accepted,
    ComposeFacts,
    ComposeRules,
    Item,
    OutcomeUnknown,
    Rendered,
    WirePart,
)
from hub.plugin.kit.recorded import NOW, Answer, Call

LONG = 5000
"""Characters of a long text, where ``compose_rules`` names no limit."""
FAMILY, FLAG, THUMB = "👩‍👩‍👧‍👦", "🇩🇪", "👍🏽"
COMPOSED = "Z\u0351\u036ba\u0308e\u0301"
WHOLE = (FAMILY, FLAG, THUMB, "Z\u0351\u036b", "a\u0308", "e\u0301")
PIECES = frozenset("".join(WHOLE)) - frozenset("Zae")
"""What is nothing alone: a text that has one of these outside of ``WHOLE`` was cut within."""


def _long_texts(length: int) -> tuple[str, str]:
    """Words in order, each with characters that consist of several; and one without an end."""
    word = f"{FAMILY}{COMPOSED}{THUMB}{FLAG}"
    words = [f"w{number}{word}" for number in range(1, length // len(word))]
    text = " ".join(words)[:length].rpartition(" ")[0]
    return text, word * (length // len(word))


@check("SND-10", "A long text goes out whole and in order", why="Half a letter is read as another.",
       on="splits")  # fmt: skip
async def long_texts_go_out_whole(stage: Stage) -> None:
    """As it was rendered for the wire: nothing lost, no character cut; or it is refused."""
    case = stage.over_http()
    async with stage.running() as one:
        texts = _long_texts(_limit(one, stage))
    for text in texts:
        async with stage.running(answering=Provider(case), case=case) as one:
            await _goes_out_whole(one, stage, text)


async def _goes_out_whole(one: Instance, stage: Stage, text: str) -> None:
    case = stage.over_http()
    message = stage.message(case)
    item = Item(
        direction="out", text=text, address=message.address, own_address=message.own_address
    )
    rendered = one.render(item, "wire")
    if rendered.error is not None:
        return
    wire = rendered.value.wire if isinstance(rendered.value, Rendered) else ()
    done = f"rendered a text of {len(text):,} characters for the wire"
    _check_whole(done, text, [part.text for part in wire])
    outcome = await one.send(stage.message(case, wire=wire, attachments=()))
    if outcome.error is not None and not outcome.calls:
        return
    done = f"sent a text of {len(text):,} characters in {len(wire)} parts"
    if not isinstance(outcome.value, Accepted):
        raise Failed("not_sent", done=done, expected="Accepted, or a refusal", got=str(outcome))
    at = 0
    for call in outcome.calls:
        at += at < len(wire) and holds(call, wire[at].text)
    if at < len(wire):
        raise Failed(
            "other_order",
            done=done,
            expected="a request with the words of each, in their order",
            got=f"{len(outcome.calls)} requests; part {at + 1} is in none that could have it",
        )


def _limit(one: Instance, stage: Stage) -> int:
    """How long a text may be."""
    if not one.has("compose_rules"):
        return LONG
    message = stage.over_http().message
    facts = ComposeFacts(
        address=message.address, own_address=message.own_address, now=NOW, last_inbound_at=NOW
    )
    rules = one.pure("compose_rules", facts=facts).value
    given = rules.max_length if isinstance(rules, ComposeRules) else None
    return min(given or LONG, LONG)


def _check_whole(done: str, text: str, parts: list[str]) -> None:
    """Spaces may go where it is cut, and a mark may be added to each part."""
    for part in parts:
        rest = re.sub("|".join(map(re.escape, WHOLE)), "", part)
        if PIECES & frozenset(rest):
            raise Failed(
                "cut",
                done=done,
                expected="cuts between characters",
                got=f"a part that begins {part[:12]!r} and ends {part[-12:]!r}",
            )
    left = iter("".join("".join(parts).split()))
    lost = next(
        (at for at, letter in enumerate(text) if letter != " " and letter not in left), None
    )
    if lost is not None:
        raise Failed(
            "lost",
            done=done,
            expected="all of it, in order",
            got=f"{len(parts)} parts, where {text[lost : lost + 12]!r} is not in its place",
        )


class _Breaking:
    """A provider that takes the first message, and none after it until it is well."""

    def __init__(self, provider: Provider, failure: Answer | OutcomeUnknown) -> None:
        self._provider = provider
        self._failure = failure
        self.well = False

    async def __call__(self, call: Call) -> Answer:
        if self.well or not self._provider.calls:
            return await self._provider(call)
        if isinstance(self._failure, Answer):
            return self._failure
        raise self._failure


@check("SND-11", "What failed halfway says what went out", why="Or it goes out twice.", on="splits")
async def failing_halfway_is_told(stage: Stage) -> None:
    """Of three parts the second fails: ``error.accepted`` has the id of the first; and a further
    attempt begins with the second."""
    case = stage.over_http()
    words = [f"part no. {number};" for number in (1, 2, 3)]
    (first,) = case.message.wire[:1]
    wire = tuple(replace(first, text=each, attachment_ids=()) for each in words)
    busy = Answer(status=429, headers={"Retry-After": "1"}, body=b"{}")
    for failure in (busy, OutcomeUnknown("the network failed")):
        provider = Provider(case)
        breaking = _Breaking(provider, failure)
        async with stage.running(answering=breaking, case=case) as one:
            message = stage.message(case, wire=wire, attachments=())
            outcome = await one.send(message)
            taken = tuple(provider.taken)
            _check_halfway(outcome, taken)
            if not isinstance(failure, Answer):
                continue
            breaking.well = True
            again = await one.send(replace(message, attempt=2))
        _check_further(again, tuple(provider.taken), words[1:], wire)


def _check_halfway(outcome: Outcome, taken: tuple[str, ...]) -> None:
    if outcome.error is None or outcome.error.accepted != taken:
        raise Failed(
            "not_said",
            done="sent three parts, of which the provider took the first alone",
            expected=f"an error of the API whose accepted is {taken}",
            got=str(outcome),
        )


def _check_further(
    outcome: Outcome, taken: tuple[str, ...], words: list[str], wire: tuple[WirePart, ...]
) -> None:
    told = [next((each for each in words if holds(call, each)), "") for call in outcome.calls]
    parts = outcome.value.parts if isinstance(outcome.value, Accepted) else ()
    if told != words or parts != taken:
        raise Failed(
            "sent_again",
            done="sent them again, after the first had gone out",
            expected=f"requests for {words}, and an id for each of the {len(wire)}",
            got=f"requests for {told}; {outcome}",
        )
