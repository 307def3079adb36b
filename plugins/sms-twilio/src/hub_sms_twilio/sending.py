"""Sending a text, and finding out whether one went out."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from hub.plugin import (
    Accepted,
    Context,
    Outbound,
    Permanent,
    Reconciled,
    Unsupported,
    WirePart,
)
from hub_sms_twilio import asking, media, messages, numbers
from hub_sms_twilio.forms import TRANSMISSION
from hub_sms_twilio.messages import MEDIA_SECONDS
from hub_sms_twilio.rendering import MAX_LENGTH
from hub_sms_twilio.settings import Settings

health = asking.health


async def send(ctx: Context, message: Outbound, settings: Settings) -> Accepted:
    """One attempt."""
    part = _part(message)
    limit = messages.limit_of(ctx, message)
    parameters: dict[str, Any] = {"to": message.address.value, **_sender(message, settings)}
    if part.text:
        parameters["body"] = part.text
    if part.attachment_ids:
        parameters["media_url"] = [
            ctx.media.signed_url(each, seconds=MEDIA_SECONDS) for each in part.attachment_ids
        ]
    if settings.status_callbacks:
        query = urlencode({TRANSMISSION: message.id})
        parameters["status_callback"] = f"{ctx.public_url()}?{query}"
    return await messages.create(ctx, settings, parameters, limit)


async def reconcile(ctx: Context, message: Outbound, settings: Settings) -> Reconciled:
    """Look for the message at Twilio."""
    part = _part(message)
    sender = _sender(message, settings).get("from_")
    wanted = {"to": message.address.value} | ({"from_": sender} if sender else {})
    return await messages.find(ctx, settings, message, messages.says(part), wanted)


def _part(message: Outbound) -> WirePart:
    """The one part that goes out. Raises before anything has touched the network."""
    if message.kind != "message":
        raise Unsupported(f"Text messages know no {message.kind}")
    if len(message.wire) != 1:
        raise Permanent("unsupported_content", "A text message goes out as one part")
    if not numbers.can_receive(message.address):
        raise Permanent("bad_address", "This address takes no text messages")
    part = message.wire[0]
    if not part.text.strip() and not part.attachment_ids:
        raise Permanent("unsupported_content", "There is neither text nor a file")
    if len(part.text) > MAX_LENGTH:
        raise Permanent("too_large", f"The text is longer than {MAX_LENGTH:,} characters")
    going = [each for each in message.attachments if each.id in part.attachment_ids]
    problem = media.problem(going, media.LIMITS)
    if problem is not None:
        raise problem
    return part


def _sender(message: Outbound, settings: Settings) -> dict[str, str]:
    """Own number, Messaging Service, or both: then the service sends from that number (``From``
    with ``MessagingServiceSid``, by the OpenAPI document)."""
    sender: dict[str, str] = {}
    if settings.messaging_service_sid is not None:
        sender["messaging_service_sid"] = settings.messaging_service_sid
    if message.own_address in settings.numbers:
        sender["from_"] = message.own_address
    elif settings.messaging_service_sid is None:
        if message.own_address:
            raise Permanent("configuration", "The sender's number is none of this channel's")
        sender["from_"] = settings.numbers[0]
    return sender
