"""When one may write: freely for a day after the customer's last message, else by templates that
WhatsApp has approved."""

from __future__ import annotations

from datetime import timedelta

from hub.plugin import ComposeFacts, ComposeRules
from hub_whatsapp_cloud import people

WINDOW = 86_400.0
"""Seconds after the customer's last message in which anything may be written."""


def rules(facts: ComposeFacts, max_length: int) -> ComposeRules:
    """What may be written ``facts.now``; ``max_length`` characters at once."""
    if not people.can_receive(facts.address):
        return ComposeRules(may="closed", why="WhatsApp reaches phone numbers and its own users")
    last = facts.last_inbound_at
    if last is None:
        why = "They have not written on WhatsApp yet: only an approved template can go out"
        return ComposeRules(may="template", why=why, max_length=max_length)
    until = last + timedelta(seconds=WINDOW)
    if facts.now < until:
        return ComposeRules(may="free", until=until, max_length=max_length)
    why = "Their last message is more than 24 hours ago: only an approved template can go out"
    return ComposeRules(may="template", why=why, max_length=max_length)
