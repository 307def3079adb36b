"""What can come of handing over a notice, other than that it was sent."""

from __future__ import annotations


class Refused(Exception):
    """It was not sent. ``final``: and never will be."""

    def __init__(self, reason: str, *, final: bool) -> None:
        super().__init__(reason)
        self.final = final


class Unsettled(Exception):
    """Nobody knows whether it was sent."""
