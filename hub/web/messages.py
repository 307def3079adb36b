"""Writing: messages, notes, and what may be done to an entry afterwards."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Router, get, post
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
from hub.rules.mentions import AT, mentioned
from hub.rules.rights import SEND, SEND_GATED, VIEW
from hub.store import people, timeline
from hub.store.ids import parse
from hub.web.document import also
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


@post(
    "/threads/{thread_id:str}/messages",
    opt=right(SEND, SEND_GATED) | also(502),
    summary="Send a message",
)
async def send_message(
    request: Web,
    org: FromPath[str],
    thread_id: FromPath[str],
    data: JSONBody[shapes.SendMessage],
    key: IdempotencyKey = None,
) -> shapes.Entry:
    """Write to the contact of a conversation. With the right ``messages.send_gated`` alone, or
    where the organisation wants programs' messages approved, it waits for approval."""
    hub, who = parts(request), who_asks(request)
    return await _send(
        hub,
        who,
        data,
        thread_id=await seen_thread(hub, who, thread_id),
        contact_id=parse(data.contact_id) or 0,
        key=key,
    )


@post("/messages", opt=right(SEND, SEND_GATED) | also(502), summary="Start a conversation")
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
    wanted = _wanted(who, data, thread_id=thread_id, contact_id=contact_id, key=key)
    entry_id = await hub.composer.made_before(wanted)
    if entry_id is not None:
        return await entry_as_shown(hub, who, entry_id)
    return await carry_out(hub, who, await hub.composer.compose(wanted))


def _wanted(
    who: Who,
    data: shapes.SendMessage | shapes.StartConversation | shapes.PreviewMessage,
    *,
    thread_id: int | None,
    contact_id: int | None,
    key: str | None = None,
) -> Wanted:
    template = data.template
    return Wanted(
        scope=who.scope,
        member_id=who.member.member_id,
        actor=who.actor,
        channel_id=data.channel_id,
        thread_id=thread_id,
        contact_id=contact_id,
        to=data.to,
        own_address=data.own_address,
        body=data.body,
        subject=data.subject,
        attachment_ids=data.attachment_ids,
        idempotency_key=key,
        reply_to=None if isinstance(data, shapes.StartConversation) else data.reply_to,
        template=None if template is None else (template.name, template.language),
        variables=data.variables,
        cc=data.cc,
        bcc=data.bcc,
        source="member" if who.token_id is None else "api",
        capabilities=who.member.capabilities,
    )


@post(
    "/threads/{thread_id:str}/preview",
    opt=right(SEND, SEND_GATED) | also(502),
    status_code=HTTP_200_OK,
    summary="Preview a message",
)
async def preview_message(
    request: Web,
    org: FromPath[str],
    thread_id: FromPath[str],
    data: JSONBody[shapes.PreviewMessage],
) -> shapes.MessagePreview:
    """What a message, or a template with the values given so far, would look like to who gets it,
    and what to know before it is sent."""
    hub, who = parts(request), who_asks(request)
    wanted = _wanted(
        who,
        data,
        thread_id=await seen_thread(hub, who, thread_id),
        contact_id=parse(data.contact_id) or 0,
    )
    return await hub.composer.preview(wanted)


@post(
    "/messages/preview",
    opt=right(SEND, SEND_GATED) | also(502),
    status_code=HTTP_200_OK,
    summary="Preview a first message",
)
async def preview_start(
    request: Web, org: FromPath[str], data: JSONBody[shapes.StartConversation]
) -> shapes.StartPreview:
    """Whether an address is one, what may be written to it now, and whether there is a conversation
    with whoever has it; what a message to it would look like."""
    hub, who = parts(request), who_asks(request)
    return await hub.composer.preview_start(_wanted(who, data, thread_id=None, contact_id=None))


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
    body = _note(data.body)
    id_ = await seen_thread(hub, who, thread_id)
    command = c.AddNote(
        organisation_id=who.scope.organisation_id,
        at=now_ms(),
        entry_id=hub.ids.new(),
        thread_id=id_,
        content=Content(text=body),
        preview=one_line(body),
        by_member_id=who.member.member_id,
        actor=who.actor,
        idempotency_key=key,
        request=_encode((str(id_), body)).decode(),
        mentioned=await _mentioned(hub, who, body),
    )
    return await carry_out(hub, who, command)


@post(
    "/entries/{entry_id:str}/correct",
    opt=right(VIEW),
    status_code=HTTP_200_OK,
    summary="Correct a note",
)
async def correct_note(
    request: Web, org: FromPath[str], entry_id: FromPath[str], data: JSONBody[shapes.CorrectNote]
) -> shapes.Entry:
    """Word one's own note otherwise; what it said before stays readable (``wordings``)."""
    hub, who = parts(request), who_asks(request)
    body = _note(data.body)
    command = c.CorrectNote(
        organisation_id=who.scope.organisation_id,
        at=now_ms(),
        entry_id=(await seen_entry(hub, who, entry_id)).id,
        text=body,
        by_member_id=who.member.member_id,
        actor=who.actor,
        mentioned=await _mentioned(hub, who, body),
    )
    return await carry_out(hub, who, command)


def _note(given: str) -> str:
    """What a note says."""
    body = storable(given).strip()
    if not body or len(body) > LONGEST:
        detail = "A note is empty." if not body else f"A note holds {LONGEST:,} characters."
        errors = [shapes.FieldError(field="body", message=detail)]
        raise ProblemError(422, detail, code="bad_note", errors=errors)
    return body


async def _mentioned(hub: Parts, who: Who, body: str) -> tuple[int, ...]:
    """The colleagues whom a note names."""
    if AT not in body:
        return ()
    everybody = await hub.database.read(
        lambda connection: people.members_of(connection, who.scope.organisation_id)
    )
    return mentioned(body, ((one.id, one.name) for one in everybody if one.active))


@get("/entries/{entry_id:str}", opt=right(VIEW), summary="Read an entry")
async def read_entry(request: Web, org: FromPath[str], entry_id: FromPath[str]) -> shapes.Entry:
    """One entry of a conversation."""
    return await entry_as_shown(parts(request), who_asks(request), parse(entry_id) or 0)


@post(
    "/entries/{entry_id:str}/cancel",
    opt=right(SEND, SEND_GATED),
    status_code=HTTP_200_OK,
    summary="Cancel",
)
async def cancel_entry(request: Web, org: FromPath[str], entry_id: FromPath[str]) -> shapes.Entry:
    """Take back a message that was not picked up for sending yet: who sends through approval alone,
    only their own."""
    hub, who = parts(request), who_asks(request)
    row = await seen_entry(hub, who, entry_id)
    own = row.author_kind == "member" and row.author_id == who.member.member_id
    if SEND not in who.member.capabilities and not own:
        raise ProblemError(
            403, f"Somebody else wrote this; to cancel it takes the right {SEND}.", code=SEND
        )
    if row.status == "pending_approval":
        await hub.approvals.withdraw(who.scope, who.member.member_id, row.id, who.actor)
        return await entry_as_shown(hub, who, row.id)
    command = c.CancelEntry(
        organisation_id=who.scope.organisation_id, at=now_ms(), entry_id=row.id, by=who.actor
    )
    return await carry_out(hub, who, command)


@post("/entries/{entry_id:str}/retry", opt=right(SEND), status_code=HTTP_200_OK, summary="Retry")
async def retry_entry(request: Web, org: FromPath[str], entry_id: FromPath[str]) -> shapes.Entry:
    """Try a failed message again, as it is, if it could be sent now."""
    hub, who = parts(request), who_asks(request)
    row = await seen_entry(hub, who, entry_id)
    if row.status == "failed":
        await hub.composer.check_retry(who.scope, row)
    now = now_ms()
    command = c.RetryEntry(
        organisation_id=who.scope.organisation_id,
        at=now,
        entry_id=row.id,
        by=who.actor,
        deadline=now + GIVE_UP_AFTER,
    )
    return await carry_out(hub, who, command)


@post(
    "/entries/{entry_id:str}/resolve", opt=right(SEND), status_code=HTTP_200_OK, summary="Resolve"
)
async def resolve_entry(
    request: Web,
    org: FromPath[str],
    entry_id: FromPath[str],
    data: JSONBody[shapes.ResolveEntry],
) -> shapes.Entry:
    """Say what became of a message whose outcome is unknown, or that an unresolved call needs
    nothing more."""
    hub, who = parts(request), who_asks(request)
    id_ = (await seen_entry(hub, who, entry_id)).id
    if data.outcome == "resolved":
        resolved = c.ResolveCall(
            organisation_id=who.scope.organisation_id,
            at=now_ms(),
            entry_id=id_,
            by_member_id=who.member.member_id,
            actor=who.actor,
        )
        return await carry_out(hub, who, resolved)
    command = c.ResolveEntry(
        organisation_id=who.scope.organisation_id,
        at=now_ms(),
        entry_id=id_,
        by=who.actor,
        outcome=data.outcome,
    )
    return await carry_out(hub, who, command)


async def seen_entry(hub: Parts, who: Who, entry_id: str) -> timeline.EntryRow:
    """An entry, if the member may see it."""
    id_ = parse(entry_id) or 0
    rows = await hub.database.read(
        lambda connection: timeline.entries_by_id(connection, who.scope, [id_])
    )
    if not rows:
        raise not_found("entry")
    return rows[0]


async def carry_out(hub: Parts, who: Who, command: c.Command) -> shapes.Entry:
    """Carry out a command and answer with the entry it made or changed."""
    return await entry_as_shown(hub, who, await hub.writer.carry_out(command) or 0)


async def entry_as_shown(hub: Parts, who: Who, entry_id: int) -> shapes.Entry:
    """An entry, if the member may see it."""

    def look(connection: Connection) -> read.Entries:
        rows = timeline.entries_by_id(connection, who.scope, [entry_id])
        return read.entries(connection, who.scope, rows)

    found = hub.presenter.entries(who.member.organisation, await hub.database.read(look))
    if not found:
        raise not_found("entry")
    return found[0]


router = Router(
    "/api/v1/organisations/{org:str}",
    route_handlers=[
        send_message,
        start_conversation,
        preview_message,
        preview_start,
        add_note,
        correct_note,
        read_entry,
        cancel_entry,
        retry_entry,
        resolve_entry,
    ],
    tags=["Messages"],
)
