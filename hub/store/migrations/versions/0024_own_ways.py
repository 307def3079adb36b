"""What a person decides of how the pages serve them."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Keys stay as they were, and who was here before needs no showing around."""
    op.add_column(
        "users", sa.Column("single_keys", sa.Boolean(), nullable=False, server_default=sa.true())
    )
    op.add_column(
        "users", sa.Column("toured", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.execute("UPDATE users SET toured = true WHERE last_seen_at IS NOT NULL")
