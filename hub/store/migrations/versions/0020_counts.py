"""How many conversations there are of each kind, counted as they change."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

HOUR, LEVELS, STEP = 3_600_000, 4, 5
INDEXES = {
    "waiting": (["waiting_since"], "needs_response", "20000 20000 1"),
    "later": (["active_at", "sort_at"], "active_at > sort_at", "10000 10000 1 1"),
}
"""Their further columns, their condition, and, as in 0005, what SQLite shall think of them."""


def upgrade() -> None:
    """Make the table, and count what there is."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    flag = sa.Boolean(create_constraint=False)
    op.create_table(
        "thread_counts",
        sa.Column("organisation_id", big, autoincrement=False, nullable=False),
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("block", big, autoincrement=False, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("assignee_id", big, autoincrement=False, nullable=False),
        sa.Column("unread", flag, nullable=False),
        sa.Column("needs_response", flag, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "organisation_id",
            "level",
            "block",
            "status",
            "assignee_id",
            "unread",
            "needs_response",
            name=op.f("pk_thread_counts"),
        ),
        sqlite_with_rowid=False,
    )
    for level in range(LEVELS):
        kind = (
            f"active_at / {HOUR << STEP * level}, status, coalesce(assignee_id, -1), "
            "unread > 0, needs_response"
        )
        op.execute(
            f"INSERT INTO thread_counts SELECT organisation_id, {level}, {kind}, count(*) "  # noqa: S608 — numbers
            f"FROM threads WHERE sort_at > 0 GROUP BY organisation_id, {kind}"
        )
    sqlite = op.get_bind().dialect.name == "sqlite"
    known = sa.text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('threads', :index, :stat)")
    for name, (columns, where, stat) in INDEXES.items():
        index = f"ix_threads_{name}"
        op.create_index(
            index,
            "threads",
            ["organisation_id", *columns],
            unique=False,
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )
        if sqlite:
            op.get_bind().execute(known, {"index": index, "stat": stat})
