"""Capabilities, the roles an organisation begins with, and who acts."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

VIEW: Final = "messages.view"
SEND: Final = "messages.send"
SEND_GATED: Final = "messages.send_gated"
APPROVE: Final = "messages.approve"
CHANNELS: Final = "channels.manage"
MEMBERS: Final = "members.manage"
SETTINGS: Final = "settings.manage"
AUDIT: Final = "audit.view"

CAPABILITIES: Final[dict[str, str]] = {
    VIEW: "see conversations",
    SEND: "send messages",
    SEND_GATED: "write messages that somebody else approves",
    APPROVE: "approve messages",
    CHANNELS: "pause and resume channels, inspect and replay deliveries",
    MEMBERS: "manage members, roles and everybody's tokens",
    SETTINGS: "change the organisation's settings",
    AUDIT: "read and export the audit log",
}
"""What each allows, in words."""

ADMIN: Final = "Admin"
SUPER_USER: Final = "Super User"

READY_ROLES: Final[dict[str, frozenset[str]]] = {
    ADMIN: frozenset(CAPABILITIES),
    SUPER_USER: frozenset(CAPABILITIES),
    "User SMS": frozenset({VIEW, SEND}),
    "User SMS Limited": frozenset({VIEW, SEND}),
    "Approver": frozenset({VIEW, SEND, APPROVE}),
}
"""Made for every new organisation. They are known by these names (``roles.ready``) even where an
organisation calls them otherwise."""

KEPT: Final[dict[str, frozenset[str]]] = {
    ADMIN: frozenset({MEMBERS, SETTINGS}),
    SUPER_USER: frozenset(CAPABILITIES),
}
"""What a ready-made role cannot lose. Those named here cannot be deleted, and see every channel."""


class Actor(Struct, frozen=True):
    """Who did something, for the audit. ``kind``: ``member``, ``token``, ``operator`` (by a command
    on the hub's own machine) or ``system``, with the ``id`` of the member or token; ``remote``: the
    network address that it was asked from."""

    kind: str
    id: int | None = None
    remote: str | None = None


SYSTEM: Final = Actor("system")
OPERATOR: Final = Actor("operator")


def allowed(names: frozenset[str], wanted: tuple[str, ...]) -> bool:
    """Whether capabilities hold any of those that are wanted."""
    return any(name in names for name in wanted)
