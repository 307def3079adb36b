"""How the simulated network treats a phone: normal unless the page says otherwise."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from hub.plugin import FailureReason, ReceiptStatus

Answer = Literal["accept", "refuse", "busy", "lost_arrived", "lost_gone", "hang", "credentials"]
"""What the hub hears when it sends.

``busy``: try again later, ``busy_times`` times, then accepted. ``lost_arrived`` and
``lost_gone``: the connection breaks before the answer, and the message did or did not get
through. ``hang``: no answer at all, though the message got through. ``credentials``: the
provider refuses the channel's credentials.
"""
Receipts = Literal["read", "delivered", "sent", "none", "failed"]
"""How far the receipts of an accepted message go. ``read`` comes when the page shows the
message; ``failed``: sent, and then failed for ``reason``."""
Order = Literal["in_order", "backwards", "early"]
"""``early``: the receipts arrive before the hub hears that its message was accepted."""


class Behaviour(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the network does with one phone's messages, in both directions."""

    answer: Answer = "accept"
    busy_times: Annotated[int, Meta(ge=1, le=20)] = 1
    reason: FailureReason = "bad_address"
    """Why messages are refused, or fail after they were accepted."""
    lookup: bool = True
    """Whether the provider can be asked afterwards what became of a message."""
    receipts: Receipts = "read"
    order: Order = "in_order"
    copies: Annotated[int, Meta(ge=1, le=5)] = 1
    """How often each text and each receipt is delivered to the hub, the very same bytes."""
    at_once: bool = False
    """Whether the copies arrive at the same moment or one after the other."""
    delay: Annotated[float, Meta(ge=0, le=300)] = 0.0
    """Seconds before a text or a message's first receipt is delivered to the hub."""


def planned_receipts(behaviour: Behaviour) -> tuple[ReceiptStatus, ...]:
    """The receipts that follow acceptance without anybody's doing, in the order they arrive.

    ``read`` is among them only backwards: otherwise it waits until the page shows the message.
    """
    plans: dict[Receipts, tuple[ReceiptStatus, ...]] = {
        "read": ("sent", "delivered"),
        "delivered": ("sent", "delivered"),
        "sent": ("sent",),
        "none": (),
        "failed": ("sent", "failed"),
    }
    plan = plans[behaviour.receipts]
    if behaviour.order != "backwards":
        return plan
    return ("read", *reversed(plan)) if behaviour.receipts == "read" else plan[::-1]
