"""The migrations make what the tables say, on both databases, and an upgrade keeps every row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import hub.store.migrate
from hub.rules.search import parse
from hub.store import search
from hub.store import tables as t
from hub.store.database import Database
from hub.store.migrate import HEAD, migrate
from hub.store.scope import Scope
from tests import books

SCRIPTS = Path(hub.store.migrate.__file__).parent / "migrations"
GONE = {"blobs"}
"""Tables that a later revision has taken away."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return config


REVISIONS = [
    script.revision
    for script in reversed(list(ScriptDirectory.from_config(_config()).walk_revisions()))
]


@pytest.fixture
def database(empty_database_url: str) -> Database:
    return Database(empty_database_url)


async def on(database: Database, work: Any) -> Any:
    """Run synchronous work in a transaction."""
    return await books.write(database.url.render_as_string(hide_password=False), work)


def test_the_newest_revision_is_the_one_that_is_compared_with() -> None:
    assert REVISIONS[-1] == HEAD
    assert len(ScriptDirectory.from_config(_config()).get_heads()) == 1, "one linear history"


async def test_the_migrations_make_what_the_tables_say(database: Database) -> None:
    assert await migrate(database) is None

    def differences(connection: sa.Connection) -> list[Any]:
        options = {
            "compare_type": True,
            "compare_server_default": _other_default,
            "include_name": lambda name, kind, _: kind != "table" or not _of_search(name),
        }
        context = MigrationContext.configure(connection, opts=options)
        return compare_metadata(context, t.metadata)

    assert await on(database, differences) == []


def _of_search(name: str | None) -> bool:
    """The index of the search is no two databases' alike, and is known to its migration alone."""
    return bool(name) and str(name).startswith("search_")


def _other_default(
    _context: Any, _found: Any, _wanted: Any, found: str | None, _default: Any, wanted: str | None
) -> bool:
    """Alembic's own way takes an empty text in SQLite for another one."""
    return (found or "").partition("::")[0].strip("()'") != (wanted or "").strip("'")


async def test_they_make_it_to_the_letter(tmp_path: Path) -> None:
    """What Alembic does not compare: conditions of indexes, tables without a rowid."""

    def schema(connection: sa.Connection) -> dict[str, str]:
        statement = (
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
        )
        rows = connection.execute(sa.text(statement)).all()
        return {
            name: " ".join(sql.split())
            for name, sql in rows
            if name != "alembic_version" and not _of_search(name)
        }

    migrated = Database(f"sqlite:///{tmp_path / 'migrated.db'}")
    created = Database(f"sqlite:///{tmp_path / 'created.db'}")
    await migrate(migrated)
    await on(created, t.metadata.create_all)
    assert await on(migrated, schema) == await on(created, schema)


def _value(column: sa.Column[Any]) -> Any:
    match column.type:
        case sa.Text() if column.name == "content":
            return '{"text": "kept 🙂 for years"}'
        case sa.Boolean():
            return True
        case sa.Integer():
            return 7
        case sa.LargeBinary():
            return b"\x00\xff"
        case _:
            return "kept 🙂"


async def upgrade_to(database: Database, revision: str) -> None:
    """A database as the program of that revision left it."""

    def upgrade(connection: sa.Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    if database.dialect == "sqlite":
        engine = database.sync_engine()
        with engine.connect() as connection:
            upgrade(connection)
            connection.commit()
        engine.dispose()
    else:
        await on(database, upgrade)


Rows = dict[str, list[dict[str, Any]]]


def read(connection: sa.Connection) -> Rows:
    """Every row of every table that there is now."""
    found = sa.MetaData()
    found.reflect(connection, only=lambda name, _: not _of_search(name))
    return {
        table.name: list(map(dict, connection.execute(sa.select(table)).mappings()))
        for table in found.sorted_tables
        if table.name != "alembic_version"
    }


def fill(connection: sa.Connection) -> Rows:
    """A row in every table that there is now, in place of what was there; but nothing takes a line
    of the audit away."""
    found = sa.MetaData()
    found.reflect(connection, only=lambda name, _: not _of_search(name))
    for table in found.sorted_tables:
        if table.name == "audit" and connection.execute(sa.select(table)).first() is not None:
            continue
        if table.name != "alembic_version":
            connection.execute(table.delete())
            connection.execute(table.insert(), [{one.name: _value(one) for one in table.columns}])
    return read(connection)


def check_kept(before: Rows, after: Rows) -> None:
    """Of what there was everything is there but for columns that were taken away."""
    for table in {*before} - GONE:
        ((row,), (kept,)) = before[table], after[table]
        assert {name: kept[name] for name in row if name in kept} == {
            name: value for name, value in row.items() if name in kept
        }
    assert len(before) > 20


async def test_every_step_keeps_every_row(database: Database) -> None:
    await upgrade_to(database, REVISIONS[0])
    for revision in REVISIONS[1:]:
        before = await on(database, fill)
        await upgrade_to(database, revision)
        check_kept(before, await on(database, read))


@pytest.mark.parametrize("revision", [REVISIONS[0], REVISIONS[-2]])
async def test_an_upgrade_keeps_every_row(database: Database, revision: str) -> None:
    """Of the oldest hub there is, and of the last one before this."""
    await upgrade_to(database, revision)
    before = await on(database, fill)
    assert await migrate(database) == revision
    check_kept(before, await on(database, read))


async def test_what_was_there_before_there_was_a_search_is_found(database: Database) -> None:
    def fill(connection: sa.Connection) -> None:
        wanted = {"name": "Zoë", "content": '{"text": "kept for years"}', "kind": "message"}
        for table in (t.contacts, t.addresses, t.threads, t.entries):
            row = {
                column.name: wanted.get(column.name, _value(column))
                for column in table.columns
                # What has a default has come later.
                if (not column.nullable and column.server_default is None) or column.name in wanted
            }
            connection.execute(table.insert(), [row])

    def find(connection: sa.Connection) -> list[list[str]]:
        return [
            [match.text for match in found.matches.values()]
            for typed in ("year", "zoe")
            for found in [search.search(connection, Scope(7), parse(typed), limit=5)]
        ]

    await upgrade_to(database, "0001")
    await on(database, fill)
    await migrate(database)
    assert await on(database, find) == [["kept for years"], ["Zoë"]]


@pytest.mark.feature("VOIC-02")
async def test_calls_that_nobody_has_answered_are_to_be_resolved(database: Database) -> None:
    """Before that whatever came in counted as unread until it was read."""

    def fill(connection: sa.Connection) -> None:
        found = sa.MetaData()
        found.reflect(connection, only=["threads", "thread_channels", "entries"])

        def insert(name: str, **values: Any) -> None:
            table = found.tables[name]
            filled = {one.name: _value(one) for one in table.columns if not one.nullable}
            connection.execute(table.insert(), [{**filled, **values}])

        insert("threads", id=1, contact_id=1, unread=3, read_through=1)
        insert("threads", id=2, contact_id=2, unread=1, read_through=1)
        for channel, unread in (("sms", 1), ("voice", 2)):
            insert("thread_channels", thread_id=1, channel_id=channel, unread=unread)
        missed, answered = (f'{{"call": {{"outcome": "{one}"}}}}' for one in ("missed", "answered"))
        for number, (kind, channel, updates) in enumerate(
            (
                ("call", "voice", missed),  # and its conversation was read since
                ("call", "voice", missed),
                ("message", "sms", None),
                ("call", "voice", answered),
            ),
            1,
        ):
            insert("entries", id=number, thread_id=1, seq=number, kind=kind, direction="in",
                   channel_id=channel, updates=updates)  # fmt: skip

    def read(connection: sa.Connection) -> dict[str, Any]:
        threads = connection.execute(sa.select(t.threads).order_by(t.threads.c.id))
        channels = connection.execute(sa.select(t.thread_channels))
        return {
            **{str(one.id): (one.unread, one.unresolved) for one in threads},
            **{one.channel_id: (one.unread, one.unresolved) for one in channels},
        }

    await upgrade_to(database, "0008")
    await on(database, fill)
    await migrate(database)
    wanted = {"1": (3, 2), "2": (1, 0), "sms": (1, 0), "voice": (2, 2)}
    assert await on(database, read) == wanted


async def test_lists_that_are_kept_get_their_sets_from_the_beginning(database: Database) -> None:
    def fill(connection: sa.Connection) -> None:
        found = sa.MetaData()
        found.reflect(connection, only=["sights"])
        row = {"organisation_id": 1, "places": "[]", "through": 7}
        connection.execute(
            found.tables["sights"].insert(),
            [row | {"id": 1, "state": "kept"}, row | {"id": 2, "state": "filling"}],
        )

    def read(connection: sa.Connection) -> dict[int, Any]:
        return {one.id: (one.through, one.sets) for one in connection.execute(sa.select(t.sights))}

    await upgrade_to(database, "0029")
    await on(database, fill)
    await migrate(database)
    assert await on(database, read) == {1: (-1, False), 2: (7, False)}


async def test_trigrams_that_may_not_be_added_are_asked_for(postgres_url: str) -> None:
    """They come with the first start after somebody who may has added them."""

    def told(*statements: str) -> Any:
        return lambda connection: [connection.execute(sa.text(one)) for one in statements]

    owner = Database(postgres_url)
    await on(owner, told("CREATE ROLE humble LOGIN", "GRANT ALL ON SCHEMA public TO humble"))
    humble = Database(owner.url.set(username="humble").render_as_string(hide_password=False))
    with pytest.raises(search.NoTrigramsError, match="CREATE EXTENSION pg_trgm"):
        await migrate(humble)
    await on(owner, told("CREATE EXTENSION pg_trgm"))
    await migrate(humble)
    await on(owner, told("DROP OWNED BY humble", "DROP ROLE humble"))
