"""Contacts: finding one, who they are, and whether they want to be written to."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from litestar import Request, Router, get, patch, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK
from msgspec import UnsetType
from sqlalchemy import Connection

from hub.edge.guards import Who, right, who_asks
from hub.edge.paging import limit_of
from hub.edge.problems import ProblemError, not_found
from hub.flow.compose import reachable
from hub.flow.host import now_ms
from hub.flow.views import shapes
from hub.flow.views.present import contact_display, when
from hub.flow.writer import Transaction
from hub.rules import commands as c
from hub.rules.addresses import shown
from hub.rules.content import storable
from hub.rules.rights import SEND, SEND_GATED, VIEW
from hub.rules.search import LOOKED_AT
from hub.rules.search import parse as parse_query
from hub.rules.states import Refusal
from hub.store import contacts, inbox, search
from hub.store.ids import parse
from hub.web.parts import Parts, parts
from hub.web.threads import thread_detail

Web = Request[Any, Any, State]
Typed = Annotated[
    str,
    QueryParameter(
        description=f"Whom to look for, its first {LOOKED_AT} characters: parts of names and "
        "addresses, phone numbers in any form; none: whoever was active last"
    ),
]
Cursor = Annotated[str | None, QueryParameter(description="``next_cursor`` of the page before")]
LONGEST_HOW = 500
"""Characters."""
LAST = (1 << 63) - 1
Limit = Annotated[int, QueryParameter(description="How many, 200 at most")]


@get("/contacts", opt=right(VIEW), summary="Find contacts")
async def find_contacts(
    request: Web, org: FromPath[str], q: Typed = "", limit: Limit = 20
) -> shapes.ContactPage:
    """Contacts of the conversations that a member may see, the newest activity first."""
    hub, who = parts(request), who_asks(request)
    query, count = parse_query(q), limit_of(limit)

    def look(
        connection: Connection,
    ) -> tuple[list[contacts.ContactOfThread], dict[int, list[contacts.AddressRow]]]:
        threads = search.contacts_found(connection, who.scope, query, limit=count)
        rows = contacts.of_threads(connection, threads)
        return rows, contacts.addresses_of(connection, [row.id for row in rows])

    rows, addresses = await hub.database.read(look)
    return shapes.ContactPage(
        items=[
            shapes.ContactFound(
                id=str(row.id),
                name=row.name,
                display=contact_display(row.name, own),
                addresses=[
                    shapes.ContactAddress(
                        scheme=one.scheme,
                        value=one.value,
                        display=shown(one.scheme, one.value, one.display),
                    )
                    for one in own
                ],
                thread_id=str(row.thread_id),
            )
            for row in rows
            for own in (addresses.get(row.id, []),)
        ]
    )


@get("/contacts/{contact_id:str}", opt=right(VIEW), summary="Read who a contact is")
async def read_contact(
    request: Web, org: FromPath[str], contact_id: FromPath[str]
) -> shapes.ContactOut:
    """Name, addresses, and what else is known of them."""
    hub, who = parts(request), who_asks(request)
    _, thread_id = await _seen_contact(hub, who, contact_id)
    detail, _ = await thread_detail(hub, who, thread_id)
    return detail.details


@patch("/contacts/{contact_id:str}", opt=right(SEND, SEND_GATED), summary="Say who a contact is")
async def change_contact(
    request: Web, org: FromPath[str], contact_id: FromPath[str], data: JSONBody[shapes.ContactPatch]
) -> shapes.ContactOut:
    """Change what is given; the rest stays. A name that a member gave is not overwritten by what
    the contact calls themselves."""
    hub, who = parts(request), who_asks(request)
    id_, thread_id = await _seen_contact(hub, who, contact_id)
    facts = {name: _fact(getattr(data, name)) for name in shapes.ContactPatch.__struct_fields__}
    await hub.writer.carry_out(
        c.ChangeContact(
            organisation_id=who.scope.organisation_id,
            at=now_ms(),
            contact_id=id_,
            by_member_id=who.member.member_id,
            actor=who.actor,
            **facts,
        )
    )
    detail, _ = await thread_detail(hub, who, thread_id)
    return detail.details


def _fact(given: str | UnsetType | None) -> str | UnsetType | None:
    """In one line; nothing at all is not known."""
    return " ".join(storable(given).split()) or None if isinstance(given, str) else given


@post(
    "/contacts/{contact_id:str}/consent",
    opt=right(SEND, SEND_GATED),
    status_code=HTTP_200_OK,
    summary="Opt a contact in or out",
)
async def change_consent(
    request: Web,
    org: FromPath[str],
    contact_id: FromPath[str],
    data: JSONBody[shapes.ChangeConsent],
) -> shapes.ConsentList:
    """Say for a contact whether they want messages on a channel, as they have said elsewhere."""
    hub, who = parts(request), who_asks(request)
    id_, thread_id = await _seen_contact(hub, who, contact_id)
    how = storable(data.how).strip()
    if len(how) > LONGEST_HOW:
        raise _wrong("how", f"How they said so holds {LONGEST_HOW:,} characters.", "bad_reason")
    channel = hub.channels.get(who.scope.organisation_id, data.channel_id)
    if channel is None or not who.scope.sees(data.channel_id):
        raise _wrong("channel_id", "There is no such channel here.", "no_channel")
    found = await hub.database.read(
        lambda connection: contacts.addresses_of(connection, [id_]).get(id_, [])
    )
    own = [
        one
        for one in reachable(channel, found, None)
        if data.address is None or one.value == data.address
    ]
    if not own:
        detail = f"This contact has no such address that {channel.name} reaches."
        raise _wrong("address", detail, "not_their_address")
    now = now_ms()
    commands = [
        c.ChangeConsent(
            organisation_id=who.scope.organisation_id,
            at=now,
            entry_id=hub.ids.new(),
            channel_id=channel.id,
            address=c.AddressOf(scheme=one.scheme, value=one.value, display=one.display),
            own_address="",
            state=data.state,
            how=how,
            by_member_id=who.member.member_id,
            actor=who.actor,
        )
        for one in own
    ]
    await hub.writer.transact(partial(_all_or_none, commands))
    detail, _ = await thread_detail(hub, who, thread_id)
    return shapes.ConsentList(
        items=[one for one in detail.consents if one.channel_id == channel.id]
    )


def _all_or_none(commands: Sequence[c.Command], transaction: Transaction) -> None:
    for outcome in transaction.record(commands):
        if isinstance(outcome, Refusal):
            raise outcome


@get(
    "/contacts/{contact_id:str}/consent",
    opt=right(VIEW),
    summary="Read the history of a contact's consent",
)
async def read_consents(
    request: Web,
    org: FromPath[str],
    contact_id: FromPath[str],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> shapes.ConsentHistory:
    """Everything that was said of it, the newest first."""
    hub, who = parts(request), who_asks(request)
    id_, _ = await _seen_contact(hub, who, contact_id)
    before = LAST if cursor is None else parse(cursor) or 0
    count = limit_of(limit)
    rows = await hub.database.read(
        lambda connection: contacts.consent_history(
            connection, who.scope, id_, before=before, limit=count + 1
        )
    )
    more = len(rows) > count
    return shapes.ConsentHistory(
        items=[
            shapes.ConsentEvent(
                id=str(row.id),
                channel_id=row.channel_id,
                scheme=row.scheme,
                value=row.value,
                display=shown(row.scheme, row.value),
                own_address=row.own_address,
                state="out" if row.state == "out" else "in",
                at=when(row.at),
                how=row.how,
                by=row.by,
            )
            for row in rows[:count]
        ],
        next_cursor=str(rows[count - 1].id) if more else None,
    )


async def _seen_contact(hub: Parts, who: Who, contact_id: str) -> tuple[int, str]:
    """A contact's id and their conversation's, if the member may see that."""
    id_ = parse(contact_id) or 0

    def look(connection: Connection) -> int | None:
        thread_id = contacts.thread_of(connection, who.scope.organisation_id, id_)
        ids = [] if thread_id is None else [thread_id]
        return thread_id if inbox.threads_by_id(connection, who.scope, ids) else None

    thread_id = await hub.database.read(look)
    if thread_id is None:
        raise not_found("contact")
    return id_, str(thread_id)


def _wrong(field: str, detail: str, code: str) -> ProblemError:
    errors = [shapes.FieldError(field=field, message=detail)]
    return ProblemError(422, detail, code=code, errors=errors)


router = Router(
    "/api/v1/organisations/{org:str}",
    route_handlers=[find_contacts, read_contact, change_contact, change_consent, read_consents],
    tags=["Contacts"],
)
