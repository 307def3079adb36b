"""Which choice belongs to which message of a delivery."""

from __future__ import annotations

import pytest

from hub.flow.keywords import Said, grouped
from hub.plugin import Address, Message, OptIn, OptOut, Receipt

ANA, BEN = (Address(scheme="phone", value=f"+1555010000{n}") for n in (1, 2))
ANAS_OTHER = Address(scheme="chat:user", value="ana")


def message(*sender: Address, echo: bool = False) -> Message:
    recipient = sender[0] if echo else None
    return Message(
        external_id="m", sender=sender, own_address="+1", text="x", echo=echo, recipient=recipient
    )


@pytest.mark.feature("CONT-03")
def test_a_choice_belongs_to_the_message_of_its_sender_right_before_it() -> None:
    asks, stops, bens = message(ANA), message(ANA, ANAS_OTHER), message(BEN)
    out, other = OptOut(address=ANA, how="STOP"), OptOut(address=ANAS_OTHER, how="STOP")
    back, receipt = OptIn(address=BEN, how="START"), Receipt(status="sent", external_id="1")
    assert grouped([asks, stops, out, other, bens, receipt, back]) == [
        Said(asks),  # what else she wrote still asks for a response
        Said(stops, (out, other)),
        Said(bens),
        Said(receipt),
        Said(back),  # told apart from any message: a complaint, a link
    ]


@pytest.mark.feature("CONT-03")
def test_what_somebody_else_wrote_or_we_did_says_nothing_of_them() -> None:
    bens, ours, out = message(BEN), message(ANA, echo=True), OptOut(address=ANA, how="complained")
    assert grouped([bens, out]) == [Said(bens), Said(out)]
    assert grouped([ours, out]) == [Said(ours), Said(out)]
    assert grouped([]) == []
