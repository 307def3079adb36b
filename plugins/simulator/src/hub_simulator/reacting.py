"""Emoji that the customer puts on messages."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec.structs import replace

from hub.plugin import Permanent
from hub_simulator.phone import Phone, Step, with_log, with_step
from hub_simulator.whatsapp import Reacted


def react(
    phone: Phone, message_id: str, emoji: str | None, reaction_id: str, now: datetime
) -> Phone:
    """The customer puts ``emoji`` on a message, or takes it back. Raises ``Permanent`` for a
    message that is not there."""
    message = phone.message(message_id)
    if message is None or not message.arrived:
        raise Permanent("other", "the message is not on the phone any more")
    told = Reacted(
        id=reaction_id, message_id=message_id, sender=phone.number, emoji=emoji, occurred_at=now
    )
    words = f"reaction {emoji or 'taken back'} to {message_id}"
    body = msgspec.json.encode(told).decode()
    step = Step(kind="event", at=now, words=words, body=body)
    phone = with_step(phone, replace(message, reaction=emoji or ""), step)
    return with_log(phone, now, "on_phone", "The customer reacts to a message")
