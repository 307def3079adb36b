"""How a text message looks, and what a person should know before it goes out."""

from __future__ import annotations

from collections.abc import Iterator

from hub.plugin import (
    Block,
    Fields,
    File,
    Item,
    MediaLimits,
    Rendered,
    Surface,
    Text,
    WirePart,
)
from hub.plugin.sms import count
from hub_sms_twilio import media, numbers

MAX_LENGTH = 1600
"""Characters of a ``Body`` (Twilio's OpenAPI document; more is error 21617)."""
NOTIFICATION_LENGTH = 140


def render(item: Item, surface: Surface, limits: MediaLimits) -> Rendered:
    """The same blocks wherever it is shown; one part on the wire, text and files as they are."""
    blocks: list[Block] = [Text(text=item.text)] if item.text else []
    blocks += [File(attachment_id=each.id) for each in item.attachments]
    if item.facts:
        blocks.append(Fields(fields=tuple(item.facts.items())))
    preview = _preview(item)
    match surface:
        case "notification":
            return Rendered(preview=_shortened(preview))
        case "composer":
            warnings = tuple(_warnings(item, limits))
            return Rendered(blocks=tuple(blocks), preview=preview, warnings=warnings)
        case "wire":
            files = tuple(each.id for each in item.attachments)
            part = WirePart(text=item.text, attachment_ids=files)
            warnings = tuple(_warnings(item, limits))
            return Rendered(blocks=tuple(blocks), preview=preview, warnings=warnings, wire=(part,))
        case "timeline" | "preview":
            return Rendered(blocks=tuple(blocks), preview=preview)


def _preview(item: Item) -> str:
    """One line: the words, else what came instead of words."""
    line = " ".join(item.text.split())
    if line:
        return line
    if item.attachments:
        pictures = all(each.content_type.startswith("image/") for each in item.attachments)
        what = "picture" if pictures else "file"
        number = len(item.attachments)
        return what.capitalize() if number == 1 else f"{number} {what}s"
    return next(iter(item.facts), "")


def _shortened(line: str) -> str:
    return line if len(line) <= NOTIFICATION_LENGTH else f"{line[: NOTIFICATION_LENGTH - 1]}…"


def _warnings(item: Item, limits: MediaLimits) -> Iterator[str]:
    if len(item.text) > MAX_LENGTH:
        yield f"Too long: {len(item.text):,} of {MAX_LENGTH:,} characters"
    elif not item.attachments:  # with a file it is one MMS, whatever its length
        segments = count(item.text)
        if segments.segments > 1 and segments.wide:
            yield f"{segments.segments} segments, since “{segments.wide}” is no SMS letter"
        elif segments.segments > 1:
            yield f"{segments.segments} segments"
    problem = media.problem(item.attachments, limits)
    if problem is not None:
        yield problem.detail
    if item.subject:
        yield "The subject will be left out"
    if item.html is not None:
        yield "The formatting will be left out"
    if item.address is not None and not numbers.can_receive(item.address):
        yield "This address takes no text messages"
