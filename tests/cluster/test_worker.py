"""``hub worker``: the background work in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import recorded
from tests.hubs import HubProcess, wait_for
from tests.standins.hub import TwilioHub
from tests.standins.twilio import Refuse, TwilioStandIn

CUSTOMER = "+12025557001"


def asked_for(twilio: TwilioStandIn) -> int:
    """How often the provider was asked to send to the customer."""
    return sum(
        request.method == "POST" and dict(request.form).get("To") == CUSTOMER
        for request in list(twilio.requests)
    )


@pytest.mark.feature("OPER-02")
def test_a_worker_sends_what_a_hub_that_is_gone_has_taken_in(
    postgres_url: str, tmp_path: Path
) -> None:
    with TwilioStandIn(recorded.path("openapi/twilio_api_v2010.json")) as twilio:
        hub = TwilioHub(tmp_path / "serve", twilio, postgres_url)
        worker = TwilioHub(tmp_path / "worker", twilio, postgres_url)
        twilio.moods[CUSTOMER] = Refuse(503, 20503)
        with hub:
            sending = {"channel_id": "sms", "to": CUSTOMER, "body": "On our way."}
            made = hub.client().post("messages", sending)
            wait_for(lambda: asked_for(twilio), what="the first attempt")
        asked = asked_for(twilio)
        del twilio.moods[CUSTOMER]
        worker.start_worker()
        try:
            wait_for(lambda: twilio.sent, what="the message", limit=40)
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


def test_on_sqlite_there_is_nothing_for_a_worker_to_do(tmp_path: Path) -> None:
    done = HubProcess(tmp_path).run("worker")
    assert done.returncode == 1
    assert done.stderr == (
        "hub: hub worker needs PostgreSQL: on SQLite one process, hub serve, does everything\n"
    )
