"""Ready-made roles are known as such, tokens, Super Users, and where changes were asked from."""

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

READY = ("Admin", "Super User", "User SMS", "User SMS Limited", "Approver")
ADMIN = {"members.manage", "settings.manage", "audit.view"}


def upgrade() -> None:
    """Whoever was an admin may do what admins may do now; the hub makes missing roles when it
    starts."""
    op.add_column(
        "users", sa.Column("super_user", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("roles", sa.Column("ready", sa.Text(), nullable=True))
    op.add_column("audit", sa.Column("remote", sa.Text(), nullable=True))
    id_ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "tokens",
        sa.Column("id", id_, autoincrement=False, nullable=False),
        sa.Column("organisation_id", id_, nullable=False),
        sa.Column("member_id", id_, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("capabilities", sa.Text(), nullable=False),
        sa.Column("created_at", id_, nullable=False),
        sa.Column("expires_at", id_, nullable=True),
        sa.Column("last_used_at", id_, nullable=True),
        sa.Column("revoked_at", id_, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_tokens_token_hash")),
    )
    op.create_index("ix_tokens_member", "tokens", ["organisation_id", "member_id", "id"])
    connection = op.get_bind()
    for name in READY:
        connection.execute(
            sa.text("UPDATE roles SET ready = :name WHERE name = :name"), {"name": name}
        )
    rows = connection.execute(sa.text("SELECT id, capabilities FROM roles WHERE ready = 'Admin'"))
    for id_, text in rows.all():
        names = sorted({*msgspec.json.decode(text, type=list[str]), *ADMIN})
        connection.execute(
            sa.text("UPDATE roles SET capabilities = :names WHERE id = :id"),
            {"names": msgspec.json.encode(names).decode(), "id": id_},
        )
