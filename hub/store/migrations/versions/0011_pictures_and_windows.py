"""Which pictures stand in the text of their message, when a contact last wrote, and what tells two
messages with one id apart."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("attachments", sa.Column("content_id", sa.Text(), nullable=True))
    op.add_column("thread_channels", sa.Column("wrote_at", BIG, nullable=True))
    op.add_column("external_ids", sa.Column("fingerprint", sa.Text(), nullable=True))
    op.execute("UPDATE thread_channels SET wrote_at = last_inbound_at")
