"""Putting the parts together, and what the command line calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.app.commands import (
    AsideReport,
    ReplayReport,
    add_user,
    check,
    drop_aside,
    list_aside,
    list_plugins,
    openapi,
    replay,
    retry_aside,
    set_password,
)
from hub.app.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hub.app.processes import Answer
    from hub.app.record import RecordReport
    from hub.app.reload import Reread
    from hub.config import HubConfig


def serve(config: HubConfig, reread: Reread) -> int:
    """Run a hub until a signal; the exit code."""
    from hub.app.serve import serve as run  # noqa: PLC0415 — the server is needed here only

    return run(config, reread=reread)


def work(config: HubConfig, reread: Reread) -> int:
    """Do a hub's background work until a signal; the exit code."""
    from hub.app.serve import work as run  # noqa: PLC0415

    return run(config, reread=reread)


def reload(data: Path) -> list[Answer]:
    """Have every hub that runs on a data folder, on this machine, read its configuration again."""
    from hub.app.processes import ask_all  # noqa: PLC0415

    return ask_all(data)


def record(
    config: HubConfig,
    channel: str,
    *,
    organisation: str | None,
    ids: Sequence[str],
    last: int,
    cases: Path | None,
) -> RecordReport:
    """Make cases of the conformance suite of what a channel has received."""
    from hub.app.record import record as run  # noqa: PLC0415 — the suite is needed here only

    return run(config, channel, organisation=organisation, ids=ids, last=last, cases=cases)


def demo(config: HubConfig) -> int:
    """Run a hub with conversations to look at, on a folder that is thrown away."""
    from hub.app.serve import demo as run  # noqa: PLC0415

    return run(config)


__all__ = [
    "AsideReport",
    "ReplayReport",
    "StartupError",
    "add_user",
    "check",
    "demo",
    "drop_aside",
    "list_aside",
    "list_plugins",
    "openapi",
    "record",
    "reload",
    "replay",
    "retry_aside",
    "serve",
    "set_password",
    "work",
]
