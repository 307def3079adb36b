"""Until when conversations are to be answered.

A conversation keeps since when it waits, and nothing else: when its answer is due follows from
that and from what the organisation has set, and so does which ones are late. A change of hours or
targets therefore holds at once for all of them, however many there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from msgspec.structs import replace
from sqlalchemy import Connection

from hub.flow.host import now_ms
from hub.rules import hours
from hub.store import people
from hub.store.inbox import Filter, ThreadRow


def as_of_now(connection: Connection, organisation_id: int, wanted: Filter) -> Filter:
    """A filter that knows what is late now, and which days its range means."""
    settings, name = people.settings_of(connection, organisation_id)
    zone, now = ZoneInfo(name), now_ms()
    since, until = wanted.range.bounds(now, zone)
    wanted = replace(wanted, since=since, until=until)
    if not settings.targets.on:
        return wanted
    late = hours.late_since(settings.hours, zone, now, settings.targets.minutes)
    return replace(wanted, late_since=late)


def due_times(
    connection: Connection, organisation_id: int, rows: Iterable[ThreadRow]
) -> dict[int, int]:
    """When rows of the list are to be answered (milliseconds), those that wait."""
    waiting = [(row.id, row.waiting_since) for row in rows if row.waiting_since is not None]
    if not waiting:
        return {}
    settings, name = people.settings_of(connection, organisation_id)
    if not settings.targets.on:
        return {}
    zone, minutes = ZoneInfo(name), settings.targets.minutes
    found = ((id_, hours.due_at(settings.hours, zone, at, minutes)) for id_, at in waiting)
    return {id_: due for id_, due in found if due is not None}
