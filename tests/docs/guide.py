"""The plugin guide, taken apart."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

GUIDE = Path(__file__).parents[2] / "docs" / "plugin-guide.md"


class Snippet(Struct, frozen=True):
    """A block of code, its language, and the line it begins on."""

    language: str
    text: str
    line: int


def text_of(*headings: str) -> str:
    """The guide, or the sections under these headings alone."""
    text = GUIDE.read_text(encoding="utf-8")
    if not headings:
        return text
    parts = re.split(r"^(?=#+ )", _without_comments_of_shells(text), flags=re.MULTILINE)
    return "".join(part for part in parts if part.partition("\n")[0].lstrip("# ") in headings)


def snippets(language: str = "", text: str | None = None) -> list[Snippet]:
    """The blocks of a language, or all of them."""
    text = text_of() if text is None else text
    found = re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [
        Snippet(one[1], one[2], text[: one.start()].count("\n") + 2)
        for one in found
        if language in {"", one[1]}
    ]


def table(heading: str) -> list[list[str]]:
    """The rows of a section's table."""
    rows = [line for line in text_of(heading).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def named(text: str) -> set[str]:
    """The names in ``code`` of a text."""
    return set(re.findall(r"`(\w+)`", text))


def _without_comments_of_shells(text: str) -> str:
    """A ``#`` within a block begins no section."""

    def hide(block: re.Match[str]) -> str:
        return re.sub(r"^#", "\N{ZERO WIDTH SPACE}#", block[0], flags=re.MULTILINE)

    return re.sub(r"^```\w+\n.*?^```$", hide, text, flags=re.MULTILINE | re.DOTALL)
