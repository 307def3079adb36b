"""Notices: mails and texts that are no conversation. Each is a row that keeps what became of it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Connection

from hub.store import tables as t
from hub.store.rows import structs
from hub.store.statements import among, bound, fields

Medium = Literal["mail", "text"]
NoticeState = Literal["queued", "sending", "sent", "failed", "unknown"]


class Notice(Struct, frozen=True, kw_only=True):
    """A mail or a text. Times are milliseconds; ``reason`` is why it failed, or why it waits."""

    id: int
    organisation_id: int | None
    medium: Medium
    recipient: str
    """A mail's address, or a phone number."""
    subject: str
    """Empty for a text."""
    text: str
    html: str | None
    state: NoticeState = "queued"
    reason: str | None = None
    attempts: int = 0
    due_at: int
    created_at: int
    sent_at: int | None = None
    secret: bool = False
    """Its text holds what nobody should read afterwards, such as a link: it is emptied once sent.
    """


_own = t.notices.c
_FIELDS = fields(t.notices, Notice)
_NOW = sa.bindparam("now", type_=t.Time)
_FREE = sa.or_(_own.lease_until.is_(None), _own.lease_until <= _NOW)
_READY = [_own.state == "queued", among(_own.medium, "media"), _own.due_at <= _NOW, _FREE]
_INSERT = sa.insert(t.notices)
_WAITS = sa.select(_own.id).where(*_READY).limit(1)
_LEASE = (
    sa.update(t.notices)
    .where(
        _own.id.in_(
            sa.select(_own.id)
            .where(*_READY)
            .order_by(_own.due_at, _own.id)
            .limit(sa.bindparam("count", type_=sa.Integer))
            .with_for_update(skip_locked=True)
        )
    )
    .values(
        lease_token=sa.bindparam("token"),
        lease_until=sa.bindparam("until", type_=t.Time),
        attempts=_own.attempts + 1,
    )
    .returning(*_FIELDS)
)
_HELD = bound(id_=_own.id, token_=_own.lease_token)
_START = sa.update(t.notices).where(*_HELD, _own.state == "queued").values(state="sending")
_SETTLE = (
    sa.update(t.notices)
    .where(*_HELD, _own.state.in_(("queued", "sending")))
    .values(
        state=sa.bindparam("state_"),
        reason=sa.bindparam("reason_", type_=sa.Text),
        due_at=sa.bindparam("due", type_=t.Time),
        sent_at=sa.bindparam("sent", type_=t.Time),
        lease_token=sa.null(),
        lease_until=sa.null(),
        text=sa.case(
            (sa.and_(_own.secret, sa.bindparam("state_", type_=sa.Text) == "sent"), ""),
            else_=_own.text,
        ),
    )
)
_LEFT_BEHIND = (
    sa.update(t.notices)
    .where(_own.state == "sending", _FREE)
    .values(
        state="unknown",
        reason="The hub was stopped while it was being handed over.",
        lease_token=sa.null(),
        lease_until=sa.null(),
    )
)
_LEFT = sa.select(_own.id).where(_own.state == "sending", _FREE).limit(1)
_QUEUED = sa.select(sa.func.count()).where(_own.state == "queued", *bound(medium_=_own.medium))
_FORGET_LEASES = (
    sa.update(t.notices)
    .where(_own.state.in_(("queued", "sending")), _own.lease_until.is_not(None))
    .values(lease_until=0)
)

_ENDED = _own.state.in_(("failed", "unknown"))
_PUT_ASIDE = sa.select(*_FIELDS).where(_ENDED).order_by(_own.id)
_RETRY = (
    sa.update(t.notices)
    .where(*bound(id_=_own.id), _ENDED)
    .values(state="queued", reason=sa.null(), attempts=0, due_at=_NOW, created_at=_NOW)
)
_DROP = sa.delete(t.notices).where(*bound(id_=_own.id), _ENDED)


def queue(  # noqa: PLR0913 — what a mail has
    connection: Connection,
    id_: int,
    *,
    organisation_id: int | None,
    recipient: str,
    subject: str,
    text: str,
    html: str | None = None,
    secret: bool = False,
    now: int,
) -> None:
    """Let a mail be sent once the caller's transaction is committed. ``secret``: see ``Notice``."""
    notice = Notice(
        id=id_,
        organisation_id=organisation_id,
        medium="mail",
        recipient=recipient,
        subject=subject,
        text=text,
        html=html,
        secret=secret,
        due_at=now,
        created_at=now,
    )
    connection.execute(_INSERT, [asdict(notice)])


def queue_text(
    connection: Connection, id_: int, *, organisation_id: int, recipient: str, text: str, now: int
) -> None:
    """Let a text be sent to a phone once the caller's transaction is committed. Whether one can
    be sent at all ``hub.flow.notices.Notices.queue_text`` knows."""
    notice = Notice(
        id=id_,
        organisation_id=organisation_id,
        medium="text",
        recipient=recipient,
        subject="",
        text=text,
        html=None,
        due_at=now,
        created_at=now,
    )
    connection.execute(_INSERT, [asdict(notice)])


def waits(connection: Connection, now: int, media: Collection[Medium]) -> bool:
    """Whether there is something to send by these media, or something was left behind."""
    ready = connection.execute(_WAITS, {"now": now, "media": media}).first()
    return bool(ready or connection.execute(_LEFT, {"now": now}).first())


def lease(
    connection: Connection,
    *,
    token: str,
    now: int,
    until: int,
    limit: int,
    media: Collection[Medium],
) -> list[Notice]:
    """Take up to ``limit`` that are due; nobody else gets them before ``until``."""
    values = {"token": token, "now": now, "until": until, "count": limit, "media": media}
    return structs(Notice, connection.execute(_LEASE, values).all())


def start(connection: Connection, id_: int, token: str) -> bool:
    """From here on it may have been sent; ``False`` when the lease is lost."""
    return bool(connection.execute(_START, {"id_": id_, "token_": token}).rowcount)


def settle(
    connection: Connection,
    id_: int,
    token: str,
    state: NoticeState,
    *,
    now: int,
    due_at: int,
    reason: str | None = None,
) -> None:
    """What came of an attempt; ``queued`` lets it be tried again at ``due_at``."""
    sent = now if state == "sent" else None
    values = {"id_": id_, "token_": token, "state_": state, "reason_": reason}
    connection.execute(_SETTLE, values | {"due": due_at, "sent": sent})


def settle_left_behind(connection: Connection, now: int) -> None:
    """Those whose process died while they were handed over: nobody knows, so never again."""
    connection.execute(_LEFT_BEHIND, {"now": now})


def count_queued(connection: Connection, medium: Medium) -> int:
    """How many wait."""
    return connection.execute(_QUEUED, {"medium_": medium}).scalar_one()


def forget_leases(connection: Connection) -> None:
    """On a database of one process only: whoever held a lease is gone."""
    connection.execute(_FORGET_LEASES)


def put_aside(connection: Connection) -> list[Notice]:
    """Those that failed, and those of which nobody knows."""
    return structs(Notice, connection.execute(_PUT_ASIDE).all())


def retry(connection: Connection, id_: int, now: int) -> bool:
    """Let one that was put aside be sent as if it were new; ``False`` when there is none."""
    return bool(connection.execute(_RETRY, {"id_": id_, "now": now}).rowcount)


def drop(connection: Connection, id_: int) -> bool:
    """Forget one that was put aside; ``False`` when there is none."""
    return bool(connection.execute(_DROP, {"id_": id_}).rowcount)
