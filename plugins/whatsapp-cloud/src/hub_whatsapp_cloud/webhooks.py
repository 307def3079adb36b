"""What Meta's webhooks say: messages, what became of those that went out, and what is told of
templates, the number and the account. One delivery may hold many, of several numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from hub.plugin import (
    Address,
    ChannelNotice,
    ContactChanged,
    Deleted,
    Delivery,
    Edited,
    Event,
    IngestResult,
    Malformed,
    Message,
    Reaction,
    Receipt,
    ReceiptStatus,
)
from hub.plugin.reading import read_json
from hub_whatsapp_cloud import failures, messages, notices, people
from hub_whatsapp_cloud.payload import (
    AccountNews,
    Body,
    Change,
    Error,
    Incoming,
    Messages,
    Person,
    Stamp,
    Status,
    System,
    TemplateNews,
)
from hub_whatsapp_cloud.settings import Settings

T = TypeVar("T")
Said = Event | str
"""An event, or why something is none."""

ACCOUNT = "whatsapp_business_account"
MINE = "hub:"
"""Begins what we have Meta say again with each status of a message: our id of it. So a status finds
its message even when the answer to the request was lost."""

STATUSES: dict[str, ReceiptStatus] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "played": "read",
    "failed": "failed",
}
"""``status`` of a message; they come in any order. ``played``: of a voice message."""

TEMPLATES = frozenset(
    {
        "message_template_status_update",
        "message_template_quality_update",
        "message_template_components_update",
        "template_category_update",
    }
)
DIGITS = re.compile(r"[0-9]{1,11}")
LONGEST = 100_000_000_000
"""Seconds since 1970 beyond which a time is none."""


def read(delivery: Delivery, settings: Settings) -> IngestResult:
    """The events of a verified delivery. Raises ``Malformed``."""
    body = read_json(delivery, Body)
    if body.object != ACCOUNT:
        return IngestResult(ignored=f"it is about {body.object[:40] or 'nothing'!r}")
    told = [
        one
        for entry in body.entry
        for change in entry.changes
        for one in _change(change, entry.id, settings)
    ]
    events = tuple(one for one in told if not isinstance(one, str))
    if events:
        return IngestResult(events=events)
    why = dict.fromkeys(one for one in told if isinstance(one, str))
    return IngestResult(ignored="; ".join(why)[:300] or "it tells of nothing")


def _change(change: Change, account: str, settings: Settings) -> Iterator[Said]:
    if change.field in {"messages", "smb_message_echoes"}:
        yield from _messages(_as(change.value, Messages), settings)
    elif change.field in TEMPLATES:
        if account != settings.business_account_id:
            yield "it is about the templates of another account"
        else:
            yield notices.of_template(change.field, _as(change.value, TemplateNews))
    elif change.field in notices.FIELDS:
        if account != settings.business_account_id:
            yield "it is about another account"
        else:
            yield notices.of_account(change.field, _as(change.value, AccountNews), settings)
    elif change.field == "calls":
        yield "it is about a call; this channel takes messages"
    else:
        yield f"the field {change.field[:60]!r} is none of messages"


def _as(value: msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(value, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"the body is not as expected: {error}") from error


def _messages(value: Messages, settings: Settings) -> Iterator[Said]:
    number = value.metadata.phone_number_id
    if number != settings.phone_number_id:
        yield f"it is for another number than this channel's: {number[:40] or 'none'}"
        return
    for one in value.messages:
        yield from _told(_In(one, value, settings))
    for one in value.message_echoes:
        yield from _told(_Out(one, value, settings))
    for status in value.statuses:
        yield from _status(status)
    if value.errors and not value.messages:
        yield from (_trouble(error) for error in value.errors)


class _In:
    """A message that came in."""

    def __init__(self, one: Incoming, value: Messages, settings: Settings) -> None:
        self.one = one
        self.own = settings.number
        self.beside = value.errors
        self.person = _person(value.contacts, one.from_, one.from_user_id)
        user_id = one.from_user_id or (self.person.user_id if self.person else None)
        self.author = people.known_by(one.from_, user_id)
        if not self.author and self.person is not None:
            self.author = people.known_by(self.person.wa_id, self.person.user_id)

    def message(self, said: messages.Said, *, automatic: bool = False) -> Message:
        """The event."""
        if not self.author:
            raise Malformed("a message without a sender")
        profile = self.person.profile if self.person is not None else None
        return Message(
            external_id=self.one.id,
            sender=self.author,
            sender_name=None if profile is None else profile.name or profile.username or None,
            own_address=self.own,
            text=said.text,
            media=said.media,
            facts=said.facts,
            reply_to=_reply_to(self.one),
            occurred_at=time_of(self.one.timestamp),
            automatic=automatic,
        )


class _Out:
    """What the business itself wrote, in the app on its phone."""

    def __init__(self, one: Incoming, value: Messages, settings: Settings) -> None:
        self.one = one
        self.own = settings.number
        self.beside: Sequence[Error] = ()
        found = people.known_by(one.to, one.to_user_id)
        if not found and len(value.contacts) == 1:
            found = people.known_by(value.contacts[0].wa_id, value.contacts[0].user_id)
        self.recipient = found[0] if found else None
        self.author: tuple[Address, ...] = people.known_by(settings.number, None)

    def message(self, said: messages.Said, *, automatic: bool = False) -> Message:
        """The event."""
        if self.recipient is None:
            raise Malformed("a message that went out elsewhere, without a recipient")
        return Message(
            external_id=self.one.id,
            recipient=self.recipient,
            echo=True,
            own_address=self.own,
            text=said.text,
            media=said.media,
            facts=said.facts,
            reply_to=_reply_to(self.one),
            occurred_at=time_of(self.one.timestamp),
            automatic=automatic,
        )


def _told(came: _In | _Out) -> Iterator[Said]:
    one = came.one
    at = time_of(one.timestamp)
    if one.type == "reaction" and one.reaction is not None:
        if not came.author:
            raise Malformed("a reaction of nobody")
        yield Reaction(
            external_id=one.id,
            to=one.reaction.message_id,
            sender=came.author,
            emoji=one.reaction.emoji or None,
            occurred_at=at,
        )
    elif one.type == "edit" and one.edit is not None:
        now = messages.said(one.edit.message)
        text = now.text if now is not None else ""
        yield Edited(external_id=one.edit.original_message_id, text=text, occurred_at=at)
    elif one.type == "revoke" and one.revoke is not None:
        yield Deleted(external_id=one.revoke.original_message_id, occurred_at=at)
    elif one.type == "system" and one.system is not None:
        yield from _system(came, one.system, at)
    elif one.type == "request_welcome":
        yield "somebody has opened the chat, and has not written"
    else:
        yield came.message(_content(came))


def _content(came: _In | _Out) -> messages.Said:
    one = came.one
    said = messages.said(one)
    around = messages.circumstances(one)
    if one.group_id:
        around["Group"] = one.group_id
    if said is None:
        beside = one.errors or tuple(came.beside)
        facts = messages.unreadable(msgspec.structs.replace(one, errors=beside))
        return messages.Said(facts=facts | around)
    return msgspec.structs.replace(said, facts=said.facts | around)


def _system(came: _In | _Out, system: System, at: datetime | None) -> Iterator[Said]:
    """A number or a user id has changed hands from the old to the new of one person."""
    one = came.one
    pairs = (
        (people.phone(one.from_ or ""), people.phone(system.new_wa_id or system.wa_id or "")),
        (
            people.user(system.previous_user_id or one.from_user_id or ""),
            people.user(system.user_id or ""),
        ),
    )
    changed = [
        ContactChanged(old=old, new=new, occurred_at=at)
        for old, new in pairs
        if old is not None and new is not None and old != new
    ]
    if changed:
        yield from changed
    elif "identity" in (system.type or ""):
        yield "somebody uses WhatsApp on another device"
    else:
        words = system.body or system.type or "a system message"
        yield came.message(messages.Said(facts={"WhatsApp": words}), automatic=True)


def _status(status: Status) -> Iterator[Said]:
    became = STATUSES.get(status.status)
    if became is None:
        yield f"the status {status.status[:40]!r} is not known"
        return
    ours = status.biz_opaque_callback_data or ""
    transmission = ours.removeprefix(MINE) if ours.startswith(MINE) else None
    if became != "failed":
        yield Receipt(
            status=became,
            external_id=status.id,
            transmission_id=transmission,
            occurred_at=time_of(status.timestamp),
        )
        return
    code = next((error.code for error in status.errors), None)
    failure = failures.meaning(code)
    yield Receipt(
        status=became,
        external_id=status.id,
        transmission_id=transmission,
        occurred_at=time_of(status.timestamp),
        reason=failure.reason,
        detail=failure.words,
        provider_code=None if code is None else str(code),
    )
    if failure.then == "stop":
        yield ChannelNotice(text=failure.words, state="needs_attention")


def _trouble(error: Error) -> ChannelNotice:
    """An error that belongs to no message."""
    failure = failures.meaning(error.code)
    known = error.code in failures.CODES
    words = failure.words if known else f"Meta reports: {error.words or failure.words}"[:300]
    state = "needs_attention" if failure.then == "stop" else None
    return ChannelNotice(text=words, state=state)


def _person(contacts: Sequence[Person], number: str | None, user_id: str | None) -> Person | None:
    """Who of those named beside the messages wrote one: by user id, else by number, which stands
    there now and then in another spelling; who is named by nothing is the only one there is."""
    line = people.phone(number or "")
    matches: list[Callable[[Person], bool]] = []
    if user_id:
        matches.append(lambda one: one.user_id == user_id)
    if number:
        matches.append(lambda one: one.wa_id == number)
    if line is not None:
        matches.append(lambda one: people.phone(one.wa_id or "") == line)
    if len(contacts) == 1:
        nobody = not (number or user_id)
        matches.append(lambda one: nobody or not (one.wa_id or one.user_id))
    found = (one for is_it in matches for one in contacts if is_it(one))
    return next(found, None)


def _reply_to(one: Incoming) -> str | None:
    return (one.context.id or None) if one.context is not None else None


def time_of(stamp: Stamp) -> datetime | None:
    """Seconds since 1970, in whatever way they are written."""
    if isinstance(stamp, str):
        stamp = int(stamp) if DIGITS.fullmatch(stamp) else None
    if stamp is None or not 0 < stamp < LONGEST:
        return None
    return datetime.fromtimestamp(stamp, UTC)
