"""The tables of every floor: contacts, threads, messages and a journal, with the fewest indexes
that finding, listing and de-duplication need."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()
_Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")

contacts = sa.Table(
    "contacts",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("phone", sa.Text, nullable=False, unique=True),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)
threads = sa.Table(
    "threads",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("contact_id", _Id, sa.ForeignKey("contacts.id"), nullable=False, unique=True),
    sa.Column("sort_at", sa.BigInteger, nullable=False),
    sa.Column("unread", sa.Integer, nullable=False),
    sa.Column("preview", sa.Text, nullable=False),
    sa.Index("ix_threads_list", "sort_at", "id"),
)
messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("thread_id", _Id, sa.ForeignKey("threads.id"), nullable=False),
    sa.Column("sid", sa.Text, nullable=False, unique=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("raw", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Index("ix_messages_thread", "thread_id", "id"),
)
journal = sa.Table(
    "journal",
    metadata,
    sa.Column("position", _Id, primary_key=True),
    sa.Column("data", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=10000",
    "PRAGMA cache_size=-65536",
)
