"""Which conversations have something in common, kept as sets of their numbers."""

import sqlalchemy as sa
from alembic import op

from hub.store import inbox_sets

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Make the table, number what there is, and make every set of it."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("threads", sa.Column("number", big))
    op.create_table(
        "thread_sets",
        sa.Column("organisation_id", big, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("numbers", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("organisation_id", "name", "part", name=op.f("pk_thread_sets")),
    )
    inbox_sets.fill(op.get_bind())
    op.create_index("ix_threads_number", "threads", ["organisation_id", "number"], unique=True)
    if op.get_bind().dialect.name == "sqlite":  # as in 0005, what it shall think of the index
        known = "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('threads', :index, :stat)"
        row = {"index": "ix_threads_number", "stat": "1000000 1000000 1"}
        op.get_bind().execute(sa.text(known), row)
