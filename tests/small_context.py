"""A small ``ctx`` for tests of plugins: the kit's real network and verifiers, no hub around."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from hub.plugin import Delivery, Http, Media, Verify
from hub.plugin.kit.http import PluginHttp
from hub.plugin.kit.recorded import Files, RecordedContext, SetClock
from hub.plugin.kit.verify import Verifier


class SmallContext(RecordedContext):
    """A channel's context on the kit's real network, by the time of day unless a clock is given."""

    def __init__(
        self,
        *,
        public: str = "https://hub.example/hooks/main/under-test",
        routes: Mapping[str, str] | None = None,
        allowed_hosts: Collection[str] = (),
        files: str = "https://hub.example/media",
        clock: SetClock | None = None,
    ) -> None:
        super().__init__(public=public, clock=clock or SetClock(datetime.now(UTC)))
        self.real = PluginHttp(routes=routes, allowed_hosts=allowed_hosts)
        self.http: Http = self.real
        self.files = Files(files)
        self.media: Media = self.files

    def at(self, delivery: Delivery, verify: Verify | None = None) -> SmallContext:
        """The context that ``ingest`` of this delivery is given."""
        bound = object.__new__(SmallContext)
        bound.__dict__ |= self.__dict__
        bound.verify = verify or Verifier(delivery, self.clock)
        return bound

    async def connect(
        self,
        host: str,
        port: int,
        *,
        tls: bool = True,
        timeout: float = 15.0,  # noqa: ASYNC109
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await self.real.connect(host, port, tls=tls, timeout=timeout)

    async def start_tls(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        host: str,
        *,
        timeout: float = 15.0,  # noqa: ASYNC109
    ) -> None:
        await self.real.start_tls(reader, writer, host, timeout=timeout)

    async def aclose(self) -> None:
        await self.real.aclose()
