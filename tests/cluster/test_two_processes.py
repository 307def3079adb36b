"""What two processes do at the same moment on one database comes out as if one had done it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count, islice
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from hub.store import tables as t
from tests import books
from tests.cluster.conftest import Cluster
from tests.hubs import Client, wait_for
from tests.standins.hub import TwilioHub
from tests.standins.twilio import ACCOUNT, NUMBER, Hang, Stored

Fields = list[tuple[str, str]]
GATED = ["messages.view", "messages.send_gated"]
APPROVER = ["messages.view", "messages.send", "messages.approve"]
_sids = count(1)


@pytest.fixture(autouse=True)
def books_are_right(cluster: Cluster) -> Iterator[None]:
    """After every test all that is counted is what the entries say."""
    yield
    look(cluster, books.check)


def look(cluster: Cluster, work: Callable[[Connection], Any]) -> Any:
    return asyncio.run(books.read(cluster.database, work))


def change(cluster: Cluster, work: Callable[[Connection], None]) -> None:
    asyncio.run(books.write(cluster.database, work))


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """Call all of them at the same moment; what they returned."""
    ready = threading.Barrier(len(calls))

    def call(one: Callable[[], Any]) -> Any:
        ready.wait()
        return one()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


def text(phone: str, body: str = "Hello") -> Fields:
    """A webhook of a new message."""
    return [
        ("MessageSid", f"MM{next(_sids):032x}"),
        ("AccountSid", ACCOUNT),
        ("From", phone),
        ("To", NUMBER),
        ("Body", body),
    ]


def deliver(cluster: Cluster, hub: TwilioHub, fields: Fields) -> int:
    return cluster.twilio.post(hub.hook, fields).status_code


def entries_with(cluster: Cluster, phone: str) -> list[Any]:
    """The entries with a number, in the order of the thread."""
    own = t.entries.c
    statement = sa.select(t.entries).where(own.address == phone).order_by(own.seq)
    return look(cluster, lambda connection: connection.execute(statement).all())


def write(client: Client, phone: str, body: str, key: str | None = None) -> dict[str, Any]:
    return client.post("messages", {"channel_id": "sms", "to": phone, "body": body}, key=key)


def until(client: Client, made: dict[str, Any], status: str) -> None:
    """Wait until an entry has a status."""

    def reached() -> bool:
        entries = client.entries(made["thread_id"], limit=100)
        return any(one["id"] == made["id"] and one["status"] == status for one in entries)

    wait_for(reached, what=f"{made['id']} to be {status}")


def sent_to(cluster: Cluster, phone: str) -> list[Stored]:
    return [one for one in cluster.twilio.sent if one.resource["to"] == phone]


# ---- what waits for approval


@pytest.mark.feature("APPR-02")
def test_two_who_approve_on_two_processes_send_it_once(
    cluster: Cluster, phones: Iterator[str]
) -> None:
    password = "another-good-password"
    for name, capabilities in (("gil", GATED), ("ada", APPROVER)):
        cluster.hubs[0].run("user", "add", f"{name}@example.com", "--name", name.title(),
                            "--password-stdin", input_=f"{password}\n")  # fmt: skip
        change(cluster, partial(give, f"{name}@example.com", capabilities))
    gil = cluster.hubs[0].client("gil@example.com", password)
    ada = cluster.hubs[1].client("ada@example.com", password)
    for phone in islice(phones, 6):
        made = write(gil, phone, f"Gated for {phone}")
        assert made["status"] == "pending_approval"
        path = f"approvals/{made['id']}/approve"
        won, lost = sorted(
            at_once([partial(one.call, "POST", path, {}) for one in (cluster.clients[0], ada)]),
            key=lambda answer: answer.status_code,
        )
        assert (won.status_code, lost.status_code) == (200, 409)
        assert lost.json()["code"] == "already_decided"
        assert lost.json()["decision"]["by"] == won.json()["entry"]["approval"]["decided_by"]
        until(cluster.clients[0], made, "queued")
        assert len(sent_to(cluster, phone)) == 1


def give(email: str, capabilities: list[str], connection: Connection) -> None:
    """A role of their own to a member."""
    org = connection.execute(sa.select(t.organisations.c.id)).scalar_one()
    user = sa.select(t.users.c.id).where(t.users.c.email == email).scalar_subquery()
    role = {
        "id": 7_000 + len(capabilities), "organisation_id": org, "name": f"Of {email}",
        "created_at": 0, "capabilities": json.dumps(capabilities),
    }  # fmt: skip
    connection.execute(sa.insert(t.roles), [role])
    mine = t.members.c.user_id == user
    connection.execute(sa.update(t.members).where(mine).values(role_id=role["id"]))


# ---- what arrives


@pytest.mark.feature("ROUT-01", "ROUT-06")
def test_the_same_text_on_both_at_once_is_one_entry(
    cluster: Cluster, phones: Iterator[str]
) -> None:
    for phone in islice(phones, 12):
        fields = text(phone)
        posts = [partial(deliver, cluster, hub, fields) for hub in cluster.hubs * 2]
        assert at_once([*posts]) == [200] * 4
        (entry,) = entries_with(cluster, phone)
        assert entry.seq == 1


@pytest.mark.feature("ROUT-01")
def test_texts_of_a_stranger_on_both_at_once_are_one_conversation(
    cluster: Cluster, phones: Iterator[str]
) -> None:
    for phone in islice(phones, 12):
        posts = [partial(deliver, cluster, hub, text(phone)) for hub in cluster.hubs * 2]
        assert at_once([*posts]) == [200] * 4
        entries = entries_with(cluster, phone)
        assert [entry.seq for entry in entries] == [1, 2, 3, 4]
        assert len({entry.thread_id for entry in entries}) == 1


def test_positions_are_seen_in_order(cluster: Cluster, phones: Iterator[str]) -> None:
    """Whoever sees a position sees all before it, at every moment."""
    posts = [
        partial(deliver, cluster, hub, text(phone))
        for phone in islice(phones, 20)
        for hub in cluster.hubs
    ]
    own = t.journal.c
    statement = sa.select(sa.func.count(), sa.func.max(own.position))
    done = threading.Event()

    def watch() -> list[int]:
        seen: list[int] = []
        while not done.is_set():
            number, last = look(cluster, lambda connection: connection.execute(statement).one())
            assert number == last
            seen.append(last)
        return seen

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        assert set(at_once([*posts])) == {200}
        done.set()
        seen = watching.result()
    assert seen == sorted(seen)


# ---- what goes out


@pytest.mark.feature("OPER-03", "THRD-03")
def test_receipts_on_one_before_the_other_knows_the_message(
    cluster: Cluster, phones: Iterator[str]
) -> None:
    """``sent`` comes before the request is answered, ``delivered`` while the answer is recorded;
    both on the other process, and by Twilio's id alone."""
    reporting: list[threading.Thread] = []

    def report(message: Stored, status: str) -> None:
        named = [("MessageSid", message.sid), ("AccountSid", ACCOUNT)]
        other = next(h for h in cluster.hubs if h.hook not in (message.status_callback or ""))
        assert deliver(cluster, other, [*named, ("MessageStatus", status)]) == 200

    def made(message: Stored) -> None:
        report(message, "sent")
        thread = threading.Thread(target=report, args=(message, "delivered"))
        reporting.append(thread)
        thread.start()

    cluster.twilio.made = made
    try:
        messages = [write(cluster.clients[0], phone, "Race") for phone in islice(phones, 40)]
        for message in messages:
            until(cluster.clients[0], message, "delivered")
    finally:
        cluster.twilio.made = lambda _: None
        for thread in reporting:
            thread.join()


@pytest.mark.feature("OPER-03")
def test_each_message_goes_out_once_and_in_order(cluster: Cluster, phones: Iterator[str]) -> None:
    few = list(islice(phones, 6))
    texts = [f"number {number}" for number in range(10)]

    def talk(phone: str) -> dict[str, Any]:
        """Write to one customer, by turns on both processes; the last message."""
        *_, last = (write(cluster.clients[n % 2], phone, body) for n, body in enumerate(texts))
        return last

    for last in at_once([partial(talk, phone) for phone in few]):
        until(cluster.clients[0], last, "queued")
    for phone in few:
        assert [one.body for one in sent_to(cluster, phone)] == texts


@pytest.mark.feature("OPER-03")
def test_the_same_request_on_both_at_once_sends_once(
    cluster: Cluster, phones: Iterator[str]
) -> None:
    for phone in islice(phones, 8):
        asked = [partial(write, client, phone, "Once", phone) for client in cluster.clients]
        first, second = at_once([*asked])
        assert first["id"] == second["id"]
        until(cluster.clients[0], first, "queued")
        assert len(sent_to(cluster, phone)) == 1


# ---- what members do


@pytest.mark.feature("ASGN-01", "ASGN-02")
def test_members_change_the_same_conversation_on_both_at_once(
    cluster: Cluster, phones: Iterator[str]
) -> None:
    phone = next(phones)
    deliver(cluster, cluster.hubs[0], text(phone))
    (message,) = entries_with(cluster, phone)
    path = f"threads/{message.thread_id}"
    me = cluster.clients[0].get("members")[0]["id"]
    for change in ({"status": "closed"}, {"assignee_id": me}, {"status": "open"}):
        at_once([partial(client.patch, path, change) for client in cluster.clients])
    read = {"up_to": str(message.id)}
    at_once([partial(client.post, f"{path}/read", read) for client in cluster.clients])
    for client in cluster.clients:
        thread = client.get(path)
        assert (thread["status"], thread["unread"]) == ("open", 0)
        assert thread["assignee"]["id"] == me
    entries = cluster.clients[1].entries(str(message.thread_id))
    done = Counter(one["event"]["type"] for one in entries if one["kind"] == "system")
    assert done == {"closed": 1, "assigned": 1, "reopened": 1}


@pytest.mark.feature("RT-01")
def test_what_happens_on_one_is_told_on_the_other(cluster: Cluster, phones: Iterator[str]) -> None:
    client = cluster.clients[1]
    since = client.http.get(client.path("threads")).headers["X-Position"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.get, "changes", since=since, wait=20)
        deliver(cluster, cluster.hubs[0], text(next(phones), "News"))
        frame = waiting.result()
    added = [one["entry"] for one in frame["changes"] if one["type"] == "entry.added"]
    assert [one["blocks"][0]["text"] for one in added] == ["News"]


@pytest.mark.feature("PERM-06")
def test_settings_changed_on_one_are_in_force_on_the_other(cluster: Cluster) -> None:
    first, second = cluster.clients
    for start in ("20:00", "21:30"):
        quiet = {"on": False, "start": start, "end": "08:00"}
        first.patch("settings", {"quiet_hours": quiet})
        wait_for(lambda quiet=quiet: second.get("settings")["quiet_hours"] == quiet)
    with ThreadPoolExecutor(2) as pool:  # different sections at the same moment: both are kept
        hours = pool.submit(first.patch, "settings", {"hours": {"sunday": []}})
        words = pool.submit(second.patch, "settings", {"consent": {"languages": ["nl"]}})
        hours.result()
        words.result()

    def both(client: Client) -> bool:
        found = client.get("settings")
        return (found["hours"]["sunday"], found["consent"]["languages"]) == ([], ["nl"])

    for client in cluster.clients:
        wait_for(partial(both, client), what="both changes")


# ---- one of them dies


@pytest.mark.feature("OPER-03")
def test_the_other_looks_after_what_a_killed_process_was_sending(
    cluster: Cluster, phones: Iterator[str]
) -> None:
    phone = next(phones)
    cluster.twilio.moods[phone] = Hang(after=True)
    made = write(cluster.clients[0], phone, "Is anybody there?")
    (message,) = wait_for(lambda: sent_to(cluster, phone), what="the request")
    sender, other = cluster.hubs, cluster.clients[::-1]
    place = 0 if sender[0].hook in (message.status_callback or "") else 1
    sender[place].kill()
    try:
        until(other[place], made, "queued")
        assert len(sent_to(cluster, phone)) == 1
    finally:
        sender[place].start()
