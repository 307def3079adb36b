"""``python -m bench.report``: what was measured last, as ``docs/performance.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from bench.results import Results, Section, load
from bench.table import goal, spread, verdict

NOTES = Path(__file__).with_name("notes.md")
"""What a person has to say about the figures; stands at the end of the page."""
DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"
INTRODUCTION = """\
# Performance

Made by `make bench`; do not edit. Every figure stands beside a floor: a small program in
`bench/floors/` that does the least that could do, measured in the same run on the same machine. The
machine is shared and noisy, so ratios within one run count, and CPU time before the time on the
clock. A number is the median of the repetitions, with the lowest and the highest in brackets.
"""


def document(results: Results) -> str:
    """The page."""
    parts = [INTRODUCTION, f"Measured on: {results.machine}.\n", *_goals(results)]
    for section in results.sections.values():
        parts += _section(section)
    return "\n".join([*parts, NOTES.read_text(encoding="utf-8")])


def _goals(results: Results) -> Iterator[str]:
    yield "## Goals\n"
    head = ["what", "measured", "goal", "reached", "beside"]
    lines = [
        [figure.what, f"{spread(figure.values)} {figure.unit}", goal(figure), verdict(figure),
         figure.floor]
        for section in results.sections.values()
        for figure in section.figures
    ]  # fmt: skip
    yield _table(head, lines)


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.title}\n"
    yield f"{section.method}\n"
    times = "once" if section.repeat == 1 else f"{section.repeat} times"
    short = ", shortened (`--quick`)" if section.quick else ""
    yield f"Measured {times}, {section.at}{short}.\n"
    measures = list(dict.fromkeys(name for row in section.rows for name in row.measures))
    lines = [
        [
            row.what,
            row.at,
            *(spread(row.measures[m]) if m in row.measures else "" for m in measures),
        ]
        for row in section.rows
    ]
    yield _table(["what", "at", *measures], lines)


def _table(head: list[str], lines: list[list[str]]) -> str:
    marked = [head, ["---"] * len(head), *lines]
    return "".join(f"| {' | '.join(cell.strip() for cell in line)} |\n" for line in marked)


def main() -> int:
    """Write the page."""
    results = load()
    if not results.sections:
        print("nothing was measured yet on this machine: make bench")
        return 1
    DOCUMENT.write_text(document(results), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
