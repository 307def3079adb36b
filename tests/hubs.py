"""A real hub for tests: ``hub serve`` as a process, and a client that is signed in to it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from hub.store.database import Database
from hub.store.migrate import migrate
from tests.forks import Process, hubs
from tests.patience import PATIENCE
from tests.trust import TRUST

T = TypeVar("T")

EMAIL = "ana@example.com"
PASSWORD = "correct-horse-battery"
_ADDRESS = re.compile(r"Channel Hub is running: (http://\S+?)/\s")
_AT_WORK = "Channel Hub works in the background"


def wait_for(
    look: Callable[[], T | None], *, what: str = "what the test waits for", limit: float = PATIENCE
) -> T:
    """Call ``look`` until it gives something true. It rests for as long as it looks: who looks all
    the time holds up what is waited for."""
    ends = time.monotonic() + limit
    while True:
        begun = time.monotonic()
        found = look()
        if found:
            return found
        if time.monotonic() > ends:
            raise AssertionError(f"{what} did not come within {limit:g} s (last: {found!r})")
        time.sleep(min(max(0.02, time.monotonic() - begun), 0.5))


@lru_cache(maxsize=1)
def _kept() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="hub-migrated-")


def lay_database(path: Path) -> None:
    """A SQLite database with the hub's tables and nothing in them, unless there is one already:
    migrations have tests of their own, and most of a first start is theirs."""
    if path.exists():
        return
    made = Path(_kept().name) / "hub.db"
    if not made.exists():
        with ThreadPoolExecutor(1) as elsewhere:  # here a loop may be running
            elsewhere.submit(_migrate, made.with_suffix(".new")).result()
        made.with_suffix(".new").rename(made)
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(made, path)


def _migrate(path: Path) -> None:
    asyncio.run(migrate(Database(f"sqlite:///{path}")))


class HubProcess:
    """``hub serve`` in a folder of its own; kill it, start it again, look at what it printed.
    ``python``: an interpreter that starts it anew, such as another installation's; otherwise it is
    a copy of a process that has imported everything already, and finds its tables made."""

    command = "serve"

    def __init__(
        self,
        folder: Path,
        *,
        config: str | None = None,
        database_url: str | None = None,
        environ: Mapping[str, str] | None = None,
        python: str | None = None,
    ) -> None:
        self.folder = folder
        self._python = python
        self.base_url = ""
        self.environ = {
            **os.environ,
            "HUB_DATA": str(folder / "data"),
            "HUB_ADMIN_EMAIL": EMAIL,
            "HUB_ADMIN_PASSWORD": PASSWORD,
            **({"HUB_DATABASE_URL": database_url} if database_url else {}),
            **(environ or {}),
        }
        folder.mkdir(parents=True, exist_ok=True)
        self._arguments = ["--port", "0"]
        if config is not None:
            path = folder / "hub.toml"
            path.write_text(config, encoding="utf-8")
            self._arguments += ["--config", str(path)]
        self._clients: list[Client] = []
        self._process: Process | None = None
        self._output = folder / "output.txt"

    def start(self, *, port: int = 0) -> Self:
        """Start and wait until it answers; ``port`` 0 is any free one."""
        self._arguments[1] = str(port)
        self._launch(self.command, *self._arguments)
        self.base_url = wait_for(self._address, what="the hub's address")
        wait_for(self._ready, what="the hub's readiness")
        return self

    def start_worker(self) -> Self:
        """``hub worker`` in place of a hub that serves; wait until it works."""
        self._launch("worker", *self._arguments[2:])
        wait_for(lambda: self._lives() and _AT_WORK in self.output, what="a hub at work")
        return self

    def _launch(self, *arguments: str) -> None:
        if self._python is None:
            if "HUB_DATA" in self.environ and "HUB_DATABASE_URL" not in self.environ:
                lay_database(self.folder / self.environ["HUB_DATA"] / "hub.db")
            self._process = hubs().start(
                arguments, folder=self.folder, environ=self.environ, output=self._output
            )
            return
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [self._python, "-m", "hub.cli", *arguments],
                cwd=self.folder,
                env=self.environ,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def _lives(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError(f"the hub ended at once:\n{self.output}")
        return True

    def _address(self) -> str | None:
        self._lives()
        found = _ADDRESS.search(self.output)
        return found[1] if found else None

    def _ready(self) -> bool:
        self._lives()
        try:
            return httpx2.get(f"{self.base_url}/readyz", timeout=5, verify=TRUST).status_code == 200
        except httpx2.HTTPError:
            return False

    @property
    def output(self) -> str:
        """Everything it printed since it was started last."""
        return self._output.read_text(encoding="utf-8", errors="replace")

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.base_url.rpartition(":")[2])

    def kill(self) -> None:
        """``kill -9``: no time for anything."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """End it politely; its exit code."""
        if self._process is None or self._process.poll() is not None:
            return 0
        self._process.terminate()
        try:
            return self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise AssertionError(f"the hub did not stop:\n{self.output[-4000:]}") from None

    def run(self, *arguments: str, input_: str | None = None) -> subprocess.CompletedProcess[str]:
        """Another command of the hub's on the same folder and database."""
        config = self._arguments[2:]
        if self._python is None:
            return hubs().run(
                [*arguments, *config], folder=self.folder, environ=self.environ, input_=input_
            )
        return subprocess.run(
            [self._python, "-m", "hub.cli", *arguments, *config],
            cwd=self.folder,
            env=self.environ,
            input=input_,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def client(self, email: str = EMAIL, password: str = PASSWORD) -> Client:
        """A client that is signed in; closed with the hub if not before."""
        client = Client(self.base_url)
        self._clients.append(client)
        return client.sign_in(email, password)

    def __enter__(self) -> Self:
        return self if self.base_url else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.close()
        self.stop()


@contextmanager
def running_hub(**options: Any) -> Iterator[HubProcess]:
    """A hub for the length of a block, in a folder that is thrown away."""
    with (
        tempfile.TemporaryDirectory(prefix="hub-test-") as folder,
        HubProcess(Path(folder), **options) as hub,
    ):
        yield hub


class Client:
    """The API as a member's browser uses it."""

    def __init__(self, base_url: str, org: str = "main") -> None:
        # Let go of before the hub does: a request that meets the hub's goodbye would be lost.
        limits = httpx2.Limits(keepalive_expiry=2)
        self.http = httpx2.Client(base_url=base_url, timeout=PATIENCE, verify=TRUST, limits=limits)
        self.org = org
        self.me: dict[str, Any] = {}

    def sign_in(self, email: str = EMAIL, password: str = PASSWORD) -> Self:
        """Sign in; raises for anything but 200."""
        answer = self.http.post("/api/v1/session", json={"email": email, "password": password})
        answer.raise_for_status()
        self.me = answer.json()
        self.http.headers["X-CSRF-Token"] = self.me["csrf_token"]
        return self

    def path(self, rest: str) -> str:
        """A path of the organisation's."""
        return f"/api/v1/organisations/{self.org}/{rest}"

    def get(self, rest: str, **params: Any) -> Any:
        """GET of the organisation; the JSON of a 200."""
        answer = self.http.get(self.path(rest), params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def call(
        self, method: str, rest: str, json: Any = None, *, key: str | None = None
    ) -> httpx2.Response:
        """A change, whatever comes of it."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.http.request(method, self.path(rest), json=json, headers=headers)

    def post(self, rest: str, json: Any = None, *, key: str | None = None) -> Any:
        """POST; the JSON of a success."""
        answer = self.call("POST", rest, json, key=key)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def patch(self, rest: str, json: Any) -> Any:
        """PATCH; the JSON of a success."""
        answer = self.call("PATCH", rest, json)
        assert answer.is_success, answer.text
        return answer.json()

    def threads(self, **params: Any) -> list[dict[str, Any]]:
        """The first page of the list."""
        return self.get("threads", **{"status": "all", **params})["items"]

    def entries(self, thread_id: str, **params: Any) -> list[dict[str, Any]]:
        """A page of a timeline."""
        return self.get(f"threads/{thread_id}/entries", **params)["items"]

    # The simulator's phone, as its page drives it.

    def text(self, from_: str, body: str, *, channel: str = "simulator") -> None:
        """A text from a customer's phone; it is in the inbox a moment later."""
        (own,) = [
            one["own_addresses"][0]["value"] for one in self.get("channels") if one["id"] == channel
        ]
        wanted = {"number": from_, "own_number": own, "text": body}
        answer = self.http.post(f"/hooks/{self.org}/{channel}/texts", json=wanted)
        assert answer.is_success, answer.text

    def behave(self, number: str, *, channel: str = "simulator", **behaviour: Any) -> None:
        """How the network treats a phone from now on."""
        wanted = {"number": number, "behaviour": behaviour}
        answer = self.http.post(f"/hooks/{self.org}/{channel}/behaviour", json=wanted)
        assert answer.is_success, answer.text

    def phone(self, number: str, *, channel: str = "simulator") -> dict[str, Any]:
        """What a customer's phone shows."""
        answer = self.http.get(f"/hooks/{self.org}/{channel}/events", params={"number": number})
        assert answer.is_success, answer.text
        return answer.json()["phone"]

    def thread_of(self, display: str) -> dict[str, Any] | None:
        """The conversation with whoever is shown as ``display``."""
        return next((one for one in self.threads() if one["contact"]["display"] == display), None)

    def close(self) -> None:
        """Let go of the connection."""
        self.http.close()
