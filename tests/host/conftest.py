"""The host with test plugins, found by their entry points like any third party's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hub.config import ChannelConfig, Origin
from hub.flow.host import Channel, FailedChannel, Limits, channel, load_channel, loops
from tests.host.unruly import PLUGINS, TOKEN

UNSET = object()
"""For a setting that is left out."""
Load = Callable[..., Channel | FailedChannel]
LIMITS = Limits(
    **dict.fromkeys(("ingest", "send", "reconcile", "startup", "health", "route"), 0.6),
    **dict.fromkeys(("handshake", "farewell"), 0.3),
)


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PLUGINS))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "GRACE", 0.15)
    monkeypatch.setattr(channel, "REST", 0.3)


@pytest.fixture
async def load(tmp_path: Path) -> AsyncIterator[Load]:
    """Loads a channel; whatever blocks in it is let go in the end."""
    loaded: list[Channel] = []

    def load_one(
        plugin: str = "unruly",
        id_: str = "odd",
        plugin_api: str | None = None,
        limits: Limits = LIMITS,
        **settings: Any,
    ) -> Any:
        wanted = {"token": TOKEN, "folder": str(tmp_path), **settings}
        config = ChannelConfig(
            id=id_,
            organisation="main",
            plugin=plugin,
            enabled=True,
            name=None,
            api=plugin_api,
            settings={name: value for name, value in wanted.items() if value is not UNSET},
            origin=Origin(),
        )
        services = SimpleNamespace(main=asyncio.get_running_loop())
        made = load_channel(config, 1, cast("Any", services), limits=limits)
        if isinstance(made, Channel):
            loaded.append(made)
        return made

    yield load_one
    (tmp_path / "go").touch()
    for one in loaded:
        with contextlib.suppress(Exception):
            await one.shutdown()
