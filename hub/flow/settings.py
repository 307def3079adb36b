"""The settings of organisations, as they are now.

They are read again after ``FRESH`` at the latest, so that what another process has changed holds
here soon; what this one changes holds at once. What must not rest on settings that have just been
replaced reads them in the transaction that it decides in (``store.people.settings_of``).
"""

from __future__ import annotations

import time
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from hub.flow.host import now_ms
from hub.flow.record import Changes
from hub.flow.writer import Transaction, Unavailable, Writer
from hub.rules.rights import Actor
from hub.rules.settings import Assignment, Settings, SettingsPatch, replaced, version
from hub.rules.states import Refusal
from hub.store import people
from hub.store.database import Database, ReadTooLong
from hub.store.ids import Ids

FRESH = 1.0
"""Seconds for which what was read is believed."""


class Known(Struct, frozen=True):
    """What an organisation has set, and by which clocks it lives."""

    settings: Settings
    zone: ZoneInfo


class OrganisationSettings:
    """Reads and changes them."""

    def __init__(self, database: Database, writer: Writer, ids: Ids) -> None:
        self._database = database
        self._writer = writer
        self._ids = ids
        self._known: dict[int, tuple[float, Known]] = {}

    async def of(self, organisation_id: int) -> Known:
        """Those of an organisation; while they cannot be read, as they were last. Raises
        ``Unavailable`` where they never could."""
        now = time.monotonic()
        read = self._known.get(organisation_id)
        if read is not None and now - read[0] < FRESH:
            return read[1]
        try:
            found = await self._database.read(
                lambda connection: people.settings_of(connection, organisation_id)
            )
        except (DBAPIError, OSError, ReadTooLong) as error:
            if read is not None:
                return read[1]
            raise Unavailable("the settings cannot be read") from error
        latest = self._known.get(organisation_id)
        if latest is not None and latest[0] > now:
            return latest[1]  # they were changed here meanwhile
        return self._keep(organisation_id, now, *found)

    async def change(
        self,
        organisation_id: int,
        patch: SettingsPatch,
        actor: Actor,
        expected: frozenset[str] | None = None,
    ) -> Settings:
        """Replace the sections that are given; what holds then. ``expected``: versions, of which
        what holds now must be one. Raises ``Refusal``, ``Unavailable``."""

        def work(transaction: Transaction) -> tuple[Settings, str]:
            connection = transaction.connection
            before, zone = people.settings_of(connection, organisation_id, lock=True)
            if expected is not None and version(before) not in expected:
                raise Refusal(
                    "changed_meanwhile",
                    "Somebody has changed the settings since they were read. Read them again and "
                    "repeat the change.",
                    kind="stale",
                )
            after = replaced(before, patch)
            if after == before:
                return before, zone
            _check_members(connection, organisation_id, after.assignment)
            people.set_settings(connection, organisation_id, after)
            at, changes = now_ms(), Changes()
            changes.announce("settings.changed", organisation_id, at)
            changes.audited(
                self._ids.new(),
                organisation_id,
                at,
                actor=actor,
                action="settings.changed",
                object_=("organisation", str(organisation_id)),
                before=_differing(before, after),
                after=_differing(after, before),
            )
            transaction.tell(changes)
            return after, zone

        changed = await self._writer.transact(work)
        return self._keep(organisation_id, time.monotonic(), *changed).settings

    def _keep(self, organisation_id: int, at: float, settings: Settings, zone: str) -> Known:
        known = Known(settings, ZoneInfo(zone))
        self._known[organisation_id] = (at, known)
        return known


def _check_members(connection: Connection, organisation_id: int, section: Assignment) -> None:
    """Whoever is named to take part is a member. Raises ``Refusal``."""
    named = [("assignment.members", section.members or ())]
    named += [
        (f"assignment.channels[{place}].members", one.members or ())
        for place, one in enumerate(section.channels)
    ]
    if not any(ids for _, ids in named):
        return
    known = {str(one.id) for one in people.members_of(connection, organisation_id)}
    fields = {field: "names nobody here" for field, ids in named if not known.issuperset(ids)}
    if fields:
        raise Refusal("no_member", "There is no such member.", fields=fields)


def _differing(these: Settings, others: Settings) -> dict[str, object]:
    """The sections in which they differ, as these have them."""
    return {
        name: msgspec.to_builtins(section)
        for name in Settings.__struct_fields__
        if (section := getattr(these, name)) != getattr(others, name)
    }
