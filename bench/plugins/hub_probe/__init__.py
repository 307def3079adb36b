"""A channel whose hooks cost nothing, so that what is measured is the host; or that blocks its
thread for as long as it is told to. Found by its entry point, like any third party's."""

from __future__ import annotations

import time

from msgspec import Struct

from hub.plugin import (
    Accepted,
    Address,
    Capabilities,
    Context,
    Delivery,
    Info,
    IngestResult,
    Item,
    Message,
    Outbound,
    Rendered,
    Surface,
    Text,
    WirePart,
    hookimpl,
)

BLOCK = "x-block"
"""The header that says for how many seconds."""
_SENDER = (Address(scheme="phone", value="+15550100002"),)


class Settings(Struct, forbid_unknown_fields=True):
    """None."""


class Probe:
    """The hooks."""

    INFO = Info(
        name="probe",
        role="channel",
        api="1.0",
        settings=Settings,
        can=Capabilities(inbound=frozenset({"http"}), outbound=True, verifies="none"),
        emits=frozenset({"message"}),
        label="Probe",
        address_scheme="phone",
    )

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        """A message, perhaps after a long while in which nothing else gets a turn."""
        if seconds := delivery.header(BLOCK):
            time.sleep(float(seconds))  # noqa: ASYNC251 — what is measured
        text = delivery.body.decode()
        return IngestResult(events=(Message(external_id=text, sender=_SENDER, text=text),))

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        """Gone at once."""
        return Accepted(external_id=message.id)

    @hookimpl
    def render(self, ctx: Context, item: Item, surface: Surface) -> Rendered:
        """The text."""
        wire = (WirePart(text=item.text),)
        return Rendered(blocks=(Text(text=item.text),), preview=item.text, wire=wire)
