"""Notes: who is mentioned in them is told, and their author can correct them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.store import tables as t
from tests.hubs import Client, wait_for
from tests.inbox.test_list import shown, written
from tests.mailboxes import Taker
from tests.people.conftest import House, mailing_house
from tests.people.signing_in import mailed_to


@pytest.mark.feature("THRD-05")
def test_its_author_corrects_a_note_and_what_it_said_stays_readable(
    client: Client, ben: Client, phone: str
) -> None:
    thread = written(client, phone)
    note = client.post(f"threads/{thread['id']}/notes", {"body": "They paid 100."})
    assert (note["edited_at"], note["wordings"]) == (None, [])
    path = f"entries/{note['id']}/correct"
    refused = ben.call("POST", path, {"body": "They paid nothing."})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_the_author")
    for empty in ("", " \n "):
        refused = client.call("POST", path, {"body": empty})
        assert (refused.status_code, refused.json()["code"]) == (422, "bad_note")

    assert client.post(path, {"body": "They paid 100."}) == note, "nothing was changed"
    since = client.http.get(client.path("threads")).headers["X-Position"]
    corrected = client.post(path, {"body": "They paid 120."})
    assert (corrected["text"], corrected["blocks"][0]["text"]) == ("They paid 120.",) * 2
    assert [one["text"] for one in corrected["wordings"]] == ["They paid 100."]
    assert corrected["occurred_at"] == note["occurred_at"]
    again = ben.entries(thread["id"])[-1]
    assert again == corrected
    row = client.thread_of(shown(phone))
    assert row is not None
    assert row["preview"]["text"] == "They paid 120."
    changes = client.get("changes", since=since)["changes"]
    (told,) = [one for one in changes if one.get("entry", {}).get("id") == note["id"]]
    assert (told["type"], told["entry"]["text"]) == ("entry.changed", "They paid 120.")
    assert thread["id"] in [one["id"] for one in client.threads(q="paid 120")]
    assert thread["id"] not in [one["id"] for one in client.threads(q="paid 100")]

    client.post(path, {"body": "They paid 130."})
    wordings = client.entries(thread["id"])[-1]["wordings"]
    assert [one["text"] for one in wordings] == ["They paid 100.", "They paid 120."]
    assert "paid" not in str(client.phone(phone))


@pytest.mark.feature("THRD-05", "THRD-12")
def test_what_is_no_note_cannot_be_corrected(client: Client, phone: str) -> None:
    thread = written(client, phone)
    (message,) = client.entries(thread["id"])
    refused = client.call("POST", f"entries/{message['id']}/correct", {"body": "x"})
    assert refused.json()["code"] == "not_a_note"
    refused = client.call("POST", "entries/12345/correct", {"body": "x"})
    assert refused.status_code == 404


@pytest.mark.feature("THRD-05")
def test_a_note_says_whom_it_mentions(client: Client, ben: Client, phone: str) -> None:
    thread = written(client, phone)
    id_ = ben.me["organisations"][0]["member_id"]
    mentions = [{"member_id": id_, "name": "Ben"}]
    path = f"threads/{thread['id']}/notes"
    note = client.post(path, {"body": "@ben, can you call them? Not @nobody."})
    assert note["mentions"] == mentions
    assert ben.entries(thread["id"])[-1]["mentions"] == mentions
    assert client.post(path, {"body": "Ben knows"})["mentions"] == []
    corrected = client.post(f"entries/{note['id']}/correct", {"body": "Never mind"})
    assert corrected["mentions"] == []


@pytest.fixture(scope="module")
def mailing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Taker]]:
    with mailing_house(tmp_path_factory.mktemp("mailing")) as made:
        yield made


@pytest.mark.feature("THRD-05", "ALRT-04", "PERM-03")
def test_who_is_mentioned_is_mailed_if_they_want_that_and_may_see_it(
    mailing: tuple[House, Taker],
) -> None:
    house, taker = mailing
    ana = house.ana
    ana.text("+12025557001", "My secret", channel="front")
    (thread,) = wait_for(ana.threads, what="the conversation")
    one, other = house.add(), house.add()
    role = {"name": "Workshop", "capabilities": ["messages.view"], "channels": ["workshop"]}
    ana.patch(f"members/{other.member_id}", {"role_id": ana.post("roles", role)["id"]})
    for person in (one, other):
        person.client.patch("membership", {"assignment_mail": True})
    before = len(house.rows(t.notices))

    body = f"@{one.email} and @{other.email}: the code is 4711"
    note = ana.post(f"threads/{thread['id']}/notes", {"body": body})
    assert [each["member_id"] for each in note["mentions"]] == [one.member_id], "who may see it"
    said = mailed_to(taker, one.email)
    assert f"/messages?conversation={thread['id']}" in said
    assert ana.me["name"] in said
    assert "mentioned you" in said
    assert "4711" not in said
    assert len(house.rows(t.notices)) == before + 1

    ana.post(f"entries/{note['id']}/correct", {"body": body.replace("4711", "4712")})
    path = f"threads/{thread['id']}/notes"
    one.client.post(path, {"body": f"I am @{one.email}"})
    assert len(house.rows(t.notices)) == before + 1, "told once, and not of oneself"
    one.client.patch("membership", {"assignment_mail": False})
    ana.post(path, {"body": f"@{one.email} once more"})
    assert len(house.rows(t.notices)) == before + 1
