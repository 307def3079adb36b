"""Texts: the channel ``simulator``."""

from __future__ import annotations

from hub.plugin import (
    Capabilities,
    ComposeFacts,
    ComposeRules,
    Context,
    Icon,
    Info,
    MediaLimits,
    hookimpl,
)
from hub_simulator import sms
from hub_simulator.channel import SimulatedChannel
from hub_simulator.medium import Medium
from hub_simulator.people import by_phone
from hub_simulator.render import render
from hub_simulator.settings import Settings

TEXTS = Medium(
    name="texts",
    title="Text simulator",
    noun="text",
    read=sms.read,
    body_of=sms.body_of,
    render=render,
    refusal=lambda phone, outbound, now: None,  # noqa: ARG005
    max_length=sms.MAX_LENGTH,
    keywords=True,
)


class Simulator(SimulatedChannel):
    """Text messages to and from a phone on a page; nothing reaches a real one."""

    INFO = Info(
        name="simulator",
        role="channel",
        api="1.0",
        settings=Settings,
        can=Capabilities(
            inbound=frozenset({"listen"}),
            outbound=True,
            receipts=frozenset({"sent", "delivered", "read", "failed"}),
            media_in=True,
            media_out=MediaLimits(max_bytes=5_000_000, max_count=TEXTS.max_pictures),
            # It does send once for one id, yet does not claim so: as with most text providers, an
            # answer that was lost must be looked up, and can be seen as unknown.
            provider_idempotency=False,
            reconciles=True,
            opt_out=True,
            keywords="provider",
            routes=True,
        ),
        emits=frozenset({"message", "receipt", "opt_out", "opt_in"}),
        label="Simulated text",
        group="texts",
        icon=Icon(name="smartphone"),
        tone="amber",
        address_scheme="phone",
        counter="sms",
        real=False,
        page="phone",
        page_label="Text simulator",
    )

    def __init__(self, settings: Settings) -> None:
        super().__init__(TEXTS, by_phone(settings), settings.receipt_pause)

    @hookimpl
    def compose_rules(self, ctx: Context, facts: ComposeFacts) -> ComposeRules:  # noqa: ARG002
        return ComposeRules(max_length=sms.MAX_LENGTH)
