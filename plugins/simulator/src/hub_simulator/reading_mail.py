"""What a customer does with a mail: opens it, follows a link, wants no more. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from hub.plugin import Permanent
from hub_simulator.mailing import Subscription, WasClicked, WasOpened, step
from hub_simulator.phone import Mail, Phone, PhoneMessage, with_log, with_step

MailAct = Literal["open", "click", "unsubscribe", "subscribe"]
_LINK = re.compile(r"https?://[^\s<>\"']+")


def links(text: str) -> tuple[str, ...]:
    """The addresses in a mail's words, each once."""
    found = (each.rstrip(".,;:!?)") for each in _LINK.findall(text))
    return tuple(dict.fromkeys(found))


def done(phone: Phone, message_id: str, act: MailAct, url: str, now: datetime) -> Phone:
    """The customer does something with a mail of the business's. Raises ``Permanent``."""
    message = phone.message(message_id)
    if message is None or message.author != "business" or not message.arrived:
        raise Permanent("other", "the mail is not there any more")
    mail = message.content if isinstance(message.content, Mail) else Mail()
    if act in ("unsubscribe", "subscribe"):
        return _subscribed(phone, message, now, wanted=act == "subscribe")
    if act == "click" and url not in links(message.text):
        raise Permanent("other", "the mail has no such link")
    if act == "click":
        told = WasClicked(message_id=message_id, url=url, occurred_at=now)
        words, what = f"click in {message_id}", "The customer follows a link"
    else:
        told = WasOpened(message_id=message_id, occurred_at=now)
        words, what = f"{message_id} opened", "The customer opens the mail"
    message = replace(message, content=replace(mail, opened=True))
    return with_log(with_step(phone, message, step(words, told, now)), now, "on_phone", what)


def _subscribed(phone: Phone, message: PhoneMessage, now: datetime, *, wanted: bool) -> Phone:
    own = message.own_number
    told = Subscription(sender=phone.number, recipient=own, wanted=wanted, occurred_at=now)
    words = "subscribed again" if wanted else "unsubscribed"
    others = tuple(each for each in phone.opted_out if each != own)
    phone = replace(phone, opted_out=others if wanted else (*others, own))
    phone = with_step(phone, message, step(words, told, now))
    return with_log(phone, now, "on_phone", f"The customer has {words}")
