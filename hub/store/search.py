"""The search: an index of what entries say and of who contacts are, and asking it.

What is indexed are the words that ``hub.rules.search`` makes, on both databases.

``search_entries`` holds the words of entries without their text. On SQLite it is a contentless
FTS5 table whose rowid is the entry's id; tokens for the organisation and the channel stand in a
column of their own, so that a query stays inside what a role may see. On PostgreSQL it is a table
with a ``tsvector``, apart from ``entries`` so that a change of an entry's status leaves the GIN
index alone. Matches come newest first by id and are never ranked: ranking would read them all.

``search_contacts`` holds a line of text for each contact, found by its trigrams: an FTS5 table
that triggers keep (SQLite), ``pg_trgm`` (PostgreSQL).
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError

from hub.rules import content as contents
from hub.rules import search as rules
from hub.rules.addresses import shown
from hub.rules.search import Query, Range, Term
from hub.store import contacts, inbox
from hub.store import tables as t
from hub.store.inbox import Eyes
from hub.store.scope import Scope, at_numbers
from hub.store.statements import Many, among, aside, bound, columns

NEWEST = 20_000
"""Entries that PostgreSQL looks through before it asks the index: frequent words are there."""
NEWEST_THREADS = 1_000
"""The same of conversations, when contacts are searched; ten times as many where some matched."""
INDEXED_PREFIX = 3
"""Letters of the longest beginning of words that SQLite has an index of."""
COARSE, COARSE_LIMIT, ONE_IN = 160, 2_000, 8
"""Entries with longer beginnings are looked for by their first letters, so many at first and so
many at most, as long as one in so many is right: what is frequent is there. For what is rare SQLite
puts together the entries of every word that begins so."""
LOOKED_AT = 100_000
"""Matches of one search: should all of these be in a few conversations, older ones are not
looked at."""
IN_ORDER = ("all", "kept")
"""Whose list is read in its order."""
INDEXED = ("message", "note", "call")
"""The kinds of entries whose words are found; what the hub says of itself is not."""

_FIRST_STEP, _LARGEST_STEP = 200, 10_000
_PAGE = 2_000
_NOT_BELOW = (1 << 63) - 1
_BY_ENTRY = -1  # as the time of a place: the page ended among the entries, at this id

_metadata = sa.MetaData()
_contacts = sa.Table(
    "search_contacts",
    _metadata,
    sa.Column("contact_id", t.Id, primary_key=True, autoincrement=False),
    sa.Column("organisation_id", t.Id, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)


class NoTrigramsError(Exception):
    """PostgreSQL has no trigrams, and the hub's user may not add them."""

    def __init__(self, reason: object) -> None:
        super().__init__(
            "to search contacts PostgreSQL needs its extension pg_trgm, which the hub may not "
            f"create ({reason}). Let somebody who may run CREATE EXTENSION pg_trgm once, in the "
            "hub's database, and start the hub again"
        )


class Match(Struct, frozen=True, kw_only=True):
    """Why a conversation was found: by its contact, or by an entry, the newest that matches.
    ``ranges`` are where in ``text`` that was found, in UTF-16 units."""

    entry_id: int | None
    text: str
    ranges: list[Range]


class Found(Struct, frozen=True):
    """A page of conversations, each once, why each was found (by its id), and the place at which
    the next page begins."""

    rows: list[inbox.ThreadRow]
    matches: dict[int, Match]
    next: tuple[int, int] | None


class Said(Struct, frozen=True):
    """An entry to be indexed."""

    id: int
    organisation_id: int
    channel_id: str | None
    kind: str
    content: str


# ---------------------------------------------------------------------- keeping the index

_ON_SQLITE = sa.table(
    "search_entries", sa.column("rowid", t.Id), sa.column("scope"), sa.column("words")
)
_ON_POSTGRESQL = sa.table(
    "search_entries",
    sa.column("organisation_id", t.Id),
    sa.column("entry_id", t.Id),
    sa.column("channel_id", sa.Text),
    sa.column("words", postgresql.TSVECTOR),
)
_INSERT = {
    "sqlite": Many(_ON_SQLITE, _ON_SQLITE.c.keys()),
    "postgresql": Many(_ON_POSTGRESQL, _ON_POSTGRESQL.c.keys()),
}
_FORGET_ON_SQLITE = sa.text(
    "INSERT INTO search_entries (search_entries, rowid, scope, words) "
    "VALUES ('delete', :rowid, :scope, :words)"
)
_FORGET_ON_POSTGRESQL = sa.delete(_ON_POSTGRESQL).where(
    _ON_POSTGRESQL.c.organisation_id == sa.bindparam("organisation_id"),
    _ON_POSTGRESQL.c.entry_id == sa.bindparam("entry_id"),
)
_CHANGE_ON_POSTGRESQL = Many(_ON_POSTGRESQL, ("words",), keys=("organisation_id", "entry_id"))
_KEEP_CONTACT = Many(_contacts, _contacts.c.keys(), again=("text",))
_DETAILS = ("property_address", "account", "lead_id")
_NAMES = sa.select(*columns(t.contacts, "id", "organisation_id", "name")).where(
    among(t.contacts.c.id, "ids")
)
_CONTACTS = _NAMES.add_columns(*columns(t.contacts, *_DETAILS))


def index_entries(connection: Connection, entries: Iterable[Said]) -> None:
    """New entries can be found from now on."""
    said = sorted((one for one in entries if one.kind in INDEXED), key=lambda one: one.id)
    if not said:
        return
    dialect = connection.dialect.name
    row = _row_on_sqlite if dialect == "sqlite" else _row_on_postgresql
    _INSERT[dialect].run(connection, [row(one) for one in said])


def change_entries(connection: Connection, entries: Iterable[tuple[Said, Said]]) -> None:
    """Entries that said the one say the other now."""
    changed = sorted((pair for pair in entries if pair[1].kind in INDEXED), key=lambda p: p[1].id)
    if not changed:
        return
    if connection.dialect.name == "sqlite":
        # The index keeps no text: only who knows what an entry said can take it out.
        connection.execute(_FORGET_ON_SQLITE, [_row_on_sqlite(was) for was, _ in changed])
        _INSERT["sqlite"].run(connection, [_row_on_sqlite(now) for _, now in changed])
    else:
        _CHANGE_ON_POSTGRESQL.run(connection, [_row_on_postgresql(now) for _, now in changed])


def forget_entries(connection: Connection, entries: Iterable[Said]) -> None:
    """Entries that said this are there no more."""
    for said in entries:
        if said.kind not in INDEXED:
            continue
        if connection.dialect.name == "sqlite":
            connection.execute(_FORGET_ON_SQLITE, _row_on_sqlite(said))
        else:
            values = {"organisation_id": said.organisation_id, "entry_id": said.id}
            connection.execute(_FORGET_ON_POSTGRESQL, values)


def _row_on_sqlite(said: Said) -> dict[str, Any]:
    return {"rowid": said.id, "scope": _tokens(said), "words": " ".join(_words_of(said))}


def _row_on_postgresql(said: Said) -> dict[str, Any]:
    words = " ".join(f"'{word}':{place}" for place, word in enumerate(_words_of(said), 1))
    return {
        "organisation_id": said.organisation_id,
        "entry_id": said.id,
        "channel_id": said.channel_id,
        "words": words,
    }


def index_contacts(connection: Connection, ids: Collection[int]) -> None:
    """Contacts that are new, or of whom something changed, can be found as they are now."""
    if ids:
        _index_contacts(connection, ids, _CONTACTS)


def _index_contacts(
    connection: Connection, ids: Collection[int], known: sa.Select[*tuple[Any, ...]]
) -> None:
    addresses = contacts.addresses_of(connection, sorted(ids))
    rows = [
        {
            "contact_id": row.id,
            "organisation_id": row.organisation_id,
            "text": rules.contact_text(
                row.name,
                [(one.scheme, one.value, one.display) for one in addresses.get(row.id, [])],
                [getattr(row, name, None) for name in _DETAILS],
            ),
        }
        for row in connection.execute(known, {"ids": sorted(ids)})
    ]
    if rows:
        rows.sort(key=lambda row: row["contact_id"])
        _KEEP_CONTACT.run(connection, rows)


def add_trigrams(connection: Connection) -> None:
    """Give PostgreSQL its trigrams. Since version 13 that takes no superuser but the right CREATE
    in the database; raises ``NoTrigramsError`` where it is lacking."""
    try:
        connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
    except DBAPIError as error:
        raise NoTrigramsError(error.orig) from error


def fill(connection: Connection) -> None:
    """Index every row of a database whose index is empty. Migrations do so before there are
    details of contacts: names and addresses are what is read of them."""
    own = t.entries.c
    entries = (
        sa.select(own.id, own.organisation_id, own.channel_id, own.kind, own.content)
        .where(own.id > sa.bindparam("after", type_=t.Id))
        .order_by(own.id)
        .limit(_PAGE)
    )
    after = -1
    while rows := connection.execute(entries, {"after": after}).all():
        index_entries(connection, [Said(*row) for row in rows])
        after = rows[-1].id
    ids = sa.select(t.contacts.c.id).where(t.contacts.c.id > sa.bindparam("after", type_=t.Id))
    ids = ids.order_by(t.contacts.c.id).limit(_PAGE)
    after = -1
    while found := connection.scalars(ids, {"after": after}).all():
        _index_contacts(connection, found, _NAMES)
        after = found[-1]


def _words_of(said: Said) -> list[str]:
    return rules.words(rules.entry_text(contents.decode(said.content)))


def _tokens(said: Said) -> str:
    return f"{_organisation(said.organisation_id)} {_place(said.organisation_id, said.channel_id)}"


def _organisation(organisation_id: int) -> str:
    return f"{organisation_id:x}"


def _place(organisation_id: int, channel_id: str | None) -> str:
    """A channel of an organisation; what has none is the team's."""
    named = "" if channel_id is None else channel_id.encode().hex()
    return f"{_organisation(organisation_id)}c{named}"


# ---------------------------------------------------------------------- asking it


def search(
    connection: Connection,
    scope: Scope,
    query: Query,
    *,
    limit: int,
    after: tuple[int, int] | None = None,
) -> Found:
    """Conversations that ``query`` finds, each once: those of contacts that match, the newest
    activity first, then those with an entry that matches, the newest match first. ``after`` is
    where the page before it ended."""
    found: list[tuple[int, int | None]] = []
    places: list[tuple[int, int]] = []
    if after is None or after[0] != _BY_ENTRY:
        for thread_id, at in _by_contact(connection, scope, query, limit + 1, after, listed=True):
            found.append((thread_id, None))
            places.append((at, thread_id))
        after = None
    if len(found) <= limit:
        below = _NOT_BELOW if after is None else after[1]
        for thread_id, entry_id in _by_entry(
            connection, scope, query, limit + 1 - len(found), below
        ):
            found.append((thread_id, entry_id))
            places.append((_BY_ENTRY, entry_id))
    more = len(found) > limit
    shown_ = found[:limit]
    by_id = {
        row.id: row for row in inbox.threads_by_id(connection, scope, [one[0] for one in shown_])
    }
    rows = [by_id[thread_id] for thread_id, _ in shown_ if thread_id in by_id]
    return Found(
        rows, _explained(connection, query, shown_, by_id), places[limit - 1] if more else None
    )


# ------------------------------------------------------------------ contacts


def contacts_found(connection: Connection, scope: Scope, query: Query, *, limit: int) -> list[int]:
    """Conversations whose contact ``query`` finds, the newest activity first; the newest of all, if
    it asks for nothing."""
    if not (query.needles or query.numbers or query.terms):
        wanted = inbox.Filter(status="all")
        return [row.id for row in inbox.inbox_page(connection, scope, wanted, limit=limit)]
    found = _by_contact(connection, scope, query, limit, None, listed=False)
    return [row.id for row in found]


@cache
def _contacts_page(
    *,
    dialect: str,
    eyes: Eyes,
    needles: int,
    numbers: int,
    further: bool,
    newest: bool,
    listed: bool,
) -> sa.Select[*tuple[Any, ...]]:
    """Conversations whose contact matches: of the ``newest`` ones alone, by looking at each, or of
    all, by the index. ``listed``: without those in which nothing is left."""
    threads = t.threads.c
    holds = _holds(needles, numbers)
    if newest:
        first = _first(eyes, further=further)
        found = first.limit(sa.bindparam("newest", type_=sa.Integer)).subquery("first")
        sort_at = found.c.sort_at if eyes in IN_ORDER else _own_place(found.c.id, eyes)
        reached = found.join(_contacts, _contacts.c.contact_id == found.c.contact_id)
        listed_ = sa.select(found.c.id, found.c.contact_id, sort_at.label("sort_at"))
        matching = listed_.select_from(reached).where(holds).subquery("listed")
    else:
        if dialect == "sqlite":
            holds = sa.text(
                "contact_id IN (SELECT rowid FROM search_grams WHERE search_grams MATCH :grams)"
            )
        held_ = sa.select(_contacts.c.contact_id)
        held_ = held_.where(*bound(org=aside(_contacts.c.organisation_id)), holds)
        held = held_.cte("held").prefix_with("MATERIALIZED")
        sort_at = threads.sort_at if eyes == "all" else _own_place(threads.id, eyes)
        of_threads = sa.select(threads.id, threads.contact_id, sort_at.label("sort_at"))
        matching = of_threads.join(held, held.c.contact_id == threads.contact_id)
        matching = matching.subquery("listed")
    conditions = [
        matching.c.sort_at.is_not(None),
        *_after(matching.c.sort_at, further, matching.c.id),
    ]
    if listed:
        conditions.append(matching.c.sort_at > sa.literal_column("0"))
    return (
        sa.select(matching.c.id, matching.c.sort_at)
        .select_from(matching.join(t.contacts, t.contacts.c.id == matching.c.contact_id))
        .where(*conditions, t.contacts.c.merged_into.is_(None))
        .order_by(matching.c.sort_at.desc(), matching.c.id.desc())
        .limit(sa.bindparam("count", type_=sa.Integer))
    )


def _first(eyes: Eyes, *, further: bool) -> sa.Select[*tuple[Any, ...]]:
    """Conversations in the order of the list, where that is kept; else in everybody's."""
    threads, own = t.threads.c, t.sight_threads.c
    if eyes == "kept":
        first = (
            sa.select(own.thread_id.label("id"), threads.contact_id, own.sort_at)
            .join(t.threads, threads.id == own.thread_id)
            .where(*bound(sight=own.sight_id), *_after(own.sort_at, further, own.thread_id))
        )
        return first.order_by(own.sort_at.desc(), own.thread_id.desc())
    first = sa.select(threads.id, threads.contact_id, threads.sort_at)
    first = first.where(*bound(org=threads.organisation_id))
    if eyes == "all":
        first = first.where(*_after(threads.sort_at, further))
    return first.order_by(threads.sort_at.desc(), threads.id.desc())


def _own_place(thread_id: sa.ColumnElement[int], eyes: Eyes) -> sa.ColumnElement[Any]:
    """Where a thread stands in a limited role's list."""
    seen, own, kept = t.thread_channels.c, t.entries.c, t.sight_threads.c
    if eyes == "kept":
        return (
            sa.select(kept.sort_at)
            .where(kept.thread_id == thread_id, *bound(sight=kept.sight_id))
            .scalar_subquery()
        )
    on_channels: sa.ColumnElement[Any] = (
        sa.select(sa.func.max(seen.sort_at))
        .where(seen.thread_id == thread_id, among(seen.channel_id, "channels"))
        .scalar_subquery()
    )
    if eyes == "channels":
        return on_channels
    at_number = (
        sa.select(sa.func.max(own.sort_at))
        .where(own.thread_id == thread_id, at_numbers(t.entries))
        .scalar_subquery()
    )
    later = sa.or_(on_channels.is_(None), at_number > on_channels)
    return sa.case((sa.and_(at_number.is_not(None), later), at_number), else_=on_channels)


_FRONTIER = sa.select(
    sa.select(t.threads.c.sort_at)
    .where(*bound(org=t.threads.c.organisation_id))
    .order_by(t.threads.c.sort_at.desc(), t.threads.c.id.desc())
    .offset(sa.bindparam("newest", type_=sa.Integer))
    .limit(1)
    .scalar_subquery()
)


def _after(
    sort_at: sa.ColumnElement[Any],
    further: bool,
    id_: sa.ColumnElement[Any] = t.threads.c.id,
) -> list[sa.ColumnElement[bool]]:
    """Behind the place that is bound, if the page is a further one."""
    if not further:
        return []
    place = (sa.bindparam("after_at", type_=t.Time), sa.bindparam("after_id", type_=t.Id))
    return [sa.tuple_(sort_at, id_) < sa.tuple_(*place)]


def _holds(needles: int, numbers: int) -> sa.ColumnElement[bool]:
    def like(name: str) -> sa.ColumnElement[bool]:
        return _contacts.c.text.like(sa.bindparam(name, type_=sa.Text), escape="\\")

    alternatives = [like(f"number_{place}") for place in range(numbers)]
    if needles:
        alternatives.append(sa.and_(*(like(f"needle_{place}") for place in range(needles))))
    return sa.or_(*alternatives)


def _by_contact(
    connection: Connection,
    scope: Scope,
    query: Query,
    count: int,
    after: tuple[int, int] | None,
    *,
    listed: bool,
) -> Sequence[sa.Row[*tuple[Any, ...]]]:
    """The threads of contacts that match, with the time that orders them; ``listed``: without those
    in which nothing is left. Frequent texts are among the newest, less frequent ones among more of
    them; what is not there is rare, and the index finds all of it."""
    if not (query.needles or query.numbers):
        return []
    sight = inbox.kept(connection, scope)
    eyes: Eyes = scope.width if sight is None else "kept"
    values: dict[str, Any] = {**scope.values, "count": count, "grams": _grams(query)}
    values["sight"] = None if sight is None else sight.id
    values |= {f"needle_{n}": _pattern(one) for n, one in enumerate(query.needles)}
    values |= {f"number_{n}": _pattern(one) for n, one in enumerate(query.numbers)}
    if after is not None:
        values |= {"after_at": after[0], "after_id": after[1]}

    def asked(*, newest: bool) -> Sequence[sa.Row[*tuple[Any, ...]]]:
        statement = _contacts_page(
            dialect=connection.dialect.name,
            eyes=eyes,
            needles=len(query.needles),
            numbers=len(query.numbers),
            further=after is not None,
            newest=newest,
            listed=listed,
        )
        return connection.execute(statement, values).all()

    for newest in (NEWEST_THREADS, 10 * NEWEST_THREADS):
        values["newest"] = newest
        rows = asked(newest=True)
        if eyes not in IN_ORDER:
            # What is behind these may stand before some of them, to who does not see the latest.
            frontier = connection.scalar(_FRONTIER, values)
            rows = [row for row in rows if frontier is None or row.sort_at > frontier]
        if len(rows) == count:
            return rows
        if len(rows) * 10 < count:
            break
    return asked(newest=False)


def _pattern(held: str) -> str:
    escaped = held.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _grams(query: Query) -> str:
    def quoted(held: str) -> str:
        return '"' + held.replace('"', '""') + '"'

    alternatives = [quoted(number) for number in query.numbers]
    if query.needles:
        alternatives.append(f"({' AND '.join(map(quoted, query.needles))})")
    return " OR ".join(alternatives)


# ------------------------------------------------------------------ entries

_ENTRIES_SQLITE = sa.text(
    "SELECT rowid FROM search_entries WHERE search_entries MATCH :words AND rowid < :below "
    "ORDER BY rowid DESC LIMIT :count"
)
_SEEN = " AND (channel_id IS NULL OR channel_id = ANY (CAST(:channels AS text[])))"
_NEWEST = (
    "SELECT entry_id FROM (SELECT entry_id, channel_id, words FROM search_entries "
    "WHERE organisation_id = :org AND entry_id < :below ORDER BY entry_id DESC LIMIT {newest}) "
    "AS newest WHERE words @@ CAST(:words AS tsquery){seen} ORDER BY entry_id DESC LIMIT :count"
)
_INDEXED = (
    "WITH found AS MATERIALIZED (SELECT entry_id FROM search_entries WHERE organisation_id = :org "
    "AND entry_id < :below AND words @@ CAST(:words AS tsquery){seen}) "
    "SELECT entry_id FROM found ORDER BY entry_id DESC LIMIT :count"
)


def _on_postgresql(newest: int) -> dict[tuple[bool, bool], sa.TextClause]:
    """By whether the role is limited, and whether the newest are looked through or the index is
    asked."""
    return {
        (limited, first): sa.text(
            (_NEWEST if first else _INDEXED).format(newest=newest, seen=_SEEN if limited else "")
        )
        for limited in (False, True)
        for first in (False, True)
    }


_ENTRIES_POSTGRESQL = _on_postgresql(NEWEST)
_OF_ENTRIES = sa.select(t.entries.c.id, t.entries.c.thread_id).where(among(t.entries.c.id, "ids"))
_OF_SEEN = _OF_ENTRIES.where(*Scope.entries(limited=True))
"""The index knows of channels alone: what is of another number is left out here."""
_CONTENTS = sa.select(t.entries.c.id, t.entries.c.content).where(among(t.entries.c.id, "ids"))


@cache
def _open_threads(*, limited: bool) -> sa.Select[*tuple[Any, ...]]:
    """Those of some threads that may be found, with the text of their contact."""
    conditions = [
        *bound(org=aside(t.threads.c.organisation_id)),
        among(t.threads.c.id, "ids"),
        t.contacts.c.merged_into.is_(None),
    ]
    if limited:
        conditions.append(Scope.part_of(t.threads.c.id))
    return (
        sa.select(t.threads.c.id, _contacts.c.text)
        .join(t.contacts, t.contacts.c.id == t.threads.c.contact_id)
        .join(_contacts, _contacts.c.contact_id == t.threads.c.contact_id)
        .where(*conditions)
    )


def _by_entry(
    connection: Connection, scope: Scope, query: Query, count: int, below: int
) -> list[tuple[int, int]]:
    """Threads with an entry that matches and the newest of those, if its id is below ``below``;
    without the threads of contacts that match."""
    found: list[tuple[int, int]] = []
    if not query.terms:
        return found
    passed: set[int] = set()
    looked_at = 0
    for entries in _matching(connection, scope, query):
        looked_at += len(entries)
        of = _OF_SEEN if scope.width == "numbers" else _OF_ENTRIES
        thread_of = dict(map(tuple, connection.execute(of, {**scope.values, "ids": entries})))
        newest: dict[int, int] = {}
        for entry_id in entries:
            thread_id = thread_of.get(entry_id)
            if thread_id is not None and thread_id not in passed:
                passed.add(thread_id)
                if entry_id < below:
                    newest[thread_id] = entry_id
        if newest:
            statement = _open_threads(limited=scope.limited)
            values = {**scope.values, "ids": newest}
            rows = connection.execute(statement, values).all()
            open_ = {row.id for row in rows if not query.finds_contact(row.text)}
            found += [place for place in newest.items() if place[0] in open_]
        if len(found) >= count or looked_at >= LOOKED_AT:
            break
    return found[:count]


def _matching(connection: Connection, scope: Scope, query: Query) -> Iterator[list[int]]:
    """The ids of entries that match, newest first, in steps that grow."""
    postgres = connection.dialect.name == "postgresql"
    words = _tsquery(query) if postgres else _fts_query(scope, query)
    values: dict[str, Any] = {"words": words, "below": _NOT_BELOW}
    if not postgres and any(
        one.prefix and len(one.words[-1]) > INDEXED_PREFIX for one in query.terms
    ):
        below = yield from _by_first_letters(connection, scope, query)
        if below is None:
            return
        values["below"] = below
    newest, count = True, _FIRST_STEP
    if postgres:
        values |= scope.values
        if scope.limited:
            values["channels"] = sorted(scope.some_of)
    while True:
        statement = _ENTRIES_POSTGRESQL[scope.limited, newest] if postgres else _ENTRIES_SQLITE
        ids = list(connection.scalars(statement, {**values, "count": count}))
        if ids:
            yield ids
            values["below"] = ids[-1]
        if len(ids) < count:
            if not (postgres and newest):
                return
            newest = False
        count = min(count * 4, _LARGEST_STEP)


def _by_first_letters(
    connection: Connection, scope: Scope, query: Query
) -> Generator[list[int], None, int | None]:
    """The newest entries that match, as long as they are frequent among those that have words with
    the same first letters; below which id to go on in another way, unless these were all."""
    values = {"words": _fts_query(scope, query, coarse=True), "below": _NOT_BELOW}
    looked_at = right = 0
    count = COARSE
    while right * ONE_IN >= looked_at and looked_at < COARSE_LIMIT:
        ids = list(connection.scalars(_ENTRIES_SQLITE, {**values, "count": count}))
        said = dict(map(tuple, connection.execute(_CONTENTS, {"ids": ids})))
        matching = [id_ for id_ in ids if id_ in said and _says(said[id_], query)]
        if matching:
            yield matching
        if len(ids) < count:
            return None
        looked_at, right = looked_at + len(ids), right + len(matching)
        values["below"] = ids[-1]
        count *= 2
    return int(values["below"])


def _says(content: str, query: Query) -> bool:
    words = rules.words(rules.entry_text(contents.decode(content)))
    return query.finds_words(words)


def _fts_query(scope: Scope, query: Query, *, coarse: bool = False) -> str:
    """In FTS5's syntax. A word holds letters, digits and emoji alone: nothing can end a quote.
    ``coarse``: of a word that may go on, the letters alone that an index has."""
    org = scope.organisation_id
    if scope.channels is None:
        places = [_organisation(org)]
    else:
        places = [_place(org, channel) for channel in (None, *sorted(scope.some_of))]
    within = " OR ".join(f'"{place}"' for place in places)

    def term(one: Term) -> str:
        *first, last = one.words
        if coarse and one.prefix:
            last = last[:INDEXED_PREFIX]
        return f'"{" ".join([*first, last])}"{"*" * one.prefix}'

    terms = " AND ".join(map(term, query.terms))
    return f"scope : ({within}) AND words : ({terms})"


def _tsquery(query: Query) -> str:
    terms: list[str] = []
    for term in query.terms:
        *first, last = (f"'{word}'" for word in term.words)
        terms.append(" <-> ".join([*first, f"{last}{':*' * term.prefix}"]))
    return " & ".join(f"({term})" for term in terms)


# ------------------------------------------------------------------ why


def _explained(
    connection: Connection,
    query: Query,
    found: Sequence[tuple[int, int | None]],
    rows: dict[int, inbox.ThreadRow],
) -> dict[int, Match]:
    entries = [entry_id for _, entry_id in found if entry_id is not None]
    people = [
        rows[thread_id].contact_id
        for thread_id, entry_id in found
        if entry_id is None and thread_id in rows
    ]
    addresses = contacts.addresses_of(connection, people)
    known = {row.id: row for row in connection.execute(_CONTACTS, {"ids": people})}
    said: dict[int, str] = {}
    if entries:
        said = dict(map(tuple, connection.execute(_CONTENTS, {"ids": entries})))
    matches: dict[int, Match] = {}
    for thread_id, entry_id in found:
        if thread_id not in rows:
            continue
        if entry_id is None:
            row = rows[thread_id]
            own = addresses.get(row.contact_id, [])
            texts = [row.contact_name] if row.contact_name else []
            texts += [shown(one.scheme, one.value, one.display) for one in own]
            texts += filter(None, (getattr(known[row.contact_id], name) for name in _DETAILS))
            text, ranges = rules.contact_excerpt(query, texts)
        else:
            content = contents.decode(said[entry_id])
            text, ranges = rules.entry_excerpt(query, rules.entry_text(content))
        matches[thread_id] = Match(entry_id=entry_id, text=text, ranges=ranges)
    return matches
