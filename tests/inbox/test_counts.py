"""The list and its counts, whatever happened: what looking at every row finds, for everybody's
eyes, over all time and in any range."""

from __future__ import annotations

import itertools
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import Connection

from hub.store import inbox, inbox_counts, inbox_sets, sights
from hub.store import tables as t
from hub.store.ids import Ids
from hub.store.inbox import FILTERS, STATUSES, Filter
from hub.store.scope import Scope
from tests import books
from tests.record import machine
from tests.record.test_batches import Workbench, workbench

__all__ = ["workbench"]
ME = 11
IDS = Ids(7)
HISTORIES = machine.histories | machine.proposals
SCOPES = st.none() | st.frozensets(st.sampled_from(machine.PLACES))
MOMENTS = st.none() | st.integers(machine.START - 1, machine.START + 80_000_000)


class Rows:
    """The list, by looking at every entry."""

    def __init__(self, connection: Connection, scope: Scope) -> None:
        self.threads = {
            one.id: one
            for one in books.rows(connection, t.threads)
            if one.organisation_id == scope.organisation_id
        }
        self.entries: dict[int, list[Any]] = {}
        for one in books.rows(connection, t.entries):
            if scope.sees_at(one.channel_id, one.own_address):
                self.entries.setdefault(one.thread_id, []).append(one)
        self.limited = scope.limited

    def list(self, wanted: Filter) -> list[int]:
        """The list, in its order."""
        found: list[tuple[int, int]] = []
        for id_, thread in self.threads.items():
            seen = self.entries.get(id_, [])
            # To who is limited, what has no channel tells nothing of when and how much.
            own = [one for one in seen if one.channel_id is not None or not self.limited]
            if not own or (thread.sort_at == 0 and not self.limited):
                continue
            unread, _ = books.unread(thread, own)
            waits = thread.needs_response and thread.waiting_since <= (wanted.late_since or -1)
            fits = {
                "all": True,
                "unread": unread > 0,
                "needs_response": thread.needs_response,
                "unassigned": thread.assignee_id is None,
                "mine": thread.assignee_id == wanted.me,
                "late": waits,
            }
            since, until = wanted.since or 0, wanted.until
            if (
                fits[wanted.filter]
                and (wanted.status in ("all", thread.status) or wanted.status == "unread")
                and (wanted.status != "unread" or unread > 0)
                and wanted.assignee_id in (None, thread.assignee_id)
                and max(one.sort_at for one in own) >= since
                and (until is None or any(since <= one.sort_at < until for one in seen))
                and (not wanted.own or any(one.own_address in wanted.own for one in seen))
                and (not wanted.channels or any(one.channel_id in wanted.channels for one in seen))
            ):
                times = [one.sort_at for one in own if one.kind != "system" or self.limited]
                found.append((max(times), id_))
        return [id_ for _, id_ in sorted(found, reverse=True)]


def compare(connection: Connection, scope: Scope, basis: Filter) -> None:
    """Every tab and filter, beside what is there; ``basis`` has what they share."""
    rows = Rows(connection, scope)

    def listed(status: str, filter_: str) -> list[int]:
        return rows.list(_with(basis, status, filter_))

    for status, filter_ in itertools.product(STATUSES, FILTERS):
        wanted = _with(basis, status, filter_)
        found: list[int] = []
        after = None
        while page := inbox.inbox_page(connection, scope, wanted, limit=2, after=after):
            found += [row.id for row in page]
            after = page[-1].sort_at, page[-1].id
        assert found == listed(status, filter_), wanted
        by_filter, by_status, unread = inbox.filter_counts(connection, scope, wanted)
        assert by_filter == {name: len(listed(status, name)) for name in FILTERS}, wanted
        assert by_status == {name: len(listed(name, filter_)) for name in STATUSES}, wanted
        assert unread == len(rows.list(Filter(status="unread")))


def _with(basis: Filter, status: str, filter_: str) -> Filter:
    return replace(basis, status=status, filter=filter_, me=ME)


@pytest.mark.feature("FILT-01", "FILT-02", "FILT-03", "FILT-04", "FILT-06", "PERM-03")
@pytest.mark.parametrize(
    ("hour", "direct", "part"), [(60_000, 1, 1), (3_600_000, 400, 16)], ids=["many", "few"]
)
def test_the_list_and_its_counts_are_what_is_there(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch, hour: int, direct: int, part: int
) -> None:
    monkeypatch.setattr(inbox_counts, "HOUR", hour)  # an hour or some thousand to a history
    monkeypatch.setattr(inbox_sets, "DIRECT", direct)
    monkeypatch.setattr(inbox_sets, "PART", part)
    bases = st.builds(
        Filter,
        assignee_id=st.sampled_from((None, None, 11, 12)),
        late_since=MOMENTS,
        since=MOMENTS,
        until=MOMENTS,
        own=st.sampled_from(((), (), machine.OWN[:1], machine.OWN)),
        channels=st.sampled_from(((), (), machine.CHANNELS[:1], machine.CHANNELS)),
    )

    @settings(max_examples=4 if workbench.dialect == "postgresql" else 20, deadline=None)
    @given(machine.histories, SCOPES, bases)
    def check(history: list[machine.Step], places: frozenset[str] | None, basis: Filter) -> None:
        def work(connection: Connection) -> None:
            machine.prepare(connection)
            machine.one_at_a_time(connection, history)
            books.check_counts(connection)
            for seen in {None, places}:
                compare(connection, Scope(1, seen), basis)
            if places:
                machine.let_roles_see(connection, places)
                sights.fill(connection, IDS)
                compare(connection, Scope(1, places), basis)

        workbench.run(work)

    check()


@pytest.mark.feature("PERM-03", "FILT-04")
def test_the_lists_of_limited_roles_are_kept_as_they_change(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever a role came, whatever happened before and since, while its list was filled, and
    after another role went."""
    monkeypatch.setattr(inbox_counts, "HOUR", 60_000)
    monkeypatch.setattr(sights, "AT_ONCE", 1)
    monkeypatch.setattr(sights, "SETS_AT_ONCE", 1)
    monkeypatch.setattr(inbox_sets, "PART", 1)
    some = st.frozensets(st.sampled_from(machine.PLACES), min_size=1)
    moments = st.integers(0, 8)

    @settings(max_examples=3 if workbench.dialect == "postgresql" else 12, deadline=None)
    @given(
        machine.histories | machine.proposals, some, some, moments, moments, st.booleans(), MOMENTS
    )
    def check(
        history: list[machine.Step],
        places: frozenset[str],
        others: frozenset[str],
        first: int,
        then: int,
        at_once: bool,
        since: int | None,
    ) -> None:
        def step(connection: Connection, number: int) -> None:
            if number == first:
                machine.let_roles_see(connection, places, others)
            books.check_sights(connection)
            if number >= first:
                (sights.fill if at_once else sights.step)(connection, IDS)
            if number == first + then:
                machine.let_roles_see(connection, places)

        def work(connection: Connection) -> None:
            machine.prepare(connection)
            machine.one_at_a_time(connection, history, between=step)
            machine.let_roles_see(connection, places)
            sights.fill(connection, IDS)
            assert inbox.kept(connection, Scope(1, places)) == (mock.ANY, True)
            for until in (None, since):
                basis = Filter(since=None if until else since, until=until, late_since=since)
                compare(connection, Scope(1, places), basis)
            books.check_sights(connection)

        workbench.run(work)

    check()
