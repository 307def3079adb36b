"""Render: what people see is what is there, and what goes out is what they saw."""

from __future__ import annotations

import re
from typing import Any, get_args

from hub.conformance.check import Failed, NotApplicable, check
from hub.conformance.matching import differences
from hub.conformance.stage import Instance, Outcome, Stage, is_call, plain
from hub.plugin import Attachment, ComposeFacts, Item, Rendered, SafeHtml, Surface
from hub.plugin.kit.answers import checked
from hub.plugin.kit.html import clean
from hub.plugin.kit.recorded import NOW

SURFACES: tuple[Surface, ...] = get_args(Surface)
HOSTILE = (
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "javascript:alert(1)",
    "data:text/html,<b>x</b>",
    "safe \u202etxt.exe",
)
PICTURE = Attachment(id="f1", name="roof.png", content_type="image/png", size=900)


def items(stage: Stage) -> list[Item]:
    """What a channel may be asked to show: in both directions, with and without words and files,
    and what its cases tell of."""
    said = [
        event["text"]
        for case in stage.cases.ingest
        for event in case.events
        if event.get("type") == "message" and event.get("text")
    ]
    return [
        Item(direction="in", text="Two\nlines"),
        Item(direction="out", text="It is long. " * 60),
        Item(direction="in", attachments=(PICTURE,)),
        Item(direction="in", text="See", attachments=(PICTURE, PICTURE)),
        Item(direction="in", facts={"Place": "Here"}),
        Item(direction="out"),
        *(Item(direction="in", text=text) for text in said[:5]),
        *(case.item for case in stage.cases.render),
        *(case.item for case in stage.cases.send if case.item is not None),
    ]


def _shown(one: Instance, item: Item, surface: Surface, code: str) -> Rendered:
    outcome: Outcome = one.render(item, surface)
    if not isinstance(outcome.value, Rendered):
        raise Failed(
            code,
            done=f"rendered {_words(item)} on {surface}",
            expected="Rendered",
            got=str(outcome),
        )
    return outcome.value


def _words(item: Item) -> str:
    return f"an item with the text {item.text[:40]!r} and {len(item.attachments)} files"


def _or_skip(one: Instance, item: Item, surface: Surface) -> Rendered:
    """Rendered; that it can be at all is RND-02's."""
    outcome = one.render(item, surface)
    if not isinstance(outcome.value, Rendered):
        raise NotApplicable(f"{_words(item)} is not rendered on {surface}: {outcome}")
    return outcome.value


@check("RND-01", "Rendering is pure", why="What is shown is kept, and shown to everybody.")
async def rendering_is_pure(stage: Stage) -> None:
    """The same item looks the same, twice and by another instance; nothing is asked or written."""
    seen: list[Any] = []
    asked: list[Any] = []
    for _ in range(2):
        async with stage.running() as one:
            for _ in range(2):
                shown = [
                    plain(_or_skip(one, item, surface))
                    for item in items(stage)
                    for surface in SURFACES
                ]
                seen.append(shown)
            asked += one.ctx.network.calls
    if any(each != seen[0] for each in seen) or asked:
        different = next((pair for pair in zip(*seen, strict=True) if pair[0] != pair[-1]), seen)
        raise Failed(
            "not_pure",
            done="rendered the same items again",
            expected="the same, and no request",
            got=f"{asked}" if asked else f"{different[0]} and then {different[-1]}"[:400],
        )


@check("RND-02", "Everything renders on every surface", why="One that does not is not shown.")
async def everything_renders(stage: Stage) -> None:
    """And as the cases of ``render/`` expect."""
    async with stage.running() as one:
        for item in items(stage):
            for surface in SURFACES:
                rendered = _shown(one, item, surface, "not_rendered")
                try:
                    checked(rendered, Rendered)
                except (TypeError, ValueError) as error:
                    done = f"rendered {_words(item)} on {surface}"
                    expected = "values of the declared types"
                    raise Failed(
                        "wrong_type", done=done, expected=expected, got=str(error)
                    ) from error
        for case in stage.cases.render:
            for surface in SURFACES:
                wanted = case.expect.get(surface)
                if wanted is None:
                    continue
                rendered = plain(_shown(one, case.item, surface, "not_rendered"))
                if found := list(differences(wanted, rendered)):
                    raise Failed(
                        "other_rendering",
                        done=f"rendered the case {case.name} on {surface}",
                        expected=str(wanted)[:300],
                        got="; ".join(found)[:300],
                    )


@check("RND-03", "Markup in a text stays text", why="A customer's words would run in the page.")
async def markup_stays_text(stage: Stage) -> None:
    """Word for word, in a text block."""
    async with stage.running() as one:
        for text in HOSTILE:
            rendered = _or_skip(one, Item(direction="in", text=text), "timeline")
            told = [str(getattr(block, "text", "")) for block in rendered.blocks]
            if not any(text in each for each in told):
                raise Failed(
                    "not_text",
                    done=f"rendered the text {text!r}",
                    expected="a text block with these words",
                    got=str(plain(rendered))[:300],
                )


@check("RND-04", "What is rendered for the wire goes out", why="People see it before they send.",
       on="outbound")  # fmt: skip
async def the_wire_is_what_goes_out(stage: Stage) -> None:
    """The parts of the accepted cases, rendered from their items, or from their words and files."""
    if is_call(stage.accepted()):
        raise NotApplicable("it makes calls alone")
    cases = stage.send_cases(
        lambda case: (
            "accepted" in case.expect
            and len(case.message.wire) == 1
            and (case.item is not None or case.message.kind != "template")
        )
    )
    async with stage.running() as one:
        for case in cases:
            (part,) = case.message.wire
            item = case.item or Item(
                direction="out",
                text=part.text,
                subject=part.subject,
                attachments=case.message.attachments,
                address=case.message.address,
                own_address=case.message.own_address,
            )
            rendered = _or_skip(one, item, "wire")
            # What a plugin notes for itself does not follow from words and files alone.
            wanted, *got = (
                (each.text, each.attachment_ids, each.data if case.item is not None else {})
                for each in (part, *rendered.wire)
            )
            if got != [wanted]:
                raise Failed(
                    "other_wire",
                    done=f"rendered the message of {case.name} for the wire",
                    expected=str([wanted]),
                    got=str(got),
                )


@check("RND-05", "What is left out is said", why="The person who writes would not know.",
       on="outbound")  # fmt: skip
async def what_is_left_out_is_said(stage: Stage) -> None:
    """A subject, formatting or files that the channel does not carry: a warning in the composer."""
    can, tried = stage.can, 0
    html: SafeHtml = clean("<p>Hello <b>you</b></p>")
    left_out = {
        "a subject": None if can.subject else Item(direction="out", text="Hello", subject="Offer"),
        "formatting": None
        if "html" in can.formats
        else Item(direction="out", text="Hello you", html=html),
        "a file": None
        if can.media_out
        else Item(direction="out", text="Hello", attachments=(PICTURE,)),
    }
    async with stage.running() as one:
        for what, item in left_out.items():
            if item is None:
                continue
            tried += 1
            before = _or_skip(one, Item(direction="out", text=item.text), "composer").warnings
            after = _or_skip(one, item, "composer").warnings
            if not set(after) - set(before):
                raise Failed(
                    "silent",
                    done=f"rendered a message with {what} for the composer",
                    expected="a warning that it is left out",
                    got=str(after),
                )
    if not tried:
        raise NotApplicable("it carries subjects, formatting and files")


@check("RND-06", "The longest text is the same everywhere", why="The composer counts by it.",
       on="outbound")  # fmt: skip
async def the_limit_is_one(stage: Stage) -> None:
    """``compose_rules``, the warnings and ``send`` agree at the limit and one past it."""
    case = stage.accepted()
    if is_call(case):
        raise NotApplicable("it makes calls alone")
    async with stage.running() as one:
        if not one.has("compose_rules"):
            raise NotApplicable("it has no compose_rules")
        facts = ComposeFacts(
            address=case.message.address,
            own_address=case.message.own_address,
            now=NOW,
            last_inbound_at=NOW,
        )
        limit = getattr(one.pure("compose_rules", facts=facts).value, "max_length", None)
        if limit is None:
            raise NotApplicable("compose_rules names no max_length")
        below, at, above = (_warned(one, "x" * n) for n in (limit - 1, limit, limit + 1))
        (part,) = case.message.wire[:1]
        long = type(part)(text="x" * (limit + 1))
        outcome = await one.send(stage.message(case, wire=(long,), attachments=()))
    if at != below or above == at:
        raise Failed(
            "limits_differ",
            done=f"rendered texts of {limit - 1}, {limit} and {limit + 1} for the composer",
            expected=f"a new warning past {limit}, the max_length of compose_rules",
            got=f"{below}, {at}, {above}",
        )
    if getattr(outcome.error, "reason", None) != "too_large" or outcome.calls:
        raise Failed(
            "sent_too_long",
            done=f"sent a text of {limit + 1}",
            expected='Permanent("too_large") and no request',
            got=f"{outcome}, {len(outcome.calls)} requests",
        )


def _warned(one: Instance, text: str) -> tuple[str, ...]:
    """The warnings, whatever numbers are in them."""
    warnings = _or_skip(one, Item(direction="out", text=text), "composer").warnings
    return tuple(re.sub(r"[\d,.]+", "#", each) for each in warnings)


@check("RND-07", "A notification is one short line", why="Phones show no more.")
async def notifications_are_short(stage: Stage) -> None:
    """At most 140 characters."""
    async with stage.running() as one:
        for item in (*items(stage), Item(direction="in", text="A line\n" * 100)):
            preview = _or_skip(one, item, "notification").preview
            if len(preview) > 140 or len(preview.splitlines()) > 1:
                raise Failed(
                    "long",
                    done=f"rendered {_words(item)} for a notification",
                    expected="one line of at most 140 characters",
                    got=f"{len(preview)} characters: {preview[:150]!r}",
                )
