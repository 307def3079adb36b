"""Calls: the channel ``simulator-calls``."""

from __future__ import annotations

from hub.plugin import Block, Capabilities, Fields, Icon, Info, Item, Rendered, Surface, Text
from hub.plugin.rendering import shortened
from hub_simulator import calling
from hub_simulator.channel import SimulatedChannel
from hub_simulator.medium import Medium
from hub_simulator.people import by_phone
from hub_simulator.settings import CallSettings
from hub_simulator.talking import dressed


def medium(ring: float) -> Medium:
    """Calls that ring for so many seconds."""
    return Medium(
        name="calls",
        title="Call simulator",
        noun="call",
        read=calling.read,
        body_of=calling.body_of,
        render=render,
        refusal=lambda phone, outbound, now: None,  # noqa: ARG005
        dressed=lambda message, outbound: dressed(message, outbound, ring),
        kinds=frozenset({"call"}),
        max_length=1_000,
        max_pictures=0,
        ring=ring,
        features=frozenset({"calls", "names"}),
    )


def render(item: Item, surface: Surface) -> Rendered:
    """What is known of a call in words; nothing of it goes out by a wire."""
    blocks: list[Block] = [Text(text=item.text)] if item.text else []
    if item.facts:
        blocks.append(Fields(fields=tuple(item.facts.items())))
    preview = " ".join(item.text.split())
    if surface == "notification":
        return Rendered(preview=shortened(preview))
    left_out = {
        "The subject will be left out": bool(item.subject),
        "The formatting will be left out": item.html is not None,
        "The files will be left out": bool(item.attachments),
    }
    warnings = tuple(words for words, is_there in left_out.items() if is_there)
    return Rendered(blocks=tuple(blocks), preview=preview, warnings=warnings)


class CallSimulator(SimulatedChannel):
    """Calls to and from a telephone on a page; nothing rings anywhere else."""

    INFO = Info(
        name="simulator-calls",
        role="channel",
        api="1.0",
        settings=CallSettings,
        can=Capabilities(
            inbound=frozenset({"listen"}),
            outbound=True,
            calls=True,
            media_in=True,
            reconciles=True,
            routes=True,
        ),
        emits=frozenset(
            {"call_started", "call_ended", "recording", "transcript", "voicemail", "call_outcome"}
        ),
        label="Simulated call",
        group="calls",
        icon=Icon(name="phone"),
        tone="purple",
        address_scheme="phone",
        real=False,
        page="phone",
        page_label="Call simulator",
    )

    def __init__(self, settings: CallSettings) -> None:
        super().__init__(medium(settings.ring), by_phone(settings), settings.receipt_pause)
