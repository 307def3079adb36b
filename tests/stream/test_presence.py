"""Who else is in a conversation, over real sockets and between processes."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa
from websockets.sync.client import ClientConnection

from hub.store import tables as t
from tests.hubs import Client, wait_for
from tests.patience import PATIENCE
from tests.stream.test_withdrawn import BENS_ROLE, Cluster, cluster, running, watching

__all__ = ["cluster", "running"]


def say(socket: ClientConnection, thread: str | None, *, typing: bool = False) -> None:
    socket.send(json.dumps({"at": {"thread": thread, "typing": typing}}))


def next_told(socket: ClientConnection) -> dict[str, Any]:
    """The next message about who is there."""
    while True:
        message = json.loads(socket.recv(timeout=PATIENCE))
        if message.get("type") == "presence":
            return message


def people(socket: ClientConnection) -> list[tuple[str, bool]]:
    return [(one["name"], one["typing"]) for one in next_told(socket)["people"]]


def arrived(client: Client, number: str, channel: str) -> str:
    """The conversation of somebody who has just written."""
    client.text(number, "Hello", channel=channel)
    shown = f"+1 {number[2:5]}-{number[5:8]}-{number[8:]}"
    return wait_for(lambda: client.thread_of(shown), what="the conversation")["id"]


def together(running: Cluster) -> bool:
    """Whether news of who is where goes between the two."""
    return len(running.hubs) == 1 or "HUB_REDIS_URL" in running.hubs[0].environ


@pytest.mark.feature("THRD-14")
def test_who_looks_types_and_leaves_is_told_to_who_is_there_too(cluster: Cluster) -> None:
    thread = arrived(cluster.ana, "+12025550031", "front")
    ben = cluster.hubs[0].client("ben@example.com", "another-good-password")
    if together(cluster):
        ben = cluster.watcher()
    with watching(cluster.ana) as anas, watching(ben) as bens:
        say(anas, thread)
        assert next_told(anas) == {"type": "presence", "thread_id": thread, "people": []}
        say(bens, thread)
        assert people(anas) == [("Ben", False)]
        assert people(bens) or people(bens), "at once, or as soon as the other process has told"
        say(bens, thread, typing=True)
        assert people(anas) == [("Ben", True)]
        say(bens, None)
        assert people(anas) == []
        say(bens, thread)
        assert people(anas) == [("Ben", False)]
        bens.close()
        assert people(anas) == [], "whose stream ends has left"


@pytest.mark.feature("THRD-14", "RT-05")
def test_who_may_not_see_a_conversation_is_neither_told_nor_shown(cluster: Cluster) -> None:
    hidden = arrived(cluster.ana, "+12025550032", "workshop")
    open_ = arrived(cluster.ana, "+12025550033", "front")
    mine = t.roles.c.id == BENS_ROLE
    cluster.change(sa.update(t.roles).where(mine).values(channel_ids='["front"]'))
    ben = cluster.hubs[0].client("ben@example.com", "another-good-password")
    with watching(cluster.ana) as anas, watching(ben) as bens:
        say(anas, hidden)
        assert people(anas) == []
        say(bens, hidden, typing=True)
        say(bens, "no such thing")
        say(bens, open_)
        assert next_told(bens) == {"type": "presence", "thread_id": open_, "people": []}
        say(anas, hidden)
        assert people(anas) == []
        say(anas, open_)
        assert people(anas) == [("Ben", False)], "the first that she is told of him"
