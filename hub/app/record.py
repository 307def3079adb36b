"""``hub plugin record``: cases of the conformance suite out of what a channel has received."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from sqlalchemy import Connection

from hub.app.commands import run_on
from hub.app.errors import StartupError
from hub.app.hub import Hub
from hub.config import ChannelConfig, HubConfig, convert_settings
from hub.conformance.cases import Cases, CasesError, find_cases, read_cases
from hub.conformance.check import Failed, NeedsCase, NotApplicable
from hub.conformance.recording import CannotRecord, Recorder, write_case
from hub.conformance.subject import Subject
from hub.flow.host import find
from hub.flow.kept import delivery_of
from hub.flow.replay import proof_of
from hub.plugin import Delivery, Verification
from hub.rules.redaction import looks_secret
from hub.store import deliveries as store
from hub.store.ids import parse
from hub.store.rows import Row

EVERY = 1 << 62
"""Above every id."""


class RecordReport(Struct, frozen=True):
    """What was written, and what could not be, a line each."""

    lines: list[str]
    failed: int = 0
    """How many deliveries no case could be made of."""

    def __str__(self) -> str:
        return "\n".join(self.lines)


class _Kept(Struct, frozen=True):
    """A delivery of the channel's."""

    id: str
    state: str
    delivery: Delivery
    proof: Verification | None


def record(
    config: HubConfig,
    channel: str,
    *,
    organisation: str | None,
    ids: Sequence[str],
    last: int,
    cases: Path | None,
) -> RecordReport:
    """Write cases of the deliveries named by ``ids``, or of each kind among the ``last`` ones that
    came, into the folder ``cases``, with what is personal replaced."""
    configured = _configured(config, channel, organisation)
    plugin = find(configured.plugin)
    if isinstance(plugin, list):
        raise StartupError(f'channel "{channel}": {"; ".join(plugin)}')
    settings = convert_settings(plugin.info.settings, configured.settings, configured.origin)
    if isinstance(settings, list):
        raise StartupError("; ".join(map(str, settings)) or "its settings cannot be read")
    folder = cases or find_cases(Path.cwd())
    if folder is None:
        raise StartupError(
            "there is no tests/cases/conformance.toml here: run this in the folder of the plugin's "
            "package, or name its cases by --cases"
        )
    cls = plugin.cls
    subject = Subject(f"{cls.__module__}:{cls.__qualname__}", cls)
    try:
        known = read_cases(folder, plugin.info.can)
        recorder = Recorder(subject, known, settings, looks_secret)
    except (CasesError, Failed, NeedsCase, NotApplicable) as error:
        raise StartupError(str(error)) from error
    found = run_on(config, lambda hub: _kept(hub, configured, ids, last))
    return _write(folder, known, recorder, found, every=bool(ids))


def _configured(config: HubConfig, channel: str, organisation: str | None) -> ChannelConfig:
    found = [
        one
        for one in config.channels
        if one.id == channel and organisation in {None, one.organisation}
    ]
    if not found:
        where = f' in organisation "{organisation}"' if organisation else ""
        known = ", ".join(sorted({one.id for one in config.channels})) or "none"
        raise StartupError(f'there is no channel "{channel}"{where}; there are: {known}')
    if len(found) > 1:
        slugs = ", ".join(one.organisation for one in found)
        raise StartupError(f'several organisations have a channel "{channel}"; name one: {slugs}')
    return found[0]


async def _kept(hub: Hub, configured: ChannelConfig, ids: Sequence[str], last: int) -> list[_Kept]:
    organisation_id = hub.organisations[configured.organisation]
    wanted = [parse(id_) for id_ in ids]

    def read(connection: Connection) -> list[Row]:
        listed = wanted
        if not ids:
            page = store.page(
                connection, organisation_id, configured.id,
                state=None, first=0, before=EVERY, limit=last,
            )  # fmt: skip
            listed = [row.id for row in page.rows]
        rows = [store.one(connection, organisation_id, configured.id, one or 0) for one in listed]
        for id_, row in zip(ids, rows, strict=False):
            if row is None:
                raise StartupError(f"channel {configured.id} has received no delivery {id_}")
        return [row for row in rows if row is not None]

    found: list[_Kept] = []
    for row in await hub.database.read(read):
        try:
            delivery = await delivery_of(row, hub.blobs)
        except FileNotFoundError:
            continue  # the file with its body is gone
        found.append(_Kept(str(row.id), row.state, delivery, proof_of(row)))
    return found


def _write(
    folder: Path, known: Cases, recorder: Recorder, kept: Sequence[_Kept], *, every: bool
) -> RecordReport:
    """``every``: also what is like another one."""
    lines: list[str] = []
    made: dict[str, str] = {}
    ids = {event.get("external_id") for case in known.ingest for event in case.events}
    failed = 0
    for one in kept:
        if one.state == "unverified":
            lines.append(f"{one.id}: nobody knows who sent it")
            continue
        try:
            case = asyncio.run(recorder.record(one.delivery, one.proof))
        except CannotRecord as reason:
            lines.append(f"{one.id}: {reason}")
            failed += 1
            continue
        if ids.intersection(case.ids):
            lines.append(f"{one.id}: its message is in a case already")
            continue
        if case.likeness in made and not every:
            lines.append(f"{one.id}: like {made[case.likeness]}")
            continue
        recorded = one.delivery.received_at.date()
        made[case.likeness] = name = write_case(folder, case, recorded)
        ids.update(case.ids)
        lines.append(f"{one.id}: {folder / name}")
        if case.fault is not None:
            lines.append(
                f"  the channel broke on it ({case.fault}): say in expect.json what is right"
            )
    return RecordReport(lines or ["Nothing has arrived on this channel."], failed)
