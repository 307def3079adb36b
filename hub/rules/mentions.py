"""Who is mentioned in a note: "@" and a colleague's whole name."""

from __future__ import annotations

import re
from collections.abc import Iterable

AT = "@"


def mentioned(text: str, people: Iterable[tuple[int, str]]) -> tuple[int, ...]:
    """The ids of those of ``people`` (ids and names) whose names stand in ``text`` after an "@",
    whatever the case; of names that begin alike the longest. Whoever has the same name as another
    is mentioned with them: better one too many than the one who was meant left out."""
    if AT not in text:
        return ()
    named: dict[str, list[int]] = {}
    for id_, name in people:
        if folded := " ".join(name.split()).casefold():
            named.setdefault(folded, []).append(id_)
    if not named:
        return ()
    longest_first = sorted(named, key=len, reverse=True)
    any_name = "|".join(re.escape(name) for name in longest_first)
    found = re.finditer(rf"(?<!\w){AT}({any_name})(?!\w)", " ".join(text.split()).casefold())
    return tuple(dict.fromkeys(id_ for match in found for id_ in named[match[1]]))


def mail(contact: str | None, link: str, *, by: str) -> tuple[str, str]:
    """Subject and text that tell somebody that ``by`` has mentioned them. Nothing of the note
    stands there: mail goes through many hands."""
    who = " ".join((contact or "somebody whose name is not known").split())
    what = f"{by} mentioned you in the conversation with {who}"
    text = (
        f"{what}.\n\nOpen it:\n\n{link}\n\n"
        "You get this mail because you asked for it. You can switch it off under Your account.\n"
    )
    return what, text
