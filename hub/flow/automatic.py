"""What the hub writes by itself: the answers to STOP, START and HELP, and until when any such
message is held back."""

from __future__ import annotations

from typing import Literal

import msgspec
import structlog

from hub.flow import news
from hub.flow.compose import GIVE_UP_AFTER
from hub.flow.host import Channel, PluginFault
from hub.flow.settings import Known
from hub.plugin import Address, HookError, Item
from hub.rules import commands as c
from hub.rules.content import Content, one_line, storable
from hub.rules.quiet import may_go_at, zone_of
from hub.store.ids import Ids

log = structlog.get_logger()

ANSWERS = Literal["stop", "start", "help"]
HOUR = 3_600_000
_encode = msgspec.json.Encoder(order="deterministic").encode


def due_at(known: Known, scheme: str, value: str, at: int) -> int:
    """When an automatic message to an address may go out, from ``at`` on (in milliseconds)."""
    zone = zone_of(scheme, value, at, known.zone)
    return may_go_at(known.settings.quiet_hours, at, zone)


def answer(
    channel: Channel,
    known: Known,
    ids: Ids,
    *,
    word: ANSWERS,
    to: Address,
    own_address: str,
    at: int,
    said_in: tuple[str, int] | None,
) -> c.SendMessage | None:
    """The organisation's answer to a word, to be sent from where it was written to; ``None`` where
    there is none, or the channel cannot say it. To HELP once an hour, so that two programs do not
    answer each other for ever; the other two are sent when something changes, and only then."""
    text = getattr(known.settings.consent, f"{word}_answer").strip()
    if not (text and channel.info.can.outbound):
        return None
    item = Item(direction="out", text=text, address=to, own_address=own_address)
    try:
        rendered = channel.render(item, "wire")
    except (HookError, PluginFault) as error:
        log.warning("automatic.unsendable", channel=channel.id, reason=str(error))
        return None
    if not rendered.wire:
        return None
    stops = word == "stop"
    due = at if stops else due_at(known, to.scheme, to.value, at)
    once = f"{word}:{channel.id}:{to.scheme}:{storable(to.value)}:{at // HOUR}"
    return c.SendMessage(
        organisation_id=channel.organisation_id,
        at=at,
        entry_id=ids.new(),
        transmission_id=ids.new(),
        thread_id=None,
        contact_id=None,
        channel_id=channel.id,
        grouping=channel.info.group,
        address=news.address(to),
        own_address=own_address,
        content=Content(text=text, warnings=list(rendered.warnings)),
        preview=one_line(text),
        wire=_encode(rendered.wire).decode(),
        author_kind="system",
        answers=False,
        due_at=due,
        deadline=due + GIVE_UP_AFTER,
        idempotency_key=once if word == "help" else None,
        confirms=stops,
        said_in=said_in,
    )
