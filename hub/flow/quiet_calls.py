"""Calls of which nothing more is told: after long silence they end with an outcome of their own.

A provider's last callback may be lost. When a call begins, ``hub.flow.record`` sets a timer in the
same transaction; here is what it does. What is told of a call later still counts.
"""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from hub.flow.clock import Timer
from hub.flow.host import now_ms
from hub.flow.record import CALL_QUIET
from hub.flow.writer import Transaction
from hub.rules import calls, updates
from hub.rules.commands import GiveUpCall
from hub.store import tables as t
from hub.store.clock import Due
from hub.store.statements import bound

_UPDATES = sa.select(t.entries.c.updates).where(*bound(id=t.entries.c.id))


class Heard(Struct):
    """When the last thing was told that was known when the timer was set, in milliseconds."""

    at: int | None = None


def _fire(transaction: Transaction, due: Due, heard: Heard) -> None:
    known = transaction.connection.execute(_UPDATES, {"id": int(due.key)}).scalar()
    call = updates.decode(known).call or calls.Call()
    if call.outcome is not None:
        return
    now, last = now_ms(), calls.heard_at(call)
    if last is not None and last != heard.at:  # it went on meanwhile: wait again, from then
        again = min(last, now) + calls.QUIET_MS
        TIMER.put(transaction.connection, due.organisation_id, due.key, again, Heard(at=last))
        return
    command = GiveUpCall(organisation_id=due.organisation_id, at=now, entry_id=int(due.key))
    transaction.record([command])


TIMER: Timer[Heard] = Timer(kind=CALL_QUIET, payload=Heard, fire=_fire)
