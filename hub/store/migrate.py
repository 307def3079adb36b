"""Bringing a database to the version this program knows.

Forwards only, one linear history. A database from a newer program is refused: what that one has
changed cannot be known here.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from hub.store.database import Database

HEAD = "0030"
"""The newest revision; compared before Alembic is imported, which takes a third of a second."""

_MIGRATIONS = Path(__file__).parent / "migrations"


class NewerDatabaseError(Exception):
    """The database was written by a newer version of the program."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"the database is at revision {revision}, which this version does not know "
            f"(it knows up to {HEAD}): it was used by a newer Channel Hub. Start that version, "
            "or restore a backup made before the upgrade"
        )


async def migrate(database: Database) -> str | None:
    """Bring the database up to date; the revision it had before, ``None`` for a new one."""
    if database.dialect == "sqlite":
        engine = database.sync_engine()
        try:
            with engine.connect() as connection:
                return _migrate(connection)
        finally:
            engine.dispose()
    engine = database.async_engine(poolclass=sa.pool.NullPool)
    try:
        async with engine.connect() as connection:
            # Two processes may start at once: one migrates, the other waits and finds it done.
            await connection.execute(sa.text("SELECT pg_advisory_lock(7430211)"))
            await connection.commit()
            return await connection.run_sync(_migrate)
    finally:
        await engine.dispose()


def is_set_up(connection: sa.Connection) -> bool:
    """Whether a hub has ever opened this database."""
    return _revision(connection) is not None


def _migrate(connection: sa.Connection) -> str | None:
    before = _revision(connection)
    if before == HEAD:
        return before
    from alembic import command  # noqa: PLC0415 — only when there is something to do
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if before is not None and before not in known:
        raise NewerDatabaseError(before)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()
    return before


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        connection.rollback()
        return None
    revision = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    connection.rollback()
    return revision
