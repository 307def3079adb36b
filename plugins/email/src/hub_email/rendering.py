"""How a mail looks, and what a person should know before it goes out."""

from __future__ import annotations

from collections.abc import Iterator

import quotequail  # pyright: ignore[reportMissingTypeStubs]

from hub.plugin import (
    Block,
    Fields,
    File,
    Html,
    Item,
    MediaLimits,
    Quote,
    Rendered,
    Surface,
    Text,
    WirePart,
)
from hub.plugin.rendering import shortened
from hub_email import addresses, plain

LIMITS = MediaLimits(max_bytes=18_000_000, max_count=50, max_total=18_000_000)
"""Files are a third longer on their way, and most servers take mail of 25 MB."""
MAX_LENGTH = 500_000
"""Characters of a mail's words: what nobody writes by hand."""
LONGEST_QUOTED = 100_000
"""Characters in which quoted parts are looked for."""


def render(item: Item, surface: Surface) -> Rendered:
    """Words with what they quote apart, the formatted text, files and facts."""
    line = _line(item)
    match surface:
        case "notification":
            return Rendered(preview=shortened(line))
        case "composer":
            return Rendered(blocks=_blocks(item), preview=line, warnings=tuple(_warnings(item)))
        case "wire":
            part = WirePart(
                text=item.text,
                subject=_one_line(item.subject) if item.subject else None,
                html=item.html.html if item.html is not None else None,
                attachment_ids=tuple(each.id for each in item.attachments),
            )
            warnings = tuple(_warnings(item))
            return Rendered(blocks=_blocks(item), preview=line, warnings=warnings, wire=(part,))
        case "timeline" | "preview":
            return Rendered(blocks=_blocks(item), preview=line)


def _blocks(item: Item) -> tuple[Block, ...]:
    blocks: list[Block] = list(_words(item.text)) if item.direction == "in" else []
    if item.direction == "out" and item.text:
        blocks.append(Text(text=item.text))
    if item.html is not None:
        blocks.append(Html(html=item.html))
    blocks += [File(attachment_id=each.id) for each in item.attachments]
    if item.facts:
        blocks.append(Fields(fields=tuple(item.facts.items())))
    return tuple(blocks)


def _words(text: str) -> Iterator[Block]:
    """The new words, and those of earlier mails as quotes. Nothing is left out."""
    if not text:
        return
    if len(text) > LONGEST_QUOTED:
        yield Text(text=text)
        return
    pieces = quotequail.quote(text, quote_intro_line=True)
    for new, words in pieces:
        if words.strip():
            yield Text(text=words) if new else Quote(text=words)
    if not any(words.strip() for _, words in pieces):
        yield Text(text=text)


def _line(item: Item) -> str:
    """One line: subject and new words, else what came instead of words."""
    new = next((b.text for b in _words(item.text[:5000]) if isinstance(b, Text)), "")
    words = _one_line(new) or _one_line(item.text[:5000])
    if not words and item.html is not None:
        words = _one_line(plain.text_of(item.html.html[:20_000]))
    subject = _one_line(item.subject or "")
    found = f"{subject} - {words}" if subject and words else subject or words
    if found:
        return found[:1000]
    count = len(item.attachments)
    if count:
        return "File" if count == 1 else f"{count} files"
    return next(iter(item.facts), "")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _warnings(item: Item) -> Iterator[str]:
    if len(item.text) > MAX_LENGTH:
        yield f"Too long: {len(item.text):,} of {MAX_LENGTH:,} characters"
    if not (item.subject or "").strip():
        yield "There is no subject"
    if len(item.attachments) > LIMITS.max_count:
        yield f"Too many files: {len(item.attachments)} of {LIMITS.max_count}"
    total = sum(each.size for each in item.attachments)
    if total > LIMITS.max_bytes:
        yield f"The files are too large: {total / 1e6:.1f} of {LIMITS.max_bytes / 1e6:.0f} MB"
    if item.address is not None and addresses.of(item.address.value) is None:
        yield "This is no email address"
