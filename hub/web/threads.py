"""Conversations: the list and its counts, one of them, its timeline, what may be done to it."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, Router, get, patch, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK
from msgspec import Struct
from sqlalchemy import Connection

from hub.edge.guards import Who, right, who_asks
from hub.edge.paging import cursor_of, limit_of, place_of
from hub.edge.problems import ProblemError, not_found
from hub.flow.compose import default_mode
from hub.flow.host import now_ms
from hub.flow.views import read, shapes
from hub.flow.views.present import contact_display, when
from hub.rules import commands as c
from hub.rules.addresses import shown
from hub.rules.rights import VIEW
from hub.rules.search import LOOKED_AT
from hub.rules.search import parse as parse_query
from hub.store import contacts, inbox, search, timeline
from hub.store.ids import parse
from hub.store.inbox import Filter
from hub.store.scope import Scope
from hub.web.parts import Parts, parts

Status = Literal["open", "unread", "closed", "all"]
Quick = Literal["all", "unread", "unassigned", "mine", "needs_response"]
Kind = Literal["all", "texts", "emails", "calls", "notes", "system"]
Web = Request[Any, Any, State]
Limit = Annotated[int, QueryParameter(description="How many, 200 at most")]
Typed = Annotated[
    str | None,
    QueryParameter(
        description=f"What to search for, its first {LOOKED_AT} characters: words of messages and "
        "notes, names, addresses, phone numbers in any form; status and filters are ignored"
    ),
]
POSITION = "X-Position"
"""The header that says at which position of the journal an answer is true."""


def filter_of(who: Who, status: str, quick: str, assignee: str | None) -> Filter:
    """What of the list a request wants."""
    assignee_id = None if assignee is None else parse(assignee) or 0
    return Filter(status=status, filter=quick, me=who.member.member_id, assignee_id=assignee_id)


@get("/threads", opt=right(VIEW), summary="List conversations")
async def list_threads(
    request: Web,
    org: FromPath[str],
    status: FromQuery[Status] = "open",
    quick: Annotated[Quick, QueryParameter(name="filter")] = "all",
    assignee: FromQuery[str | None] = None,
    q: Typed = None,
    limit: Limit = 50,
    cursor: FromQuery[str | None] = None,
) -> Response[shapes.ThreadPage]:
    """A page of conversations, the newest activity first; with ``q`` those that it finds, whatever
    their status: contacts that match first, then the newest entries that do."""
    hub, who = parts(request), who_asks(request)
    count = limit_of(limit)
    if q and q.strip():
        return await _search(hub, who, q, count, place_of(cursor))
    wanted = filter_of(who, status, quick, assignee)
    after = place_of(cursor)

    def look(connection: Connection) -> tuple[int, bool, read.Threads]:
        rows = inbox.inbox_page(connection, who.scope, wanted, limit=count + 1, after=after)
        position = inbox.position_of(connection, who.scope.organisation_id)
        return position, len(rows) > count, read.threads(connection, who.scope, rows[:count])

    position, more, found = await hub.database.read(look)
    page = shapes.ThreadPage(
        items=hub.presenter.threads(found),
        next_cursor=cursor_of(found.rows[-1].sort_at, found.rows[-1].id) if more else None,
    )
    return Response(page, headers={POSITION: str(position)})


async def _search(
    hub: Parts, who: Who, typed: str, limit: int, after: tuple[int, int] | None
) -> Response[shapes.ThreadPage]:
    query = parse_query(typed)

    def look(connection: Connection) -> tuple[int, search.Found, read.Threads]:
        found = search.search(connection, who.scope, query, limit=limit, after=after)
        position = inbox.position_of(connection, who.scope.organisation_id)
        return position, found, read.threads(connection, who.scope, found.rows)

    position, found, rows = await hub.database.read(look)
    items = hub.presenter.threads(rows)
    for row, item in zip(found.rows, items, strict=True):
        match = found.matches[row.id]
        item.match = shapes.SearchMatch(
            kind="contact" if match.entry_id is None else "entry",
            entry_id=None if match.entry_id is None else str(match.entry_id),
            text=match.text,
            ranges=match.ranges,
        )
    cursor = None if found.next is None else cursor_of(*found.next)
    return Response(
        shapes.ThreadPage(items=items, next_cursor=cursor), headers={POSITION: str(position)}
    )


@get("/threads/counts", opt=right(VIEW), summary="Count conversations")
async def count_threads(
    request: Web,
    org: FromPath[str],
    status: FromQuery[Status] = "open",
    quick: Annotated[Quick, QueryParameter(name="filter")] = "all",
    assignee: FromQuery[str | None] = None,
) -> Response[shapes.ThreadCounts]:
    """How many conversations each filter has within the status, and each status within the
    filter."""
    hub, who = parts(request), who_asks(request)
    wanted = filter_of(who, status, quick, assignee)

    def look(connection: Connection) -> tuple[int, inbox.Counts]:
        position = inbox.position_of(connection, who.scope.organisation_id)
        return position, inbox.filter_counts(connection, who.scope, wanted)

    position, (by_filter, by_status, unread) = await hub.database.read(look)
    counts = shapes.ThreadCounts(filter=by_filter, status=by_status, unread_total=unread)
    return Response(counts, headers={POSITION: str(position)})


@get("/threads/{thread_id:str}", opt=right(VIEW), summary="Read a conversation")
async def read_thread(
    request: Web, org: FromPath[str], thread_id: FromPath[str]
) -> Response[shapes.ThreadDetail]:
    """One conversation with its contact and what may be written to them."""
    detail, position = await thread_detail(parts(request), who_asks(request), thread_id)
    return Response(detail, headers={POSITION: str(position)})


async def thread_detail(hub: Parts, who: Who, thread_id: str) -> tuple[shapes.ThreadDetail, int]:
    """A conversation as its page shows it, and the position it is true at."""
    found = await hub.database.read(partial(_detail, who.scope, parse(thread_id) or 0))
    if found is None:
        raise not_found("conversation")
    (row,), (shape,) = found.threads.rows, hub.presenter.threads(found.threads)
    contact, addresses = found.contact, found.addresses
    uses = [use for use in found.uses if who.scope.sees(use.channel_id)]
    consents = [one for one in found.consents if who.scope.sees(one.channel_id)]
    modes = hub.composer.modes(who.scope, addresses, consents, uses)
    facts = {name: getattr(shape, name) for name in shapes.ThreadRow.__struct_fields__}
    detail = shapes.ThreadDetail(
        **facts,
        details=shapes.ContactOut(
            id=str(row.contact_id),
            name=row.contact_name,
            display=contact_display(row.contact_name, addresses),
            addresses=[
                shapes.AddressOut(
                    id=str(one.id),
                    scheme=one.scheme,
                    value=one.value,
                    display=shown(one.scheme, one.value, one.display),
                    verified=one.verified,
                )
                for one in addresses
            ],
            created_at=when(row.created_at if contact is None else contact.created_at),
        ),
        consents=[
            shapes.ConsentOut(
                channel_id=one.channel_id,
                scheme=one.scheme,
                value=one.value,
                state="out" if one.state == "out" else "in",
                at=when(one.at),
                how=one.how,
                by=None if one.by_member_id is None else str(one.by_member_id),
            )
            for one in consents
        ],
        compose=modes,
        default_channel_id=default_mode(modes, uses),
        read_up_to=None if found.read_up_to is None else str(found.read_up_to),
    )
    return detail, found.position


class _Detail(Struct, frozen=True):
    """What is read for a conversation's page."""

    position: int
    threads: read.Threads
    contact: contacts.ContactRow | None
    addresses: list[contacts.AddressRow]
    consents: list[contacts.ConsentRow]
    uses: list[contacts.ChannelUse]
    read_up_to: int | None


def _detail(scope: Scope, thread_id: int, connection: Connection) -> _Detail | None:
    org = scope.organisation_id
    rows = inbox.threads_by_id(connection, scope, [thread_id])
    if not rows:
        return None
    contact_id = rows[0].contact_id
    addresses = contacts.addresses_of(connection, [contact_id]).get(contact_id, [])
    return _Detail(
        position=inbox.position_of(connection, org),
        threads=read.threads(connection, scope, rows),
        contact=contacts.contact_by_id(connection, org, contact_id),
        addresses=addresses,
        consents=contacts.consents_of(connection, org, addresses),
        uses=contacts.channel_uses(connection, thread_id),
        read_up_to=timeline.entry_at_seq(connection, thread_id, rows[0].read_through),
    )


@patch("/threads/{thread_id:str}", opt=right(VIEW), summary="Assign, close, reopen")
async def change_thread(
    request: Web,
    org: FromPath[str],
    thread_id: FromPath[str],
    data: JSONBody[shapes.ThreadPatch],
) -> shapes.ThreadRow:
    """Change what is given; the rest stays."""
    hub, who = parts(request), who_asks(request)
    id_ = await seen_thread(hub, who, thread_id)
    assign = data.assignee_id is not msgspec.UNSET
    assignee_id: int | None = None
    if isinstance(data.assignee_id, str):
        assignee_id = parse(data.assignee_id)
        if assignee_id is None:
            errors = [shapes.FieldError(field="assignee_id", message="is no member's id")]
            raise ProblemError(422, "There is no such member.", code="no_member", errors=errors)
    await hub.writer.carry_out(
        c.ChangeThread(
            organisation_id=who.scope.organisation_id,
            at=now_ms(),
            entry_ids=(hub.ids.new(), hub.ids.new(), hub.ids.new()),
            thread_id=id_,
            by_member_id=who.member.member_id,
            assign=assign,
            assignee_id=assignee_id,
            status=data.status,
            needs_response=data.needs_response,
        )
    )
    return await _row(hub, who, id_)


@post(
    "/threads/{thread_id:str}/read",
    opt=right(VIEW),
    status_code=HTTP_200_OK,
    summary="Mark read",
)
async def mark_read(
    request: Web, org: FromPath[str], thread_id: FromPath[str], data: JSONBody[shapes.ReadUpTo]
) -> shapes.ThreadRow:
    """The team has seen the conversation up to an entry."""
    hub, who = parts(request), who_asks(request)
    id_ = await seen_thread(hub, who, thread_id)
    command = c.ReadThread(
        organisation_id=who.scope.organisation_id,
        at=now_ms(),
        thread_id=id_,
        up_to=parse(data.up_to) or 0,
    )
    await hub.writer.carry_out(command)
    return await _row(hub, who, id_)


@post(
    "/threads/{thread_id:str}/unread",
    opt=right(VIEW),
    status_code=HTTP_200_OK,
    summary="Mark unread",
)
async def mark_unread(
    request: Web, org: FromPath[str], thread_id: FromPath[str]
) -> shapes.ThreadRow:
    """The last inbound message counts as unread again."""
    hub, who = parts(request), who_asks(request)
    id_ = await seen_thread(hub, who, thread_id)
    command = c.UnreadThread(organisation_id=who.scope.organisation_id, at=now_ms(), thread_id=id_)
    await hub.writer.carry_out(command)
    return await _row(hub, who, id_)


async def seen_thread(hub: Parts, who: Who, thread_id: str) -> int:
    """A conversation's id, if the member may see it."""
    id_ = parse(thread_id) or 0
    rows = await hub.database.read(
        lambda connection: inbox.threads_by_id(connection, who.scope, [id_])
    )
    if not rows:
        raise not_found("conversation")
    return rows[0].id


async def _row(hub: Parts, who: Who, id_: int) -> shapes.ThreadRow:
    def look(connection: Connection) -> read.Threads:
        rows = inbox.threads_by_id(connection, who.scope, [id_])
        return read.threads(connection, who.scope, rows)

    (shape,) = hub.presenter.threads(await hub.database.read(look))
    return shape


@get("/threads/{thread_id:str}/entries", opt=right(VIEW), summary="Read a timeline")
async def list_entries(
    request: Web,
    org: FromPath[str],
    thread_id: FromPath[str],
    before: FromQuery[str | None] = None,
    after: FromQuery[str | None] = None,
    around: FromQuery[str | None] = None,
    kind: FromQuery[Kind] = "all",
    limit: Limit = 50,
) -> Response[shapes.EntryPage]:
    """Entries in time order: the last ones, or those before, after or around an entry (its id)
    or a cursor."""
    hub, who = parts(request), who_asks(request)
    if sum(one is not None for one in (before, after, around)) > 1:
        raise ProblemError(400, "Give one of before, after and around.")
    wanted = _Window(
        scope=who.scope,
        thread_id=parse(thread_id) or 0,
        count=limit_of(limit),
        grouping=None if kind == "all" else kind,
        before=before,
        after=after,
        around=around,
    )
    position, found, earlier, later = await hub.database.read(wanted.read)
    rows = found.rows
    page = shapes.EntryPage(
        items=hub.presenter.entries(who.member.organisation, found),
        earlier_cursor=cursor_of(rows[0].sort_at, rows[0].id) if earlier else None,
        later_cursor=cursor_of(rows[-1].sort_at, rows[-1].id) if later else None,
    )
    return Response(page, headers={POSITION: str(position)})


class _Window(Struct, frozen=True, kw_only=True):
    """A window of a timeline, and whether there is more on either side."""

    scope: Scope
    thread_id: int
    count: int
    grouping: str | None
    before: str | None
    after: str | None
    around: str | None

    def read(self, connection: Connection) -> tuple[int, read.Entries, bool, bool]:
        """The position, the entries, whether there are earlier ones, whether later ones."""
        if not inbox.threads_by_id(connection, self.scope, [self.thread_id]):
            raise not_found("conversation")
        rows, earlier, later = self._rows(connection)
        position = inbox.position_of(connection, self.scope.organisation_id)
        return position, read.entries(connection, rows), earlier, later

    def _rows(self, connection: Connection) -> tuple[list[timeline.EntryRow], bool, bool]:
        count = self.count
        if self.around is not None:
            middle = self._place(connection, self.around)
            half = max(1, count // 2)
            old = self._page(connection, half + 1, before=(middle[0], middle[1] + 1))
            new = self._page(connection, half + 1, after=middle)
            return old[-half:] + new[:half], len(old) > half, len(new) > half
        if self.after is not None:
            rows = self._page(connection, count + 1, after=self._place(connection, self.after))
            return rows[:count], bool(rows), len(rows) > count
        before = None if self.before is None else self._place(connection, self.before)
        rows = self._page(connection, count + 1, before=before)
        return rows[-count:], len(rows) > count, before is not None and bool(rows)

    def _page(
        self, connection: Connection, count: int, **place: timeline.Place | None
    ) -> list[timeline.EntryRow]:
        return timeline.thread_timeline(
            connection,
            self.scope,
            self.thread_id,
            limit=count,
            grouping=self.grouping,
            **place,
        )

    def _place(self, connection: Connection, given: str) -> timeline.Place:
        id_ = parse(given)
        if id_ is None:
            return place_of(given) or (0, 0)
        rows = timeline.entries_by_id(connection, self.scope, [id_])
        if not rows or rows[0].thread_id != self.thread_id:
            raise not_found("entry in this conversation")
        return rows[0].sort_at, rows[0].id


router = Router(
    "/api/v1/organisations/{org:str}",
    route_handlers=[
        list_threads,
        count_threads,
        read_thread,
        change_thread,
        mark_read,
        mark_unread,
        list_entries,
    ],
    tags=["Conversations"],
)
