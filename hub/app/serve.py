"""``hub serve`` and ``hub demo``: a hub behind uvicorn, in one process."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
import structlog
import uvicorn
import uvloop

from hub.app.demo import fill
from hub.app.errors import StartupError
from hub.app.hub import Hub
from hub.app.logs import set_up_logs
from hub.app.processes import listening_for_commands
from hub.app.protocol import Protocol
from hub.app.reload import Reloader, Reread
from hub.config import HubConfig
from hub.flow.host import LARGEST_MESSAGE
from hub.store.database import Database

log = structlog.get_logger()

GRACE = 10
"""Seconds requests get to end when the hub stops."""


def serve(
    config: HubConfig,
    environ: Mapping[str, str] = os.environ,
    *,
    reread: Reread | None = None,
    demo: bool = False,
) -> int:
    """Run until a signal; the exit code. ``reread``: how to reload the configuration."""
    set_up_logs(serving=True)
    listening = _bind(config.hub.host, config.hub.port)
    try:
        uvloop.run(_serve(config, environ, listening, reread, demo=demo))
    finally:
        listening.close()
    return 0


def demo(config: HubConfig) -> int:
    """A hub on a folder that is thrown away, filled with conversations to look at."""
    with tempfile.TemporaryDirectory(prefix="hub-demo-") as folder:
        section = msgspec.structs.replace(
            config.hub,
            database=f"sqlite:///{Path(folder) / 'hub.db'}",
            data=Path(folder),
            redis=None,
        )
        return serve(msgspec.structs.replace(config, hub=section), demo=True)


def work(
    config: HubConfig,
    environ: Mapping[str, str] = os.environ,
    *,
    reread: Reread | None = None,
) -> int:
    """The background work alone, beside processes that serve, until a signal; the exit code."""
    set_up_logs(serving=True)
    if Database(config.hub.database).path is not None:
        raise StartupError(
            "hub worker needs PostgreSQL: on SQLite one process, hub serve, does everything"
        )
    uvloop.run(_work(config, environ, reread))
    return 0


async def _work(config: HubConfig, environ: Mapping[str, str], reread: Reread | None) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with _running(config, environ, reread, greets=False) as hub:
        count = sum(1 for _ in hub.channels)
        sys.stdout.write(f"\nChannel Hub works in the background: {count} channels\n\n")
        sys.stdout.flush()
        await stopped.wait()


@asynccontextmanager
async def _running(
    config: HubConfig, environ: Mapping[str, str], reread: Reread | None, *, greets: bool
) -> AsyncGenerator[Hub]:
    hub = Hub(config, environ)
    try:
        await hub.start(greets=greets)
    except BaseException:
        if hasattr(hub, "writer"):
            await hub.close()
        raise
    _collect_less()
    try:
        if reread is None:
            yield hub
        else:
            async with _reloading(hub, reread):
                yield hub
    finally:
        await hub.stop()


@asynccontextmanager
async def _reloading(hub: Hub, reread: Reread) -> AsyncGenerator[None]:
    """The configuration is read again by ``hub reload`` and by SIGHUP."""
    reloader = Reloader(hub, reread)
    asked: set[asyncio.Task[object]] = set()

    def ask() -> None:
        task = asyncio.create_task(reloader.reload())
        asked.add(task)
        task.add_done_callback(asked.discard)

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, ask)
    try:
        async with listening_for_commands(hub.config.hub.data, reloader.reload):
            yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        await reloader.close()


def _collect_less() -> None:
    """What is there once the hub runs stays there, and what requests make has few cycles: left as
    it is, Python's collector takes a twentieth of the time for nothing."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


async def _serve(
    config: HubConfig,
    environ: Mapping[str, str],
    listening: socket.socket,
    reread: Reread | None,
    *,
    demo: bool,
) -> None:
    async with _running(config, environ, reread, greets=True) as hub:
        if demo:
            await fill(hub)
        server = _Server(
            hub,
            uvicorn.Config(
                hub.web(),
                log_config=None,
                access_log=False,
                loop="uvloop",
                http=Protocol,
                proxy_headers=bool(config.hub.trusted_proxies),
                forwarded_allow_ips=list(config.hub.trusted_proxies),
                ws="websockets-sansio",
                ws_per_message_deflate=False,
                ws_max_size=LARGEST_MESSAGE,
                ws_ping_interval=25,
                ws_ping_timeout=20,
                lifespan="off",
                timeout_graceful_shutdown=GRACE,
                server_header=False,
            ),
        )
        _greet(hub, listening)
        await server.serve(sockets=[listening])


class _Server(uvicorn.Server):
    """Uvicorn's, which lets go of everybody who only waits for news before it stops."""

    def __init__(self, hub: Hub, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._hub = hub

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """A signal ends the serving only; uvicorn's own way would end the process with it, before
        the hub has stopped. A second signal does not wait for requests."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM)
        for number in signals:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop taking requests, and end those under way."""
        self._hub.release()
        await super().shutdown(sockets)


def _bind(host: str, port: int) -> socket.socket:
    """The port, taken before anything else is done."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise StartupError(
                f"port {port} on {host} is taken: stop what uses it, or choose another with "
                "--port or HUB_PORT"
            ) from error
        raise StartupError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    listening.set_inheritable(True)
    return listening


def _greet(hub: Hub, listening: socket.socket) -> None:
    """What a person needs to begin, on the terminal."""
    host, port = listening.getsockname()[:2]
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 — shown, not bound
    lines = [f"Channel Hub is running: http://{shown}:{port}/"]
    admin = hub.first_admin
    if admin is not None:
        lines.append(f"  Sign in as   {admin.email}")
        password = admin.password or "(the one in HUB_ADMIN_PASSWORD)"
        lines.append(f"  Password     {password}" + ("   (one-time)" if admin.password else ""))
    for channel in hub.channels:
        if channel.info.page is not None:
            url = f"http://{shown}:{port}/hooks/{channel.organisation}/{channel.id}"
            lines.append(f"  {channel.info.page_label or channel.name}: {url}/{channel.info.page}")
    lines.extend(
        f'  {failed.role.capitalize()} "{failed.id}" is off: {"; ".join(failed.problems)}'
        for failed in (*hub.channels.all_failed, *hub.assistants.all_failed)
    )
    sys.stdout.write("\n".join(["", *lines, "", ""]))
    sys.stdout.flush()
