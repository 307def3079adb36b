"""Deliveries that were kept, as they came."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from hub.plugin import Delivery
from hub.store.blobs import Blobs
from hub.store.rows import Row

_headers = msgspec.json.Decoder(tuple[tuple[str, str], ...])


async def delivery_of(row: Row, blobs: Blobs) -> Delivery:
    """The delivery of a row, with its body from wherever that was put. Raises ``FileNotFoundError``
    when the body is lost."""
    body = row.body if row.body_blob is None else await blobs.get(row.body_blob)
    return Delivery(
        body=body or b"",
        source=row.source,
        method=row.method,
        url=row.url,
        headers=_headers.decode(row.headers),
        remote=row.remote,
        received_at=datetime.fromtimestamp(row.received_at / 1000, UTC),
        id=str(row.id),
    )
