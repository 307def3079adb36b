"""Calls are resolved by people and made by them."""

from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

PAGE = 1_000
UNANSWERED = frozenset({"missed", "busy", "failed", "canceled", "voicemail"})
COUNTED = {
    "threads": "entries.thread_id = threads.id",
    "thread_channels": (
        "entries.thread_id = thread_channels.thread_id "
        "AND entries.channel_id = thread_channels.channel_id"
    ),
}


def upgrade() -> None:
    """What was inbound counted as unread; of calls it is now what is unresolved."""
    for table in COUNTED:
        count = sa.Column("unresolved", sa.Integer(), nullable=False, server_default="0")
        op.add_column(table, count)
    op.add_column("users", sa.Column("phone", sa.Text(), nullable=True))
    op.add_column("transmissions", sa.Column("member_address", sa.Text(), nullable=True))
    connection = op.get_bind()
    unresolved, called = _calls(connection)
    for (thread_id, channel_id), count in unresolved.items():
        values = {"thread": thread_id, "channel": channel_id, "count": count}
        connection.execute(
            sa.text("UPDATE threads SET unresolved = unresolved + :count WHERE id = :thread"),
            values,
        )
        connection.execute(
            sa.text(
                "UPDATE thread_channels SET unresolved = unresolved + :count "
                "WHERE thread_id = :thread AND channel_id = :channel"
            ),
            values,
        )
    for table, of_row in COUNTED.items():
        key = "id" if table == "threads" else "thread_id"
        counted = sa.text(
            f"UPDATE {table} SET unread = unresolved + (SELECT count(*) FROM entries "  # noqa: S608
            f"WHERE {of_row} AND entries.direction = 'in' AND entries.kind = 'message' "
            "AND entries.seq > (SELECT read_through FROM threads WHERE "
            f"threads.id = entries.thread_id)) WHERE {key} = :thread"
        )
        for thread_id in sorted(called):
            connection.execute(counted, {"thread": thread_id})


def _calls(connection: sa.Connection) -> tuple[dict[tuple[int, str], int], set[int]]:
    """How many calls of each conversation and channel nobody has answered, and the conversations
    that have any."""
    unresolved: dict[tuple[int, str], int] = {}
    called: set[int] = set()
    page = sa.text(
        "SELECT id, thread_id, channel_id, updates FROM entries "
        "WHERE kind = 'call' AND direction = 'in' AND id > :after ORDER BY id LIMIT :count"
    )
    after = -1
    while rows := connection.execute(page, {"after": after, "count": PAGE}).all():
        after = rows[-1].id
        for row in rows:
            called.add(row.thread_id)
            told = msgspec.json.decode(row.updates or "{}", type=dict[str, Any])
            call: dict[str, Any] = told.get("call") or {}
            if call.get("outcome") in UNANSWERED:
                key = (row.thread_id, row.channel_id)
                unresolved[key] = unresolved.get(key, 0) + 1
    return unresolved, called
