"""Addresses: one person is one address, however it is written."""

from __future__ import annotations

from hub.conformance.check import Failed, NotApplicable, check
from hub.conformance.stage import Instance, Stage
from hub.plugin import Address, IngestResult, Message

NO_ADDRESSES = ("", "   ", "\x00", "a\r\nBcc: b@example.org", "\u202e", "x" * 5000)


def _can_normalise(one: Instance) -> None:
    if not one.has("normalise_address"):
        raise NotApplicable("it has no normalise_address")


def _known(stage: Stage) -> list[str]:
    """Addresses of the cases: where messages go."""
    return sorted(
        {
            case.message.address.value
            for case in stage.cases.send
            if case.message.address.scheme == stage.info.address_scheme
        }
    )


@check("CMP-05", "An address has one spelling", why="Or one person has two conversations.")
async def one_spelling(stage: Stage) -> None:
    """Normal ones stay as they are, spaces around them mean nothing, no address: ``BadAddress``."""
    async with stage.running() as one:
        _can_normalise(one)
        for value in _known(stage):
            for written in (value, f" {value} ", f"{value}\u00a0"):
                outcome = one.normalise(written)
                if not isinstance(outcome.value, Address) or outcome.value.value != value:
                    raise Failed(
                        "other_spelling",
                        done=f"normalised {written!r}",
                        expected=value,
                        got=str(outcome),
                    )
        for text in NO_ADDRESSES:
            outcome = one.normalise(text)
            if outcome.name != "bad_address":
                raise Failed(
                    "taken",
                    done=f"normalised {text[:30]!r}",
                    expected="BadAddress",
                    got=str(outcome),
                )


@check("CMP-06", "Senders are normal", why="Who writes is found again by the address.",
       on="inbound")  # fmt: skip
async def senders_are_normal(stage: Stage) -> None:
    """The sender of every case, normalised, is the sender."""
    async with stage.running() as one:
        _can_normalise(one)
        for case in stage.with_events():
            outcome = await one.ingest(stage.delivery(case))
            events = outcome.value.events if isinstance(outcome.value, IngestResult) else ()
            for event in events:
                for sender in event.sender if isinstance(event, Message) else ():
                    if sender.scheme != stage.info.address_scheme:
                        continue
                    normal = one.normalise(sender.value)
                    same = isinstance(normal.value, Address) and normal.value.value == sender.value
                    if not same and normal.name != "bad_address":
                        raise Failed(
                            "raw_sender",
                            done=f"normalised the sender of the case {case.name}",
                            expected=sender.value,
                            got=str(normal),
                        )
