"""Sessions that end when nobody uses them, invitations, links to reset a password, a second factor
to sign in with, and tries that are counted for all processes."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Who is signed in stays so."""
    id_ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("sessions", sa.Column("seen_at", id_, nullable=False, server_default="0"))
    op.get_bind().execute(
        sa.text("UPDATE sessions SET seen_at = :now"), {"now": int(time.time() * 1000)}
    )
    no = sa.false()
    op.add_column(
        "users", sa.Column("second_factor", sa.Boolean(), nullable=False, server_default=no)
    )
    op.add_column("notices", sa.Column("secret", sa.Boolean(), nullable=False, server_default=no))
    op.create_table(
        "invitations",
        sa.Column("id", id_, autoincrement=False, nullable=False),
        sa.Column("organisation_id", id_, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("role_id", id_, nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("invited_by", id_, nullable=True),
        sa.Column("created_at", id_, nullable=False),
        sa.Column("expires_at", id_, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint(
            "organisation_id", "email", name=op.f("uq_invitations_organisation_id_email")
        ),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )
    op.create_table(
        "password_resets",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("user_id", id_, nullable=False),
        sa.Column("created_at", id_, nullable=False),
        sa.Column("expires_at", id_, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_password_resets")),
    )
    op.create_index(op.f("ix_password_resets_user_id"), "password_resets", ["user_id"])
    op.create_index(op.f("ix_password_resets_expires_at"), "password_resets", ["expires_at"])
    op.create_table(
        "totps",
        sa.Column("user_id", id_, autoincrement=False, nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("last_step", id_, nullable=False),
        sa.Column("created_at", id_, nullable=False),
        sa.Column("confirmed_at", id_, nullable=True),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_totps")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", id_, nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "code_hash", name=op.f("pk_recovery_codes")),
    )
    op.create_table(
        "identities",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("user_id", id_, nullable=False),
        sa.Column("created_at", id_, nullable=False),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_identities")),
    )
    op.create_index(op.f("ix_identities_user_id"), "identities", ["user_id"])
    op.create_table(
        "sign_in_steps",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("user_id", id_, nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("expires_at", id_, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sign_in_steps")),
    )
    op.create_index(op.f("ix_sign_in_steps_expires_at"), "sign_in_steps", ["expires_at"])
    op.create_table(
        "attempts",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("began_at", id_, nullable=False),
        sa.Column("ends_at", id_, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_attempts")),
    )
    op.create_index(op.f("ix_attempts_ends_at"), "attempts", ["ends_at"])
