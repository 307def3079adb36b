"""``hub audit verify``: whether the audit is whole, while the hub runs or not."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection

from hub.app.commands import run_on
from hub.app.errors import StartupError
from hub.app.hub import Hub
from hub.config import HubConfig
from hub.store import audit
from hub.store import tables as t
from hub.store.audit import Fault, Last
from hub.store.database import Database

STEP = 5_000
"""Lines that are read in one snapshot."""
_MARK = re.compile(r"(\d{1,18}):([0-9a-f]{64}|)")


class Checked(Struct, frozen=True):
    """What there is to say of an organisation's audit. ``mark``: how many lines are whole, and the
    digest of the last of them."""

    slug: str
    mark: Last
    since: int
    fault: Fault | None

    def __str__(self) -> str:
        if self.fault is None:
            behind = f" since line {self.since:,}" if self.since else ""
            count = self.mark.count - self.since
            return (
                f"{self.slug}: {count:,} line{'' if count == 1 else 's'}{behind}, whole. "
                f"Last: {shown(self.mark)}"
            )
        told = f"{self.slug}: line {self.fault.seq:,}"
        if self.fault.id is not None and self.fault.at is not None:
            at = datetime.fromtimestamp(self.fault.at / 1000, UTC)
            told += f" (id {self.fault.id}, {at:%Y-%m-%d %H:%M:%S} UTC)"
        return (
            f"{told} {self.fault.what}.\n"
            f"  The {self.mark.count:,} before it are whole. Last: {shown(self.mark)}"
        )


class Report(Struct, frozen=True):
    """All organisations that were asked for."""

    checked: list[Checked]

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong with any of them."""
        return all(one.fault is None for one in self.checked)

    def __str__(self) -> str:
        return "\n".join(map(str, self.checked))


def shown(mark: Last) -> str:
    """A mark as it is printed, to be kept elsewhere and given again."""
    return f"{mark.count}:{mark.digest}"


def verify(config: HubConfig, organisation: str | None, since: str | None) -> Report:
    """Look at the audit of one organisation or of each. ``since``: a mark that was printed once;
    its line has to be there still, and only what came behind it is read. Raises
    ``StartupError``."""
    begun = Last() if since is None else _mark(since)

    async def work(hub: Hub) -> Report:
        places = await hub.database.read(lambda connection: _places(connection, organisation))
        return Report([await check(hub.database, slug, id_, begun) for slug, id_ in places])

    return run_on(config, work)


async def check(database: Database, slug: str, id_: int, begun: Last) -> Checked:
    """Look at one organisation's, in steps; what it gains meanwhile is left for the next time."""

    def begin(connection: Connection) -> tuple[Last, bool]:
        return audit.last(connection, id_), audit.stands(connection, id_, begun)

    end, stands = await database.read(begin)
    if not stands:
        what = "is not there any more, or is not the one whose digest was kept"
        return Checked(slug, Last(), 0, Fault(begun.count, what))
    at = begun
    while True:
        before = at
        at, fault = await database.read(
            lambda connection, before=before: audit.follow(
                connection, id_, before, up_to=end.count, count=STEP
            )
        )
        if fault is not None:
            return Checked(slug, at, begun.count, fault)
        if at.count >= end.count:
            break
        if at == before:
            what = f"is missing, and all behind it up to line {end.count:,}"
            return Checked(slug, at, begun.count, Fault(at.count + 1, what))
    if at != end:
        fault = Fault(at.count, "is not the last one that the organisation's digest tells of")
    else:
        fault = await database.read(lambda connection: audit.ends(connection, id_, at))
    return Checked(slug, at, begun.count, fault)


def _places(connection: Connection, organisation: str | None) -> list[tuple[str, int]]:
    own = t.organisations.c
    rows = connection.execute(sa.select(own.slug, own.id).order_by(own.slug)).all()
    found = [(row.slug, row.id) for row in rows if organisation in (None, row.slug)]
    if not found:
        known = ", ".join(row.slug for row in rows)
        raise StartupError(f'there is no organisation "{organisation}"; there are: {known}')
    return found


def _mark(text: str) -> Last:
    found = _MARK.fullmatch(text.strip())
    if found is None or (found[2] == "") != (int(found[1]) == 0):
        raise StartupError(f'"{text}" is no mark: they look like 17:3f0c…, as printed by verify')
    return Last(int(found[1]), found[2])
