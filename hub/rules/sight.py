"""What of an organisation's conversations a role sees: whole channels, and single own addresses of
others (the number of a branch, say). A role keeps both as one set of texts: a channel's id, or,
behind it, one of its own addresses. An id holds no space."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import msgspec

Places = frozenset[str]


class Sight(NamedTuple):
    """A role's places, apart: ``whole`` channels, ``numbers`` (channel and own address together, as
    ``number`` makes them), and the channels that are seen in ``part`` by those."""

    whole: frozenset[str]
    numbers: frozenset[str]
    part: frozenset[str]


def number(channel_id: str, own_address: str) -> str:
    """An own address of a channel, as a place."""
    return f"{channel_id} {own_address}"


@lru_cache(maxsize=1_000)
def text_of(places: Places) -> str:
    """The places as JSON, the same ones always alike."""
    return msgspec.json.encode(sorted(places)).decode()


def of_text(text: str) -> Places:
    """What ``text_of`` made a text of."""
    return msgspec.json.decode(text, type=Places)


@lru_cache(maxsize=1_000)
def sight(places: Places) -> Sight:
    """The places apart, without numbers of channels that are seen whole."""
    whole = frozenset(one for one in places if " " not in one)
    numbers = frozenset(one for one in places - whole if one.partition(" ")[0] not in whole)
    return Sight(whole, numbers, frozenset(one.partition(" ")[0] for one in numbers))


def within(inner: Iterable[str], outer: Places) -> bool:
    """Whether everything of ``inner`` is seen by ``outer``."""
    return all(one in outer or one.partition(" ")[0] in outer for one in inner)


def sees(places: Places | None, channel_id: str | None, own_address: str | None) -> bool:
    """Whether an entry of a channel, at one of our addresses, is seen; what has no channel is the
    team's, and ``None`` sees everything."""
    if places is None or channel_id is None or channel_id in places:
        return True
    return own_address is not None and number(channel_id, own_address) in places
