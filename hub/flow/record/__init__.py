"""The one write path: commands become rows, and only here.

``Record.apply`` takes a batch and carries it out in the transaction it is given: load and lock
what the batch touches, fold the commands in order through the rules, write the differences with
journal and audit. Carried out one at a time, or in any batches, the same commands in the same
order give the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from sqlalchemy import Connection

from hub.flow.record.changes import Changes, Snapshot, write, write_journal
from hub.flow.record.fold import CALL_QUIET, Fold
from hub.flow.record.world import load
from hub.rules.commands import Command
from hub.rules.states import Refusal
from hub.store.ids import Ids

Outcome = int | Refusal | None
"""Of a command: the id of the entry it made or names, or why it may not be carried out."""


class Recorded(Struct):
    """What became of a batch: an outcome for each command, how far each organisation's journal
    reaches now, and the names of the tables of states that changed."""

    outcomes: list[Outcome]
    positions: dict[int, int]
    tables: set[str]


class Record:
    """Turns commands into rows. ``link``: where a mail about a conversation leads, by its id;
    ``None`` where no mails are sent."""

    def __init__(self, ids: Ids, link: Callable[[int], str] | None = None) -> None:
        self._ids = ids
        self._link = link

    @property
    def node(self) -> int:
        """The number this process has taken from the database."""
        return self._ids.node

    def apply(self, connection: Connection, commands: Sequence[Command]) -> Recorded:
        """Carry out ``commands`` in order, in the connection's transaction."""
        world = load(connection, commands)
        before = Snapshot(world)
        changes = Changes()
        fold = Fold(world, changes, self._ids, self._link)
        outcomes: list[Outcome] = []
        for command in commands:
            try:
                outcomes.append(fold.apply(command))
            except Refusal as refusal:
                outcomes.append(refusal)
        positions, tables = write(connection, before, world, changes)
        return Recorded(outcomes, positions, tables)

    def tell(self, connection: Connection, changes: Changes) -> Recorded:
        """Write the journal and audit of what is no conversation."""
        return Recorded([], write_journal(connection, changes), set())


__all__ = ["CALL_QUIET", "Changes", "Outcome", "Record", "Recorded"]
