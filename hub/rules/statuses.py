"""How a message's status moves.

A transmission is ``pending`` (or ``scheduled``) until it is picked up, ``sending`` while the
provider is being asked, then what the provider says. What the provider reports comes in any order
and more than once, so reports are ranked and never go back, with one exception that is real: a
message that was sent may turn out to have failed. What waits for approval has no transmission yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

WAITING = frozenset({"pending", "scheduled"})
"""Not picked up for sending yet."""

_RANK = {"queued": 1, "sent": 2, "delivered": 4, "read": 5, "failed": 3}
# ``failed`` lies between: it overrides sent, and a delivery that is reported all the same wins.


def advance(current: str, reported: str) -> str:
    """The status after a provider's report; ``current`` when the report adds nothing.

    A report about a transmission that was never handed over (canceled, still waiting) adds
    nothing; one whose outcome was unknown is known now.
    """
    if reported not in _RANK:
        raise ValueError(f"{reported!r} is not a status a provider reports")
    if current in {"sending", "unknown"}:
        return reported
    rank = _RANK.get(current)
    return reported if rank is not None and _RANK[reported] > rank else current


def of_parts(parts: Mapping[str, str]) -> str:
    """The status of a transmission that went out in parts: failed if one failed, else as far as
    the slowest is."""
    statuses = set(parts.values())
    return "failed" if "failed" in statuses else min(statuses, key=_RANK.__getitem__)


_ENTRY_ORDER = (
    # What a person has to know first.
    "unknown",
    "failed",
    "sending",
    "pending",
    "scheduled",
    "queued",
    "sent",
    "delivered",
    "read",
    "canceled",
)


def of_entry(transmissions: Iterable[str]) -> str:
    """The status of an entry, from those of its transmissions."""
    status = min(transmissions, key=_ENTRY_ORDER.index)
    return "pending" if status == "sending" else status
