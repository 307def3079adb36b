"""What is audited and is no change of a conversation, of settings or of people."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from hub.flow.host import now_ms
from hub.rules.rights import Actor
from hub.store import audit
from hub.store.ids import Ids


def tell(
    connection: Connection,
    ids: Ids,
    organisation_id: int,
    actor: Actor,
    action: str,
    object_: tuple[str, str],
    *,
    before: Any = None,
    after: Any = None,
) -> int:
    """A line, in the transaction of what it tells; its id."""
    id_ = ids.new()
    line = audit.line(
        id_,
        organisation_id,
        now_ms(),
        actor=actor,
        action=action,
        object_=object_,
        before=before,
        after=after,
    )
    audit.append(connection, organisation_id, [line])
    return id_
