"""What a person does with the phone on the page."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from hub_simulator.numbers import display
from hub_simulator.phone import Phone, PhoneMessage, Picture, Step, with_log, with_message
from hub_simulator.sms import KEYWORD_ANSWERS, keyword_of


def text(
    phone: Phone,
    *,
    message_id: str,
    own_number: str,
    words: str,
    pictures: tuple[Picture, ...],
    now: datetime,
) -> Phone:
    """The customer sends a text; the network acts on STOP, START and HELP by itself."""
    keyword = keyword_of(words, opted_out=own_number in phone.opted_out)
    message = PhoneMessage(
        id=message_id,
        author="customer",
        own_number=own_number,
        at=now,
        text=words,
        pictures=pictures,
        keyword=keyword,
        due=(Step(kind="text", at=now + timedelta(seconds=phone.behaviour.delay)),),
    )
    phone = with_message(phone, message)
    phone = with_log(phone, now, "on_phone", f"The customer texts {display(own_number)}")
    if keyword is None:
        return phone
    phone = with_message(
        phone,
        PhoneMessage(
            id=f"{message_id}-answer",
            author="network",
            own_number=own_number,
            at=now,
            text=KEYWORD_ANSWERS[keyword],
        ),
    )
    phone = with_log(phone, now, "on_phone", f"The network answers {keyword} by itself")
    others = tuple(number for number in phone.opted_out if number != own_number)
    match keyword:
        case "STOP":
            return replace(phone, opted_out=(*others, own_number))
        case "START":
            return replace(phone, opted_out=others)
        case "HELP":
            return phone
