"""The tables of the core.

Times are integers: milliseconds since 1970 in UTC, the same on both databases. Ids are 64-bit,
time-ordered and made before the insert (``hub.store.ids``). JSON is kept as text, because a
customer's NUL character survives in JSON text and not in PostgreSQL's ``jsonb``.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import event

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
    sa.Column("settings", sa.Text, nullable=False, server_default="{}"),  # hub.rules.settings
    sa.Column("audit_count", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("sights", sa.Integer, nullable=False, server_default="0"),  # that are kept
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
    sa.Column("phone", sa.Text),  # in E.164: rung first when they call somebody
    sa.Column("super_user", Bool, nullable=False, server_default=sa.false()),
    sa.Column("second_factor", Bool, nullable=False, server_default=sa.false()),
    sa.Column("last_seen_at", Time),  # to five minutes
    sa.Column("range_noted", Bool, nullable=False, server_default=sa.false()),
    sa.Column("single_keys", Bool, nullable=False, server_default=sa.true()),
    sa.Column("toured", Bool, nullable=False, server_default=sa.false()),
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
    sa.Column("ready", sa.Text),  # a name in hub.rules.rights.READY_ROLES; NULL: an own one
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
    # Whether conversations may be assigned to them by themselves, since when, and who said so.
    sa.Column("available", Bool, nullable=False, server_default=sa.false()),
    sa.Column("available_at", Time),
    sa.Column("available_by", Id),  # a member
    sa.Column("assignment_mail", Bool, nullable=False, server_default=sa.false()),
    # What stands below their letters.
    sa.Column("signature", sa.Text, nullable=False, server_default=""),
    # What they are alerted of (``hub.rules.alerts.AlertChoices``).
    sa.Column("alerts", sa.Text, nullable=False, server_default="{}"),
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
    sa.Column("seen_at", Time, nullable=False, server_default="0"),  # to five minutes
    sa.Column("begun_with", sa.Text, nullable=False, server_default=""),  # ways, by spaces
    # Where its browser is told of alerts while no page is open, encrypted; its hash; since when.
    sa.Column("push", sa.Text),
    sa.Column("push_key", sa.Text),
    sa.Column("push_at", Time),
    sa.Index(
        "ix_sessions_push",
        "push_key",
        sqlite_where=sa.text("push_key IS NOT NULL"),
        postgresql_where=sa.text("push_key IS NOT NULL"),
    ),
)

tokens = sa.Table(
    "tokens",
    metadata,
    _id(),
    _org(),
    sa.Column("member_id", Id, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("token_hash", sa.Text, nullable=False, unique=True),
    sa.Column("capabilities", sa.Text, nullable=False),  # JSON list
    sa.Column("created_at", Time, nullable=False),
    sa.Column("expires_at", Time),
    sa.Column("last_used_at", Time),  # to the minute
    sa.Column("revoked_at", Time),  # it stays, because the audit names it
    sa.Index("ix_tokens_member", "organisation_id", "member_id", "id"),
)

invitations = sa.Table(
    "invitations",
    metadata,
    _id(),
    _org(),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("name", sa.Text),
    sa.Column("role_id", Id, nullable=False),
    sa.Column("token_hash", sa.Text, nullable=False, unique=True),
    sa.Column("invited_by", Id),  # a member
    sa.Column("created_at", Time, nullable=False),
    sa.Column("expires_at", Time, nullable=False),
    sa.UniqueConstraint("organisation_id", "email"),
)

password_resets = sa.Table(
    "password_resets",
    metadata,
    sa.Column("token_hash", sa.Text, primary_key=True),
    sa.Column("user_id", Id, nullable=False, index=True),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("expires_at", Time, nullable=False, index=True),
)

totps = sa.Table(
    "totps",
    metadata,
    _id("user_id"),
    sa.Column("secret", sa.Text, nullable=False),  # encrypted
    sa.Column("last_step", Id, nullable=False),  # no code of it or of an earlier one counts again
    sa.Column("created_at", Time, nullable=False),
    sa.Column("confirmed_at", Time),  # NULL: nobody has shown yet that they can make codes
)

recovery_codes = sa.Table(
    "recovery_codes",
    metadata,
    sa.Column("user_id", Id, primary_key=True, autoincrement=False),
    sa.Column("code_hash", sa.Text, primary_key=True),
)

identities = sa.Table(
    "identities",
    metadata,
    sa.Column("issuer", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("user_id", Id, nullable=False, index=True),
    sa.Column("created_at", Time, nullable=False),
)

sign_in_steps = sa.Table(
    "sign_in_steps",
    metadata,
    sa.Column("token_hash", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("user_id", Id),
    sa.Column("data", sa.Text, nullable=False),  # JSON
    sa.Column("expires_at", Time, nullable=False, index=True),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),  # hashed
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("began_at", Time, nullable=False),
    sa.Column("ends_at", Time, nullable=False, index=True),
)

passkeys = sa.Table(
    "passkeys",
    metadata,
    _id(),
    sa.Column("user_id", Id, nullable=False, index=True),
    sa.Column("credential_id", sa.Text, nullable=False, unique=True),  # base64url, as below
    sa.Column("public_key", sa.Text, nullable=False),
    sa.Column("sign_count", Id, nullable=False),
    sa.Column("rp_id", sa.Text, nullable=False),  # it signs for no other host
    sa.Column("transports", sa.Text, nullable=False),  # JSON list
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("used_at", Time),
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
    sa.Column("expires_at", Time),
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
    sa.Column("property_address", sa.Text),
    sa.Column("account", sa.Text),
    sa.Column("lead_id", sa.Text),
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

# Every change of a consent, each once and for good; ``consents`` has what holds.
consent_events = sa.Table(
    "consent_events",
    metadata,
    _id(),
    _org(),
    sa.Column("channel_id", sa.Text, nullable=False),
    sa.Column("scheme", sa.Text, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("own_address", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("how", sa.Text, nullable=False),
    sa.Column("by_member_id", Id),
    sa.Column("at", Time, nullable=False),
    sa.Index("ix_consent_events_address", "value", "scheme", "organisation_id"),
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
    sa.Column("unread", sa.Integer, nullable=False),  # messages, and calls that are unresolved
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
    sa.Column("unresolved", sa.Integer, nullable=False, server_default="0"),
    sa.Column("waiting_since", Time),  # when it began to need a response, if it does
    sa.Column("number", Id),  # in its organisation, as sets have it: hub.store.inbox_sets
    sa.Index("ix_threads_number", "organisation_id", "number", unique=True),
    # How many open ones somebody has.
    sa.Index(
        "ix_threads_busy",
        "organisation_id",
        "assignee_id",
        sqlite_where=sa.text("status = 'open' AND assignee_id IS NOT NULL"),
        postgresql_where=sa.text("status = 'open' AND assignee_id IS NOT NULL"),
    ),
)


def _list_index(
    table: sa.Table, name: str, *columns: str, where: str | None = None, also: tuple[str, ...] = ()
) -> None:
    """For the list in its order, everybody's or a limited role's, narrowed to ``columns`` and
    ``where``. What it may be narrowed by besides stands at the end (``also``), so that a row that
    does not fit is passed over in the index, and counting needs no row at all."""
    condition = {} if where is None else dict.fromkeys(("sqlite_where", "postgresql_where"))
    if where is not None:
        condition = {key: sa.text(where) for key in condition}
    whose, id_ = ("organisation_id", "id") if table is threads else ("sight_id", "thread_id")
    sa.Index(
        f"ix_{table.name}_{name}",
        table.c[whose],
        *(table.c[column] for column in columns),
        table.c.sort_at.desc(),
        table.c[id_].desc(),
        *(table.c[column] for column in also),
        **condition,  # pyright: ignore[reportArgumentType]
    )


_list_index(threads, "list")
_list_index(threads, "status", "status")
_list_index(threads, "assignee", "assignee_id", also=("status",))
_list_index(
    threads,
    "unread",
    where="unread > 0",
    also=("status", "assignee_id", "unread", "needs_response", "waiting_since"),
)
_list_index(
    threads,
    "needs",
    where="needs_response",
    also=("status", "assignee_id", "needs_response", "waiting_since"),
)

sa.Index(
    "ix_threads_waiting",
    threads.c.organisation_id,
    threads.c.waiting_since,
    sqlite_where=sa.text("needs_response"),
    postgresql_where=sa.text("needs_response"),
)
# Of which something else than a message, note or call was last.
sa.Index(
    "ix_threads_later",
    threads.c.organisation_id,
    threads.c.active_at,
    threads.c.sort_at,
    sqlite_where=sa.text("active_at > sort_at"),
    postgresql_where=sa.text("active_at > sort_at"),
)

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
    sa.Column("unresolved", sa.Integer, nullable=False, server_default="0"),
    sa.Column("wrote_at", Time),  # not when it arrived
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
    sa.Column("updates", sa.Text),  # hub.rules.updates.Updates as JSON; NULL: nothing was told
    sa.Column("external_id", sa.Text),  # on channels whose messages name those they answer
    sa.UniqueConstraint("thread_id", "seq"),
    sa.Index("ix_entries_thread", "thread_id", "sort_at", "id"),
    sa.Index("ix_entries_activity", "organisation_id", "sort_at", "thread_id"),
    sa.Index(
        "ix_entries_named",
        "thread_id",
        "channel_id",
        "sort_at",
        "id",
        sqlite_where=sa.text("external_id IS NOT NULL"),
        postgresql_where=sa.text("external_id IS NOT NULL"),
    ),
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
    sa.Column("member_address", sa.Text),  # of a call: the phone that is rung first
    # Of an opt-out: it alone goes to who has opted out.
    sa.Column("confirms", Bool, nullable=False, server_default=sa.false()),
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

approvals = sa.Table(
    "approvals",
    metadata,
    _id("entry_id"),
    _org(),
    sa.Column("channel_id", sa.Text, nullable=False),
    sa.Column("member_id", Id),  # its author
    sa.Column("state", sa.Text, nullable=False),  # waiting, approved, rejected, withdrawn
    sa.Column("proposal", sa.Text, nullable=False),  # hub.rules.approvals.Proposal as JSON
    sa.Column("original", sa.Text),  # hub.rules.approvals.Words as JSON
    sa.Column("problem", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("decided_by", Id),
    sa.Column("decided_name", sa.Text),
    sa.Column("decided_at", Time),
    sa.Column("submitted_at", Time, nullable=False),
    sa.Index("ix_approvals_list", "organisation_id", "entry_id"),
    sa.Index("ix_approvals_state", "organisation_id", "state", "entry_id"),
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
    sa.Column("fingerprint", sa.Text),  # of an inbound message, where its channel tells them apart
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

# Kept also after the message has come: what is told again is known by it.
message_events = sa.Table(
    "message_events",
    metadata,
    sa.Column("organisation_id", Id, primary_key=True, autoincrement=False),
    sa.Column("channel_id", sa.Text, primary_key=True),
    sa.Column("external_id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),  # a digest of what is told, and when it was
    sa.Column("news", sa.Text, nullable=False),  # hub.rules.updates.News as JSON
    sa.Column("received_at", Time, nullable=False),
    sa.PrimaryKeyConstraint("external_id", "channel_id", "organisation_id", "key"),
    sqlite_with_rowid=False,
)

# Whose turn it is to be assigned a conversation. Who assigns locks an organisation's row, after the
# threads and before the organisation.
rotations = sa.Table(
    "rotations",
    metadata,
    _id("organisation_id"),
    sa.Column("turns", sa.Text, nullable=False),  # {member: number of their last turn} as JSON
)

# How many conversations of a kind were last active within a block of time, of which there are
# several lengths: hub.store.inbox_counts.
thread_counts = sa.Table(
    "thread_counts",
    metadata,
    sa.Column("organisation_id", Id, primary_key=True, autoincrement=False),
    sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("block", Id, primary_key=True, autoincrement=False),
    sa.Column("status", sa.Text, primary_key=True),
    sa.Column("assignee_id", Id, primary_key=True, autoincrement=False),  # -1: nobody
    sa.Column("unread", Bool, primary_key=True),
    sa.Column("needs_response", Bool, primary_key=True),
    sa.Column("n", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Which conversations have something in common, as bitmaps of their numbers: hub.store.inbox_sets.
thread_sets = sa.Table(
    "thread_sets",
    metadata,
    sa.Column("organisation_id", Id, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("numbers", sa.LargeBinary, nullable=False),
)

# The lists of roles that see a part: a row for each set of places that any role sees, one for each
# conversation in its list, how many there are of a kind, and which have something in common, as
# above: hub.store.sights.
sights = sa.Table(
    "sights",
    metadata,
    _id(),
    _org(),
    sa.Column("places", sa.Text, nullable=False),  # hub.rules.sight, a JSON list in order
    sa.Column("state", sa.Text, nullable=False),  # filling, kept, gone
    sa.Column(
        "through", Id, nullable=False
    ),  # up to which conversation it is filled, then its sets
    sa.Column("sets", Bool, nullable=False, server_default=sa.false()),  # these are filled, too
    sa.Index("ix_sights_places", "organisation_id", "places"),
)
sight_threads = sa.Table(
    "sight_threads",
    metadata,
    sa.Column("thread_id", Id, primary_key=True, autoincrement=False),
    sa.Column("sight_id", Id, primary_key=True, autoincrement=False),
    sa.Column("assignee_id", Id),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("needs_response", Bool, nullable=False),
    sa.Column("waiting_since", Time),
    sa.Column("unread", sa.Integer, nullable=False),
    sa.Column("unresolved", sa.Integer, nullable=False),
    sa.Column("sort_at", Time, nullable=False),
)
_list_index(sight_threads, "list")
_list_index(sight_threads, "status", "status")
_list_index(sight_threads, "assignee", "assignee_id", also=("status",))
_list_index(
    sight_threads,
    "unread",
    where="unread > 0",
    also=("status", "assignee_id", "unread", "needs_response", "waiting_since"),
)
_list_index(
    sight_threads,
    "needs",
    where="needs_response",
    also=("status", "assignee_id", "needs_response", "waiting_since"),
)
sa.Index(
    "ix_sight_threads_waiting",
    sight_threads.c.sight_id,
    sight_threads.c.waiting_since,
    sqlite_where=sa.text("needs_response"),
    postgresql_where=sa.text("needs_response"),
)
sight_counts = sa.Table(
    "sight_counts",
    metadata,
    sa.Column("sight_id", Id, primary_key=True, autoincrement=False),
    sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("block", Id, primary_key=True, autoincrement=False),
    sa.Column("status", sa.Text, primary_key=True),
    sa.Column("assignee_id", Id, primary_key=True, autoincrement=False),  # -1: nobody
    sa.Column("unread", Bool, primary_key=True),
    sa.Column("needs_response", Bool, primary_key=True),
    sa.Column("n", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
sight_sets = sa.Table(
    "sight_sets",
    metadata,
    sa.Column("sight_id", Id, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("numbers", sa.LargeBinary, nullable=False),
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
    sa.Column("content_id", sa.Text),  # what its message's HTML calls it
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
    sa.Column("remote", sa.Text),  # the network address that it was asked from
    sa.Column("seq", sa.BigInteger, nullable=False, server_default="0"),  # its place in the chain
    sa.Index("ix_audit_organisation", "organisation_id", "id"),
    sa.Index("ix_audit_chain", "organisation_id", "seq", unique=True),
    sa.Index("ix_audit_actor", "organisation_id", "actor_kind", "actor_id", "id"),
    sa.Index("ix_audit_action", "organisation_id", "action", "id"),
    sa.Index("ix_audit_object", "organisation_id", "object_kind", "object_id", "id"),
)
# Lines are only ever added, whoever asks: neither the hub nor somebody with a query by hand changes
# one without first taking away what refuses it, which the chain of digests then shows.
for _verb in ("UPDATE", "DELETE"):
    _refusal = (
        f"CREATE TRIGGER audit_refuses_{_verb.lower()} BEFORE {_verb} ON audit "
        "BEGIN SELECT RAISE(ABORT, 'lines of the audit are only ever added'); END"
    )
    event.listen(audit, "after_create", sa.DDL(_refusal).execute_if(dialect="sqlite"))

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
    sa.Column("member_id", Id, primary_key=True, autoincrement=False),  # or the token's id
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
    sa.Column("secret", Bool, nullable=False, server_default=sa.false()),  # forgotten once sent
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

pushes = sa.Table(
    "pushes",
    metadata,
    _id(),
    _org(),
    sa.Column("push_key", sa.Text, nullable=False),  # of which session's browser
    sa.Column("about", sa.Text, nullable=False),  # of what there is one at a time
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("thread_id", Id),
    sa.Column("entry_id", Id),
    sa.Column("channel_id", sa.Text),
    sa.Column("version", Id, nullable=False),  # what is told again has no greater one
    sa.Column("state", sa.Text, nullable=False),  # waiting, ended
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", Time, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("tried_at", Time),
    sa.Column("lease_token", sa.Text),
    sa.Column("lease_until", Time),
    sa.UniqueConstraint("push_key", "organisation_id", "about"),
    sa.Index(
        "ix_pushes_waiting",
        "due_at",
        "id",
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    ),
)
