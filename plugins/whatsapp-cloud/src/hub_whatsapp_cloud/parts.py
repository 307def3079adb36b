"""The messages that a send goes out as: whether they may, and one after the other."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from hub.plugin import (
    Accepted,
    Attachment,
    Context,
    HookError,
    Outbound,
    Permanent,
    Unsupported,
    WirePart,
)
from hub_whatsapp_cloud import people, showing
from hub_whatsapp_cloud.showing import Carries

KEPT = 7 * 86_400
"""Seconds for which it is kept which messages of a send are out."""


def parts_of(message: Outbound, carries: Carries) -> tuple[WirePart, ...]:
    """What goes out. Raises before anything has touched the network."""
    if message.kind not in {"message", "template"}:
        raise Unsupported(f"The channel sends no {message.kind}")
    if not people.can_receive(message.address):
        raise Permanent("bad_address", "WhatsApp reaches phone numbers and its own users")
    if not message.wire:
        raise Permanent("unsupported_content", "There is nothing to send")
    going = [each for part in message.wire for each in files_of(message, part)]
    problem = showing.problem(going, carries)
    if problem is not None:
        raise problem
    for part in message.wire:
        _check(message, part, carries)
    return message.wire


def files_of(message: Outbound, part: WirePart) -> list[Attachment]:
    """The files of a part, one or none."""
    return [each for each in message.attachments if each.id in part.attachment_ids]


def _check(message: Outbound, part: WirePart, carries: Carries) -> None:
    if message.kind == "template":
        if not isinstance(part.data.get("template"), dict):
            raise Permanent("unsupported_content", "There is no template")
        return
    files, words = files_of(message, part), part.text.strip()
    if len(files) > 1:
        raise Permanent("unsupported_content", "WhatsApp carries one file in each message")
    if not words and not files:
        raise Permanent("unsupported_content", "There is neither text nor a file")
    if len(part.text) > carries.max_length:
        most = f"{carries.max_length:,}"
        raise Permanent("too_large", f"The text is longer than {most} characters")
    if words and files and not showing.takes_caption(files[0].content_type):
        raise Permanent("unsupported_content", "No words can stand below this file")
    if words and files and len(part.text) > showing.CAPTION:
        raise Permanent("too_large", f"Below a file go {showing.CAPTION:,} characters")


async def one_by_one(
    ctx: Context,
    message: Outbound,
    parts: tuple[WirePart, ...],
    send: Callable[[WirePart], Awaitable[Accepted]],
) -> Accepted:
    """Send each part once, however often the whole is attempted: which are out is kept. What
    fails says which are out."""
    if len(parts) == 1:
        return await send(parts[0])
    ids = await out_already(ctx, message)
    for part in parts[len(ids) :]:
        try:
            ids.append((await send(part)).external_id)
        except HookError as error:
            error.accepted = tuple(ids)
            raise
        await keep(ctx, message, ids)
    await ctx.kv.delete(_key(message))
    return Accepted(external_id=ids[0], parts=tuple(ids))


async def out_already(ctx: Context, message: Outbound) -> list[str]:
    """The provider's ids of the parts that are out."""
    kept = await ctx.kv.get(_key(message))
    return [] if kept is None else json.loads(kept.value)


async def keep(ctx: Context, message: Outbound, ids: list[str]) -> None:
    """Remember which parts are out."""
    await ctx.kv.put(_key(message), json.dumps(ids), expires_in=KEPT)


def _key(message: Outbound) -> str:
    return f"sent/{message.id}"
