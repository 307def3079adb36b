"""After any history a search finds exactly what reading every row finds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from hub.rules import content as contents
from hub.rules.search import Query, parse
from hub.rules.threads import NOWHERE
from hub.store import inbox, search, sights
from hub.store import tables as t
from hub.store.ids import Ids
from hub.store.scope import Scope
from tests.record import machine
from tests.record.test_batches import Workbench

TYPED = (
    "inv", "invoice", "the new", '"the new"', '"new the"', "bi", "b", "zoe", "ZOË bicycle", "12",
    "京都", "東京 私", "🙂", "квит", "0001", "+1 (555) 010-0002", "05550100003", "555 010",
    "an", "a", "o'n", "søn", "&", "%", "_new", "\\", '100%', "example.com", "e-mail", "mail zoe",
    "bicycle 12", "for the for", "ça COUTE", "رقم", "NOT", "AND OR", "*", '"', "'", "()", "1:4711",
    "bicycle*", "col:bicycle", "<->", "NEAR(a b)", "no such thing",
)  # fmt: skip

SIGNS = "ab \"'*()&|!:<>-+^{}%_\\\x00🙂京"


@pytest.fixture
def workbench(database_url: str) -> Iterator[Workbench]:
    bench = Workbench(database_url)
    yield bench
    bench.close()


def said(text: str) -> list[str]:
    """The words of a text, made the slow way."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    plain = "".join(
        f" {c} " if c == "🙂" or "CJK" in unicodedata.name(c, "") else c for c in plain.casefold()
    )
    plain = re.sub(r"\d", lambda digit: str(unicodedata.decimal(digit[0])), plain)
    return re.findall(r"[^\W_]+|🙂", plain)


def finds_entry(query: Query, content: contents.Content) -> bool:
    own = said(f"{content.subject or ''} {content.text}")

    def stands(term: Any, place: int) -> bool:
        here = own[place : place + len(term.words)]
        if len(here) < len(term.words):
            return False
        pairs = list(zip(here, term.words, strict=True))
        last, wanted = pairs.pop()
        return all(a == b for a, b in pairs) and (
            last == wanted or (term.prefix and last.startswith(wanted))
        )

    return bool(query.terms) and all(
        any(stands(term, place) for place in range(len(own))) for term in query.terms
    )


def finds_contact(query: Query, name: str | None, addresses: list[str]) -> bool:
    parts = "".join(c for c in unicodedata.normalize("NFKD", name or "") if not
                    unicodedata.combining(c)).casefold().split()  # fmt: skip
    if name is not None and re.fullmatch(r"[\d\s()+./-]+", name.strip()):
        addresses = [re.sub(r"\D", "", name), *addresses]  # it was called by its number
    parts += [address.lstrip("+") for address in addresses]
    line = "".join(f"  {part}" for part in parts)
    if query.needles and all(needle in line for needle in query.needles):
        return True
    return any(number in address for number in query.numbers for address in addresses)


class Reader:
    """Every row, and what a search must find in them."""

    def __init__(self, connection: Connection) -> None:
        def rows(table: sa.Table) -> Any:
            return connection.execute(sa.select(table).order_by(*table.primary_key.columns)).all()

        self._entries = [
            (entry, contents.decode(entry.content))
            for entry in rows(t.entries)
            if entry.kind != "system"
        ]
        self._threads = [one for one in rows(t.threads) if one.sort_at != NOWHERE]
        self._of_channels = [one for one in rows(t.entries) if one.channel_id is not None]
        self._addresses = rows(t.addresses)
        self._contacts = {one.id: one for one in rows(t.contacts)}

    def find(self, scope: Scope, query: Query) -> list[tuple[int, int | None]]:
        """Threads and the entry each is found by, ``None`` for its contact."""
        by_contact: list[tuple[int, int]] = []
        by_entry: list[tuple[int, int]] = []
        for thread in self._threads:
            seen = [
                one
                for one in self._of_channels
                if one.thread_id == thread.id and scope.sees_at(one.channel_id, one.own_address)
            ]
            if thread.organisation_id != scope.organisation_id or (scope.limited and not seen):
                continue
            contact = self._contacts[thread.contact_id]
            if contact.merged_into is not None:
                continue
            addresses = [one.value for one in self._addresses if one.contact_id == contact.id]
            sort_at = max(one.sort_at for one in seen) if scope.limited else thread.sort_at
            if finds_contact(query, contact.name, addresses):
                by_contact.append((sort_at, thread.id))
            elif entries := self._entries_found(scope, query, thread.id):
                by_entry.append((entries[-1], thread.id))
        found: list[tuple[int, int | None]] = []
        found += [(thread, None) for _, thread in sorted(by_contact, reverse=True)]
        found += [(thread, entry) for entry, thread in sorted(by_entry, reverse=True)]
        return found

    def _entries_found(self, scope: Scope, query: Query, thread_id: int) -> list[int]:
        return [
            entry.id
            for entry, content in self._entries
            if entry.thread_id == thread_id
            and scope.sees_at(entry.channel_id, entry.own_address)
            and finds_entry(query, content)
        ]


def in_pages(
    connection: Connection, scope: Scope, query: Query, limit: int
) -> list[tuple[int, Any]]:
    """What the search finds, page after page."""
    told: list[tuple[int, Any]] = []
    after = None
    while True:
        page = search.search(connection, scope, query, limit=limit, after=after)
        assert len(page.rows) == limit or page.next is None
        told += [(row.id, page.matches[row.id].entry_id) for row in page.rows]
        after = page.next
        if after is None:
            return told


SCOPES = (
    Scope(1),
    Scope(2),
    Scope(1, frozenset({"sms"})),
    Scope(1, frozenset({"chat", "gone"})),
    Scope(2, frozenset()),
    Scope(1, frozenset({f"sms {machine.OWN[0]}"})),
    Scope(1, frozenset({"chat", f"sms {machine.OWN[1]}"})),
)


SEEN = [one.channels for one in SCOPES if one.channels]


def test_a_search_finds_what_reading_every_row_finds(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Small steps, so that a few rows go all the ways that many would.
    monkeypatch.setattr(search, "_FIRST_STEP", 2)
    monkeypatch.setattr(search, "NEWEST_THREADS", 1)
    for name, number in (("COARSE", 1), ("COARSE_LIMIT", 4), ("ONE_IN", 2)):
        monkeypatch.setattr(search, name, number)
    monkeypatch.setattr(search, "_ENTRIES_POSTGRESQL", search._on_postgresql(3))
    fewer = workbench.dialect == "postgresql"  # each of its statements is a round trip

    @settings(max_examples=15 if fewer else 60)
    @given(
        st.lists(st.tuples(machine.writing, machine.steps), min_size=6, max_size=20),
        st.lists(st.integers(0, 1_000), min_size=3, max_size=8),
        st.integers(1, 5),
        st.booleans(),
        st.booleans(),
    )
    def check(
        pairs: list[tuple[machine.Step, machine.Step]],
        cuts: list[int],
        limit: int,
        merges: bool,
        kept: bool,
    ) -> None:
        history = [step for pair in pairs for step in pair]

        def live(connection: Connection) -> None:
            machine.prepare(connection)
            work = machine.one_at_a_time(connection, history)
            machine.prepare(connection)
            machine.in_batches(connection, work, cuts)
            if merges:
                last = sa.select(sa.func.max(t.contacts.c.id)).scalar_subquery()
                gone = sa.update(t.contacts).where(t.contacts.c.id == last)
                connection.execute(gone.values(merged_into=1))
            machine.let_roles_see(connection, *(SEEN if kept else ()))
            sights.fill(connection, Ids(7))

        def compare(connection: Connection) -> None:
            reader = Reader(connection)
            for scope in SCOPES:
                for typed in TYPED:
                    query = parse(typed)
                    found = in_pages(connection, scope, query, limit)
                    assert found == reader.find(scope, query), (scope, typed)

        workbench.run(live)
        workbench.run(compare)

    check()


@pytest.mark.feature("VOIC-03", "PERM-03")
@pytest.mark.parametrize("kept", [False, True])
def test_a_conversation_in_which_nothing_is_left_is_in_no_list(
    workbench: Workbench, *, kept: bool
) -> None:
    """That a call was moved away stands there, which is nothing to list."""
    call = {"kind": "call", "at": 0, "org": 1, "channel": "sms", "phone": machine.PHONES[0],
            "external": 0, "direction": "in", "withheld": False, "name": None}  # fmt: skip
    move = {"kind": "move", "at": 1, "pick": 0, "to": None}

    def live(connection: Connection) -> None:
        machine.prepare(connection)
        machine.let_roles_see(connection, *(SEEN if kept else ()))
        sights.fill(connection, Ids(7))
        machine.one_at_a_time(connection, [call, move])

    def compare(connection: Connection) -> None:
        (moved,) = connection.scalars(
            sa.select(t.entries.c.thread_id).where(t.entries.c.kind == "call")
        )
        for scope in SCOPES:
            sees = scope.organisation_id == 1 and scope.sees_at("sms", machine.OWN[0])
            rows = inbox.inbox_page(connection, scope, inbox.Filter(status="all"), limit=9)
            assert [row.id for row in rows] == ([moved] if sees else [])
            assert in_pages(connection, scope, parse(machine.PHONES[0]), 9) == []

    workbench.run(live)
    workbench.run(compare)


def test_any_text_has_an_answer(workbench: Workbench) -> None:
    def prepare(connection: Connection) -> None:
        machine.prepare(connection)

    workbench.run(prepare)

    @settings(max_examples=300)
    @given(
        st.text(max_size=220) | st.text(alphabet="ab \"'*()&|!:<>-+^{}%_\\\x00🙂京", max_size=40)
    )
    def check(typed: str) -> None:
        scope = Scope(1, frozenset({"sms", "ch'a\"t"}) if len(typed) % 2 else None)
        query = parse(typed)
        page = workbench.run(lambda connection: search.search(connection, scope, query, limit=3))
        assert page.rows == []

    check()
    for typed in ("\x00", "x" * 10_000, "🙂" * 300, "שלום عليكم", '"' * 201, "a " * 100):
        query = parse(typed)
        workbench.run(
            lambda connection, query=query: search.search(connection, Scope(1), query, limit=3)
        )
