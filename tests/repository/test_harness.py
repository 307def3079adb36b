"""The ground that the other tests stand on: servers, databases and the browser are real."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from pathlib import Path

import asyncpg
import pytest
from playwright.sync_api import Page
from redis.asyncio import Redis

from tests import workers
from tests.forks import Forker


async def test_every_postgres_database_is_empty_and_the_tests_own(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute("CREATE TABLE only_here ()")
    finally:
        await connection.close()


async def test_a_template_is_copied_whole(postgres_server) -> None:
    template = postgres_server.create_database()
    connection = await asyncpg.connect(postgres_server.url(template))
    await connection.execute("CREATE TABLE made_once ()")
    await connection.close()

    copy = postgres_server.create_database(template)
    connection = await asyncpg.connect(postgres_server.url(copy))
    assert await connection.fetch("SELECT * FROM made_once") == []
    await connection.close()

    postgres_server.drop_database(copy)
    postgres_server.drop_database(template)


def test_a_database_url_of_each_kind(database_url: str) -> None:
    if database_url.startswith("sqlite:///"):
        path = Path(database_url.removeprefix("sqlite:///"))
        with sqlite3.connect(path) as connection:
            connection.execute("SELECT 1")
        connection.close()
        assert path.exists()
    else:
        assert database_url.startswith("postgresql://")


@pytest.mark.parametrize("run", [1, 2])
async def test_redis_starts_every_test_empty(redis_url: str, run: int) -> None:
    async with Redis.from_url(redis_url) as client:
        assert await client.dbsize() == 0
        await client.set("left", run)


def test_whoever_ran_out_of_time_leaves_no_answer_to_the_next(tmp_path: Path) -> None:
    """As when a test is ended while the process that forks has not answered it."""
    with Forker("tests.forks", "hub", ["hub.cli.commands"]) as forker:
        told = {"arguments": [], "folder": str(tmp_path), "environ": {}}
        files = {"output": os.devnull, "errors": os.devnull, "input_": os.devnull}
        assert forker._process.stdin is not None
        forker._process.stdin.write(json.dumps({"start": told | files, "number": -1}) + "\n")
        done = forker.run(["--version"], folder=tmp_path, environ={})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Channel Hub")


def test_a_browser_opens_a_page(page: Page) -> None:
    page.set_content("<h1>Hello</h1>")
    assert page.get_by_role("heading").inner_text() == "Hello"


@pytest.mark.parametrize("path", [*workers.FIRST, *workers.SHARING, *workers.ALONE, workers.LAST])
def test_what_workers_know_of_is_there(path: str) -> None:
    root = Path(__file__).parents[2]
    assert list(root.glob(path.rstrip("/"))) or list(root.glob(f"tests/*/{path}"))


async def test_asyncio_tests_run_before_the_browser_takes_the_thread() -> None:
    await asyncio.wait_for(asyncio.sleep(0), 1)
