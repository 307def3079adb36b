"""The states that commands change: a thread, its channels, entries and transmissions.

Their fields are the columns of the tables of the same names. They are replaced, never changed
in place, so what was loaded can be compared with what is to be written.
"""

from __future__ import annotations

from msgspec import Struct


class Thread(Struct, kw_only=True, frozen=True):
    """A conversation. ``unread`` counts inbound messages with a ``seq`` above ``read_through``;
    ``last_entry_id`` is the entry the preview shows, the latest by (``sort_at``, id)."""

    id: int
    organisation_id: int
    contact_id: int
    assignee_id: int | None = None
    status: str = "outbound_only"
    has_inbound: bool = False
    needs_response: bool = False
    unread: int = 0
    read_through: int = 0
    seq: int = 0
    sort_at: int = 0
    active_at: int = 0
    last_entry_id: int | None = None
    preview: str = ""
    preview_direction: str = "internal"
    preview_channel_id: str | None = None
    preview_status: str | None = None
    channel_id: str | None = None
    last_inbound_at: int | None = None
    created_at: int


class ThreadChannel(Struct, kw_only=True, frozen=True):
    """What one channel has contributed to a thread: what a role limited to it may see."""

    thread_id: int
    channel_id: str
    organisation_id: int
    unread: int = 0
    sort_at: int = 0
    active_at: int = 0
    last_entry_id: int
    last_inbound_at: int | None = None
    last_inbound_address: str | None = None
    last_inbound_own: str | None = None


class Entry(Struct, kw_only=True, frozen=True):
    """One thing in a timeline. ``content`` is JSON (``hub.rules.content``)."""

    id: int
    organisation_id: int
    thread_id: int
    seq: int
    kind: str
    grouping: str
    direction: str
    channel_id: str | None = None
    scheme: str | None = None
    address: str | None = None
    own_address: str | None = None
    author_kind: str
    author_id: int | None = None
    content: str
    preview: str = ""
    status: str | None = None
    status_reason: str | None = None
    status_at: int | None = None
    idempotency_key: str | None = None
    delivery_id: int | None = None
    occurred_at: int
    sort_at: int
    created_at: int


class Transmission(Struct, kw_only=True, frozen=True):
    """One message to one address on one channel. ``parts`` maps the provider's ids to their
    statuses; ``started_at`` is when the provider was asked last."""

    id: int
    organisation_id: int
    thread_id: int
    entry_id: int
    channel_id: str
    scheme: str
    address: str
    own_address: str
    kind: str = "message"
    wire: str
    status: str
    reason: str | None = None
    detail: str | None = None
    provider_code: str | None = None
    parts: str = "{}"
    attempts: int = 0
    due_at: int
    deadline: int
    lease_token: str | None = None
    lease_until: int | None = None
    started_at: int | None = None
    status_at: int
    created_at: int


class Consent(Struct, kw_only=True, frozen=True):
    """Whether an address takes messages on a channel; ``own_address`` is empty for all of the
    organisation's."""

    organisation_id: int
    channel_id: str
    scheme: str
    value: str
    own_address: str = ""
    state: str
    how: str
    by_member_id: int | None = None
    at: int


class Refusal(Exception):
    """A command that may not be carried out. ``code`` is for programs, ``detail`` for people.

    ``kind``: ``missing`` (no such thing here), ``conflict`` (somebody was faster), ``rule`` (a
    rule forbids it).
    """

    def __init__(self, code: str, detail: str, *, kind: str = "rule") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.kind = kind
