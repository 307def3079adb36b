"""Capabilities, and the roles an organisation begins with."""

from __future__ import annotations

from typing import Final

VIEW: Final = "messages.view"
SEND: Final = "messages.send"
SEND_GATED: Final = "messages.send_gated"
APPROVE: Final = "messages.approve"
CHANNELS: Final = "channels.manage"

CAPABILITIES: Final[dict[str, str]] = {
    VIEW: "see conversations",
    SEND: "send messages",
    SEND_GATED: "write messages that somebody else approves",
    APPROVE: "approve messages",
    CHANNELS: "pause and resume channels, inspect and replay deliveries",
}
"""What each allows, in words."""

READY_ROLES: Final[dict[str, frozenset[str]]] = {
    "Admin": frozenset(CAPABILITIES),
    "User SMS": frozenset({VIEW, SEND}),
    "User SMS Limited": frozenset({VIEW, SEND}),
    "Approver": frozenset({VIEW, SEND, APPROVE}),
}
"""Made for every new organisation."""
