"""Who a contact is: read and said by members, told to everybody who looks, kept in the audit."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hubs import Client
from tests.inbox.test_list import written

FACTS = ("name", "property_address", "account", "lead_id")


def facts(contact: dict[str, Any]) -> dict[str, Any]:
    return {name: contact[name] for name in FACTS}


def test_what_is_said_of_a_contact_is_what_everybody_sees(client: Client, phone: str) -> None:
    thread = written(client, phone)
    contact = f"contacts/{thread['contact']['id']}"
    assert facts(client.get(contact)) == dict.fromkeys(FACTS)
    position = client.http.get(client.path("threads")).headers["X-Position"]
    said = {"name": "Ines Otero", "account": "Otero Ltd"}
    assert facts(client.patch(contact, said)) == {**dict.fromkeys(FACTS), **said}
    told = client.get("changes", since=position, wait=25)["changes"]
    assert [(one["type"], one["thread"]["id"]) for one in told] == [
        ("thread.changed", thread["id"])
    ]
    shown = client.get(f"threads/{thread['id']}")
    assert shown["contact"]["display"] == "Ines Otero"
    assert facts(shown["details"])["account"] == "Otero Ltd"
    lines = client.get("audit", object_kind="contact", object_id=thread["contact"]["id"])["items"]
    assert [(one["action"], one["before"], one["after"]) for one in lines] == [
        ("contact.account", None, "Otero Ltd"),
        ("contact.name", None, "Ines Otero"),
    ]
    assert lines[0]["object"]["name"] == "Ines Otero"
    assert lines[0]["object"]["thread_id"] == thread["id"]
    client.patch(contact, said)
    again = client.get("audit", object_kind="contact", object_id=thread["contact"]["id"])["items"]
    assert again == lines, "nothing has changed"


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"account": "x" * 501}, 400),
        ({"account": 7}, 400),
        ({"nickname": "x"}, 400),
        ({"account": "x" * 500}, 200),
        ({}, 200),
    ],
)
def test_what_cannot_be_said_is_refused(
    client: Client, phone: str, given: dict[str, Any], status: int
) -> None:
    thread = written(client, phone)
    path = client.path(f"contacts/{thread['contact']['id']}")
    assert client.http.patch(path, json=given).status_code == status
    assert client.http.patch(client.path("contacts/1"), json={}).status_code == 404
