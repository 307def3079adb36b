"""How a message looks that is words and files and nothing else, for plugins that need no more."""

from __future__ import annotations

from collections.abc import Iterator

from hub.plugin.types import (
    Block,
    Capabilities,
    Fields,
    File,
    Item,
    Rendered,
    Surface,
    Text,
    WirePart,
)

NOTIFICATION_LENGTH = 140
"""Characters of a notification, which is one line."""


def plain_text(item: Item, surface: Surface, can: Capabilities) -> Rendered:
    """``item`` on ``surface``: its words, files and facts as they are, and one part on the wire.
    What a channel that can ``can`` does not carry (a subject, formatting, files) is left out of
    the part, and the person who writes is warned of it."""
    preview = " ".join(item.text.split()) or _without_words(item)
    if surface == "notification":
        return Rendered(preview=shortened(preview))
    blocks: list[Block] = [Text(text=item.text)] if item.text else []
    blocks += [File(attachment_id=each.id) for each in item.attachments]
    if item.facts:
        blocks.append(Fields(fields=tuple(item.facts.items())))
    part = WirePart(
        text=item.text,
        subject=item.subject if can.subject else None,
        attachment_ids=tuple(each.id for each in item.attachments) if can.media_out else (),
    )
    return Rendered(
        blocks=tuple(blocks),
        preview=preview,
        warnings=tuple(_warnings(item, can)) if surface in {"composer", "wire"} else (),
        wire=(part,) if surface == "wire" else (),
    )


def shortened(line: str) -> str:
    """A line as a notification has it."""
    return line if len(line) <= NOTIFICATION_LENGTH else f"{line[: NOTIFICATION_LENGTH - 1]}…"


def _without_words(item: Item) -> str:
    count = len(item.attachments)
    if count:
        return "File" if count == 1 else f"{count} files"
    return next(iter(item.facts), "")


def _warnings(item: Item, can: Capabilities) -> Iterator[str]:
    if item.subject and not can.subject:
        yield "The subject will be left out"
    if item.html is not None:
        yield "The formatting will be left out"
    if item.attachments and not can.media_out:
        yield "Files will be left out"
