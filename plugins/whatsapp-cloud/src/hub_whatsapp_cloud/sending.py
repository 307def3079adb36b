"""Sending: a text, a file with or without words, or a template."""

from __future__ import annotations

from typing import Any, cast

from hub.plugin import (
    Accepted,
    Context,
    Outbound,
    OutcomeUnknown,
    Permanent,
    Temporary,
    WirePart,
)
from hub_whatsapp_cloud import graph, parts, people, showing
from hub_whatsapp_cloud.limits import CARRIES
from hub_whatsapp_cloud.settings import Settings
from hub_whatsapp_cloud.webhooks import MINE

TIMEOUT = 15.0
MEDIA_SECONDS = 86_400.0
"""How long Meta may take to fetch a file."""


async def send(ctx: Context, message: Outbound, settings: Settings) -> Accepted:
    """One attempt (``POST /{phone number id}/messages``). Meta knows no idempotency key for it, so
    whatever may have reached it is never repeated blindly."""
    going = parts.parts_of(message, CARRIES)
    if message.own_address not in {"", settings.number}:
        raise Permanent("configuration", "The sender's number is not this channel's")
    left = (message.deadline - ctx.clock.now()).total_seconds()
    if left <= 0:
        raise Temporary("The deadline has passed")
    limit = min(TIMEOUT, left)

    async def one(part: WirePart) -> Accepted:
        path = f"{settings.phone_number_id}/messages"
        answer = await graph.post(ctx, settings, path, _body(ctx, message, part), limit)
        return Accepted(external_id=_id(answer))

    return await parts.one_by_one(ctx, message, going, one)


def _id(answer: dict[str, Any]) -> str:
    taken = answer.get("messages")
    first: Any = cast("list[Any]", taken)[0] if isinstance(taken, list) and taken else None
    name = cast("dict[str, Any]", first).get("id") if isinstance(first, dict) else None
    if not isinstance(name, str) or not name:
        raise OutcomeUnknown("Meta answered a success without an id")
    return name


def _body(ctx: Context, message: Outbound, part: WirePart) -> dict[str, Any]:
    where = "recipient" if message.address.scheme == people.USER else "to"
    body: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        where: message.address.value,
        "biz_opaque_callback_data": f"{MINE}{message.id}",
    }
    if message.reply_to and part is message.wire[0]:
        body["context"] = {"message_id": message.reply_to}
    return body | _content(ctx, message, part)


def _content(ctx: Context, message: Outbound, part: WirePart) -> dict[str, Any]:
    if message.kind == "template":
        return {"type": "template", "template": part.data["template"]}
    files = parts.files_of(message, part)
    if not files:
        return {"type": "text", "text": {"body": part.text, "preview_url": True}}
    (file,) = files
    kind = _kind(file.content_type)
    content = {"link": ctx.media.signed_url(file.id, seconds=MEDIA_SECONDS)}
    if part.text.strip():
        content["caption"] = part.text
    if kind == "document":
        content["filename"] = file.name
    return {"type": kind, kind: content}


def _kind(content_type: str) -> str:
    if content_type == showing.STICKER:
        return "sticker"
    family = content_type.partition("/")[0]
    return family if family in {"image", "video", "audio"} else "document"
