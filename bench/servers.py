"""Servers under measurement: hubs, floors, and the databases behind them."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import asyncpg
import httpx2
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from bench.floors import tables
from bench.machine import SERVER_CPU, on_cpu
from bench.webhooks import ACCOUNT, NUMBER, TOKEN
from tests.hubs import HubProcess, wait_for
from tests.services import PostgresServer, find_postgres


class Hub(HubProcess):
    """``hub serve`` on a core of its own, with the bundled channel for texts by Twilio."""

    ready_path = "/readyz"

    def __init__(
        self,
        folder: Path,
        port: int,
        *,
        public_port: int | None = None,
        database: str | None = None,
        channels: str = "",
        environ: Mapping[str, str] | None = None,
        cpu: int = SERVER_CPU,
    ) -> None:
        config = f"""
[hub]
public_url = "http://127.0.0.1:{public_port or port}"
requests_a_minute = 0

[[organisations]]
slug = "main"
name = "Main"

[[channels]]
id = "sms"
organisation = "main"
plugin = "sms-twilio"
[channels.settings]
account_sid = "{ACCOUNT}"
auth_token = "{TOKEN}"
numbers = ["{NUMBER}"]
status_callbacks = false
{channels}"""
        super().__init__(folder, config=config, database_url=database, environ=environ)
        self._own_port, self._cpu = port, cpu

    def start(self, *, port: int = 0) -> Self:
        with on_cpu(self._cpu):
            return super().start(port=port or self._own_port)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the process, and wait for nothing."""
        command = [sys.executable, "-m", "hub.cli", "serve", *self._arguments]
        command[command.index("--port") + 1] = str(self._own_port)
        with on_cpu(self._cpu):
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environ,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def database(self) -> str:
        """The database's address."""
        return self.environ.get("HUB_DATABASE_URL") or f"sqlite:///{self.folder}/data/hub.db"


class Floor:
    """``python -m module arguments`` on a core of its own, until the block ends."""

    ready_path = "/"

    def __init__(self, module: str, *arguments: str, port: int, cpu: int = SERVER_CPU) -> None:
        self._cpu = cpu
        self.base_url = f"http://127.0.0.1:{port}"
        self._command = [sys.executable, "-m", module, *arguments, str(port)]

    def __enter__(self) -> Self:
        self._process = self.launch()
        wait_for(self._ready, what=f"{' '.join(self._command[2:])} to answer", limit=40)
        return self

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the process, and wait for nothing."""
        with on_cpu(self._cpu):
            return subprocess.Popen(self._command)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def _ready(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"{' '.join(self._command[2:])} ended at once")
        try:
            return httpx2.get(self.base_url, timeout=5).status_code == 200
        except httpx2.HTTPError:
            return False


@contextmanager
def scratch() -> Generator[Path]:
    """A folder that is thrown away."""
    folder = Path(tempfile.mkdtemp(prefix="hub-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres() -> Generator[PostgresServer]:
    """A PostgreSQL that syncs to disk, for the length of the block."""
    programs = find_postgres()
    if programs is None:
        raise SystemExit("PostgreSQL is missing; Debian, Ubuntu: sudo apt-get install postgresql")
    server = PostgresServer(programs, syncs=True)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def empty(server: PostgresServer) -> Generator[str]:
    """The address of a database that is dropped at the end of the block."""
    name = server.create_database()
    try:
        yield server.url(name)
    finally:
        server.drop_database(name)


def create_floor_tables(url: str) -> None:
    """The floors' tables in an empty database."""
    if url.startswith("sqlite"):
        engine = sa.create_engine(url)
        tables.metadata.create_all(engine)
        engine.dispose()
        return

    async def create() -> None:
        engine = create_async_engine(sa.make_url(url).set(drivername="postgresql+asyncpg"))
        async with engine.begin() as connection:
            await connection.run_sync(tables.metadata.create_all)
        await engine.dispose()

    asyncio.run(create())


def scalar(url: str, query: str) -> Any:
    """One value from the database, by a connection of its own."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30)
        try:
            return connection.execute(query).fetchone()[0]
        finally:
            connection.close()

    async def ask() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(ask())
