"""Odd texts, wherever a conversation takes one: the answer is never the hub's fault, on either
database. What the API's document tells of is in ``tests/security/test_document.py``."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase

from tests.hubs import Client, HubProcess

ODD = st.sampled_from(["", "0", "\x00", "\ud800", "🙂" * 50, "'", '"', "%", "9" * 40, "-1", "null"])


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def member(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """An admin of a hub with a conversation in it."""
    url = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        url = server.url(server.hub_database())
    folder = tmp_path_factory.mktemp("any")
    with (
        HubProcess(folder, database_url=url) as hub,
        contextlib.closing(hub.client()) as client,
    ):
        client.post("messages", {"channel_id": "simulator", "to": "+15550142001", "body": "x"})
        yield client
    assert '"request.failed"' not in hub.output
    assert "Exception in ASGI" not in hub.output


@settings(
    max_examples=40,
    database=InMemoryExampleDatabase(),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_odd_texts_are_no_fault_either(member: Client, data: st.DataObject) -> None:
    """What both databases, JSON and UTF-8 take differently."""
    text = data.draw(st.one_of(ODD, st.text(max_size=30)))
    thread = member.threads()[0]
    contact = thread["contact"]["id"]
    rest, body = data.draw(
        st.sampled_from(
            [
                (f"threads/{thread['id']}/notes", {"body": text}),
                (f"threads/{thread['id']}/messages",
                 {"channel_id": "simulator", "contact_id": contact, "body": text}),
                (f"threads/{thread['id']}/messages",
                 {"channel_id": text, "contact_id": text, "body": "x", "own_address": text}),
                ("messages", {"channel_id": "simulator", "to": text, "body": "x"}),
                ("messages", {"channel_id": "simulator", "to": "+15550142001", "body": "x",
                              "subject": text, "own_address": text, "attachment_ids": [text]}),
                (f"threads/{thread['id']}/read", {"up_to": text}),
            ]
        )
    )  # fmt: skip
    answer = member.call("POST", rest, body) if text.isprintable() else _raw(member, rest, body)
    assert answer.status_code < 500, answer.text


def _raw(member: Client, rest: str, body: Any) -> Any:
    """As JSON writes what UTF-8 cannot: escaped."""

    headers = {"Content-Type": "application/json"}
    return member.http.post(member.path(rest), content=json.dumps(body).encode(), headers=headers)
