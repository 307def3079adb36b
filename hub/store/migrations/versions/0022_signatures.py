"""What stands below a member's letters."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Nobody has one."""
    op.add_column("members", sa.Column("signature", sa.Text, nullable=False, server_default=""))
