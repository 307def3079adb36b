"""What refers to files on disk, and uploads that nobody has sent."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy import Connection

from hub.store import tables as t
from hub.store.statements import among

_files, _deliveries = t.attachments.c, t.deliveries.c
_REFERRED = sa.union(
    sa.select(_files.sha256).where(among(_files.sha256, "names")),
    sa.select(_deliveries.body_blob).where(among(_deliveries.body_blob, "names")),
)
_UNSENT = [
    _files.entry_id.is_(None),
    _files.uploaded_by.is_not(None),
    _files.created_at < sa.bindparam("before", type_=t.Time),
]
_FORGET = sa.delete(t.attachments).where(*_UNSENT)


def referred_to(connection: Connection, names: Collection[str]) -> set[str]:
    """Those blobs that a row refers to."""
    return set(connection.execute(_REFERRED, {"names": names}).scalars()) if names else set()


def forget_unsent(connection: Connection, before: int) -> int:
    """Forget uploads that were made before then (milliseconds) and not sent; how many."""
    return connection.execute(_FORGET, {"before": before}).rowcount
