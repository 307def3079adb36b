"""The lists of roles that see a part, kept; they are filled once the hub runs."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"

INDEXES: dict[str, tuple[list[str], list[str], str | None, str]] = {
    "list": ([], [], None, "1000000 1000000 1 1"),
    "status": (["status"], [], None, "1000000 1000000 300000 1 1"),
    "assignee": (["assignee_id"], ["status"], None, "1000000 1000000 30000 1 1 1"),
    "unread": (
        [],
        ["status", "assignee_id", "unread", "needs_response", "waiting_since"],
        "unread > 0",
        "10000 10000 1 1 1 1 1 1 1",
    ),
    "needs": (
        [],
        ["status", "assignee_id", "needs_response", "waiting_since"],
        "needs_response",
        "20000 20000 1 1 1 1 1 1",
    ),
}
"""Their columns before the order and behind it, their condition, and, as in 0005, what SQLite shall
think of them."""


def upgrade() -> None:
    """Make the tables, which are empty."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    flag = sa.Boolean(create_constraint=False)
    op.add_column(
        "organisations", sa.Column("sights", sa.Integer(), nullable=False, server_default="0")
    )
    op.create_table(
        "sights",
        sa.Column("id", big, autoincrement=False, nullable=False),
        sa.Column("organisation_id", big, nullable=False),
        sa.Column("places", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("through", big, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sights")),
    )
    op.create_index("ix_sights_places", "sights", ["organisation_id", "places"], unique=False)
    op.create_table(
        "sight_threads",
        sa.Column("thread_id", big, autoincrement=False, nullable=False),
        sa.Column("sight_id", big, autoincrement=False, nullable=False),
        sa.Column("assignee_id", big),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("needs_response", flag, nullable=False),
        sa.Column("waiting_since", big),
        sa.Column("unread", sa.Integer(), nullable=False),
        sa.Column("unresolved", sa.Integer(), nullable=False),
        sa.Column("sort_at", big, nullable=False),
        sa.PrimaryKeyConstraint("thread_id", "sight_id", name=op.f("pk_sight_threads")),
    )
    op.create_table(
        "sight_counts",
        sa.Column("sight_id", big, autoincrement=False, nullable=False),
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("block", big, autoincrement=False, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("assignee_id", big, autoincrement=False, nullable=False),
        sa.Column("unread", flag, nullable=False),
        sa.Column("needs_response", flag, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "sight_id",
            "level",
            "block",
            "status",
            "assignee_id",
            "unread",
            "needs_response",
            name=op.f("pk_sight_counts"),
        ),
        sqlite_with_rowid=False,
    )
    order = [sa.text("sort_at DESC"), sa.text("thread_id DESC")]
    for name, (first, last, where, stat) in INDEXES.items():
        _index(name, ["sight_id", *first, *order, *last], where, stat)
    _index("waiting", ["sight_id", "waiting_since"], "needs_response", "20000 20000 1")


def _index(name: str, columns: list[Any], where: str | None, stat: str) -> None:
    index = f"ix_sight_threads_{name}"
    condition = None if where is None else sa.text(where)
    op.create_index(
        index,
        "sight_threads",
        columns,
        unique=False,
        sqlite_where=condition,
        postgresql_where=condition,
    )
    if op.get_bind().dialect.name == "sqlite":
        known = sa.text(
            "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('sight_threads', :i, :s)"
        )
        op.get_bind().execute(known, {"i": index, "s": stat})
