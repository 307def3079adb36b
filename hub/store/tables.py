"""The tables of the core.

Times are integers: milliseconds since 1970 in UTC, the same on both databases. Ids are 64-bit,
time-ordered and made before the insert (``hub.store.ids``). JSON is kept as text, because a
customer's NUL character survives in JSON text and not in PostgreSQL's ``jsonb``.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# In the keys by which many rows are looked for at once, what differs stands first. PostgreSQL takes
# an organisation for narrow until it has statistics, and would walk along all that is in it.

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # INTEGER is SQLite's rowid
Time = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Bool = sa.Boolean(create_constraint=False)


def _id(name: str = "id") -> sa.Column[int]:
    return sa.Column(name, Id, primary_key=True, autoincrement=False)


def _org() -> sa.Column[int]:
    return sa.Column("organisation_id", Id, nullable=False)


# ------------------------------------------------------------------ who

organisations = sa.Table(
    "organisations",
    metadata,
    _id(),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("audit_digest", sa.Text, nullable=False, server_default=""),
    sa.Column("created_at", Time, nullable=False),
)

users = sa.Table(
    "users",
    metadata,
    _id(),
    sa.Column("email", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("must_change_password", Bool, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("deactivated_at", Time),
)

roles = sa.Table(
    "roles",
    metadata,
    _id(),
    _org(),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("capabilities", sa.Text, nullable=False),
    sa.Column("channel_ids", sa.Text),  # JSON list; NULL: every channel
    sa.Column("created_at", Time, nullable=False),
    sa.UniqueConstraint("organisation_id", "name"),
)

members = sa.Table(
    "members",
    metadata,
    _id(),
    _org(),
    sa.Column("user_id", Id, nullable=False, index=True),
    sa.Column("role_id", Id, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("deactivated_at", Time),
    sa.UniqueConstraint("organisation_id", "user_id"),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("token_hash", sa.Text, primary_key=True),
    sa.Column("user_id", Id, nullable=False, index=True),
    sa.Column("csrf_token", sa.Text, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("expires_at", Time, nullable=False, index=True),
    sa.Column("remote", sa.Text),
    sa.Column("user_agent", sa.Text),
)

# ------------------------------------------------------------------ channels

channels = sa.Table(
    "channels",
    metadata,
    sa.Column("organisation_id", Id, primary_key=True, autoincrement=False),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("plugin", sa.Text, nullable=False),
    sa.Column("shown", sa.Text, nullable=False),  # how it looked last: history outlives plugins
    sa.Column("paused", Bool, nullable=False),
    sa.Column("paused_reason", sa.Text),
    sa.Column("created_at", Time, nullable=False),
)

plugin_kv = sa.Table(
    "plugin_kv",
    metadata,
    sa.Column("organisation_id", Id, primary_key=True, autoincrement=False),
    sa.Column("channel_id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    _id(),
    _org(),
    sa.Column("channel_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # done, ignored, quarantined, unverified
    sa.Column("reason", sa.Text),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("headers", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary),
    sa.Column("body_blob", sa.Text),  # sha256, for bodies over 64 kB
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("remote", sa.Text),
    sa.Column("proof", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", Time),  # quarantined for a passing reason: tried again then
    sa.Column("received_at", Time, nullable=False),
    sa.Index(
        "ix_deliveries_waiting",
        "organisation_id",
        "channel_id",
        "id",
        sqlite_where=sa.text("state IN ('quarantined', 'unverified')"),
        postgresql_where=sa.text("state IN ('quarantined', 'unverified')"),
    ),
    sa.Index("ix_deliveries_channel", "organisation_id", "channel_id", "id"),
    sa.Index(
        "ix_deliveries_blob",
        "body_blob",
        sqlite_where=sa.text("body_blob IS NOT NULL"),
        postgresql_where=sa.text("body_blob IS NOT NULL"),
    ),
)

polls = sa.Table(
    "polls",
    metadata,
    sa.Column("organisation_id", Id, primary_key=True, autoincrement=False),
    sa.Column("channel_id", sa.Text, primary_key=True),
    sa.Column("cursor", sa.Text),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),  # in a row
    sa.Column("due_at", Time, nullable=False),
)

fetches = sa.Table(
    "fetches",
    metadata,
    _id(),
    _org(),
    sa.Column("channel_id", sa.Text, nullable=False),
    sa.Column("ref_id", sa.Text, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sa.Column("delivery_id", Id, nullable=False),  # what named it
    sa.Column("state", sa.Text, nullable=False),  # waiting, done, failed
    sa.Column("reason", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", Time),
    sa.Column("created_at", Time, nullable=False),
    sa.UniqueConstraint("ref_id", "channel_id", "organisation_id"),
    sa.Index(
        "ix_fetches_waiting",
        "due_at",
        "id",
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    ),
)

replies = sa.Table(
    "replies",
    metadata,
    sa.Column("organisation_id", Id, primary_key=True, autoincrement=False),
    sa.Column("channel_id", sa.Text, primary_key=True),
    sa.Column("question", sa.Text, primary_key=True),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("content_type", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("created_at", Time, nullable=False, index=True),
)

# ------------------------------------------------------------------ contacts

contacts = sa.Table(
    "contacts",
    metadata,
    _id(),
    _org(),
    sa.Column("name", sa.Text),
    sa.Column("merged_into", Id),
    sa.Column("created_at", Time, nullable=False),
)

addresses = sa.Table(
    "addresses",
    metadata,
    _id(),
    _org(),
    sa.Column("contact_id", Id, nullable=False, index=True),
    sa.Column("scheme", sa.Text, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("display", sa.Text),
    sa.Column("verified", Bool, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.UniqueConstraint("value", "scheme", "organisation_id"),
)

consents = sa.Table(
    "consents",
    metadata,
    sa.Column("organisation_id", Id, primary_key=True, autoincrement=False),
    sa.Column("channel_id", sa.Text, primary_key=True),
    sa.Column("scheme", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, primary_key=True),
    sa.Column("own_address", sa.Text, primary_key=True),  # '' for every own address
    sa.Column("state", sa.Text, nullable=False),  # in, out
    sa.Column("how", sa.Text, nullable=False),
    sa.Column("by_member_id", Id),
    sa.Column("at", Time, nullable=False),
    sa.Index("ix_consents_address", "value", "scheme", "organisation_id"),
)

# ------------------------------------------------------------------ conversations

threads = sa.Table(
    "threads",
    metadata,
    _id(),
    _org(),
    sa.Column("contact_id", Id, nullable=False, unique=True),
    sa.Column("assignee_id", Id),
    sa.Column("status", sa.Text, nullable=False),  # open, closed, outbound_only
    sa.Column("has_inbound", Bool, nullable=False),
    sa.Column("needs_response", Bool, nullable=False),
    sa.Column("unread", sa.Integer, nullable=False),
    sa.Column("read_through", sa.BigInteger, nullable=False),  # a seq
    sa.Column("seq", sa.BigInteger, nullable=False),  # of the last entry
    sa.Column("sort_at", Time, nullable=False),
    sa.Column("active_at", Time, nullable=False),
    sa.Column("last_entry_id", Id),  # of the entry previewed
    sa.Column("preview", sa.Text, nullable=False),
    sa.Column("preview_direction", sa.Text, nullable=False),
    sa.Column("preview_channel_id", sa.Text),
    sa.Column("preview_status", sa.Text),
    sa.Column("channel_id", sa.Text),  # shown: last used by the customer, else last sent on
    sa.Column("last_inbound_at", Time),
    sa.Column("created_at", Time, nullable=False),
)


def _list_index(
    name: str, *columns: str, where: str | None = None, also: tuple[str, ...] = ()
) -> None:
    """For the list in its order, narrowed to ``columns`` and ``where``. What it may be narrowed by
    besides stands at the end (``also``), so that a row that does not fit is passed over in the
    index, and counting needs no row at all."""
    condition = {} if where is None else dict.fromkeys(("sqlite_where", "postgresql_where"))
    if where is not None:
        condition = {key: sa.text(where) for key in condition}
    sa.Index(
        f"ix_threads_{name}",
        threads.c.organisation_id,
        *(threads.c[column] for column in columns),
        threads.c.sort_at.desc(),
        threads.c.id.desc(),
        *(threads.c[column] for column in also),
        **condition,  # pyright: ignore[reportArgumentType]
    )


_list_index("list")
_list_index("status", "status")
_list_index("assignee", "assignee_id", also=("status",))
_list_index(
    "unread", where="unread > 0", also=("status", "assignee_id", "unread", "needs_response")
)
_list_index("needs", where="needs_response", also=("status", "assignee_id", "needs_response"))

thread_channels = sa.Table(
    "thread_channels",
    metadata,
    sa.Column("thread_id", Id, primary_key=True, autoincrement=False),
    sa.Column("channel_id", sa.Text, primary_key=True),
    _org(),
    sa.Column("unread", sa.Integer, nullable=False),
    sa.Column("sort_at", Time, nullable=False),
    sa.Column("active_at", Time, nullable=False),
    sa.Column("last_entry_id", Id, nullable=False),
    sa.Column("last_inbound_at", Time),
    sa.Column("last_inbound_address", sa.Text),
    sa.Column("last_inbound_own", sa.Text),
    # Without a time, which every message would move.
    sa.Index("ix_thread_channels_list", "organisation_id", "channel_id", "thread_id"),
)

entries = sa.Table(
    "entries",
    metadata,
    _id(),
    _org(),
    sa.Column("thread_id", Id, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # message, note, call, system
    sa.Column("grouping", sa.Text, nullable=False),  # texts, emails, calls, notes, system
    sa.Column("direction", sa.Text, nullable=False),  # in, out, internal
    sa.Column("channel_id", sa.Text),
    sa.Column("scheme", sa.Text),
    sa.Column("address", sa.Text),
    sa.Column("own_address", sa.Text),
    sa.Column("author_kind", sa.Text, nullable=False),
    sa.Column("author_id", Id),
    sa.Column("content", sa.Text, nullable=False),  # hub.rules.content.Content as JSON
    sa.Column("preview", sa.Text, nullable=False),
    sa.Column("status", sa.Text),
    sa.Column("status_reason", sa.Text),
    sa.Column("status_at", Time),
    sa.Column("idempotency_key", sa.Text),
    sa.Column("delivery_id", Id),
    sa.Column("occurred_at", Time, nullable=False),
    sa.Column("sort_at", Time, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.UniqueConstraint("thread_id", "seq"),
    sa.Index("ix_entries_thread", "thread_id", "sort_at", "id"),
    sa.Index("ix_entries_activity", "organisation_id", "sort_at", "thread_id"),
)

transmissions = sa.Table(
    "transmissions",
    metadata,
    _id(),
    _org(),
    sa.Column("thread_id", Id, nullable=False),
    sa.Column("entry_id", Id, nullable=False, index=True),
    sa.Column("channel_id", sa.Text, nullable=False),
    sa.Column("scheme", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("own_address", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("wire", sa.Text, nullable=False),  # list of WirePart as JSON
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("detail", sa.Text),
    sa.Column("provider_code", sa.Text),
    sa.Column("parts", sa.Text, nullable=False),  # {external id: status} as JSON
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", Time, nullable=False),
    sa.Column("deadline", Time, nullable=False),
    sa.Column("lease_token", sa.Text),
    sa.Column("lease_until", Time),
    sa.Column("started_at", Time),
    sa.Column("status_at", Time, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.Index(
        "ix_transmissions_waiting",
        "due_at",
        "id",
        sqlite_where=sa.text("status IN ('pending', 'scheduled')"),
        postgresql_where=sa.text("status IN ('pending', 'scheduled')"),
    ),
    # What was being sent when a process died, and what the provider is to be asked about.
    sa.Index(
        "ix_transmissions_begun",
        "status",
        "due_at",
        sqlite_where=sa.text("status IN ('sending', 'unknown')"),
        postgresql_where=sa.text("status IN ('sending', 'unknown')"),
    ),
    sa.Index(
        "ix_transmissions_order",
        "thread_id",
        "channel_id",
        "address",
        "id",
        sqlite_where=sa.text("status IN ('pending', 'sending')"),
        postgresql_where=sa.text("status IN ('pending', 'sending')"),
    ),
)

external_ids = sa.Table(
    "external_ids",
    metadata,
    sa.Column("organisation_id", Id, primary_key=True, autoincrement=False),
    sa.Column("channel_id", sa.Text, primary_key=True),
    sa.Column("external_id", sa.Text, primary_key=True),
    sa.Column("thread_id", Id),  # all three NULL while only a receipt has been seen
    sa.Column("entry_id", Id),
    sa.Column("transmission_id", Id),
    sa.PrimaryKeyConstraint("external_id", "channel_id", "organisation_id"),
    sqlite_with_rowid=False,
)

receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("organisation_id", Id, primary_key=True, autoincrement=False),
    sa.Column("channel_id", sa.Text, primary_key=True),
    sa.Column("external_id", sa.Text, primary_key=True),
    sa.Column("status", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text),
    sa.Column("detail", sa.Text),
    sa.Column("provider_code", sa.Text),
    sa.Column("occurred_at", Time),
    sa.Column("received_at", Time, nullable=False),
    sa.PrimaryKeyConstraint("external_id", "channel_id", "organisation_id", "status"),
    sqlite_with_rowid=False,
)

# ------------------------------------------------------------------ files

attachments = sa.Table(
    "attachments",
    metadata,
    _id(),
    _org(),
    sa.Column("entry_id", Id, index=True),  # NULL until sent
    sa.Column("channel_id", sa.Text),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("content_type", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger),
    sa.Column("sha256", sa.Text),
    sa.Column("state", sa.Text, nullable=False),  # pending, ready, failed
    sa.Column("reason", sa.Text),
    sa.Column("ref", sa.Text),  # MediaRef as JSON, while it is to be fetched
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", Time),
    sa.Column("width", sa.Integer),
    sa.Column("height", sa.Integer),
    sa.Column("uploaded_by", Id),
    sa.Column("created_at", Time, nullable=False),
    sa.Index(
        "ix_attachments_waiting",
        "due_at",
        "id",
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    ),
    sa.Index(
        "ix_attachments_blob",
        "sha256",
        sqlite_where=sa.text("sha256 IS NOT NULL"),
        postgresql_where=sa.text("sha256 IS NOT NULL"),
    ),
)

# ------------------------------------------------------------------ what happened

journal = sa.Table(
    "journal",
    metadata,
    sa.Column("organisation_id", Id, primary_key=True, autoincrement=False),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("thread_id", Id),
    sa.Column("entry_id", Id),
    sa.Column("channel_id", sa.Text),
    sa.Column("data", sa.Text),
    sa.Column("created_at", Time, nullable=False),
    sqlite_with_rowid=False,
)

audit = sa.Table(
    "audit",
    metadata,
    _id(),
    _org(),
    sa.Column("at", Time, nullable=False),
    sa.Column("actor_kind", sa.Text, nullable=False),
    sa.Column("actor_id", Id),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("object_kind", sa.Text, nullable=False),
    sa.Column("object_id", sa.Text, nullable=False),
    sa.Column("before", sa.Text),
    sa.Column("after", sa.Text),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Index("ix_audit_organisation", "organisation_id", "id"),
)

# ------------------------------------------------------------------ machinery

consumers = sa.Table(
    "consumers",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("organisation_id", Id, primary_key=True, autoincrement=False),
    sa.Column("position", sa.BigInteger, nullable=False),
)

parked = sa.Table(
    "parked",
    metadata,
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("organisation_id", Id, primary_key=True, autoincrement=False),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", Time, nullable=False),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("until", Time, nullable=False),
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("organisation_id", Id, primary_key=True, autoincrement=False),
    sa.Column("member_id", Id, primary_key=True, autoincrement=False),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("request", sa.Text, nullable=False),  # digest of what was asked
    sa.Column("entry_id", Id, nullable=False),
    sa.Column("created_at", Time, nullable=False, index=True),
    sa.PrimaryKeyConstraint("key", "member_id", "organisation_id"),
)

jobs = sa.Table(
    "jobs",
    metadata,
    _id(),
    _org(),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # waiting, running, done, failed, canceled
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("saved", sa.Text, nullable=False),  # where the next step goes on
    sa.Column("done", sa.BigInteger, nullable=False),
    sa.Column("total", sa.BigInteger),
    sa.Column("result", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("cancel", Bool, nullable=False),  # it is wished: heeded before the next step
    sa.Column("attempts", sa.Integer, nullable=False),  # of the step that is next
    sa.Column("due_at", Time, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("created_by", Id),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("finished_at", Time),
    sa.Column("lease_token", sa.Text),
    sa.Column("lease_until", Time),
    sa.Index("ix_jobs_member", "organisation_id", "created_by", "id"),
    sa.Index("ix_jobs_finished", "finished_at"),
    sa.Index(
        "ix_jobs_unfinished",
        "due_at",
        "id",
        sqlite_where=sa.text("state IN ('waiting', 'running')"),
        postgresql_where=sa.text("state IN ('waiting', 'running')"),
    ),
)

due = sa.Table(
    "due",
    metadata,
    sa.Column("organisation_id", Id, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("due_at", Time, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("look_at", Time, index=True),  # due_at, later after a failure; NULL: given up
    sa.Column("reason", sa.Text),
)

notices = sa.Table(
    "notices",
    metadata,
    _id(),
    sa.Column("organisation_id", Id),
    sa.Column("medium", sa.Text, nullable=False),  # mail, text
    sa.Column("recipient", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("html", sa.Text),
    sa.Column("state", sa.Text, nullable=False),  # queued, sending, sent, failed, unknown
    sa.Column("reason", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", Time, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("sent_at", Time),
    sa.Column("lease_token", sa.Text),
    sa.Column("lease_until", Time),
    sa.Index(
        "ix_notices_waiting",
        "due_at",
        "id",
        sqlite_where=sa.text("state IN ('queued', 'sending')"),
        postgresql_where=sa.text("state IN ('queued', 'sending')"),
    ),
)

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
