"""What a stream tells besides the entries themselves: counts, and how conversations are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.sync.client import ClientConnection

from tests.hubs import PASSWORD, Client, HubProcess, running_hub
from tests.patience import PATIENCE
from tests.stream.test_withdrawn import CONFIG, watching

NUMBER = "+12025550001"
SHOW = json.dumps({"show": {"status": "open", "filter": "all"}})


@pytest.fixture(scope="module")
def hub() -> Iterator[HubProcess]:
    with running_hub(config=CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def ana(hub: HubProcess) -> Client:
    return hub.client()


def told(socket: ClientConnection, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first message that is ``wanted``."""
    while True:
        message = json.loads(socket.recv(timeout=PATIENCE))
        if wanted(message):
            return message


def is_counts(message: dict[str, Any]) -> bool:
    return message.get("type") == "counts"


@pytest.mark.feature("RT-01", "RT-03")
def test_who_says_what_they_show_is_sent_its_counts_though_nothing_happens(ana: Client) -> None:
    """Whoever comes back has missed those that were sent meanwhile."""
    ana.text(NUMBER, "Is anybody there?", channel="front")
    position = int(ana.http.get(ana.path("threads")).headers["X-Position"])
    with watching(ana, since=position) as socket:
        for _ in range(2):
            socket.send(SHOW)
            counts = told(socket, is_counts)
            assert counts["position"] >= position
            assert counts["counts"]["status"]["open"] == 1
            assert counts["counts"]["unread_total"] == 1


@pytest.mark.feature("PERM-03", "RT-01")
def test_a_limited_role_is_told_how_its_conversations_are_whatever_changed_them(
    hub: HubProcess, ana: Client
) -> None:
    """A customer writes again on a channel that it does not see: the conversation is open again
    and needs a response; what was written is not told."""
    ana.post("roles", {"name": "Front", "capabilities": ["messages.view"], "channels": ["front"]})
    words = ("--name", "Lena", "--role", "Front", "--password-stdin")
    hub.run("user", "add", "lena@example.com", *words, input_=PASSWORD + "\n")
    lena = hub.client("lena@example.com", PASSWORD)
    ana.text(NUMBER, "Thank you", channel="front")
    thread = ana.threads()[0]["id"]
    ana.patch(f"threads/{thread}", {"status": "closed"})
    with watching(lena, since=int(lena.http.get(lena.path("threads")).headers["X-Position"])) as it:
        ana.text(NUMBER, "One thing more", channel="workshop")
        ana.text("+12025550002", "A stranger", channel="workshop")
        ana.text("+12025550002", "A stranger again", channel="front")
        changes: list[dict[str, Any]] = []
        while not any("again" in str(change) for change in changes):
            changes += json.loads(it.recv(timeout=PATIENCE)).get("changes", [])
    rows = [one["thread"] for one in changes if one["type"] == "thread.changed"]
    (row, *_) = [one for one in rows if one["id"] == thread]
    assert (row["status"], row["needs_response"]) == ("open", True)
    assert (row["preview"]["text"], row["channel_ids"]) == ("Thank you", ["front"])
    assert "One thing more" not in str(changes)
    said = [one["entry"]["text"] for one in changes if one["type"] == "entry.added"]
    assert "A stranger again" in said
    assert "A stranger" not in said


@pytest.mark.feature("RT-01")
def test_what_became_of_a_conversation_is_answered_with_its_position(ana: Client) -> None:
    """So that a page can tell it from what the stream brings, whichever comes first."""
    ana.text(NUMBER, "Once more", channel="front")
    thread = ana.threads()[0]["id"]
    newest = ana.entries(thread)[-1]["id"]
    position = int(ana.http.get(ana.path("threads")).headers["X-Position"])
    for method, rest, wanted in (
        ("POST", "/read", {"up_to": newest}),
        ("POST", "/unread", None),
        ("PATCH", "", {"status": "closed"}),
    ):
        answer = ana.call(method, f"threads/{thread}{rest}", wanted)
        assert answer.is_success, answer.text
        assert int(answer.headers["X-Position"]) > position
        position = int(answer.headers["X-Position"])
        (row,) = [one for one in ana.threads() if one["id"] == thread]
        assert answer.json() == row
