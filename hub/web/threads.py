"""Conversations: the list and its counts, one of them, its timeline, what may be done to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, Router, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK
from msgspec import Struct, field
from sqlalchemy import Connection

from hub.edge.guards import Who, right, who_asks
from hub.edge.paging import cursor_of, limit_of, place_of
from hub.edge.problems import ProblemError, not_found
from hub.flow.compose import default_mode, own_seen
from hub.flow.host import PluginFault, now_ms
from hub.flow.stream import count
from hub.flow.targets import as_of_now
from hub.flow.views import read, shapes
from hub.flow.views.present import contact_display, when
from hub.plugin import HookError
from hub.rules import commands as c
from hub.rules import date_ranges, letters
from hub.rules.addresses import shown, valid_phone
from hub.rules.consent import in_force
from hub.rules.content import Content, decode
from hub.rules.rights import APPROVE, SEND, VIEW
from hub.rules.search import LOOKED_AT
from hub.rules.search import parse as parse_query
from hub.store import contacts, inbox, search, timeline
from hub.store.ids import parse
from hub.store.inbox import Filter
from hub.store.members import choice_of
from hub.store.scope import Scope
from hub.web.parts import Parts, parts

Status = Literal["open", "unread", "closed", "all"]
Quick = Literal["all", "unread", "unassigned", "mine", "needs_response", "late"]
Kind = Literal["all", "texts", "emails", "calls", "notes", "system"]
Web = Request[Any, Any, State]
AT_MOST = 100
"""Channels, or addresses of ours, that a list may be narrowed to."""
WeekStart = Annotated[int, msgspec.Meta(ge=1, le=7)]
Limit = Annotated[int, QueryParameter(description="How many, 200 at most")]
RangeName = Annotated[
    date_ranges.Name,
    QueryParameter(
        name="range",
        description="Only conversations with any activity in these days of the organisation's time "
        "zone; `30d` are today and the 29 days before, `custom` those of `from` and `to`",
    ),
]
FromDay = Annotated[
    date | None, QueryParameter(name="from", description="The first day of a `custom` range")
]
ToDay = Annotated[
    date | None, QueryParameter(name="to", description="The last day of a `custom` range")
]
WeekBegins = Annotated[
    int,
    QueryParameter(
        name="week_start", ge=1, le=7, description="The day that a week begins with, 1: Monday"
    ),
]
OnChannels = Annotated[
    list[str] | None,
    QueryParameter(
        name="channel", max_items=AT_MOST, description="Only those with anything on one of these"
    ),
]
OwnAddresses = Annotated[
    list[str] | None,
    QueryParameter(
        name="own_address",
        max_items=AT_MOST,
        description="Only those with anything through one of these addresses of ours",
    ),
]
Typed = Annotated[
    str | None,
    QueryParameter(
        description=f"What to search for, its first {LOOKED_AT} characters: words of messages and "
        "notes, names, addresses, phone numbers in any form; status and filters are ignored"
    ),
]
POSITION = "X-Position"
"""The header that says at which position of the journal an answer is true."""


class Show(Struct, kw_only=True):
    """What of the list a client wants, or shows. ``from`` and ``to`` are the days of a ``custom``
    range in the organisation's time zone, both included; ``week_start`` is the day that weeks begin
    with, 1 (Monday) to 7."""

    status: Status = "open"
    filter: Quick = "all"
    range: date_ranges.Name = "all"
    from_: date | None = field(default=None, name="from")
    to: date | None = None
    week_start: WeekStart = date_ranges.MONDAY
    assignee: str | None = None
    channel: Annotated[list[str], msgspec.Meta(max_length=AT_MOST)] = []
    own_address: Annotated[list[str], msgspec.Meta(max_length=AT_MOST)] = []


def filter_of(who: Who, show: Show) -> Filter:
    """What of the list a request wants."""
    return Filter(
        status=show.status,
        filter=show.filter,
        me=who.member.member_id,
        assignee_id=None if show.assignee is None else parse(show.assignee) or 0,
        range=date_ranges.Range(
            name=show.range, first=show.from_, last=show.to, week_start=show.week_start
        ),
        own=tuple(sorted(set(show.own_address))),
        channels=tuple(sorted(set(show.channel))),
    )


def show_of(  # noqa: PLR0913, PLR0917 — each is a filter
    status: FromQuery[Status] = "open",
    quick: Annotated[Quick, QueryParameter(name="filter")] = "all",
    range_: RangeName = "all",
    from_day: FromDay = None,
    to_day: ToDay = None,
    week_start: WeekBegins = date_ranges.MONDAY,
    assignee: FromQuery[str | None] = None,
    channel: OnChannels = None,
    own_address: OwnAddresses = None,
) -> Show:
    """What the query of a request wants of the list."""
    return Show(
        status=status,
        filter=quick,
        range=range_,
        from_=from_day,
        to=to_day,
        week_start=week_start,
        assignee=assignee,
        channel=channel or [],
        own_address=own_address or [],
    )


SHOW = {"show": Provide(show_of, sync_to_thread=False)}


@get("/threads", dependencies=SHOW, opt=right(VIEW), summary="List conversations")
async def list_threads(
    request: Web,
    org: FromPath[str],
    show: NamedDependency[Show],
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
    wanted, after = filter_of(who, show), place_of(cursor)

    def look(connection: Connection) -> tuple[int, bool, read.Threads]:
        asked = as_of_now(connection, who.scope.organisation_id, wanted)
        rows = inbox.inbox_page(connection, who.scope, asked, limit=count + 1, after=after)
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
    sought = not items and after is None
    number = valid_phone(typed, _own_phones(hub, who.scope)) if sought else None
    page = shapes.ThreadPage(
        items=items,
        next_cursor=None if found.next is None else cursor_of(*found.next),
        new_number=None
        if number is None
        else shapes.ComposeAddress(value=number, display=shown("phone", number)),
    )
    return Response(page, headers={POSITION: str(position)})


def _own_phones(hub: Parts, scope: Scope) -> Iterator[str]:
    for channel in hub.channels.of(scope.organisation_id):
        if scope.sees(channel.id):
            with suppress(HookError, PluginFault):
                yield from (one.value for one in own_seen(channel, scope) if one.scheme == "phone")


@get("/threads/counts", dependencies=SHOW, opt=right(VIEW), summary="Count conversations")
async def count_threads(
    request: Web,
    org: FromPath[str],
    show: NamedDependency[Show],
) -> Response[shapes.ThreadCounts]:
    """How many conversations each filter has within the status, and each status within the
    filter."""
    hub, who = parts(request), who_asks(request)
    wanted = filter_of(who, show)
    way = who.scope, APPROVE in who.member.capabilities

    def look(connection: Connection) -> tuple[int, shapes.ThreadCounts]:
        position = inbox.position_of(connection, who.scope.organisation_id)
        return position, count(connection, way, wanted)

    position, counts = await hub.database.read(look)
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
    consents = [
        one
        for one in found.consents
        if who.scope.sees_at(one.channel_id, one.own_address)
        or (one.own_address == "" and who.scope.sees(one.channel_id))
    ]
    settings = (await hub.settings.of(who.scope.organisation_id)).settings
    own = await hub.database.read(lambda one: choice_of(one, who.member.member_id))
    signature = letters.signed(own.signature, settings.letters.signature)
    modes = hub.composer.modes(who.scope, addresses, consents, uses, found.last, signature)
    call_modes = hub.dialler.modes(
        who.scope, addresses, consents, uses, may=SEND in who.member.capabilities
    )
    members = {one.id: one.name for one in found.threads.members}
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
            property_address=None if contact is None else contact.property_address,
            account=None if contact is None else contact.account,
            lead_id=None if contact is None else contact.lead_id,
            created_at=when(row.created_at if contact is None else contact.created_at),
        ),
        consents=_consents([*modes, *call_modes], addresses, consents, members),
        compose=modes,
        calls=call_modes,
        default_channel_id=default_mode(modes, uses),
        read_up_to=None if found.read_up_to is None else str(found.read_up_to),
    )
    return detail, found.position


def _consents(
    modes: Sequence[shapes.ComposeMode | shapes.CallMode],
    addresses: Sequence[contacts.AddressRow],
    consents: Sequence[contacts.ConsentRow],
    members: Mapping[int, str],
) -> list[shapes.ConsentOut]:
    """Of every address on every channel that reaches it, and of those of which anything was said
    on channels that are gone."""
    own = {mode.channel_id: mode.own[0].value if mode.own else "" for mode in modes}
    reached = {(mode.channel_id, one.value) for mode in modes for one in mode.to}
    said = {(one.channel_id, one.value) for one in consents if one.channel_id not in own}
    found: list[shapes.ConsentOut] = []
    for channel_id, value in (*dict.fromkeys(sorted(reached)), *sorted(said)):
        for address in addresses:
            if address.value != value:
                continue
            held = in_force(
                (
                    one
                    for one in consents
                    if (one.channel_id, one.scheme, one.value)
                    == (channel_id, address.scheme, value)
                ),
                own.get(channel_id, ""),
            )
            found.append(_consent(channel_id, address, held, members))
    return found


def _consent(
    channel_id: str,
    address: contacts.AddressRow,
    held: contacts.ConsentRow | None,
    members: Mapping[int, str],
) -> shapes.ConsentOut:
    display = shown(address.scheme, address.value, address.display)
    shape = shapes.ConsentOut(
        channel_id=channel_id, scheme=address.scheme, value=address.value, display=display
    )
    if held is None:
        return shape
    return msgspec.structs.replace(
        shape,
        state="out" if held.state == "out" else "in",
        at=when(held.at),
        how=held.how,
        by=None if held.by_member_id is None else members.get(held.by_member_id, "a member"),
    )


class _Detail(Struct, frozen=True):
    """What is read for a conversation's page."""

    position: int
    threads: read.Threads
    contact: contacts.ContactRow | None
    addresses: list[contacts.AddressRow]
    consents: list[contacts.ConsentRow]
    uses: list[contacts.ChannelUse]
    last: dict[str, Content]
    read_up_to: int | None


def _detail(scope: Scope, thread_id: int, connection: Connection) -> _Detail | None:
    org = scope.organisation_id
    rows = inbox.threads_by_id(connection, scope, [thread_id])
    if not rows:
        return None
    contact_id = rows[0].contact_id
    addresses = contacts.addresses_of(connection, [contact_id]).get(contact_id, [])
    uses = contacts.channel_uses(connection, thread_id)
    return _Detail(
        position=inbox.position_of(connection, org),
        threads=read.threads(connection, scope, rows),
        contact=contacts.contact_by_id(connection, org, contact_id),
        addresses=addresses,
        consents=contacts.consents_of(connection, org, addresses),
        uses=uses,
        last=_last(connection, scope, thread_id, uses),
        read_up_to=timeline.entry_up_to_seq(connection, thread_id, rows[0].read_through),
    )


def _last(
    connection: Connection, scope: Scope, thread_id: int, uses: Sequence[contacts.ChannelUse]
) -> dict[str, Content]:
    """What was said last on each channel of a conversation."""
    last = {
        use.channel_id: timeline.last_of_channel(connection, scope, thread_id, use.channel_id)
        for use in uses
    }
    return {id_: decode(one.content) for id_, one in last.items() if one is not None}


@patch("/threads/{thread_id:str}", opt=right(VIEW), summary="Assign, close, reopen")
async def change_thread(
    request: Web,
    org: FromPath[str],
    thread_id: FromPath[str],
    data: JSONBody[shapes.ThreadPatch],
) -> Response[shapes.ThreadRow]:
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
            actor=who.actor,
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
) -> Response[shapes.ThreadRow]:
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
) -> Response[shapes.ThreadRow]:
    """The last inbound message counts as unread again: of those that the member sees."""
    hub, who = parts(request), who_asks(request)
    id_ = await seen_thread(hub, who, thread_id)
    command = c.UnreadThread(
        organisation_id=who.scope.organisation_id,
        at=now_ms(),
        thread_id=id_,
        places=who.scope.channels,
    )
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


async def _row(hub: Parts, who: Who, id_: int) -> Response[shapes.ThreadRow]:
    def look(connection: Connection) -> tuple[int, read.Threads]:
        rows = inbox.threads_by_id(connection, who.scope, [id_])
        position = inbox.position_of(connection, who.scope.organisation_id)
        return position, read.threads(connection, who.scope, rows)

    position, found = await hub.database.read(look)
    (shape,) = hub.presenter.threads(found)
    return Response(shape, headers={POSITION: str(position)})


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
        return position, read.entries(connection, self.scope, rows), earlier, later

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
