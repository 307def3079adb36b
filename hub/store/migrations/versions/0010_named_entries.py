"""What the provider calls a message, on channels whose messages name those they answer."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("entries", sa.Column("external_id", sa.Text(), nullable=True))
    op.create_index(
        "ix_entries_named",
        "entries",
        ["thread_id", "channel_id", "sort_at", "id"],
        unique=False,
        sqlite_where=sa.text("external_id IS NOT NULL"),
        postgresql_where=sa.text("external_id IS NOT NULL"),
    )
