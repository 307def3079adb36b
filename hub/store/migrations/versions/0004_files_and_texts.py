"""Files are found by what refers to them; notices may be texts."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WAITING = sa.text("state IN ('queued', 'sending')")
COLUMNS = (
    "id, organisation_id, recipient, subject, text, html, state, reason, attempts, "
    "due_at, created_at, sent_at, lease_token, lease_until"
)


def upgrade() -> None:
    """Make ``notices`` again: SQLite adds columns only at the end."""
    op.drop_table("blobs")
    _index_blobs("attachments", "sha256")
    _index_blobs("deliveries", "body_blob")
    op.execute("CREATE TABLE notices_before AS SELECT * FROM notices")
    op.drop_table("notices")
    op.create_table(
        "notices",
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("organisation_id", BIG, nullable=True),
        sa.Column("medium", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", BIG, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("sent_at", BIG, nullable=True),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("lease_until", BIG, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
    )
    op.create_index(
        "ix_notices_waiting",
        "notices",
        ["due_at", "id"],
        unique=False,
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
    op.execute(
        f"INSERT INTO notices (medium, {COLUMNS}) "  # noqa: S608 — names only
        f"SELECT 'mail', {COLUMNS} FROM notices_before"
    )
    op.drop_table("notices_before")


def _index_blobs(table: str, column: str) -> None:
    named = sa.text(f"{column} IS NOT NULL")
    op.create_index(
        f"ix_{table}_blob",
        table,
        [column],
        unique=False,
        sqlite_where=named,
        postgresql_where=named,
    )
