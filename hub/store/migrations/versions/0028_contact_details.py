"""Contacts have an address where the work is done, an account, and a number as a lead."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Nobody has any of it yet."""
    for name in ("property_address", "account", "lead_id"):
        op.add_column("contacts", sa.Column(name, sa.Text))
