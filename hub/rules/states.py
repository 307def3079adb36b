"""The states that commands change: a thread, its channels, entries and transmissions.

Their fields are the columns of the tables of the same names. They are replaced, never changed
in place, so what was loaded can be compared with what is to be written.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class Thread(Struct, kw_only=True, frozen=True):
    """A conversation. ``unread`` counts inbound messages with a ``seq`` above ``read_through`` and
    the calls that are ``unresolved``; ``last_entry_id`` is the entry the preview shows, the latest
    by (``sort_at``, id), none where nothing is left (``hub.rules.threads.NOWHERE``);
    ``waiting_since`` when it began to need a response, if it does."""

    id: int
    organisation_id: int
    contact_id: int
    assignee_id: int | None = None
    status: str = "outbound_only"
    has_inbound: bool = False
    needs_response: bool = False
    unread: int = 0
    unresolved: int = 0
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
    waiting_since: int | None = None


class ThreadChannel(Struct, kw_only=True, frozen=True):
    """What one channel has contributed to a thread: what a role limited to it may see.
    ``last_inbound_at`` is where the last inbound entry stands; ``wrote_at``, when the contact last
    wrote, may lie long before, where a delivery came late."""

    thread_id: int
    channel_id: str
    organisation_id: int
    unread: int = 0
    unresolved: int = 0
    sort_at: int = 0
    active_at: int = 0
    last_entry_id: int
    last_inbound_at: int | None = None
    last_inbound_address: str | None = None
    last_inbound_own: str | None = None
    wrote_at: int | None = None


class Entry(Struct, kw_only=True, frozen=True):
    """One thing in a timeline. ``content`` is JSON (``hub.rules.content``), and so is ``updates``:
    what was told of it since (``hub.rules.updates``). ``external_id``: what the provider calls it,
    where others may name it so (threads)."""

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
    external_id: str | None = None
    updates: str | None = None
    occurred_at: int
    sort_at: int
    created_at: int


class Transmission(Struct, kw_only=True, frozen=True):
    """One message to one address on one channel. ``parts`` maps the provider's ids to their
    statuses; ``started_at`` is when the last attempt began, or the
    first of those that it is not known what came of; ``member_address`` is the phone
    that a call rings first; ``confirms``: it tells somebody that they have opted out."""

    id: int
    organisation_id: int
    thread_id: int
    entry_id: int
    channel_id: str
    scheme: str
    address: str
    own_address: str
    kind: str = "message"
    member_address: str | None = None
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
    confirms: bool = False


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


class Approval(Struct, kw_only=True, frozen=True):
    """A message that waits, or waited, for somebody's approval. ``proposal`` is what is asked for
    (``hub.rules.approvals``), ``original`` what the author wrote, if the approver changed it, both
    as JSON; ``problem`` the code of what kept it from being sent when it was approved last;
    ``member_id`` its author, if that is a member."""

    entry_id: int
    organisation_id: int
    channel_id: str
    member_id: int | None = None
    state: str = "waiting"
    proposal: str
    original: str | None = None
    problem: str | None = None
    reason: str | None = None
    decided_by: int | None = None
    decided_name: str | None = None
    decided_at: int | None = None
    submitted_at: int


class Rotation(Struct, kw_only=True, frozen=True):
    """Whose turn it is in an organisation: ``turns`` has the number of each member's last one, as
    JSON, the higher the later."""

    organisation_id: int
    turns: str


class Refusal(Exception):
    """A command that may not be carried out. ``code`` is for programs, ``detail`` for people.

    ``kind``: ``missing`` (no such thing here), ``conflict`` (somebody was faster), ``rule`` (a
    rule forbids it), ``right`` (whoever asks lacks it), ``stale`` (it has changed since it was
    read). ``fields``: what is wrong with which field
    of what was asked.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        kind: str = "rule",
        fields: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.kind = kind
        self.fields = fields or {}
