"""Sets of conversations, however many and however far apart: what looking at each would find."""

from __future__ import annotations

import itertools
import random

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import Connection

from hub.store import inbox, inbox_sets, sights
from hub.store import tables as t
from hub.store.ids import Ids
from hub.store.inbox import Filter
from hub.store.inbox_counts import HOUR
from hub.store.inbox_sets import Owner, Sets
from hub.store.scope import Scope
from tests import books
from tests.record import machine
from tests.record.test_batches import Workbench, workbench

__all__ = ["workbench"]
COUNT = 150
SPAN = 6 * 365 * 24 * HOUR
_chance = random.Random(7)
_lengths = (1_000, HOUR, 40 * HOUR, 2_000 * HOUR, SPAN)
TIMES = {
    id_: sorted(
        machine.START - _chance.randrange(_chance.choice(_lengths)) for _ in range(id_ % 4 + 1)
    )
    for id_ in range(1, COUNT + 1)
}
"""When each conversation has entries."""
KNOWN = sorted(itertools.chain(*TIMES.values()))
_moments = st.one_of(
    st.none(),
    st.sampled_from(KNOWN),
    st.integers(machine.START - SPAN, machine.START + HOUR),
    st.integers((machine.START - SPAN) // HOUR, machine.START // HOUR + 1).map(HOUR.__mul__),
)


def _fill(connection: Connection) -> None:
    machine.prepare(connection)
    thread = {"organisation_id": 1, "status": "open", "has_inbound": True, "needs_response": False}
    thread |= {"unread": 0, "read_through": 0, "seq": 1, "preview": "", "preview_direction": "in"}
    entry = {"organisation_id": 1, "kind": "message", "grouping": "texts", "direction": "in"}
    entry |= {"author_kind": "contact", "content": "{}", "preview": "", "occurred_at": 0}
    connection.execute(
        sa.insert(t.threads),
        [
            {**thread, "id": id_, "contact_id": id_, "sort_at": at[-1], "active_at": at[-1]}
            | {"created_at": 0}
            for id_, at in TIMES.items()
        ],
    )
    connection.execute(
        sa.insert(t.entries),
        [
            {**entry, "id": 10 * id_ + seq, "thread_id": id_, "seq": seq, "sort_at": at}
            | {"created_at": 0}
            for id_, own in TIMES.items()
            for seq, at in enumerate(own)
        ],
    )
    inbox_sets.fill(connection)


@pytest.mark.feature("FILT-03", "FILT-04")
@pytest.mark.parametrize(("direct", "part"), [(1, 3), (20, 16)])
def test_any_range_has_what_happened_in_it_in_the_lists_order(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch, direct: int, part: int
) -> None:
    monkeypatch.setattr(inbox_sets, "DIRECT", direct)
    monkeypatch.setattr(inbox_sets, "PART", part)
    workbench.run(_fill)
    places = sorted(((at[-1], id_) for id_, at in TIMES.items()), reverse=True)

    @settings(max_examples=20 if workbench.dialect == "postgresql" else 100, deadline=None)
    @given(_moments, _moments, st.none() | st.sampled_from(places), st.integers(1, COUNT))
    def check(since: int | None, until: int | None, after: tuple[int, int] | None, n: int) -> None:
        def work(connection: Connection) -> None:
            sets = Sets(connection, Owner(Scope(1)))
            found = sets.active(since, until)
            behind = [one for one in places if after is None or one < after]
            wanted = [id_ for _, id_ in behind if _within(id_, since, until)]
            assert sets.newest(found, n, after) == wanted[:n]
            assert len(found) == sum(_within(id_, since, until) for id_ in TIMES)

        workbench.run(work)

    check()


@pytest.mark.feature("FILT-03", "FILT-06")
def test_what_moves_away_leaves_no_trace(workbench: Workbench) -> None:
    """A call that was moved to another conversation is not what the first one has."""
    call = {"kind": "call", "org": 1, "phone": machine.PHONES[0], "withheld": False, "at": 0}
    call |= {"direction": "in", "name": None}
    history = [
        {**call, "channel": "sms", "external": 0},
        {**call, "channel": "chat", "external": 1},
        {"kind": "move", "pick": 0, "to": None, "at": 0},
    ]

    def work(connection: Connection) -> None:
        machine.prepare(connection)
        machine.one_at_a_time(connection, history)
        used = [
            Sets(connection, Owner(Scope(1))).any_of([f"channel {one}"]) for one in ("sms", "chat")
        ]
        assert [len(one) for one in used] == [1, 1]
        assert used[0].isdisjoint(used[1]), "one call was moved, from the other"
        books.check_sets(connection)

    workbench.run(work)


@pytest.mark.feature("PERM-03", "FILT-03", "FILT-06")
def test_a_limited_role_has_sets_of_what_it_sees(workbench: Workbench) -> None:
    """What was moved away, and a note, which has no channel."""
    call = {"kind": "call", "org": 1, "phone": machine.PHONES[0], "withheld": False, "at": 0}
    call |= {"direction": "in", "name": None}
    before = [
        {**call, "channel": "sms", "external": 0},
        {**call, "channel": "chat", "external": 1},
        {"kind": "note", "pick": 0, "says": "Called back", "at": 0},
    ]
    scope, part = Scope(1, frozenset({"sms", "chat"})), Scope(1, frozenset({"chat"}))

    def work(connection: Connection) -> None:
        machine.prepare(connection)
        machine.let_roles_see(connection, frozenset({"sms", "chat"}), frozenset({"chat"}))
        sights.fill(connection, Ids(7))
        history = [*before, {"kind": "move", "pick": 0, "to": None, "at": 0}]
        machine.one_at_a_time(connection, before)
        first = books.rows(connection, t.entries)[0].sort_at
        wanted = Filter(status="all", since=first, until=first + 1)
        assert len(inbox.inbox_page(connection, scope, wanted, limit=9)) == 1
        assert inbox.inbox_page(connection, part, wanted, limit=9) == [], "it is not seen"
        machine.prepare(connection)
        machine.let_roles_see(connection, frozenset({"sms", "chat"}))
        sights.fill(connection, Ids(7))
        machine.one_at_a_time(connection, history)
        kept = inbox.kept(connection, scope)
        assert kept is not None
        sets = Sets(connection, Owner(scope, kept.id))
        used = [sets.any_of([f"channel {one}"]) for one in ("sms", "chat")]
        assert [len(one) for one in used] == [1, 1]
        assert used[0].isdisjoint(used[1]), "one call was moved, from the other"
        books.check_sights(connection)
        times = [one.sort_at for one in books.rows(connection, t.entries) if one.kind == "note"]
        noted = sets.active(times[0], times[0] + 1)
        assert len(noted) == 1
        assert noted.isdisjoint(sets.placed(times[0])), "nothing else has happened since then"
        wanted = Filter(status="all", since=times[0], until=times[0] + 1)
        assert inbox.inbox_page(connection, scope, wanted, limit=9) == []
        wanted = replace(wanted, since=None)
        assert len(inbox.inbox_page(connection, scope, wanted, limit=9)) == 2

    workbench.run(work)


def _within(id_: int, since: int | None, until: int | None) -> bool:
    return any(
        (since is None or at >= since) and (until is None or at < until) for at in TIMES[id_]
    )
