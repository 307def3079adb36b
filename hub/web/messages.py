"""Writing: messages, notes, and what may be done to an entry afterwards."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Router, post
from litestar.datastructures import State
from litestar.params import FromPath, HeaderParameter, JSONBody
from litestar.status_codes import HTTP_200_OK
from sqlalchemy import Connection

from hub.edge.guards import Who, right, who_asks
from hub.edge.problems import ProblemError, not_found
from hub.flow.compose import GIVE_UP_AFTER, LONGEST, Wanted
from hub.flow.host import now_ms
from hub.flow.views import read, shapes
from hub.rules import commands as c
from hub.rules.content import Content, one_line, storable
from hub.rules.rights import SEND, VIEW
from hub.store import timeline
from hub.store.ids import parse
from hub.web.parts import Parts, parts
from hub.web.threads import seen_thread

Web = Request[Any, Any, State]
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="Unique for each message; the same key again within 24 hours makes nothing new",
        max_length=200,
    ),
]
_encode = msgspec.json.Encoder().encode


@post("/threads/{thread_id:str}/messages", opt=right(SEND), summary="Send a message")
async def send_message(
    request: Web,
    org: FromPath[str],
    thread_id: FromPath[str],
    data: JSONBody[shapes.SendMessage],
    key: IdempotencyKey = None,
) -> shapes.Entry:
    """Write to the contact of a conversation."""
    hub, who = parts(request), who_asks(request)
    return await _send(
        hub,
        who,
        data,
        thread_id=await seen_thread(hub, who, thread_id),
        contact_id=parse(data.contact_id) or 0,
        key=key,
    )


@post("/messages", opt=right(SEND), summary="Start a conversation")
async def start_conversation(
    request: Web,
    org: FromPath[str],
    data: JSONBody[shapes.StartConversation],
    key: IdempotencyKey = None,
) -> shapes.Entry:
    """Write to an address; the conversation it belongs to is used, or a new one begins."""
    hub, who = parts(request), who_asks(request)
    return await _send(hub, who, data, thread_id=None, contact_id=None, key=key)


async def _send(
    hub: Parts,
    who: Who,
    data: shapes.SendMessage | shapes.StartConversation,
    *,
    thread_id: int | None,
    contact_id: int | None,
    key: str | None,
) -> shapes.Entry:
    wanted = Wanted(
        scope=who.scope,
        member_id=who.member.member_id,
        channel_id=data.channel_id,
        thread_id=thread_id,
        contact_id=contact_id,
        to=data.to,
        own_address=data.own_address,
        body=data.body,
        subject=data.subject,
        attachment_ids=data.attachment_ids,
        idempotency_key=key,
    )
    entry_id = await hub.composer.made_before(wanted)
    if entry_id is not None:
        return await _entry(hub, who, entry_id)
    return await _carry_out(hub, who, await hub.composer.compose(wanted))


@post("/threads/{thread_id:str}/notes", opt=right(VIEW), summary="Add a note")
async def add_note(
    request: Web,
    org: FromPath[str],
    thread_id: FromPath[str],
    data: JSONBody[shapes.AddNote],
    key: IdempotencyKey = None,
) -> shapes.Entry:
    """Leave a note for the team; it is never sent or shown to the customer."""
    hub, who = parts(request), who_asks(request)
    body = storable(data.body).strip()
    if not body or len(body) > LONGEST:
        detail = "A note is empty." if not body else f"A note holds {LONGEST:,} characters."
        errors = [shapes.FieldError(field="body", message=detail)]
        raise ProblemError(422, detail, code="bad_note", errors=errors)
    id_ = await seen_thread(hub, who, thread_id)
    command = c.AddNote(
        organisation_id=who.scope.organisation_id,
        at=now_ms(),
        entry_id=hub.ids.new(),
        thread_id=id_,
        content=Content(text=body),
        preview=one_line(body),
        by_member_id=who.member.member_id,
        idempotency_key=key,
        request=_encode((str(id_), body)).decode(),
    )
    return await _carry_out(hub, who, command)


@post("/entries/{entry_id:str}/cancel", opt=right(SEND), status_code=HTTP_200_OK, summary="Cancel")
async def cancel_entry(request: Web, org: FromPath[str], entry_id: FromPath[str]) -> shapes.Entry:
    """Take back a message that was not picked up for sending yet."""
    hub, who = parts(request), who_asks(request)
    id_ = await _seen_entry(hub, who, entry_id)
    return await _carry_out(
        hub,
        who,
        c.CancelEntry(organisation_id=who.scope.organisation_id, at=now_ms(), entry_id=id_),
    )


@post("/entries/{entry_id:str}/retry", opt=right(SEND), status_code=HTTP_200_OK, summary="Retry")
async def retry_entry(request: Web, org: FromPath[str], entry_id: FromPath[str]) -> shapes.Entry:
    """Try a failed message again."""
    hub, who = parts(request), who_asks(request)
    id_ = await _seen_entry(hub, who, entry_id)
    now = now_ms()
    command = c.RetryEntry(
        organisation_id=who.scope.organisation_id,
        at=now,
        entry_id=id_,
        deadline=now + GIVE_UP_AFTER,
    )
    return await _carry_out(hub, who, command)


@post(
    "/entries/{entry_id:str}/resolve", opt=right(SEND), status_code=HTTP_200_OK, summary="Resolve"
)
async def resolve_entry(
    request: Web,
    org: FromPath[str],
    entry_id: FromPath[str],
    data: JSONBody[shapes.ResolveEntry],
) -> shapes.Entry:
    """Say what became of a message whose outcome is unknown."""
    hub, who = parts(request), who_asks(request)
    id_ = await _seen_entry(hub, who, entry_id)
    command = c.ResolveEntry(
        organisation_id=who.scope.organisation_id,
        at=now_ms(),
        entry_id=id_,
        outcome=data.outcome,
    )
    return await _carry_out(hub, who, command)


async def _seen_entry(hub: Parts, who: Who, entry_id: str) -> int:
    id_ = parse(entry_id) or 0
    rows = await hub.database.read(
        lambda connection: timeline.entries_by_id(connection, who.scope, [id_])
    )
    if not rows:
        raise not_found("message")
    return rows[0].id


async def _carry_out(hub: Parts, who: Who, command: c.Command) -> shapes.Entry:
    """Carry out a command and answer with the entry it made or changed."""
    return await _entry(hub, who, await hub.writer.carry_out(command) or 0)


async def _entry(hub: Parts, who: Who, entry_id: int) -> shapes.Entry:

    def look(connection: Connection) -> read.Entries:
        return read.entries(connection, timeline.entries_by_id(connection, who.scope, [entry_id]))

    (entry,) = hub.presenter.entries(who.member.organisation, await hub.database.read(look))
    return entry


router = Router(
    "/api/v1/organisations/{org:str}",
    route_handlers=[
        send_message,
        start_conversation,
        add_note,
        cancel_entry,
        retry_entry,
        resolve_entry,
    ],
    tags=["Messages"],
)
