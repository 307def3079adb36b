"""Hubs whose channels bring things in by themselves, from a provider with real sockets."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
import sqlalchemy as sa

from hub.app.hub import Hub, running
from hub.config import load
from hub.flow import references
from hub.flow.host import Channel
from hub.rules import sending
from hub.store import tables as t
from tests import books
from tests.host.unruly import PLUGINS
from tests.patience import PATIENCE
from tests.standins.courier import Courier

CONFIG = """\
[[channels]]
id = "{id}"
plugin = "{plugin}"
allow_hosts = ["127.0.0.1"]
[channels.settings]
url = "{url}"
port = {port}
every = {every}
folder = "{folder}"
"""


def configured(
    courier: Courier, plugin: str, folder: Path, every: float = 1.0, id_: str = "post"
) -> str:
    """A configuration with one channel of the provider's."""
    facts = {"url": courier.url, "port": courier.port, "every": every, "folder": folder}
    return CONFIG.format(plugin=plugin, id=id_, **facts)


@pytest.fixture
def courier() -> Iterator[Courier]:
    """The provider."""
    with Courier() as made:
        yield made


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again at once."""
    monkeypatch.setattr(sending, "BACKOFF_FIRST_MS", 40)
    monkeypatch.setattr(sending, "BACKOFF_LONGEST_MS", 400)
    monkeypatch.setattr(references, "IDLE", 0.05)


class House:
    """A hub in this process, and what tests ask of it."""

    def __init__(self, url: str, courier: Courier, folder: Path) -> None:
        self.url = url
        self.courier = courier
        self.folder = folder / "told"
        self.folder.mkdir(exist_ok=True)
        self.environ = {
            "HUB_DATABASE_URL": url,
            "HUB_DATA": str(folder / "data"),
            "HUB_HTTP_ROUTES": f"sns.eu-west-1.amazonaws.com={courier.url}",
        }
        self._file = folder / "hub.toml"
        self.hub: Hub

    @asynccontextmanager
    async def open(self, plugin: str, **settings: Any) -> AsyncIterator[Channel]:
        """The hub with a channel of this plugin; may be opened again when it is closed."""
        self._file.write_text(configured(self.courier, plugin, self.folder, **settings))
        async with running(load(self._file, self.environ), self.environ) as hub:
            self.hub = hub
            yield self.channel

    @property
    def channel(self) -> Channel:
        """The channel as it is now."""
        channel = self.hub.channels.get(self.hub.organisations["main"], "post")
        assert isinstance(channel, Channel), self.hub.channels.all_failed
        return channel

    def tell(self, name: str, *, on: bool = True) -> None:
        """Make the plugin misbehave, or not any more."""
        if on:
            (self.folder / name).touch()
        else:
            (self.folder / name).unlink()

    async def rows(self, table: sa.Table) -> list[Any]:
        """Every row of a table."""
        return list(await books.read(self.url, lambda connection: books.rows(connection, table)))

    async def texts(self) -> list[str]:
        """What customers wrote, in the order in which it was taken in."""
        return [json.loads(row.content)["text"] for row in await self.rows(t.entries)]

    async def post(self, **told: Any) -> httpx2.Response:
        """A webhook."""
        headers = (("Content-Type", "application/json"),)
        return await self.deliver(json.dumps(told).encode(), headers)

    async def deliver(
        self, body: bytes, headers: tuple[tuple[str, str], ...] = ()
    ) -> httpx2.Response:
        """A webhook as it is."""
        transport = httpx2.ASGITransport(app=cast("Any", self.hub.web()))
        async with httpx2.AsyncClient(transport=transport, base_url="http://hub") as client:
            return await client.post("/hooks/main/post", content=body, headers=list(headers))


@pytest.fixture
def house(
    database_url: str, tmp_path: Path, courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> House:
    """On each kind of database."""
    monkeypatch.syspath_prepend(str(PLUGINS))
    return House(database_url, courier, tmp_path)


async def until(look: Callable[[], Any], limit: float = PATIENCE) -> Any:
    """Wait until ``look``, which may be asynchronous, gives something true."""
    ends = time.monotonic() + limit
    while True:
        found = look()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < ends, "what the test waits for did not come"
        await asyncio.sleep(0.02)
