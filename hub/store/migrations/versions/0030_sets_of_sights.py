"""Which conversations have something in common to a limited role; filled once the hub runs."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Make the table, which is empty."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    flag = sa.Boolean(create_constraint=False)
    op.add_column("sights", sa.Column("sets", flag, nullable=False, server_default=sa.false()))
    op.create_table(
        "sight_sets",
        sa.Column("sight_id", big, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("numbers", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sight_id", "name", "part", name=op.f("pk_sight_sets")),
    )
    # Lists that are kept begin with their sets.
    op.execute("UPDATE sights SET through = -1 WHERE state = 'kept'")
