"""``[[notices.texts]]``: the channels through which notices go as texts, one an organisation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from msgspec import Struct, field

from hub.config.convert import salvage
from hub.config.document import Document, Report
from hub.config.errors import did_you_mean
from hub.config.mail import TEXTS
from hub.config.model import ChannelConfig, TextsConfig
from hub.config.references import References, replace_references


class _Table(Struct, frozen=True):
    channel: str
    organisation: str | None = None
    sender: str | None = field(default=None, name="from")


def text_sections(
    document: Document, slugs: Sequence[str], channels: Sequence[ChannelConfig]
) -> Iterator[TextsConfig]:
    """The tables that can be used."""
    notices = document.content.get("notices")
    raw: Any = cast("dict[str, Any]", notices).get(TEXTS, []) if isinstance(notices, dict) else []
    if not isinstance(raw, list):
        report = document.report_to(document.origin("[notices]", "notices"))
        report((TEXTS,), "expected tables in double brackets: [[notices.texts]]")
        return
    taken: set[str] = set()
    for number, item in enumerate(cast("list[Any]", raw)):
        origin = document.origin(f"[[notices.texts]] {number + 1}", "notices", TEXTS, number)
        report = document.report_to(origin)
        if not isinstance(item, dict):
            report((), "expected a table: [[notices.texts]]")
            continue
        references = References(document.environ, document.folder, report)
        resolved = replace_references(cast("dict[str, Any]", item), (), references.look_up)
        table = salvage(_Table, resolved, report)
        organisation = None if table is None else _organisation(table, slugs, report)
        if table is None or organisation is None:
            continue
        if organisation in taken:
            report((), f"{organisation} has one already")
            continue
        taken.add(organisation)
        if _check_channel(table.channel, organisation, channels, report):
            yield TextsConfig(
                organisation=organisation,
                channel=table.channel,
                sender=table.sender,
                origin=origin,
            )


def _organisation(table: _Table, slugs: Sequence[str], report: Report) -> str | None:
    given = table.organisation
    if given is None and len(slugs) == 1:
        return slugs[0]
    if given in slugs:
        return given
    if given is None:
        report(("organisation",), f"missing; known: {', '.join(slugs) or 'none'}")
    else:
        hint = did_you_mean(given, slugs)
        report(("organisation",), f"no [[organisations]] has this slug{hint}")
    return None


def _check_channel(
    id_: str, organisation: str, channels: Sequence[ChannelConfig], report: Report
) -> bool:
    own = {channel.id: channel for channel in channels if channel.organisation == organisation}
    if id_ not in own:
        hint = did_you_mean(id_, list(own))
        report(("channel",), f"{organisation} has no channel with this id{hint}")
        return False
    if not own[id_].enabled:
        report(("channel",), "the channel is switched off")
        return False
    return True
