"""How a text becomes SMS segments, for plugins that send texts.

One segment holds 140 bytes: 160 letters of the GSM-7 alphabet (3GPP TS 23.038) or 70 UTF-16 units
(UCS-2). A longer text goes out in parts of 153 or 67, since each part carries a header. Letters of
GSM-7's extension table count two. One letter outside GSM-7 turns the whole text to UCS-2. A letter
of two units is never cut in two: it moves to the next part.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

GSM7_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM7_EXTENDED = frozenset("\f^{}\\[~]|€")

Encoding = Literal["GSM-7", "UCS-2"]
LIMITS: dict[Encoding, tuple[int, int]] = {"GSM-7": (160, 153), "UCS-2": (70, 67)}
"""Units that fit into a lone segment, and into each of several."""


class Segments(Struct, frozen=True, kw_only=True):
    """A text on the wire. ``units``: septets (GSM-7) or 16-bit units (UCS-2), as counted against
    the limits; ``left``: units that still fit before a segment is added; ``wide``: the first
    letter outside GSM-7. An empty text has no segment."""

    encoding: Encoding
    units: int
    segments: int
    left: int
    wide: str | None = None


def count(text: str) -> Segments:
    """The segments of ``text``."""
    wide = next((c for c in text if c not in GSM7_BASIC and c not in GSM7_EXTENDED), None)
    encoding: Encoding = "GSM-7" if wide is None else "UCS-2"
    two_units = GSM7_EXTENDED.__contains__ if wide is None else "\uffff".__lt__
    units = len(text) + sum(map(two_units, text))
    alone, part = LIMITS[encoding]
    if units <= alone:
        segments, left = min(units, 1), alone - units
    else:
        segments, left = _pack((2 if two_units(c) else 1 for c in text), part)
    return Segments(encoding=encoding, units=units, segments=segments, left=left, wide=wide)


def _pack(sizes: Iterable[int], part: int) -> tuple[int, int]:
    """How many parts are filled, and what is left of the last."""
    segments, left = 1, part
    for size in sizes:
        if size > left:
            segments, left = segments + 1, part
        left -= size
    return segments, left
