"""The parts between the door and the rows, on either database, with a plugin that misbehaves."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hub.app.hub import Hub
from hub.config import load
from hub.flow.answers import Answers
from hub.flow.host import Channel
from hub.flow.intake import Intake, Taken
from hub.plugin import Delivery
from hub.store import tables as t
from tests.host.unruly import PLUGINS, TOKEN

CONFIG = """\
[[channels]]
id = "odd"
plugin = "unruly"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
folder = "{folder}"

[[channels]]
id = "stillborn"
plugin = "unruly-stillborn"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
"""


class House:
    """A hub without its web, and what tests ask of it."""

    def __init__(self, hub: Hub, folder: Path) -> None:
        self.hub = hub
        self.folder = folder
        """Where the plugin looks for what to do."""
        self.org = hub.organisations["main"]
        channel = hub.channels.get(self.org, "odd")
        assert isinstance(channel, Channel)
        self.channel = channel

    async def take(
        self,
        do: str | None = None,
        *,
        token: str = TOKEN,
        headers: tuple[tuple[str, str], ...] = (),
        intake: Intake | None = None,
        body: bytes | None = None,
        **told: Any,
    ) -> Taken:
        """A webhook that tells the plugin what to do."""
        told = {"do": do, "id": "in-1", "from": "+15550100002", "text": "hello", **told}
        delivery = Delivery(
            body=json.dumps(told).encode() if body is None else body,
            url="http://localhost/hooks/main/odd?a=%20b",
            headers=(("X-Token", token), *headers),
            received_at=datetime.now(UTC),
        )
        return await (intake or self.hub.intake).take(self.channel, delivery)

    def intake(self, **limits: int) -> Intake:
        """Another one, with limits of its own."""
        hub = self.hub
        answers = Answers(hub.database, hub.writer, hub.settings, hub.assistance.ready)
        return Intake(hub.writer, hub.blobs, hub.ids, answers, hub.settings, **limits)

    async def rows(self, table: sa.Table) -> list[Any]:
        """Every row of a table, the oldest first."""
        statement = sa.select(table).order_by(*table.primary_key.columns)
        return await self.hub.database.read(
            lambda connection: list(connection.execute(statement).all())
        )

    async def delivery(self) -> Any:
        """The last delivery that was kept."""
        return (await self.rows(t.deliveries))[-1]

    async def texts(self) -> list[str]:
        """What the entries say."""
        return [json.loads(row.content).get("text", "") for row in await self.rows(t.entries)]


@asynccontextmanager
async def _house(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    monkeypatch.syspath_prepend(str(PLUGINS))
    folder = tmp_path / "unruly"
    folder.mkdir()
    path = tmp_path / "hub.toml"
    path.write_text(CONFIG.format(folder=folder))
    environ = {"UNRULY_TOKEN": TOKEN, "HUB_DATABASE_URL": database_url}
    async with AsyncExitStack() as stack:
        hub = Hub(load(path, environ), environ)
        await hub.open()
        stack.push_async_callback(hub.close)
        await hub.load_channels()
        for channel in hub.channels:
            stack.push_async_callback(channel.shutdown)
        yield House(hub, folder)
        (folder / "go").touch()


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """On SQLite."""
    async with _house(f"sqlite:///{tmp_path / 'hub.db'}", tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
async def any_house(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    """On each kind of database."""
    async with _house(database_url, tmp_path, monkeypatch) as made:
        yield made
