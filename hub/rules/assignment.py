"""Who gets a conversation that is assigned by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from msgspec import Struct

from hub.rules.rights import SEND, SEND_GATED, VIEW
from hub.rules.settings import Assignment, ChannelAssignment
from hub.rules.sight import sees

Way = Assignment | ChannelAssignment


class Candidate(Struct, frozen=True, kw_only=True):
    """A member, as far as conversations are given to them. ``channels``: what their role sees, as
    of ``hub.rules.sight``; ``None``: all."""

    id: int
    name: str
    active: bool
    available: bool
    capabilities: frozenset[str]
    channels: frozenset[str] | None


M = TypeVar("M", bound=Candidate)


def takes_part(
    member: Candidate, way: Way, channel_id: str, own_address: str | None = None
) -> bool:
    """Whether a member may be given conversations of a channel now: who is there, sees the channel,
    or what comes there to ``own_address``, and may answer on it."""
    return (
        member.active
        and member.available
        and VIEW in member.capabilities
        and not member.capabilities.isdisjoint((SEND, SEND_GATED))
        and sees(member.channels, channel_id, own_address)
        and (way.members is None or str(member.id) in way.members)
    )


def chosen(
    way: Way,
    channel_id: str,
    members: Iterable[M],
    turns: Mapping[int, int],
    busy: Callable[[int], int],
    own_address: str | None = None,
) -> M | None:
    """Who is next; ``None``: nobody can be. ``turns``: the number of each one's last turn, the
    higher the later; ``busy``: how many open conversations are assigned to somebody.

    Who had no turn for the longest time is next, so those who are always there have as many as each
    other, or one more; with ``least_busy`` that only decides between those with as few."""
    least = way.mode == "least_busy"
    return min(
        (
            one
            for one in members
            if way.mode != "off" and takes_part(one, way, channel_id, own_address)
        ),
        key=lambda one: (busy(one.id) if least else 0, turns.get(one.id, 0), one.id),
        default=None,
    )


def mail(contact: str | None, link: str, *, by: str | None) -> tuple[str, str]:
    """Subject and text that tell somebody of a conversation that is theirs now. Nothing of what was
    written in it stands there: mail goes through many hands."""
    who = " ".join((contact or "somebody whose name is not known").split())
    what = f"A conversation with {who} was assigned to you"
    text = (
        f"{what} {f'by {by}' if by else 'automatically'}.\n\nOpen it:\n\n{link}\n\n"
        "You get this mail because you asked for it. You can switch it off under Your account.\n"
    )
    return what, text
