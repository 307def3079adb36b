"""Raw deliveries as staff may see them: without what would let somebody forge another."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, cast

from hub.flow.host import Channel
from hub.flow.intake import DryRun
from hub.flow.views import shapes
from hub.flow.views.present import when
from hub.flow.views.renderings import LONGEST_TEXT, plain, renderings
from hub.plugin import Delivery, Message, Verification
from hub.plugin.types import Event
from hub.rules import redaction
from hub.rules.content import storable
from hub.store.rows import Row, facts

SHOWN_BODY = 64 * 1024
"""Bytes of a body that are shown; all of it can be downloaded."""
SHOWN_EVENTS = 100
SHOWN_RENDERED = 20
"""Events that are rendered, if they are messages."""
NOT_RUNNING = (
    "The channel is not running, so nobody can tell which parts of the body are its secrets. "
    "It is shown once the channel runs again."
)

Named = Mapping[str, tuple[int, int]]


def listed(row: Row) -> shapes.DeliveryOut:
    """A delivery in the list."""
    return shapes.DeliveryOut(**_common(row))


def detail(
    row: Row,
    delivery: Delivery,
    proof: Verification | None,
    entries: Sequence[Row],
    secrets: Sequence[str] | None,
) -> shapes.DeliveryDetail:
    """A delivery in full. ``secrets`` are its channel's; ``None``: nobody knows them."""
    headers = [redaction.header(name, value, secrets) for name, value in delivery.headers]
    return shapes.DeliveryDetail(
        **_common(row),
        url=redaction.address(delivery.url, secrets),
        headers=[
            shapes.DeliveryHeader(name=one.name, value=one.value, hidden=one.hidden)
            for one in headers
        ],
        remote=delivery.remote,
        proof=_proof(proof),
        body=_body(delivery, secrets),
        entries=[_entry(one) for one in entries],
    )


def body_of(delivery: Delivery, secrets: Sequence[str]) -> bytes:
    """A whole body, without its channel's secrets."""
    return redaction.out_of(delivery.body, secrets)


def names(dry: DryRun) -> set[str]:
    """The provider's ids in what a channel understood."""
    events = () if dry.result is None else dry.result.events
    return {name for name in map(_external_id, events) if name}


def dry_run(dry: DryRun, named: Named, channel: Channel) -> shapes.DeliveryDryRun:
    """What would come of a delivery; ``named``: the entries of the ids in it."""
    secrets = channel.secrets
    events = () if dry.result is None else dry.result.events
    reply = None if dry.result is None else dry.result.reply
    return shapes.DeliveryDryRun(
        state=cast("shapes.DeliveryState", dry.state),
        reason=None if dry.reason is None else storable(redaction.out_of_text(dry.reason, secrets)),
        proof=_proof(dry.proof),
        events=[
            _event(event, named, channel, looks=place < SHOWN_RENDERED)
            for place, event in enumerate(events[:SHOWN_EVENTS])
        ],
        more_events=max(0, len(events) - SHOWN_EVENTS),
        reply=None
        if reply is None
        else shapes.DeliveryReply(
            status=reply.status,
            content_type=reply.content_type,
            text=redaction.out_of(reply.body, secrets).decode("utf-8", "replace")[:LONGEST_TEXT],
        ),
    )


def _common(row: Row) -> dict[str, Any]:
    stored = facts(row)
    same = ("channel_id", "state", "reason", "source", "method", "size", "attempts")
    return {
        "id": str(row.id),
        **{name: stored[name] for name in same},
        "due_at": None if row.due_at is None else when(row.due_at),
        "received_at": when(row.received_at),
    }


def _proof(proof: Verification | None) -> shapes.DeliveryProof | None:
    return None if proof is None else shapes.DeliveryProof(method=proof.method, detail=proof.detail)


def _body(delivery: Delivery, secrets: Sequence[str] | None) -> shapes.DeliveryBody:
    content_type = delivery.header("content-type")
    if secrets is None:
        return shapes.DeliveryBody(
            content_type=content_type, text=None, base64=None, cut=False, withheld=NOT_RUNNING
        )
    # A secret that reaches over the end of what is shown must not be shown in part.
    whole = redaction.out_of(delivery.body[: 2 * SHOWN_BODY], secrets)
    start = whole[:SHOWN_BODY]
    cut = len(whole) > SHOWN_BODY or len(delivery.body) > 2 * SHOWN_BODY
    text = _text(start, cut=cut)
    return shapes.DeliveryBody(
        content_type=content_type,
        text=text,
        base64=base64.b64encode(start).decode() if text is None else None,
        cut=cut,
        withheld=None,
    )


def _text(body: bytes, *, cut: bool) -> str | None:
    """Bytes as text, if they are one; the cut may have gone through a character."""
    if b"\x00" in body:
        return None
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        if cut and error.start > len(body) - 4:
            return body[: error.start].decode()
        return None


def _entry(row: Row) -> shapes.DeliveryEntry:
    return shapes.DeliveryEntry(
        id=str(row.id),
        thread_id=str(row.thread_id),
        kind=row.kind,
        direction=row.direction,
        preview=row.preview,
        status=row.status,
        at=when(row.sort_at),
    )


def _event(event: Event, named: Named, channel: Channel, *, looks: bool) -> shapes.DeliveryEvent:
    told = cast("dict[str, Any]", redaction.anywhere(plain(event), channel.secrets, LONGEST_TEXT))
    entry = named.get(_external_id(event))
    return shapes.DeliveryEvent(
        type=told.pop("type"),
        facts=told,
        entry_id=None if entry is None else str(entry[0]),
        thread_id=None if entry is None else str(entry[1]),
        renderings=renderings(channel, event) if looks and isinstance(event, Message) else [],
    )


def _external_id(event: Event) -> str:
    """The provider's id of what an event is about, as it is stored; empty where there is none."""
    return storable(getattr(event, "external_id", None) or "")
