"""Calls: making one, seeing to what is left of one, moving one to whom it belongs."""

from __future__ import annotations

from typing import Any

from litestar import Request, Router, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK
from sqlalchemy import Connection

from hub.edge.guards import Who, right, who_asks
from hub.edge.problems import ProblemError
from hub.flow.dial import NO_CALLS, Wanted
from hub.flow.host import now_ms
from hub.flow.views import shapes
from hub.rules import commands as c
from hub.rules.content import storable
from hub.rules.rights import SEND, SEND_GATED
from hub.store import contacts, inbox
from hub.store.ids import parse
from hub.web.messages import IdempotencyKey, carry_out, entry_as_shown, seen_entry
from hub.web.parts import Parts, parts
from hub.web.threads import seen_thread

Web = Request[Any, Any, State]
LONGEST_REASON = 1_000
"""Characters."""


@post("/threads/{thread_id:str}/calls", opt=right(SEND, SEND_GATED), summary="Call a contact")
async def place_call(
    request: Web,
    org: FromPath[str],
    thread_id: FromPath[str],
    data: JSONBody[shapes.PlaceCall],
    key: IdempotencyKey = None,
) -> shapes.Entry:
    """Ring the member's phone, then the contact of a conversation. What became of it shows at the
    entry; it is never tried again by itself."""
    hub, who = parts(request), who_asks(request)
    if SEND not in who.member.capabilities:
        raise ProblemError(403, f"{NO_CALLS}: that takes the right {SEND}.", code=SEND)
    wanted = Wanted(
        scope=who.scope,
        member_id=who.member.member_id,
        actor=who.actor,
        phone=who.user.phone,
        channel_id=data.channel_id,
        thread_id=await seen_thread(hub, who, thread_id),
        contact_id=parse(data.contact_id) or 0,
        to=data.to,
        own_address=data.own_address,
        idempotency_key=key,
    )
    made = await hub.dialler.made_before(wanted)
    if made is not None:
        return await entry_as_shown(hub, who, made)
    return await carry_out(hub, who, await hub.dialler.dial(wanted))


@post(
    "/entries/{entry_id:str}/follow-up",
    opt=right(SEND),
    status_code=HTTP_200_OK,
    summary="Follow a call up",
)
async def follow_up(
    request: Web, org: FromPath[str], entry_id: FromPath[str], data: JSONBody[shapes.FollowUp]
) -> shapes.Entry:
    """What was promised in a call is done, or is not after all."""
    hub, who = parts(request), who_asks(request)
    command = c.FollowUpCall(
        organisation_id=who.scope.organisation_id,
        at=now_ms(),
        entry_id=(await seen_entry(hub, who, entry_id)).id,
        done=data.done,
        by_member_id=who.member.member_id,
        actor=who.actor,
    )
    return await carry_out(hub, who, command)


@post(
    "/entries/{entry_id:str}/reassign",
    opt=right(SEND),
    status_code=HTTP_200_OK,
    summary="Move a call",
)
async def reassign(
    request: Web, org: FromPath[str], entry_id: FromPath[str], data: JSONBody[shapes.ReassignCall]
) -> shapes.Entry:
    """Move a call to another contact's conversation, or let it stand alone. Its number stays."""
    hub, who = parts(request), who_asks(request)
    reason = storable(data.reason or "").strip()
    if len(reason) > LONGEST_REASON:
        detail = f"A reason holds {LONGEST_REASON:,} characters."
        errors = [shapes.FieldError(field="reason", message=detail)]
        raise ProblemError(422, detail, code="bad_reason", errors=errors)
    row = await seen_entry(hub, who, entry_id)
    contact_id: int | None = None
    if data.contact_id is not None:
        contact_id = parse(data.contact_id) or 0
        await _check_seen(hub, who, contact_id)
    command = c.ReassignCall(
        organisation_id=who.scope.organisation_id,
        at=now_ms(),
        entry_id=row.id,
        contact_id=contact_id,
        reason=reason,
        by_member_id=who.member.member_id,
        actor=who.actor,
    )
    return await carry_out(hub, who, command)


async def _check_seen(hub: Parts, who: Who, contact_id: int) -> None:
    """Whoever sees some channels only knows the contacts of the conversations they see."""
    if not who.scope.limited:
        return

    def look(connection: Connection) -> bool:
        thread_id = contacts.thread_of(connection, who.scope.organisation_id, contact_id)
        ids = [] if thread_id is None else [thread_id]
        return bool(inbox.threads_by_id(connection, who.scope, ids))

    if not await hub.database.read(look):
        errors = [shapes.FieldError(field="contact_id", message="is no contact's id")]
        raise ProblemError(422, "There is no such contact.", code="no_contact", errors=errors)


router = Router(
    "/api/v1/organisations/{org:str}",
    route_handlers=[place_call, follow_up, reassign],
    tags=["Calls"],
)
