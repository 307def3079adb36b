"""Alerts for browsers in which no page of the hub is open."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Nobody has asked for them yet."""
    id_ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    there = sa.text("push_key IS NOT NULL")
    waiting = sa.text("state = 'waiting'")
    op.add_column("sessions", sa.Column("push", sa.Text(), nullable=True))
    op.add_column("sessions", sa.Column("push_key", sa.Text(), nullable=True))
    op.add_column("sessions", sa.Column("push_at", id_, nullable=True))
    op.create_index(
        "ix_sessions_push", "sessions", ["push_key"], sqlite_where=there, postgresql_where=there
    )
    op.create_table(
        "pushes",
        sa.Column("id", id_, autoincrement=False, nullable=False),
        sa.Column("organisation_id", id_, nullable=False),
        sa.Column("push_key", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("thread_id", id_, nullable=True),
        sa.Column("entry_id", id_, nullable=True),
        sa.Column("channel_id", sa.Text(), nullable=True),
        sa.Column("version", id_, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", id_, nullable=False),
        sa.Column("created_at", id_, nullable=False),
        sa.Column("tried_at", id_, nullable=True),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("lease_until", id_, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pushes")),
        sa.UniqueConstraint(
            "push_key",
            "organisation_id",
            "about",
            name=op.f("uq_pushes_push_key_organisation_id_about"),
        ),
    )
    op.create_index(
        "ix_pushes_waiting",
        "pushes",
        ["due_at", "id"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
