"""What was measured: samples while a benchmark runs, rows and figures when it has ended."""

from __future__ import annotations

import platform
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

RESULTS = Path(__file__).parent / "results.json"

Values = list[float]
"""A measure of each repetition, in order."""


class Row(Struct):
    """One thing under one condition; each measure is named with its unit."""

    what: str
    at: str
    measures: dict[str, Values]


class Figure(Struct, kw_only=True):
    """What a goal is about: ``values`` hold a number of each repetition."""

    what: str
    values: Values
    unit: str = ""
    floor: str = ""
    """What it is compared with, in words, with its own number."""
    goal: float | None = None
    better: Literal["more", "less"] = "more"

    @property
    def value(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def reached(self) -> bool | None:
        """Whether the median reaches the goal; ``None`` where there is no goal."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.better == "more" else self.value <= self.goal


class Section(Struct, kw_only=True):
    """What one benchmark found, and when and how often it looked."""

    title: str
    method: str
    rows: list[Row]
    figures: list[Figure]
    at: str = msgspec.field(default_factory=lambda: f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    repeat: int = 1
    quick: bool = False


class Results(Struct):
    """Everything measured last, by the benchmark's name."""

    machine: str
    sections: dict[str, Section]


class Samples:
    """Measures as they come in, repetition by repetition."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], dict[str, Values]] = defaultdict(
            lambda: defaultdict(list)
        )

    def add(self, what: str, at: str, measures: Mapping[str, float]) -> None:
        """A repetition's measures."""
        for name, value in measures.items():
            self._values[what, at][name].append(value)

    def values(self, what: str, at: str, measure: str) -> Values:
        """A measure of every repetition."""
        return self._values[what, at][measure]

    def median(self, what: str, at: str, measure: str) -> float:
        """The median of a measure."""
        return statistics.median(self.values(what, at, measure))

    def ratios(self, what: str, to: str, at: str, measure: str) -> Values:
        """``what`` over ``to``, within each repetition."""
        pairs = zip(self.values(what, at, measure), self.values(to, at, measure), strict=True)
        return [one / other for one, other in pairs]

    def total(self, measure: str) -> float:
        """The sum of a measure over everything."""
        return sum(
            sum(measures[measure]) for measures in self._values.values() if measure in measures
        )

    def rows(self) -> list[Row]:
        """Everything, in the order it was first seen."""
        return [Row(what, at, dict(measures)) for (what, at), measures in self._values.items()]


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def load() -> Results:
    """What was measured before on this machine, or nothing."""
    empty = Results(machine(), {})
    if not RESULTS.exists():
        return empty
    found = msgspec.json.decode(RESULTS.read_bytes(), type=Results)
    return found if found.machine == empty.machine else empty


def keep(name: str, section: Section) -> None:
    """Put a benchmark's findings in the place of its earlier ones."""
    results = load()
    results.sections[name] = section
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1))


def machine() -> str:
    """What it was measured on, in a line."""
    return ", ".join(
        [
            f"{len(_processors())} x {_processors()[0]}",
            f"{_memory():.0f} GB",
            f"{platform.system()} {platform.release()}",
            f"Python {platform.python_version()}",
        ]
    )


def _processors() -> list[str]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]


def _memory() -> float:
    first = Path("/proc/meminfo").read_text().split(maxsplit=2)
    return int(first[1]) / 1_000_000
