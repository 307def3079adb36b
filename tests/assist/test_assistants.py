"""Assistants: named in ``hub.toml``, asked by channels, and held to what they may say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.sync.client import connect

from tests.host.unruly import PLUGINS
from tests.hubs import HubProcess
from tests.patience import PATIENCE

KEY = "key-of-the-model-never-shown"
CONFIG = """\
[[channels]]
id = "line"
plugin = "line"
assistant = "parrot"
[channels.settings]
token = "tok-of-the-line"
folder = "{folder}"

[[channels]]
id = "alone"
plugin = "line"
[channels.settings]
token = "tok-of-the-line"
folder = "{folder}"

[[assistants]]
id = "parrot"
plugin = "parrot"
[assistants.settings]
key = "{key}"
"""
ENVIRON = {"PYTHONPATH": str(PLUGINS)}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    place = tmp_path_factory.mktemp("hub")
    config = CONFIG.format(folder=place, key=KEY)
    with HubProcess(place, config=config, environ=ENVIRON) as hub:
        yield hub


def said(hub: HubProcess, words: str, channel: str = "line", timeout: float = 20.0) -> Any:
    """What a channel tells over its socket of what its assistant has said."""
    url = f"ws://127.0.0.1:{hub.port}/hooks/main/{channel}/talk"
    with connect(url, additional_headers={"X-Token": "tok-of-the-line"}) as opened:
        assert opened.recv(timeout=PATIENCE) == "hello"
        opened.send(words)
        told = opened.recv(timeout=timeout)
    assert isinstance(told, str)
    return json.loads(told) if told.startswith("[") else told


def states(hub: HubProcess) -> dict[str, str]:
    return httpx2.get(f"{hub.base_url}/readyz").json()["channels"]


def test_a_turn_of_a_call_is_answered(hub: HubProcess) -> None:
    (speak,) = said(hub, "ask Are you open?")
    assert (speak["type"], speak["text"], speak["last"]) == ("speak", "parrot: Are you open?", True)
    (summary,) = said(hub, "summarise")
    assert (summary["type"], summary["text"]) == ("summary", "0 turns")
    assert said(hub, "ask nothing") == []
    assert speak["request_id"] != summary["request_id"]


def test_a_channel_without_one_is_told_so(hub: HubProcess) -> None:
    told = said(hub, "ask Are you open?", "alone")
    assert told == "Unsupported: no assistant is named for this channel"


@pytest.mark.parametrize(
    "how", ["busy", "revoked", "raise", "broken", "another", "customer", "undeclared", "emit"]
)
def test_what_goes_wrong_is_passing_and_tells_no_secret(hub: HubProcess, how: str) -> None:
    told = said(hub, f"ask {how}")
    assert told.startswith('Temporary: the assistant "parrot" ') or how == "emit"
    if how == "emit":
        assert told.startswith("Unsupported: ")
    assert KEY not in told
    if how == "revoked":
        assert states(hub)["main/parrot"] == "needs_attention"
        said(hub, "ask again")
        assert states(hub)["main/parrot"] == "ok"
    assert KEY not in hub.output


def test_one_that_never_answers_is_given_up(hub: HubProcess) -> None:
    assert said(hub, "ask hang").startswith('Temporary: the assistant "parrot" failed')
    assert said(hub, "ask and now")[0]["text"] == "parrot: and now"


def test_nothing_of_it_is_a_channel(hub: HubProcess) -> None:
    assert states(hub)["main/parrot"] == "ok"
    client = hub.client()
    assert {one["id"] for one in client.get("channels")} == {"line", "alone"}
    answer = httpx2.post(f"{hub.base_url}/hooks/main/parrot", content=b"{}")
    assert answer.status_code == 404


def test_a_reload_applies_what_has_changed(tmp_path: Path) -> None:
    config = CONFIG.format(folder=tmp_path, key=KEY)
    place = tmp_path / "hub"
    with HubProcess(place, config=config, environ=ENVIRON) as hub:

        def reload(text: str) -> str:
            (place / "hub.toml").write_text(text)
            return hub.run("reload").stdout

        told = reload(f'{config}says = "another"\n')
        assert 'assistant "parrot" of main changed' in told
        assert "line" not in told
        assert said(hub, "ask hello")[0]["text"] == "another: hello"
        without = config.replace('assistant = "parrot"\n', "")
        assert 'channel "line" of main changed' in reload(without)
        assert said(hub, "ask hello").startswith("Unsupported")
        gone = without.partition("[[assistants]]")[0]
        assert 'assistant "parrot" of main taken out\n' in reload(gone)
        assert "main/parrot" not in states(hub)
        assert 'assistant "parrot" of main added' in reload(config)
        assert said(hub, "ask hello")[0]["text"] == "parrot: hello"


def test_one_that_cannot_run_leaves_the_hub_alone(tmp_path: Path) -> None:
    config = CONFIG.format(folder=tmp_path, key=KEY).replace('key = "', 'kay = "')
    with HubProcess(tmp_path / "hub", config=config, environ=ENVIRON) as hub:
        assert states(hub)["main/parrot"] == "off"
        assert 'Assistant "parrot" is off: ' in hub.output
        assert said(hub, "ask hello") == 'Temporary: the assistant "parrot" is off'
        checked = hub.run("check")
        assert checked.returncode == 2
        assert 'assistant "parrot": settings.kay: unknown key' in checked.stderr + checked.stdout
        assert KEY not in checked.stderr + checked.stdout


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ('assistant = "parrot"', 'assistant = "parot"', 4, 'did you mean "parrot"?'),
        ('plugin = "parrot"', 'plugin = "parrot"\nenabled = false', 4, "switched off"),
        ('plugin = "parrot"', 'plugin = "line"', 18, '"line" is a channel, not an assistant'),
        ('plugin = "line"', 'plugin = "parrot"', 3, '"parrot" is an assistant, not a channel'),
    ],
    ids=["misspelt", "switched off", "a channel", "an assistant"],
)
def test_check_says_where_it_is_wrong(
    tmp_path: Path, before: str, after: str, line: int, said: str
) -> None:
    config = CONFIG.format(folder=tmp_path, key=KEY).replace(before, after, 1)
    hub = HubProcess(tmp_path / "hub", config=config, environ=ENVIRON)
    checked = hub.run("check")
    told = [one for one in (checked.stdout + checked.stderr).splitlines() if said in one]
    assert (checked.returncode, len(told)) == (2, 1)
    assert f"hub.toml:{line}: " in told[0]


def test_one_of_another_organisation_is_none_of_ours(tmp_path: Path) -> None:
    two = '[[organisations]]\nslug = "main"\n\n[[organisations]]\nslug = "branch"\n\n'
    text = CONFIG.format(folder=tmp_path, key=KEY).replace(
        'id = "', 'organisation = "main"\nid = "'
    )
    ours, _, theirs = text.partition("[[assistants]]")
    theirs = theirs.replace('"main"', '"branch"')
    config = f"{two}{ours}[[assistants]]{theirs}"
    checked = HubProcess(tmp_path / "hub", config=config, environ=ENVIRON).run("check")
    assert "no [[assistants]] of this organisation has this id" in checked.stdout + checked.stderr
