"""What a check is, and the register of all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING, Literal, TypeVar

from msgspec import Struct

from hub.plugin import Info

if TYPE_CHECKING:
    from hub.conformance.stage import Stage

VERSION = "1.0"
"""The level of this suite. Checks added since the level a plugin names run as provisional."""

Level = Literal["core", "extended"]
On = Literal[
    "always", "inbound", "outbound", "verifies",
    "receipts", "media_in", "reconciles", "opt_out", "routes", "reply_window", "templates",
    "calls", "poll", "listen", "threading", "splits", "provider_idempotency", "replay_window",
    "changes",
]  # fmt: skip
"""What turns a check on: a flag or role of ``INFO.can``; ``changes``: edits, deletes or
reactions."""
CORE: frozenset[On] = frozenset({"always", "inbound", "outbound", "verifies"})


SECTIONS = (
    *("LOD", "SET", "CLM", "ING", "SIG", "IDM", "BAD"),
    *("SND", "RTY", "ASK", "RND", "CMP", "CON", "PRF", "SEC"),
)
"""In the order in which they are carried out and shown."""


class Failed(Exception):
    """The plugin does not behave. ``code`` names how, for machines."""

    def __init__(self, code: str, *, done: str, expected: str, got: str) -> None:
        super().__init__(f"{done}: expected {expected}, got {got}")
        self.code = code
        self.done = done
        self.expected = expected
        self.got = got


class NotApplicable(Exception):
    """There is nothing to check, and why."""


class NeedsCase(Exception):
    """It cannot be checked without a case; the plugin is not proven to behave."""


Run = Callable[["Stage"], Awaitable[None]]
R = TypeVar("R", bound=Run)


class Check(Struct, frozen=True, kw_only=True):
    """One check. ``why``: what goes wrong in the hub without it."""

    id: str
    title: str
    why: str
    on: On
    since: str
    run: Run

    @property
    def level(self) -> Level:
        """Core: owed by every plugin of the role; extended: by those that claim the flag."""
        return "core" if self.on in CORE else "extended"

    def applies(self, info: Info) -> bool:
        """Whether the plugin claims what the check is about."""
        if self.on == "always":
            return True
        if self.on == "verifies":
            return info.can.verifies != "none"
        if self.on in {"poll", "listen"}:
            return self.on in info.can.inbound
        if self.on == "changes":
            return info.can.edits or info.can.deletes or info.can.reactions
        return bool(getattr(info.can, self.on))


_checks: dict[str, Check] = {}


def check(
    id_: str, title: str, *, why: str, on: On = "always", since: str = "1.0"
) -> Callable[[R], R]:
    """Register a check: an ``async def`` of a ``Stage`` that raises ``Failed``,
    ``NotApplicable`` or ``NeedsCase``, or returns."""

    def register(run: R) -> R:
        if id_ in _checks:
            raise ValueError(f"{id_} is there twice")
        _checks[id_] = Check(id=id_, title=title, why=why, on=on, since=since, run=run)
        return run

    return register


def all_checks() -> tuple[Check, ...]:
    """Every check, section by section."""
    import_module("hub.conformance.checks")  # registers them
    return tuple(sorted(_checks.values(), key=lambda each: SECTIONS.index(each.id[:3])))
