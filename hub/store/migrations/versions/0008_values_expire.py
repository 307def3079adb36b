"""What plugins keep may expire."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("plugin_kv", sa.Column("expires_at", BIG, nullable=True))
