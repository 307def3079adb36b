"""Whatever is sent to the API, by its own document and beyond it: the answer is never the hub's
fault, and always one that the document knows."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase
from schemathesis import GenerationMode

from tests.hubs import Client, HubProcess
from tests.web import asking

EXAMPLES = 4
ODD = st.sampled_from(["", "0", "\x00", "\ud800", "🙂" * 50, "'", '"', "%", "9" * 40, "-1", "null"])


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def member(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """An admin of a hub with a conversation in it."""
    url = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        url = server.url(server.create_database())
    folder = tmp_path_factory.mktemp("any")
    with (
        HubProcess(folder, database_url=url) as hub,
        contextlib.closing(hub.client()) as client,
    ):
        client.post("messages", {"channel_id": "simulator", "to": "+15550142001", "body": "x"})
        yield client
    assert '"request.failed"' not in hub.output
    assert "Exception in ASGI" not in hub.output


def real(name: str, client: Client) -> st.SearchStrategy[str]:
    """What a parameter of a path may be: what is there, and what cannot be."""
    thread = client.threads()[0]
    known = {
        "org": "main",
        "channel_id": "simulator",
        "thread_id": thread["id"],
        "entry_id": client.entries(thread["id"])[0]["id"],
    }
    return st.one_of(st.just(known.get(name, "1")), ODD.filter(lambda odd: odd.isascii() and odd))


OPERATIONS = [
    (path, method.upper())
    for path, methods in asking.DOCUMENT["paths"].items()
    for method in methods
    # These end the session or count against its owner.
    if path not in {"/api/v1/session", "/api/v1/me/password"}
]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_no_input_is_the_hubs_fault(member: Client, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_dict(asking.DOCUMENT)
    for path, method in OPERATIONS:
        operation = schema[path][method]
        places = {name: real(name, member) for name in re.findall(r"\{(\w+)\}", path)}

        @seed(20)
        @settings(
            max_examples=EXAMPLES,
            database=InMemoryExampleDatabase(),
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=[
                HealthCheck.filter_too_much,
                HealthCheck.function_scoped_fixture,
            ],
        )
        @given(
            case=operation.as_strategy(generation_mode=mode), place=st.fixed_dictionaries(places)
        )
        def check(case: Any, place: dict[str, str]) -> None:
            case.path_parameters = {**(case.path_parameters or {}), **place}
            headers = {"X-CSRF-Token": member.http.headers["X-CSRF-Token"]}
            answer = case.call(
                base_url=str(member.http.base_url),
                headers=headers,
                cookies=dict(member.http.cookies),
            )
            assert answer.status_code < 500, answer.text
            if answer.status_code >= 400:
                assert answer.headers["content-type"] == ["application/problem+json"]

        check()


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
