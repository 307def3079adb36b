"""The servers and the browser that the tests use: found, installed when asked, started.

``python -m tests.services`` installs what is missing where it can (apt on Debian and Ubuntu as root
or with passwordless sudo, Homebrew on macOS) and says plainly what it could not. With ``CI=true``
anything still missing is a failure; otherwise the tests that need it are skipped.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
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


def find_headless_shell() -> Path | None:
    """Chromium without windows: the same pages, but for notifications, for half of the cost."""
    return _first_on_path("chromium-headless-shell", "chrome-headless-shell")


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


def find_dovecot() -> Path | None:
    """Dovecot, an IMAP server; Debian and Homebrew keep it off PATH."""
    places = ("/usr/sbin/dovecot", "/opt/homebrew/sbin/dovecot", "/usr/local/sbin/dovecot")
    existing = (Path(place) for place in places if Path(place).exists())
    return _first_on_path("dovecot") or next(existing, None)


def find_dovecot_pop3() -> Path | None:
    """Dovecot's part that speaks POP3; Homebrew's Dovecot has it with it."""
    folders = ("/usr/lib/dovecot", "/opt/homebrew/libexec/dovecot", "/usr/local/libexec/dovecot")
    paths = (Path(folder) / "pop3" for folder in folders)
    return next((path for path in paths if path.exists()), None)


SERVICES = (
    Service("PostgreSQL", find_postgres, "postgresql", ["postgresql@17"]),
    Service("Redis", find_redis, "redis-server", ["redis"]),
    Service("Dovecot", find_dovecot, "dovecot-imapd", ["dovecot"]),
    Service("Dovecot's POP3", find_dovecot_pop3, "dovecot-pop3d", ["dovecot"]),
    Service("Chromium", find_chromium, "chromium", ["--cask", "google-chrome"]),
)
SHELL = Service("Chromium's headless shell", find_headless_shell, "chromium-headless-shell", [])
"""No test needs it; Debian has it, Ubuntu has not."""


def install(missing: Sequence[Service]) -> None:
    """Install what is missing with the machine's package manager, as far as it allows."""
    if shutil.which("apt-get"):
        _install_with_apt(missing)
    elif brew := shutil.which("brew"):
        for service in missing:
            if service.brew:
                subprocess.run([brew, "install", *service.brew], check=False)


def _install_with_apt(missing: Sequence[Service]) -> None:
    as_root: list[str] = []
    if os.geteuid() != 0:
        if subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode:
            return
        as_root = ["sudo", "-n"]
    # Where nothing answers, nobody waits for long.
    patience = ("-o", "Acquire::http::Timeout=20", "-o", "Acquire::Retries=1")
    apt = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", *patience]
    # The tests start their own servers; Debian's packages would start more of them.
    with _no_service_starts(as_root):
        subprocess.run([*apt, "update"], check=False)
        for service in missing:  # each by itself: one that is not to be had keeps none away
            subprocess.run(
                [*apt, "install", "--yes", "--no-install-recommends", service.apt],
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
    wanted = (*SERVICES, SHELL) if IN_CI else SERVICES
    if missing := [service for service in wanted if service.find() is None]:
        print(f"Installing for the tests: {', '.join(service.name for service in missing)}")
        install(missing)
    missing = [service for service in SERVICES if service.find() is None]
    for service in missing:
        consequence = "it is required here" if IN_CI else "the tests that need it are skipped"
        print(f"{service.name} is missing; {consequence}. {by_hand(service)}")
    return 1 if missing and IN_CI else 0


class PostgresServer:
    """A PostgreSQL of the tests' own, on loopback, in a folder that goes away with it.

    Without ``syncs`` it writes to disk when the machine likes to: what was committed outlives the
    server's death as ever, and nobody cuts the machine's power. As root it runs as another user, as
    PostgreSQL insists.
    """

    def __init__(self, programs: Path, *, syncs: bool = False) -> None:
        self._programs = programs
        self._syncs = syncs
        self._user = _unprivileged_user()
        self._folder = Path(tempfile.mkdtemp(prefix="hub-postgres-"))
        self._data = self._folder / "data"
        if self._user:
            os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        locale = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"
        initdb = ("-U", "postgres", "-A", "trust", "-E", "UTF8", f"--locale={locale}")
        self._run("initdb", "--no-sync", *initdb, "-D", str(self._data))
        self._migrated: str | None = None
        self._databases = 0
        self.port, self._process = _start_on_free_port(self._launch, self._is_ready)

    def url(self, database: str) -> str:
        """The URL of a database as an operator would write it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, template: str = "template1") -> str:
        """Create a database as a copy of another and return its name."""
        self._databases += 1
        name = f"hub_{self._databases}"
        self._run("createdb", *self._connection(), "-T", template, name)
        return name

    def hub_database(self) -> str:
        """Create a database with the hub's tables and nothing in them; its name."""
        if self._migrated is None:
            self._migrated = self.create_database()
            with ThreadPoolExecutor(1) as elsewhere:  # here a loop may be running
                elsewhere.submit(_migrate, self.url(self._migrated)).result()
        return self.create_database(self._migrated)

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
        deadline = time.monotonic() + PATIENCE
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
            # Nothing here lives for long enough to be tidied up.
            **({} if self._syncs else {"fsync": "off", "full_page_writes": "off",
                                       "autovacuum": "off"}),
        }  # fmt: skip
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
        deadline = time.monotonic() + PATIENCE
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


_DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap pop3
listen = 127.0.0.1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
ssl = {ssl}
{certificate}
disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2
mail_max_userip_connections = 50
mail_fsync = never
maildir_very_dirty_syncs = yes
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3_port}
  }}
  inet_listener pop3s {{
    port = {pop3s_port}
  }}
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {folder}/oauth2.conf
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u
}}
namespace inbox {{
  inbox = yes
  mailbox Sent {{
    auto = create
    special_use = \\Sent
  }}
}}
"""


_DOVECOT_OAUTH2 = """
introspection_mode = auth
introspection_url = http://127.0.0.1:{port}/introspect
username_attribute = username
active_attribute = active
active_value = true
"""


class DovecotServer:
    """An IMAP and POP3 server of the tests' own, on loopback: every user name is a mailbox, all
    have the password ``PASSWORD``. With a certificate (PEM of chain and key) it speaks TLS as well.
    Whether an OAuth token is good it asks a server on ``introspection_port``, which a test starts
    (RFC 7662)."""

    PASSWORD = "a-password-of-the-tests"

    def __init__(self, program: Path, certificate: tuple[Path, Path] | None = None) -> None:
        self._program = program
        self._folder = Path(tempfile.mkdtemp(prefix="hub-imap-"))
        self._certificate = certificate
        self._user = pwd.getpwuid(os.geteuid() or pwd.getpwnam("nobody").pw_uid)
        self._folder.chmod(0o755)
        for name in ("run", "state", "mail"):
            (self._folder / name).mkdir(mode=0o755)
            os.chown(self._folder / name, self._user.pw_uid, self._user.pw_gid)
        os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        self.tls_port = free_port() if certificate else 0
        self.pop3_port, self.pop3s_port = free_port(), free_port() if certificate else 0
        self.introspection_port = free_port()
        self.port, self._process = _start_on_free_port(self._launch, _listens)

    def crash(self) -> None:
        """End it, and every connection to it."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def start_again(self) -> None:
        """Start it on the same ports, after a crash."""
        self._process = self._launch(self.port)
        deadline = time.monotonic() + PATIENCE
        while not _listens(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("Dovecot did not start again")
            time.sleep(0.02)

    def maildir(self, user: str) -> Path:
        """The folder of a mailbox, of the user who runs the server."""
        return self._folder / "mail" / user

    def adopt(self, path: Path) -> None:
        """Give a folder, and all in it, to the user who runs the server."""
        for each in (path, *path.rglob("*")):
            with contextlib.suppress(FileNotFoundError):  # the server's own locks come and go
                os.chown(each, self._user.pw_uid, self._user.pw_gid)

    def renumber(self, user: str) -> None:
        """Forget the numbers that the mails of a mailbox have (UIDVALIDITY)."""
        for path in self.maildir(user).glob("dovecot*"):
            path.unlink()

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        _stop(self._process)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _launch(self, port: int) -> subprocess.Popen[Any]:
        certificate = ""
        if self._certificate is not None:
            chain, key = self._certificate
            certificate = f"ssl_cert = <{chain}\nssl_key = <{key}"
        oauth2 = _DOVECOT_OAUTH2.format(port=self.introspection_port)
        (self._folder / "oauth2.conf").write_text(oauth2)
        config = self._folder / "dovecot.conf"
        config.write_text(
            _DOVECOT.format(
                folder=self._folder,
                user=self._user.pw_name,
                group=grp.getgrgid(self._user.pw_gid).gr_name,
                ssl="yes" if self._certificate else "no",
                certificate=certificate,
                port=port,
                tls_port=self.tls_port,
                pop3_port=self.pop3_port,
                pop3s_port=self.pop3s_port,
                password=self.PASSWORD,
            )
        )
        with (self._folder / "output").open("ab") as output:
            return subprocess.Popen(
                [self._program, "-F", "-c", config],
                cwd=self._folder,
                stdout=output,
                stderr=output,
                start_new_session=True,  # who serves a connection is killed with it
            )


def _migrate(url: str) -> None:
    # Not known to who installs what is missing: it needs nothing of the hub.
    from hub.store.database import Database
    from hub.store.migrate import migrate

    asyncio.run(migrate(Database(url)))


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
        deadline = time.monotonic() + PATIENCE
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
