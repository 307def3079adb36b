"""What is told of messages after they were written."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("entries", sa.Column("updates", sa.Text(), nullable=True))
    op.create_table(
        "message_events",
        sa.Column("organisation_id", BIG, autoincrement=False, nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("news", sa.Text(), nullable=False),
        sa.Column("received_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint(
            "external_id", "channel_id", "organisation_id", "key", name="pk_message_events"
        ),
        sqlite_with_rowid=False,
    )
