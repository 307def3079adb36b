"""``hub worker``: the background work in a process of its own."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests import books, recorded
from tests.hubs import Client, HubProcess, wait_for
from tests.standins.hub import TwilioHub
from tests.standins.twilio import Refuse, TwilioStandIn

CUSTOMER = "+12025557001"
MESSAGES = 40


def asked_for(twilio: TwilioStandIn) -> int:
    """How often the provider was asked to send to the customer."""
    return sum(
        request.method == "POST" and dict(request.form).get("To") == CUSTOMER
        for request in list(twilio.requests)
    )


@pytest.mark.feature("OPER-02")
def test_a_worker_sends_what_a_hub_that_is_gone_has_taken_in(
    migrated_postgres_url: str, tmp_path: Path
) -> None:
    with TwilioStandIn(recorded.path("openapi/twilio_api_v2010.json")) as twilio:
        hub = TwilioHub(tmp_path / "serve", twilio, migrated_postgres_url)
        worker = TwilioHub(tmp_path / "worker", twilio, migrated_postgres_url)
        twilio.moods[CUSTOMER] = Refuse(503, 20503)
        with hub:
            sending = {"channel_id": "sms", "to": CUSTOMER, "body": "On our way."}
            made = hub.client().post("messages", sending)
            wait_for(lambda: asked_for(twilio), what="the first attempt")
        asked = asked_for(twilio)
        del twilio.moods[CUSTOMER]
        worker.start_worker()
        try:
            wait_for(lambda: twilio.sent, what="the message")
            assert asked_for(twilio) == asked + 1
        finally:
            assert worker.stop() == 0
        with hub.start():
            (entry,) = hub.client().entries(made["thread_id"])
            assert entry["status"] in {"queued", "sent", "delivered"}


@pytest.mark.feature("OPER-02")
def test_a_worker_leaves_the_first_admin_to_a_hub_that_can_show_the_password(
    postgres_url: str, tmp_path: Path
) -> None:
    worker = HubProcess(tmp_path / "worker", database_url=postgres_url)
    worker.start_worker()
    hub = HubProcess(tmp_path / "serve", database_url=postgres_url)
    try:
        with hub:
            assert "Sign in as   ana@example.com" in hub.output
    finally:
        assert worker.stop() == 0
    assert "Sign in" not in worker.output


@pytest.mark.feature("OPER-02", "OPER-03", "RT-03")
def test_two_hubs_and_a_worker_keep_positions_in_order_and_send_nothing_twice(
    migrated_postgres_url: str, redis_url: str, tmp_path: Path
) -> None:
    """All three look for what is to be sent; members write on both, and one of them watches."""
    environ = {"HUB_REDIS_URL": redis_url, "HUB_LEASE_MS": "1000"}
    with TwilioStandIn(recorded.path("openapi/twilio_api_v2010.json")) as twilio:
        first, second, worker = (
            TwilioHub(tmp_path / name, twilio, migrated_postgres_url, environ=environ)
            for name in ("first", "second", "worker")
        )
        with first, second:
            worker.start_worker()
            clients = [first.client(), second.client()]

            def write(number: int) -> dict[str, Any]:
                """A message to one of a few customers, asked for on both hubs at once."""
                wanted = {"channel_id": "sms", "to": f"+1202555{number % 5 + 6000}"}
                body = {**wanted, "body": f"Number {number}"}
                with ThreadPoolExecutor(2) as both:
                    made = list(
                        both.map(lambda one: one.post("messages", body, key=str(number)), clients)
                    )
                assert made[0]["id"] == made[1]["id"]
                return made[0]

            try:
                with ThreadPoolExecutor(4) as pool:
                    watching = pool.submit(follow, clients[1], MESSAGES)
                    made = list(pool.map(write, range(MESSAGES)))
                    shown = watching.result()
                assert sorted(shown) == sorted(one["id"] for one in made), "each is told once"
                wait_for(lambda: len(twilio.sent) >= MESSAGES, what="all messages")
            finally:
                assert worker.stop() == 0
        assert sorted(one.body for one in twilio.sent) == sorted(
            f"Number {number}" for number in range(MESSAGES)
        )
        senders = {(one.status_callback or "").partition("/hooks")[0] for one in twilio.sent}
        assert len(senders) > 1, "more than one process has sent"
        assert twilio.spec_errors == []
    asyncio.run(books.read(migrated_postgres_url, books.check))


def follow(client: Client, entries: int) -> list[str]:
    """Ask for what is new again and again: positions join without a gap. The entries that were
    added, until there are so many."""
    position, added = 0, list[str]()
    while len(added) < entries:
        frame = client.get("changes", since=position, wait=20)
        assert frame["from"] == position
        places = [one["position"] for one in frame["changes"]]
        assert places == sorted(places)
        assert all(position < place <= frame["to"] for place in places)
        added += [one["entry"]["id"] for one in frame["changes"] if one["type"] == "entry.added"]
        position = frame["to"]
    return added


def test_on_sqlite_there_is_nothing_for_a_worker_to_do(tmp_path: Path) -> None:
    done = HubProcess(tmp_path).run("worker")
    assert done.returncode == 1
    assert done.stderr == (
        "hub: hub worker needs PostgreSQL: on SQLite one process, hub serve, does everything\n"
    )
