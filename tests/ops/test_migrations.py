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
from hub.store import tables as t
from hub.store.database import Database
from hub.store.migrate import HEAD, migrate
from tests import books

SCRIPTS = Path(hub.store.migrate.__file__).parent / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return config


REVISIONS = [
    script.revision
    for script in reversed(list(ScriptDirectory.from_config(_config()).walk_revisions()))
]


@pytest.fixture
def database(database_url: str) -> Database:
    return Database(database_url)


async def on(database: Database, work: Any) -> Any:
    """Run synchronous work in a transaction."""
    return await books.write(database.url.render_as_string(hide_password=False), work)


def test_the_newest_revision_is_the_one_that_is_compared_with() -> None:
    assert REVISIONS[-1] == HEAD
    assert len(ScriptDirectory.from_config(_config()).get_heads()) == 1, "one linear history"


async def test_the_migrations_make_what_the_tables_say(database: Database) -> None:
    assert await migrate(database) is None

    def differences(connection: sa.Connection) -> list[Any]:
        options = {"compare_type": True, "compare_server_default": _other_default}
        context = MigrationContext.configure(connection, opts=options)
        return compare_metadata(context, t.metadata)

    assert await on(database, differences) == []


def _other_default(
    _context: Any, _found: Any, _wanted: Any, found: str | None, _default: Any, wanted: str | None
) -> bool:
    """Alembic's own way takes an empty text in SQLite for another one."""
    return (found or "").partition("::")[0].strip("()'") != (wanted or "").strip("'")


async def test_they_make_it_to_the_letter(tmp_path: Path) -> None:
    """What Alembic does not compare: conditions of indexes, tables without a rowid."""

    def schema(connection: sa.Connection) -> dict[str, str]:
        statement = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
        rows = connection.execute(sa.text(statement)).all()
        return {name: " ".join(sql.split()) for name, sql in rows if name != "alembic_version"}

    migrated = Database(f"sqlite:///{tmp_path / 'migrated.db'}")
    created = Database(f"sqlite:///{tmp_path / 'created.db'}")
    await migrate(migrated)
    await on(created, t.metadata.create_all)
    assert await on(migrated, schema) == await on(created, schema)


def _value(column: sa.Column[Any]) -> Any:
    match column.type:
        case sa.Boolean():
            return True
        case sa.Integer():
            return 7
        case sa.LargeBinary():
            return b"\x00\xff"
        case _:
            return "kept 🙂"


@pytest.mark.parametrize("revision", REVISIONS)
async def test_an_upgrade_keeps_every_row(database: Database, revision: str) -> None:
    def upgrade_to(connection: sa.Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    def fill(connection: sa.Connection) -> dict[str, list[Any]]:
        found = sa.MetaData()
        found.reflect(connection)
        rows: dict[str, list[Any]] = {}
        for table in found.sorted_tables:
            if table.name != "alembic_version":
                row = {column.name: _value(column) for column in table.columns}
                connection.execute(table.insert(), [row])
                rows[table.name] = list(map(dict, connection.execute(sa.select(table)).mappings()))
        return rows

    def read(connection: sa.Connection) -> dict[str, list[Any]]:
        return {
            table.name: list(map(dict, connection.execute(sa.select(table)).mappings()))
            for table in t.metadata.sorted_tables
        }

    if database.dialect == "sqlite":
        engine = database.sync_engine()
        with engine.connect() as connection:
            upgrade_to(connection)
            connection.commit()
        engine.dispose()
    else:
        await on(database, upgrade_to)
    before = await on(database, fill)
    assert await migrate(database) == revision
    after = await on(database, read)
    for table, (row,) in before.items():
        (kept,) = after[table]
        assert {name: kept[name] for name in row if name in kept} == {
            name: value for name, value in row.items() if name in kept
        }
    assert len(before) > 20
