"""The guide's fifteen minutes, command by command, as they stand there."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.authors.machine import Machine, done
from tests.docs.guide import Snippet, snippets, text_of
from tests.hubs import EMAIL, PASSWORD, Client, wait_for
from tests.patience import PATIENCE

STEPS = (
    *("1. A package", "2. The channel", "3. Prove it", "4. Change it", "5. Into a hub"),
    "6. A message, and its answer",
)
AFTERWARDS = ("Recording", "Conformance")
SERVERS = ("hub serve\n", "python hub-pigeon/provider.py\n")


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


class Terminals:
    """A person's terminals: what one remembers (folder, environment) the others are opened with.

    The ports of the guide may be taken on this machine; others stand in for them."""

    def __init__(self, machine: Machine, stack: ExitStack) -> None:
        self._machine = machine
        self._stack = stack
        self._state = machine.folder.parent / "state.sh"
        self._state.write_text("")
        self.ports = {"8000": str(free_port()), "9000": str(free_port())}
        admin = {"HUB_ADMIN_EMAIL": EMAIL, "HUB_ADMIN_PASSWORD": PASSWORD}
        self._environ = {**machine.environ, **admin, "HUB_PORT": self.ports["8000"]}

    @property
    def folder(self) -> Path:
        """Where the first terminal is."""
        return self._machine.folder / "pigeons"

    def moved(self, text: str) -> str:
        """With the ports that are free."""
        return re.sub("8000|9000", lambda port: self.ports[port[0]], text)

    def run(self, script: str) -> str:
        """Run commands, and remember what a shell remembers."""
        state = shlex.quote(str(self._state))
        kept = f"{{ export -p; echo \"cd '$PWD'\"; }} > {state}"
        return done(self._start(f". {state}\n{self.moved(script)}\n{kept}\n"))

    def _start(self, script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-e", "-c", script],
            cwd=self._machine.folder,
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=5 * PATIENCE,
        )

    def open(self, command: str) -> Path:
        """Another terminal in which something is started that stays; what it prints."""
        output = self._machine.folder / f"{len(command)}.txt"
        self._stack.enter_context(self._serving(command, output))
        return output

    @contextmanager
    def _serving(self, command: str, output: Path) -> Iterator[None]:
        script = f". {shlex.quote(str(self._state))}\nexec {command}"
        with output.open("wb") as printed:
            process = subprocess.Popen(
                ["sh", "-e", "-c", script],
                cwd=self._machine.folder,
                env={**self._environ, "PYTHONUNBUFFERED": "1"},
                stdout=printed,
                stderr=subprocess.STDOUT,
            )
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


def answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=5).status_code < 600
    except httpx2.HTTPError:
        return False


@pytest.mark.feature("PLUG-06")
def test_the_fifteen_minutes(machine: Machine) -> None:
    with ExitStack() as stack:
        terminals = Terminals(machine, stack)
        hub = f"http://127.0.0.1:{terminals.ports['8000']}"
        provider = f"http://127.0.0.1:{terminals.ports['9000']}"
        printed: dict[str, Path] = {}
        told: list[str] = []

        def follow(snippet: Snippet) -> None:
            if snippet.text in SERVERS:
                printed[snippet.text] = terminals.open(snippet.text)
                address = f"{hub}/readyz" if snippet.text == "hub serve\n" else provider
                wait_for(lambda: answers(address), what=snippet.text)
            elif snippet.language == "sh":
                told.append(terminals.run(snippet.text))
            elif snippet.language == "toml":
                with (terminals.folder / "hub.toml").open("a") as config:
                    config.write("\n" + terminals.moved(snippet.text))
            elif snippet.language == "diff":
                script = f"patch -p1 -d hub-pigeon <<'END'\n{snippet.text}END\n"
                told.append(terminals.run(script))
                source = terminals.folder / "hub-pigeon" / "provider.py"
                source.write_text(terminals.moved(source.read_text()))

        for step in STEPS:
            text = text_of(step)
            assert snippets(text=text), step
            for snippet in snippets(text=text):
                follow(snippet)

        assert sum("hub_pigeon:Pigeon: conformant" in one for one in told) == 2, told
        assert 'channel "pigeon" of main added\n' in told, told[-3:]
        assert told[-1] == "the hub answered 200\n"

        client = Client(hub).sign_in()
        stack.callback(client.close)
        (thread,) = client.threads()
        assert thread["contact"]["display"] == "Zoe"
        assert thread["preview"]["text"] == "Is anybody there?"
        message = {"channel_id": "pigeon", "contact_id": thread["contact"]["id"], "body": "We are!"}
        client.post(f"threads/{thread['id']}/messages", message)
        output = printed[SERVERS[1]]
        wait_for(lambda: "to zoe: We are!" in output.read_text(), what="the answer at the provider")
        forged = httpx2.post(f"{hub}/hooks/main/pigeon", json={"id": "1", "from": "zoe"})
        assert forged.status_code == 403

        told.clear()
        for section in AFTERWARDS:
            for snippet in snippets(text=text_of(section)):
                follow(snippet)
        assert [one.count("hub_pigeon:Pigeon: conformant") for one in told] == [1, 1]
        recorded = terminals.folder / "hub-pigeon" / "tests/cases/ingest/message_1"
        assert str(recorded.relative_to(terminals.folder / "hub-pigeon")) in told[0]
        (event,) = json.loads((recorded / "expect.json").read_text())["events"]
        assert len(event["text"]) == len("Is anybody there?")
        files = "".join(path.read_text() for path in recorded.iterdir())
        assert not re.search(r"zoe|anybody", files, re.IGNORECASE)


def test_all_of_it_is_followed() -> None:
    tutorial = text_of().partition("# In fifteen minutes")[2].partition("# Reference")[0]
    steps = re.findall(r"^## (.*)$", tutorial, re.MULTILINE)
    assert tuple(steps) == STEPS
    followed = [one.text for step in STEPS for one in snippets(text=text_of(step))]
    assert followed == [one.text for one in snippets(text=tutorial)]
    followed += [one.text for section in AFTERWARDS for one in snippets(text=text_of(section))]
    commands = [*snippets("sh"), *snippets("diff")]
    assert {one.text for one in commands} <= set(followed)
    assert set(SERVERS) <= set(followed)
