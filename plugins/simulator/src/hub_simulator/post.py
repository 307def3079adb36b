"""Mail: the channel ``simulator-email``."""

from __future__ import annotations

import re

from msgspec.structs import replace

from hub.plugin import (
    Address,
    BadAddress,
    Capabilities,
    ComposeFacts,
    ComposeRules,
    Context,
    Icon,
    Info,
    Item,
    MediaLimits,
    Outbound,
    Rendered,
    Surface,
    hookimpl,
)
from hub.plugin.rendering import plain_text
from hub_simulator import mailing
from hub_simulator.channel import SimulatedChannel
from hub_simulator.medium import Medium
from hub_simulator.people import People
from hub_simulator.phone import Mail, PhoneMessage
from hub_simulator.settings import EMAIL, EmailSettings

MAX_LENGTH = 10_000
"""Characters of one mail; a phone remembers it, whatever they are."""

CAN = Capabilities(
    inbound=frozenset({"listen"}),
    outbound=True,
    receipts=frozenset({"sent", "delivered", "failed"}),
    media_in=True,
    media_out=MediaLimits(max_bytes=5_000_000, max_count=10),
    subject=True,
    copies=True,
    threading=True,
    reconciles=True,
    opt_out=True,
    routes=True,
)


def typed(text: str) -> Address:
    """What a person typed, as an address. Raises ``BadAddress``."""
    value = text.strip().lower()
    if len(value) > 254 or re.fullmatch(EMAIL, value) is None:
        raise BadAddress(f"{text[:40]!r} is no email address")
    return Address(scheme="email", value=value)


def render(item: Item, surface: Surface) -> Rendered:
    """Words and files, with a subject."""
    shown = plain_text(item, surface, CAN)
    if surface != "composer" or len(item.text) <= MAX_LENGTH:
        return shown
    too_long = f"Too long: {len(item.text):,} of {MAX_LENGTH:,} characters"
    return replace(shown, warnings=(too_long, *shown.warnings))


def dressed(message: PhoneMessage, outbound: Outbound) -> PhoneMessage:
    """A mail of the business's as it reached the customer, who does not see blind copies. Nobody
    tells that mail was read: it is opened, or not."""
    subject = next((part.subject for part in outbound.wire if part.subject), "")
    mail = Mail(
        subject=subject[:998],
        cc=tuple(each.value for each in outbound.cc),
        automatic=outbound.automatic,
        earlier=outbound.earlier,
    )
    due = tuple(step for step in message.due if step.kind != "read")
    return replace(message, content=mail, due=due, reads=False)


POST = Medium(
    name="email",
    title="Email simulator",
    noun="mail",
    read=mailing.read,
    body_of=mailing.body_of,
    render=render,
    refusal=lambda phone, outbound, now: None,  # noqa: ARG005
    dressed=dressed,
    max_length=MAX_LENGTH,
    contents=(Mail,),
    features=frozenset({"replies", "mail", "names"}),
)


def people(settings: EmailSettings) -> People:
    """People with email addresses."""
    return People(
        scheme="email",
        own=settings.addresses,
        customers=settings.customers,
        typed=typed,
        is_one=lambda value: re.fullmatch(EMAIL, value) is not None,
        shown=lambda value: value,
        what="an email address",
    )


class EmailSimulator(SimulatedChannel):
    """Mail to and from a mail program on a page; nothing reaches a real mailbox."""

    INFO = Info(
        name="simulator-email",
        role="channel",
        api="1.1",
        settings=EmailSettings,
        can=CAN,
        emits=frozenset({"message", "receipt", "opened", "clicked", "opt_out", "opt_in"}),
        label="Simulated email",
        group="emails",
        icon=Icon(name="mail"),
        tone="teal",
        address_scheme="email",
        real=False,
        page="phone",
        page_label="Email simulator",
    )

    def __init__(self, settings: EmailSettings) -> None:
        super().__init__(POST, people(settings), settings.receipt_pause)

    @hookimpl
    def compose_rules(self, ctx: Context, facts: ComposeFacts) -> ComposeRules:  # noqa: ARG002
        return ComposeRules(max_length=MAX_LENGTH)
