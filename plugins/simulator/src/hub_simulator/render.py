"""How a text message looks in the hub."""

from __future__ import annotations

from hub.plugin import Block, File, Item, Rendered, Surface, Text, WirePart
from hub.plugin.sms import count
from hub_simulator.sms import MAX_LENGTH

NOTIFICATION_LENGTH = 140


def render(item: Item, surface: Surface) -> Rendered:
    """The same blocks everywhere; ``wire`` is the one part that goes out."""
    text = item.text
    blocks: list[Block] = [Text(text=text)] if text else []
    blocks += [File(attachment_id=each.id) for each in item.attachments]
    preview = _preview(item)
    match surface:
        case "wire":
            part = WirePart(text=text, attachment_ids=tuple(a.id for a in item.attachments))
            return Rendered(blocks=tuple(blocks), preview=preview, wire=(part,))
        case "composer":
            return Rendered(blocks=tuple(blocks), preview=preview, warnings=_warnings(item))
        case "notification":
            return Rendered(preview=_shortened(preview))
        case _:
            return Rendered(blocks=tuple(blocks), preview=preview)


def _preview(item: Item) -> str:
    """One line: the words, else what was sent instead of words."""
    line = " ".join(item.text.split())
    if line or not item.attachments:
        return line
    pictures = all(each.content_type.startswith("image/") for each in item.attachments)
    what = "Picture" if pictures else "File"
    return what if len(item.attachments) == 1 else f"{len(item.attachments)} {what.lower()}s"


def _shortened(line: str) -> str:
    if len(line) <= NOTIFICATION_LENGTH:
        return line
    return f"{line[: NOTIFICATION_LENGTH - 1]}…"


def _warnings(item: Item) -> tuple[str, ...]:
    if len(item.text) > MAX_LENGTH:
        return (f"Too long: {len(item.text):,} of {MAX_LENGTH:,} characters",)
    segments = count(item.text).segments
    # A text with a file is one multimedia message, whatever its length.
    several = (f"{segments} segments",) if segments > 1 and not item.attachments else ()
    left_out = {
        "The subject will be left out": bool(item.subject),
        "The formatting will be left out": item.html is not None,
    }
    return (*several, *(words for words, is_there in left_out.items() if is_there))
