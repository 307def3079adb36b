"""Who may give what to whom, and what must stay.

Nobody gives a right that they do not have, or sight of a channel that they do not see; an
organisation keeps somebody who can manage its members.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from hub.rules.rights import CAPABILITIES, KEPT, MEMBERS
from hub.rules.sight import within
from hub.rules.states import Refusal

LONGEST_NAME: Final = 60
MOST_ROLES: Final = 200
MOST_TOKENS: Final = 100
"""Of a member."""
LONGEST_TOKEN_NAME: Final = 100
LONGEST_LIFE: Final = 10 * 366 * 24 * 3600 * 1000
"""Milliseconds until a token expires, if it does."""


class Reach(Struct, frozen=True):
    """What somebody may, and on which channels and numbers (``None``: all of them; else as of
    ``hub.rules.sight``)."""

    capabilities: frozenset[str]
    channels: frozenset[str] | None = None


EVERYTHING: Final = Reach(frozenset(CAPABILITIES))


def check_name(name: str, others: Mapping[str, str], *, longest: int = LONGEST_NAME) -> str:
    """A name as it is kept: on one line, and unlike the ``others`` whatever their case. Raises
    ``Refusal``."""
    tidy = " ".join(name.split())
    if not tidy:
        raise _wrong("bad_name", "name", "Give it a name.")
    if len(tidy) > longest:
        raise _wrong("bad_name", "name", f"A name holds {longest} characters.")
    if (taken := others.get(tidy.casefold())) is not None:
        raise Refusal(
            "name_taken",
            f'There is a role "{taken}" already.',
            kind="conflict",
            fields={"name": "is taken"},
        )
    return tidy


def check_capabilities(names: frozenset[str]) -> None:
    """They are ones there are. Raises ``Refusal``."""
    if unknown := sorted(names - CAPABILITIES.keys()):
        known = ", ".join(CAPABILITIES)
        raise _wrong(
            "bad_capability",
            "capabilities",
            f'There is no capability "{unknown[0][:60]}"; there are: {known}.',
        )


def check_kept(ready: str | None, wanted: Reach) -> None:
    """A ready-made role keeps what it cannot do without. Raises ``Refusal``."""
    if ready not in KEPT:
        return
    if lost := sorted(KEPT[ready] - wanted.capabilities):
        raise _wrong(
            "kept_capability",
            "capabilities",
            f"{ready} keeps the right {lost[0]}: somebody has to be able to put things right.",
        )
    if wanted.channels is not None:
        raise _wrong("kept_channels", "channels", f"{ready} sees every channel.")


def check_gives(own: Reach, before: Reach | None, after: Reach) -> None:
    """Nothing is given that the giver does not have; ``before`` is what is there already, ``None``
    for a role that is new, or new to somebody. Raises ``Refusal``."""
    had = frozenset[str]() if before is None else before.capabilities
    if beyond := sorted(after.capabilities - had - own.capabilities):
        raise Refusal(
            "not_yours_to_give",
            f"You cannot give the right {beyond[0]} ({CAPABILITIES[beyond[0]]}): you do not have "
            "it yourself.",
            kind="right",
        )
    if own.channels is None or (before is not None and before.channels is None):
        return
    seen = own.channels if before is None else own.channels | (before.channels or frozenset())
    if after.channels is None or not within(after.channels, seen):
        raise Refusal(
            "not_yours_to_give",
            "You cannot give sight of channels that you do not see yourself.",
            kind="right",
        )


def check_managed(
    before: Mapping[int, frozenset[str]],
    holders: Mapping[int, int],
    after: Mapping[int, frozenset[str]],
    then: Mapping[int, int],
    whose: str,
) -> None:
    """Somebody can still manage members: the roles' capabilities and how many hold each, before and
    after. ``whose``: the organisation's name. Raises ``Refusal``."""

    def managers(roles: Mapping[int, frozenset[str]], held: Mapping[int, int]) -> int:
        return sum(count for id_, count in held.items() if MEMBERS in roles.get(id_, ()))

    if managers(before, holders) > 0 and managers(after, then) == 0:
        raise Refusal(
            "last_admin",
            f"Nobody could manage the members of {whose} any more. Give another member a role "
            f"with the right {MEMBERS} first.",
            kind="conflict",
        )


def _wrong(code: str, field: str, detail: str) -> Refusal:
    return Refusal(code, detail, fields={field: detail})
