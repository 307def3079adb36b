"""What was rejected or withdrawn is found among a million that were approved."""

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """One index for each state takes the place of the one of those that wait."""
    op.create_index(
        "ix_approvals_state", "approvals", ["organisation_id", "state", "entry_id"], unique=False
    )
    op.drop_index("ix_approvals_waiting", table_name="approvals")
