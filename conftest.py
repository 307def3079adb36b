"""What every test of the repository may use, in ``tests/`` and in ``plugins/``.

Servers are real: the session starts a PostgreSQL and a Redis of its own. In CI nothing may be
missing: there a skipped test is a failed test.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import httpcore2
import hypothesis
import pytest
import trustme
from hypothesis.internal.conjecture import providers
from playwright.sync_api import expect
from redis import Redis
from xdist.remote import Producer

from tests import workers
from tests.hubs import lay_database
from tests.services import (
    IN_CI,
    DovecotServer,
    PostgresServer,
    RedisServer,
    find_chromium,
    find_dovecot,
    find_dovecot_pop3,
    find_headless_shell,
    find_postgres,
    find_redis,
)

ROOT = Path(__file__).parent
WITHOUT = (
    # The menu of the address bar is a page with a process of its own, in every window.
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup"),
    # And what Playwright turns off, whose list this one replaces.
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades"),
    *("HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding"),
    *("ThirdPartyStoragePartitioning", "AvoidCorsURLLoaderRestartOnRedirect", "AimEnabled"),
    *("OptimizationHints", "NetworkTimeServiceQuerying", "PreconnectToSearch"),
)
"""Chromium's features that no test needs."""

# For a machine with other work to do; nothing waits longer than it has to.
expect.set_options(timeout=30_000)

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile(
    "hub", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("hub")
if IN_CI:
    # The examples follow from the tests alone: by default also from the constants of the modules
    # that a worker happens to have loaded, and a run could not be repeated.
    providers._get_local_constants = lambda: providers._local_constants  # pyright: ignore[reportPrivateUsage]
# A client reads all authorities of the world when it is made, for longer than many a test takes.
httpcore2.default_ssl_context = functools.cache(httpcore2.default_ssl_context)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """``-n auto``."""
    return workers.count()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> workers.Scheduling:
    """What goes to which worker."""
    return workers.Scheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In the order in which they are run."""
    items.sort(key=workers.place)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skip hides that something was not tested."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself."""
    report = yield
    if IN_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"
    return report


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """In CI a run that is cut off has told by then what failed."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if (
        IN_CI
        and isinstance(reporter, pytest.TerminalReporter)
        and not hasattr(config, "workerinput")
    ):
        config.pluginmanager.register(ToldAtOnce(reporter))


class ToldAtOnce:
    """Prints a line for each failure as it happens; the whole of it comes at the end."""

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called where all the workers' reports arrive."""
        if not report.failed:
            return
        crash = getattr(report.longrepr, "reprcrash", None)
        told = f"{crash}\n{crash.message}" if crash else report.longreprtext
        self._reporter.ensure_newline()
        self._reporter.write_line(
            f"FAILED {report.nodeid} ({report.when}, {report.duration:.0f} s): {told[:1_500]}"
        )


@pytest.fixture(scope="session")
def fixtures_dir() -> Path:
    """Recorded provider traffic and sample files: ``HUB_FIXTURES``, or beside the repository."""
    folder = ROOT / os.environ.get("HUB_FIXTURES", "../shared/fixtures")
    if not folder.is_dir():
        pytest.skip(f"no fixtures at {folder}; set HUB_FIXTURES")
    return folder.resolve()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's PostgreSQL."""
    programs = find_postgres()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    server = PostgresServer(programs)
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty PostgreSQL database of the test's own."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture
def migrated_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The same, with the hub's tables and nothing in them."""
    name = postgres_server.hub_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with the hub's tables, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "hub.db"
    lay_database(path)
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database of the test's own, with the hub's tables and nothing in them; the test
    runs on each kind."""
    if request.param == "sqlite":
        path = tmp_path / "hub.db"
        lay_database(path)
        return f"sqlite:///{path}"
    return request.getfixturevalue("migrated_postgres_url")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The same, with nothing in it at all."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hub.db'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The session's Redis."""
    program = find_redis()
    if program is None:
        pytest.skip("Redis is not installed")
    server = RedisServer(program)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """An authority of the tests' own, and a certificate of localhost and its key, as PEM files."""
    folder = tmp_path_factory.mktemp("certificate")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    paths = (folder / "authority.pem", folder / "chain.pem", folder / "key.pem")
    authority.cert_pem.write_to_path(str(paths[0]))
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    paths[1].write_bytes(chain)
    issued.private_key_pem.write_to_path(str(paths[2]))
    return paths


@pytest.fixture(scope="session")
def dovecot_server(certificate: tuple[Path, Path, Path]) -> Iterator[DovecotServer]:
    """The session's IMAP and POP3 server."""
    program = find_dovecot()
    if program is None or find_dovecot_pop3() is None:
        pytest.skip("Dovecot is not installed")
    server = DovecotServer(program, certificate[1:])
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of a Redis with nothing in it."""
    with Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Playwright drives the machine's own Chromium, without windows where that is there."""
    chromium = find_headless_shell() or find_chromium()
    if chromium is None:
        pytest.skip("Chromium is not installed")
    return {
        **browser_type_launch_args,
        "executable_path": str(chromium),
        "args": [
            # No process for a page that nobody may open; those that are needed are made.
            "--renderer-process-limit=1",
            f"--disable-features={','.join(WITHOUT)}",
        ],
    }
