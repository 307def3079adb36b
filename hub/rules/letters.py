"""What stands below the words of a letter: signatures, and the letter it answers."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

LONGEST_QUOTED = 50_000
"""Characters of the letter that is answered, with all that it quotes itself."""
CUT = "[The rest is left out.]"


def signed(*signatures: str) -> str:
    """Signatures, each as its own lines, below the line that marks them; empty without any."""
    told = [one.strip() for one in signatures if one.strip()]
    return "\n".join(("-- ", *told)) if told else ""


def quoted(text: str, *, who: str, at: int, zone: ZoneInfo) -> str:
    """``text``, that ``who`` wrote at ``at`` (milliseconds), as history below an answer; empty if
    it says nothing."""
    text = text.strip()
    if not text:
        return ""
    if len(text) > LONGEST_QUOTED:
        text = f"{text[:LONGEST_QUOTED].rpartition(chr(10))[0] or text[:LONGEST_QUOTED]}\n{CUT}"
    day = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone)
    lines = text.replace("\r\n", "\n").split("\n")
    marked = (f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in lines)
    return "\n".join((f"On {day.day} {day:%B %Y} at {day:%H:%M}, {who} wrote:", *marked))


def whole(text: str, below: str | None) -> str:
    """The words of a letter with what stands below them."""
    return f"{text.rstrip()}\n\n{below}" if below else text
