"""What members are alerted of."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Everybody is alerted of everything."""
    op.add_column("members", sa.Column("alerts", sa.Text(), nullable=False, server_default="{}"))
