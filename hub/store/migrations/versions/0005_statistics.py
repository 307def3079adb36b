"""What SQLite shall think of the list's indexes.

Without statistics it takes every index of an organisation for equally long, and reads the whole
list for the few conversations that are unread. Statistics of its own making (``ANALYZE``) would be
those of a moment, and none at all on a new database. These say of the indexes how they are to each
other: in rows, then rows for each value of the first columns.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATISTICS = {
    "ix_threads_list": "1000000 1000000 1 1",
    "ix_threads_status": "1000000 1000000 300000 1 1",
    "ix_threads_assignee": "1000000 1000000 30000 1 1 1",
    "ix_threads_needs": "20000 20000 1 1 1 1 1",
    "ix_threads_unread": "10000 10000 1 1 1 1 1 1",
}


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    connection.exec_driver_sql("ANALYZE threads")  # makes the table
    known = sa.text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('threads', :index, :stat)")
    connection.exec_driver_sql("DELETE FROM sqlite_stat1 WHERE tbl = 'threads'")
    for index, stat in STATISTICS.items():
        connection.execute(known, {"index": index, "stat": stat})
