"""Lines of the audit have their place in the chain, are found by who, what and on which object, and
are only ever added."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_REFUSED = "lines of the audit are only ever added"


def upgrade() -> None:
    """Until now the order of the ids was that of the chain."""
    for table, column in (("organisations", "audit_count"), ("audit", "seq")):
        op.add_column(table, sa.Column(column, sa.BigInteger(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE audit SET seq = placed.place FROM (SELECT id, row_number() OVER "
        "(PARTITION BY organisation_id ORDER BY id) AS place FROM audit) AS placed "
        "WHERE placed.id = audit.id"
    )
    op.execute(
        "UPDATE organisations SET audit_count = "
        "(SELECT count(*) FROM audit WHERE audit.organisation_id = organisations.id)"
    )
    op.create_index("ix_audit_chain", "audit", ["organisation_id", "seq"], unique=True)
    for name, *columns in (
        ("actor", "actor_kind", "actor_id"),
        ("action", "action"),
        ("object", "object_kind", "object_id"),
    ):
        op.create_index(f"ix_audit_{name}", "audit", ["organisation_id", *columns, "id"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_refuses_{verb.lower()} BEFORE {verb} ON audit "
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_refuses() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSED}'; END $$"
    )
    for when in ("UPDATE OR DELETE ON audit FOR EACH ROW", "TRUNCATE ON audit FOR EACH STATEMENT"):
        name = "truncate" if when.startswith("TRUNCATE") else "change"
        op.execute(
            f"CREATE TRIGGER audit_refuses_{name} BEFORE {when} EXECUTE FUNCTION audit_refuses()"
        )
