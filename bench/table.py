"""Findings as a table on the terminal."""

from __future__ import annotations

import statistics

from bench.results import Figure, Section, Values


def number(value: float) -> str:
    """As many digits as mean something."""
    if value == 0 or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def spread(values: Values) -> str:
    """The median, and from where to where the repetitions went if there were several."""
    shown = number(statistics.median(values))
    if number(min(values)) == number(max(values)):
        return shown
    return f"{shown} ({number(min(values))} to {number(max(values))})"


def goal(figure: Figure) -> str:
    """What was to be reached."""
    if figure.goal is None:
        return ""
    sign = "≥" if figure.better == "more" else "≤"
    return f"{sign} {number(figure.goal)} {figure.unit}".strip()


def verdict(figure: Figure) -> str:
    """Whether it was."""
    return {True: "yes", False: "no", None: ""}[figure.reached]


def show(section: Section) -> None:
    """Print rows, then figures."""
    print(f"\n{section.title}\n")
    measures = list(dict.fromkeys(name for row in section.rows for name in row.measures))
    lines = [["", "", *measures]]
    for row in section.rows:
        cells = [spread(row.measures[m]) if m in row.measures else "" for m in measures]
        lines.append([row.what, row.at, *cells])
    _print(lines)
    print()
    lines = [["", "measured", "goal", "reached", "beside"]]
    for figure in section.figures:
        measured = f"{spread(figure.values)} {figure.unit}".strip()
        lines.append([figure.what, measured, goal(figure), verdict(figure), figure.floor])
    _print(lines)


def _print(lines: list[list[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())
