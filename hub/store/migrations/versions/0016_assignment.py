"""Automatic assignment, and since when somebody waits for a response."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Bool = sa.Boolean(create_constraint=False)
ORDER = sa.text("sort_at DESC"), sa.text("id DESC")
LISTS = {
    "unread": ("unread > 0", ("status", "assignee_id", "unread", "needs_response")),
    "needs": ("needs_response", ("status", "assignee_id", "needs_response")),
}
STATISTICS = {
    "ix_threads_busy": "40000 40000 4000",
    "ix_threads_needs": "20000 20000 1 1 1 1 1 1",
    "ix_threads_unread": "10000 10000 1 1 1 1 1 1 1",
}
"""As in 0005: an index that is made anew has none."""


def upgrade() -> None:
    for column in (
        sa.Column("available", Bool, nullable=False, server_default=sa.false()),
        sa.Column("available_at", Id),
        sa.Column("available_by", Id),
        sa.Column("assignment_mail", Bool, nullable=False, server_default=sa.false()),
    ):
        op.add_column("members", column)
    op.add_column("threads", sa.Column("waiting_since", Id))
    op.execute(
        "UPDATE threads SET waiting_since = coalesce(last_inbound_at, active_at) "
        "WHERE needs_response"
    )
    op.create_table(
        "rotations",
        sa.Column("organisation_id", Id, autoincrement=False, nullable=False),
        sa.Column("turns", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("organisation_id", name=op.f("pk_rotations")),
    )
    for name, (where, also) in LISTS.items():
        op.drop_index(f"ix_threads_{name}", "threads")
        _index(name, ["organisation_id", *ORDER, *also, "waiting_since"], where)
    busy = "status = 'open' AND assignee_id IS NOT NULL"
    _index("busy", ["organisation_id", "assignee_id"], busy)
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        known = "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('threads', :index, :stat)"
        for index, stat in STATISTICS.items():
            connection.execute(sa.text(known), {"index": index, "stat": stat})


def _index(name: str, columns: list[str | sa.TextClause], where: str) -> None:
    op.create_index(
        f"ix_threads_{name}",
        "threads",
        columns,
        unique=False,
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )
