"""What a run is told."""

from __future__ import annotations

import sys

from msgspec import Struct


class Options(Struct, frozen=True, kw_only=True):
    """``seconds`` of load at a time, ``repeat`` all of it so often; ``quick``: everything smaller,
    to see that it runs; ``large``: a million conversations too."""

    seconds: int = 4
    repeat: int = 3
    quick: bool = False
    large: bool = False

    def say(self, what: str) -> None:
        """Tell a person who waits what is going on."""
        sys.stderr.write(f"  {what}\n")
        sys.stderr.flush()
