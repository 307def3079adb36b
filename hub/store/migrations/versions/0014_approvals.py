"""Messages that wait for somebody's approval."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "approvals",
        sa.Column("entry_id", Id, autoincrement=False, nullable=False),
        sa.Column("organisation_id", Id, nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("member_id", Id, nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("proposal", sa.Text(), nullable=False),
        sa.Column("original", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("decided_by", Id, nullable=True),
        sa.Column("decided_name", sa.Text(), nullable=True),
        sa.Column("decided_at", Id, nullable=True),
        sa.Column("submitted_at", Id, nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_approvals")),
    )
    op.create_index("ix_approvals_list", "approvals", ["organisation_id", "entry_id"])
    op.create_index(
        "ix_approvals_waiting",
        "approvals",
        ["organisation_id", "entry_id"],
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
