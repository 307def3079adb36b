"""Search: what entries say and who contacts are, indexed."""

import sqlalchemy as sa
from alembic import op

from hub.store import search

revision = "0003"
down_revision = "0002"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# The words come folded and separated by spaces: the simplest tokenizer takes them as they are.
SQLITE = """
CREATE VIRTUAL TABLE search_entries USING fts5(
    scope, words, content='', columnsize=0, tokenize='ascii', prefix='2 3'
);;
CREATE VIRTUAL TABLE search_grams USING fts5(
    text, content='search_contacts', content_rowid='contact_id', columnsize=0,
    tokenize='trigram case_sensitive 1'
);;
CREATE TRIGGER search_contacts_added AFTER INSERT ON search_contacts BEGIN
    INSERT INTO search_grams (rowid, text) VALUES (new.contact_id, new.text);
END;;
CREATE TRIGGER search_contacts_gone AFTER DELETE ON search_contacts BEGIN
    INSERT INTO search_grams (search_grams, rowid, text)
        VALUES ('delete', old.contact_id, old.text);
END;;
CREATE TRIGGER search_contacts_changed AFTER UPDATE ON search_contacts BEGIN
    INSERT INTO search_grams (search_grams, rowid, text)
        VALUES ('delete', old.contact_id, old.text);
    INSERT INTO search_grams (rowid, text) VALUES (new.contact_id, new.text);
END
"""
POSTGRESQL = """
CREATE TABLE search_entries (
    organisation_id bigint NOT NULL,
    entry_id bigint NOT NULL,
    channel_id text,
    words tsvector NOT NULL,
    CONSTRAINT pk_search_entries PRIMARY KEY (organisation_id, entry_id)
);;
CREATE INDEX ix_search_entries_words ON search_entries USING gin (words);;
CREATE INDEX ix_search_contacts_grams ON search_contacts USING gin (text gin_trgm_ops)
"""


def upgrade() -> None:
    """Create the index and fill it."""
    connection = op.get_bind()
    postgresql = connection.dialect.name == "postgresql"
    if postgresql:
        search.add_trigrams(connection)
    op.create_table(
        "search_contacts",
        sa.Column("contact_id", BIG, autoincrement=False, nullable=False),
        sa.Column("organisation_id", BIG, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("contact_id", name=op.f("pk_search_contacts")),
    )
    for statement in (POSTGRESQL if postgresql else SQLITE).split(";;"):
        op.execute(statement)
    search.fill(connection)
