"""What a browser shows of an alert: the words that a page has for the same."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from hub.flow.views.present import contact_display
from hub.flow.views.shapes import ChannelOut
from hub.rules import alerts, content
from hub.rules.rights import CHANNELS, VIEW
from hub.store import contacts, inbox, members, people, timeline
from hub.store.people import Membership
from hub.store.pushes import Device, Push
from hub.store.scope import Scope
from hub.store.timeline import EntryRow

LONGEST = 140
LONGEST_NAME = 100
_TITLES = {
    "text": "New message from {who}",
    "email": "New email from {who}",
    "call": "Call from {who}",
    "voicemail": "New voicemail from {who}",
    "mention": "{by} mentioned you in the conversation with {who}",
}

ChannelOf = Callable[[int, str], ChannelOut | None]
IsThere = Callable[[int, int, int], bool]
"""Whether a member of an organisation looks at a conversation."""


class Note(Struct, frozen=True, kw_only=True):
    """What is shown. ``tag``: of one there is one; ``path``: the address of what it is about;
    ``organisation``: of which it is, for whoever is in several."""

    tag: str
    title: str
    body: str
    path: str
    organisation: str


_encode = msgspec.json.Encoder().encode


def encode(note: Note) -> bytes:
    """As the worker in the browser reads it."""
    return _encode(note)


def made(
    connection: Connection,
    push: Push,
    device: Device,
    now: int,
    channel_of: ChannelOf,
    is_there: IsThere,
) -> Note | None:
    """What whoever the browser belongs to may see of it now; ``None``: nothing, or they look at it
    already."""
    hashed, organisation_id = device.token_hash, push.organisation_id
    member = people.watching(connection, organisation_id, [hashed], now).get(hashed)
    if member is None or VIEW not in member.capabilities:
        return None
    slug = member.organisation.slug
    several = len(people.memberships(connection, device.user_id)) > 1
    query = {"org": slug} if several else {}
    told = alerts.decode(members.choice_of(connection, member.member_id).alerts)
    if push.channel_id is not None:
        return _of_channel(push.channel_id, member, query, channel_of, text=told.text)
    thread_id, entry_id = push.thread_id or 0, push.entry_id or 0
    scope = Scope(organisation_id, member.channels)
    rows = timeline.entries_by_id(connection, scope, [entry_id])
    threads = inbox.threads_by_id(connection, scope, [thread_id])
    if not rows or not threads or rows[0].thread_id != thread_id:
        return None
    if is_there(organisation_id, member.member_id, thread_id):
        return None
    (thread,) = threads
    addresses = contacts.addresses_of(connection, [thread.contact_id])
    who = contact_display(thread.contact_name, addresses.get(thread.contact_id, []))
    place = {"conversation": str(thread_id), "status": "all"}
    if push.kind == "sending":
        place["entry"] = str(entry_id)
    return Note(
        tag=str(thread_id),
        title=_title(push.kind, rows[0], _short(who)),
        body=_body(push.kind, rows[0]) if told.text else "",
        path=f"/messages?{urlencode(place | query)}",
        organisation=slug,
    )


def _title(kind: alerts.AlertKind, row: EntryRow, who: str) -> str:
    said = content.decode(row.content)
    if kind == "assignment":
        by = (said.event or {}).get("by")
        if isinstance(by, str):
            return f"{_short(by)} assigned you a conversation with {who}"
        return f"A conversation with {who} was assigned to you"
    if kind == "sending":
        if row.status == "failed":
            return f"A message to {who} was not sent"
        return f"Nobody knows whether a message to {who} went out"
    return _TITLES[kind].format(who=who, by=_short(said.author or ""))


def _body(kind: alerts.AlertKind, row: EntryRow) -> str:
    if kind == "assignment":
        return ""
    if kind == "sending":
        return (row.status_reason or "")[:LONGEST]
    said = content.decode(row.content)
    return (said.text if said.subject is None else said.subject)[:LONGEST]


def _of_channel(
    channel_id: str,
    member: Membership,
    query: dict[str, str],
    channel_of: ChannelOf,
    *,
    text: bool,
) -> Note | None:
    channel = channel_of(member.organisation.id, channel_id)
    scope = Scope(member.organisation.id, member.channels)
    if channel is None or CHANNELS not in member.capabilities or not scope.sees(channel_id):
        return None
    if not alerts.in_trouble(channel.state, paused=channel.paused):
        return None
    return Note(
        tag=f"channel:{channel_id}",
        title=f"{_short(channel.name)} needs attention",
        body=(channel.reason or "")[:LONGEST] if text else "",
        path=f"/settings/channels/{channel_id}" + (f"?{urlencode(query)}" if query else ""),
        organisation=member.organisation.slug,
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
