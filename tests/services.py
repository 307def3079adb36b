"""The servers and the browser that the tests use: found, installed when asked, started.

``python -m tests.services`` installs what is missing where it can (apt on Debian and Ubuntu as root
or with passwordless sudo, Homebrew on macOS) and says plainly what it could not. With ``CI=true``
anything still missing is a failure; otherwise the tests that need it are skipped.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
START_LIMIT = 30.0
ATTEMPTS = 3
PORTS = range(20_000, 32_000)
"""Below those that Linux and macOS give to outgoing connections."""
PORTS_EACH = 1_000


@dataclass(frozen=True)
class Service:
    """Something the tests need from outside Python, and where it comes from."""

    name: str
    find: Callable[[], Path | None]
    apt: str
    brew: Sequence[str]


def find_postgres() -> Path | None:
    """The folder of PostgreSQL's server programs; Debian and Homebrew keep it off PATH."""
    folders = [
        *sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True),
        *sorted(Path("/opt/homebrew/opt").glob("postgresql@*/bin"), reverse=True),
        *sorted(Path("/usr/local/opt").glob("postgresql@*/bin"), reverse=True),
    ]
    if on_path := shutil.which("initdb"):
        folders.insert(0, Path(on_path).resolve().parent)
    programs = ("initdb", "postgres", "pg_isready", "createdb", "dropdb")
    return next((f for f in folders if all((f / program).exists() for program in programs)), None)


def _version(folder: Path) -> int:
    digits = folder.parent.name.split(".")[0]
    return int(digits) if digits.isdigit() else 0


def find_redis() -> Path | None:
    """The Redis server, or Valkey's, which speaks the same protocol."""
    return _first_on_path("redis-server", "valkey-server")


def find_chromium() -> Path | None:
    """A Chromium, or Chrome, that Playwright can drive."""
    applications = [
        Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
        Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    ]
    on_path = _first_on_path("chromium", "google-chrome", "google-chrome-stable")
    return on_path or next((path for path in applications if path.exists()), None)


def _first_on_path(*names: str) -> Path | None:
    found = (shutil.which(name) for name in names)
    return next((Path(path) for path in found if path), None)


SERVICES = (
    Service("PostgreSQL", find_postgres, "postgresql", ["postgresql@17"]),
    Service("Redis", find_redis, "redis-server", ["redis"]),
    Service("Chromium", find_chromium, "chromium", ["--cask", "google-chrome"]),
)


def install(missing: Sequence[Service]) -> None:
    """Install what is missing with the machine's package manager, as far as it allows."""
    if shutil.which("apt-get"):
        _install_with_apt([service.apt for service in missing])
    elif brew := shutil.which("brew"):
        for service in missing:
            subprocess.run([brew, "install", *service.brew], check=False)


def _install_with_apt(packages: Sequence[str]) -> None:
    as_root: list[str] = []
    if os.geteuid() != 0:
        if subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode:
            return
        as_root = ["sudo", "-n"]
    apt = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    # The tests start their own servers; Debian's packages would start more of them.
    with _no_service_starts(as_root):
        subprocess.run([*apt, "update"], check=False)
        subprocess.run(
            [*apt, "install", "--yes", "--no-install-recommends", *packages],
            stdout=subprocess.DEVNULL,
            check=False,
        )


@contextlib.contextmanager
def _no_service_starts(as_root: Sequence[str]) -> Iterator[None]:
    """Debian's way to say so: a policy-rc.d that answers 101, unless there is one already."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    script = f"printf '#!/bin/sh\\nexit 101\\n' >{policy} && chmod 755 {policy}"
    subprocess.run([*as_root, "sh", "-c", script], check=False)
    try:
        yield
    finally:
        subprocess.run([*as_root, "rm", "-f", str(policy)], check=False)


def by_hand(service: Service) -> str:
    """One line: how a person installs the service."""
    return (
        f"Debian, Ubuntu: sudo apt-get install {service.apt}; "
        f"macOS: brew install {' '.join(service.brew)}"
    )


def main() -> int:
    """Install what is missing and report what is still missing."""
    if missing := [service for service in SERVICES if service.find() is None]:
        print(f"Installing for the tests: {', '.join(service.name for service in missing)}")
        install(missing)
    missing = [service for service in SERVICES if service.find() is None]
    for service in missing:
        consequence = "it is required here" if IN_CI else "the tests that need it are skipped"
        print(f"{service.name} is missing; {consequence}. {by_hand(service)}")
    return 1 if missing and IN_CI else 0


class PostgresServer:
    """A PostgreSQL of the tests' own, on loopback, in a folder that goes away with it.

    It syncs to disk as a real one does. As root it runs as another user, as PostgreSQL insists.
    """

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._user = _unprivileged_user()
        self._folder = Path(tempfile.mkdtemp(prefix="hub-postgres-"))
        self._data = self._folder / "data"
        if self._user:
            os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        locale = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"
        initdb = ("-U", "postgres", "-A", "trust", "-E", "UTF8", f"--locale={locale}")
        self._run("initdb", *initdb, "-D", str(self._data))
        self.port, self._process = _start_on_free_port(self._launch, self._is_ready)
        self._databases = 0

    def url(self, database: str) -> str:
        """The URL of a database as an operator would write it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, template: str = "template1") -> str:
        """Create a database as a copy of another and return its name."""
        self._databases += 1
        name = f"hub_{self._databases}"
        self._run("createdb", *self._connection(), "-T", template, name)
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, and whoever is still connected to it."""
        self._run("dropdb", *self._connection(), "--force", "--if-exists", name)

    def crash(self) -> None:
        """End it at once, as a power cut would; its folder stays."""
        self._process.send_signal(signal.SIGQUIT)  # PostgreSQL's immediate shutdown
        self._process.wait(10)

    def start_again(self) -> None:
        """Start it on the same port, after a crash."""
        self._process = self._launch(self.port)
        deadline = time.monotonic() + START_LIMIT
        while not self._is_ready(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("PostgreSQL did not start again")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        _stop(self._process)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _connection(self) -> tuple[str, ...]:
        return ("-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres")

    def _launch(self, port: int) -> subprocess.Popen[Any]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "max_connections": "200",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, *options],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                **self._identity(),
            )

    def _is_ready(self, port: int) -> bool:
        program = self._programs / "pg_isready"
        arguments = [program, "-q", "-h", "127.0.0.1", "-p", str(port)]
        return subprocess.run(arguments, check=False).returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
            **self._identity(),
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr.strip()}")

    def _identity(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}


class RedisServer:
    """A Redis of the tests' own, on loopback, that keeps nothing."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._folder = Path(tempfile.mkdtemp(prefix="hub-redis-"))
        self.port, self._process = _start_on_free_port(self._launch, _listens)
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def crash(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def start_again(self) -> None:
        """Start it on the same port, after a crash."""
        self._process = self._launch(self.port)
        deadline = time.monotonic() + START_LIMIT
        while not _listens(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("Redis did not start again")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        _stop(self._process)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _launch(self, port: int) -> subprocess.Popen[Any]:
        options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
        return subprocess.Popen(
            [self._program, *options], cwd=self._folder, stdout=subprocess.DEVNULL
        )


def _unprivileged_user() -> pwd.struct_passwd | None:
    """Who runs PostgreSQL when the tests run as root, which it refuses to run as."""
    if os.geteuid() != 0:
        return None
    users = {user.pw_name: user for user in pwd.getpwall()}
    return users.get("postgres") or users["nobody"]


def free_port() -> int:
    """A port of loopback that nobody listens on at this moment, and that no outgoing connection is
    given: a server may be gone for a while and find it free again. Sessions that run beside each
    other look in different places."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    port = 0
    for _ in range(100):
        port = PORTS.start + worker * PORTS_EACH + secrets.randbelow(PORTS_EACH)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"no free port was found near {port}")


def _start_on_free_port(
    launch: Callable[[int], subprocess.Popen[Any]], is_ready: Callable[[int], bool]
) -> tuple[int, subprocess.Popen[Any]]:
    """Start a server; another program may take the port first, so try a few."""
    port = 0
    for _ in range(ATTEMPTS):
        port = free_port()
        process = launch(port)
        deadline = time.monotonic() + START_LIMIT
        while process.poll() is None and time.monotonic() < deadline:
            if is_ready(port):
                return port, process
            time.sleep(0.02)
        _stop(process)
    raise RuntimeError(f"a server did not start in {ATTEMPTS} attempts, the last on port {port}")


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _stop(process: subprocess.Popen[Any]) -> None:
    # SIGINT is PostgreSQL's fast shutdown: it does not wait for its clients. Redis takes it too.
    process.send_signal(2)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
