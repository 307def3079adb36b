"""Where polls stand, what is still to be fetched, what providers that wait were told."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WAITING = sa.text("state = 'waiting'")


def upgrade() -> None:
    op.create_table(
        "polls",
        sa.Column("organisation_id", BIG, autoincrement=False, nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("due_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("organisation_id", "channel_id", name="pk_polls"),
    )
    op.create_table(
        "fetches",
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("organisation_id", BIG, nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("ref_id", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("delivery_id", BIG, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", BIG, nullable=True),
        sa.Column("created_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_fetches"),
        sa.UniqueConstraint(
            "ref_id",
            "channel_id",
            "organisation_id",
            name="uq_fetches_ref_id_channel_id_organisation_id",
        ),
    )
    op.create_index(
        "ix_fetches_waiting",
        "fetches",
        ["due_at", "id"],
        unique=False,
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
    op.create_table(
        "replies",
        sa.Column("organisation_id", BIG, autoincrement=False, nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("organisation_id", "channel_id", "question", name="pk_replies"),
    )
    op.create_index("ix_replies_created_at", "replies", ["created_at"], unique=False)
