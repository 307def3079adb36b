"""Whether a user knows with which days the list of conversations begins."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Everybody is told once."""
    op.add_column(
        "users",
        sa.Column(
            "range_noted",
            sa.Boolean(create_constraint=False),
            nullable=False,
            server_default=sa.false(),
        ),
    )
