"""``docs/security.md`` says of every requirement what proves it, or why nothing does."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
SECTIONS = {
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2,
    "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1,
    "3.2": 2, "3.3": 4, "3.4": 6, "3.5": 5, "3.7": 2,
    "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4,
    "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3,
    "6.1": 3, "6.2": 11, "6.3": 3, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4,
    "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2,
    "8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1,
    "9.1": 3, "9.2": 4,
    "10.1": 2, "10.2": 2, "10.3": 4, "10.4": 11, "10.5": 5, "10.6": 2, "10.7": 3,
    "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1, "11.6": 1,
    "12.1": 3, "12.2": 2, "12.3": 4,
    "13.1": 1, "13.2": 5, "13.3": 2, "13.4": 5,
    "14.1": 2, "14.2": 4, "14.3": 3,
    "15.1": 3, "15.2": 3, "15.3": 7,
    "16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3,
    "17.1": 1, "17.2": 4, "17.3": 2,
}  # fmt: skip
"""How many requirements of levels 1 and 2 each section has; those of level 3 come after them."""
REASONS = ("Not here: ", "Operator: ", "By reading: ", "Left: ")


def lines() -> list[tuple[str, str, str, list[str]]]:
    """Number, what it asks, how, and the tests."""
    rows = re.findall(r"^\| (\d+\.\d+\.\d+) \| (.*) \| (.*) \| (.*) \|$", PAGE, re.MULTILINE)
    return [(*row[:3], re.findall(r"`([^`]+)`", row[3])) for row in rows]


def test_every_requirement_has_a_line() -> None:
    wanted = {f"{name}.{one + 1}" for name, count in SECTIONS.items() for one in range(count)}
    counted = Counter(number for number, *_ in lines())
    assert set(counted) == wanted
    assert max(counted.values()) == 1


def test_what_proves_it_is_there_or_why_nothing_does() -> None:
    for number, what, how, tests in lines():
        assert what, number
        assert tests or how.startswith(REASONS), f"{number} is open"
        assert tests or len(how) > 16, f"{number} gives no reason"
        for test in tests:
            path, _, name = test.partition("::")
            source = ROOT / path
            assert source.is_file(), test
            assert re.search(rf"^(async )?def {name}\b", source.read_text("utf-8"), re.MULTILINE), (
                test
            )
