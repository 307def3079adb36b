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
    list_tokens,
    list_users,
    make_super_user,
    make_token,
    openapi,
    replay,
    reset_user,
    retry_aside,
    revoke_token,
    set_password,
    unmake_super_user,
)
from hub.app.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hub.app.audit import Report as AuditReport
    from hub.app.keys import Report as KeysReport
    from hub.app.processes import Answer
    from hub.app.providers import ProvidersReport
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


def verify_audit(config: HubConfig, organisation: str | None, since: str | None) -> AuditReport:
    """Whether the audit of one organisation, or of each, is whole."""
    from hub.app.audit import verify  # noqa: PLC0415

    return verify(config, organisation, since)


def replace_key(config: HubConfig) -> KeysReport:
    """Make another secret key, and encrypt everything with it."""
    from hub.app.keys import replace  # noqa: PLC0415

    return replace(config)


def check_providers(config: HubConfig) -> ProvidersReport:
    """Ask each channel's provider whether it is set up rightly."""
    from hub.app.providers import check_providers as ask  # noqa: PLC0415

    return ask(config)


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
    "list_tokens",
    "list_users",
    "make_super_user",
    "make_token",
    "openapi",
    "record",
    "reload",
    "replace_key",
    "replay",
    "reset_user",
    "retry_aside",
    "revoke_token",
    "serve",
    "set_password",
    "unmake_super_user",
    "verify_audit",
    "work",
]
