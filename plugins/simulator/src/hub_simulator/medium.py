"""What differs from one medium to another: the provider's language, and what a phone can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from hub.plugin import HookError, IngestResult, Item, Outbound, Rendered, Surface
from hub_simulator.phone import Content, Phone, PhoneMessage, Step


def _as_it_is(message: PhoneMessage, outbound: Outbound) -> PhoneMessage:  # noqa: ARG001
    return message


@dataclass(frozen=True, kw_only=True)
class Medium:
    """One medium. Everything in it is pure.

    ``read`` is what a delivery of the provider means, ``body_of`` the delivery that tells of a step
    without a body of its own, ``render`` how a message looks. ``refusal`` is what the provider
    refuses by itself, ``dressed`` what its customer sees besides words and files.
    """

    name: str
    """What the page goes by, to show what the medium has."""
    title: str
    """The page's heading."""
    noun: str
    """What one message is called."""
    read: Callable[[bytes], IngestResult]
    body_of: Callable[[str, PhoneMessage, Step], bytes]
    render: Callable[[Item, Surface], Rendered]
    refusal: Callable[[Phone, Outbound, datetime], HookError | None]
    dressed: Callable[[PhoneMessage, Outbound], PhoneMessage] = _as_it_is
    kinds: frozenset[str] = frozenset({"message"})
    """What the hub may have it do."""
    max_length: int
    """Characters of one message."""
    max_pictures: int = 10
    ring: float = 0.0
    """Seconds for which a call rings."""
    keywords: bool = False
    """Whether the network itself acts on STOP, START and HELP."""
    contents: tuple[type[Content], ...] = ()
    """What the customer may send besides words and pictures."""
    features: frozenset[str] = frozenset()
    """What else the page shows."""
