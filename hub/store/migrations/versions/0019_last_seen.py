"""When a user was last seen, which stays when their sessions are gone."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Who is signed in was last seen as their sessions say."""
    id_ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("users", sa.Column("last_seen_at", id_, nullable=True))
    op.execute(
        "UPDATE users SET last_seen_at = "
        "(SELECT max(seen_at) FROM sessions WHERE sessions.user_id = users.id)"
    )
