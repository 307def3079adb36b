"""What an error of the database means for a batch."""

from __future__ import annotations

from enum import Enum

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

# SQLSTATE classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
_TAKEN = "23505"  # unique violation
_AGAIN = ("40001", "40P01")  # serialization failure, deadlock
_LOST = ("08", "57P01", "57P02", "57P03")  # connection, server shut down or starting
_AWAY = ("53", "57", "58", "25006")  # resources, operator intervention, system, read-only
_TAKEN_ON_SQLITE = ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY")


class Fault(Enum):
    """What to do about an error."""

    AGAIN = "somebody else was faster: the same work will find what they did"
    LOST = "the connection is gone: the same work may be done on another"
    AWAY = "the whole database is in trouble"
    ITEM = "one item of the batch is wrong"


def classify(error: Exception) -> Fault:
    """Which of them an error of a batch is."""
    if isinstance(error, DBAPIError):
        return _of_database(error, str(getattr(error.orig, "sqlstate", None) or ""))
    return Fault.LOST if isinstance(error, OSError) else Fault.ITEM


def _of_database(error: DBAPIError, state: str) -> Fault:
    if error.connection_invalidated or state.startswith(_LOST):
        return Fault.LOST
    if state == _TAKEN or state in _AGAIN:
        return Fault.AGAIN
    if isinstance(error, IntegrityError):
        name = getattr(error.orig, "sqlite_errorname", "")
        return Fault.AGAIN if name in _TAKEN_ON_SQLITE else Fault.ITEM
    if state.startswith(_AWAY) or (isinstance(error, OperationalError) and not state):
        return Fault.AWAY  # on SQLite: disk full, locked, not readable
    return Fault.ITEM
