"""Messages that are nothing but STOP, START or HELP: which they are, and who answers them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from hub.flow.host import Channel
from hub.flow.settings import Known
from hub.plugin import Address, Message, OptIn, OptOut
from hub.plugin.types import Event
from hub.rules.consent import EVERYWHERE, WORDS, Meaning, meaning_of, normalised

_USUAL_HELP = EVERYWHERE.help | WORDS["en"].help


class Said(Struct, frozen=True):
    """An event, and, of a message, what its plugin says right after it of its sender's consent."""

    event: Event
    choices: tuple[OptOut | OptIn, ...] = ()


def grouped(events: Sequence[Event]) -> list[Said]:
    """Events in order, choices with the message that they were made in."""
    found: list[Said] = []
    for event in events:
        last = found[-1] if found else None
        if (
            last is not None
            and isinstance(event, OptOut | OptIn)
            and isinstance(last.event, Message)
            and not last.event.echo
            and any(_same(event, sender) for sender in last.event.sender)
        ):
            found[-1] = Said(last.event, (*last.choices, event))
        else:
            found.append(Said(event))
    return found


def _same(choice: OptOut | OptIn, sender: Address) -> bool:
    return (choice.address.scheme, choice.address.value) == (sender.scheme, sender.value)


def meaning(channel: Channel, event: Message, known: Known) -> Meaning | None:
    """What a message means, on channels where words do."""
    words = channel.info.can.keywords is not None
    if not words or event.echo or event.automatic or event.media or not event.sender:
        return None
    return meaning_of(event.text, known.settings.consent)


def chosen(event: Message, meant: Meaning) -> Iterator[OptOut | OptIn]:
    """What a message means for each address of its sender, whichever of ours it was written to."""
    kind = OptOut if meant == "stop" else OptIn
    how = f"replied {event.text.strip()[:40]}"
    yield from (
        kind(address=one, how=how, occurred_at=event.occurred_at) for one in _unique(event.sender)
    )


def _unique(things: Iterable[Address]) -> list[Address]:
    return [*dict.fromkeys(things)]


def answers_itself(channel: Channel, *, of_provider: bool) -> bool:
    """Whether the hub answers a choice: that of a word which the provider knew (``of_provider``) is
    answered already where it does so."""
    keywords = channel.info.can.keywords
    return keywords == "hub" or (keywords == "provider" and not of_provider)


def answered(channel: Channel, event: Message) -> bool:
    """Whether the provider has answered a call for help."""
    return channel.info.can.keywords == "provider" and normalised(event.text) in _USUAL_HELP
