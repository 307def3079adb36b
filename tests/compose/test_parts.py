"""Files that stand in what has arrived: they are to be had though the provider has lost them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.compose.conftest import Desk
from tests.events.test_messages import message
from tests.hubs import wait_for


@pytest.mark.parametrize("padding", [0, 200_000], ids=["in the row", "in a blob"])
def test_a_part_is_fetched_out_of_the_delivery(desk: Desk, phone: str, padding: int) -> None:
    (desk.folder / "lost").touch()
    media = [{"part": 1, "name": "b.txt", "content_type": "text/plain"}]
    events = [message(phone, "1", "See", media=media)]
    desk.deliver(do="events", events=events, files=["first", "second"], padding="x" * padding)
    thread = desk.thread(phone)
    desk.deliver(do="events", events=events, files=["other", "bytes"])  # the same, told again

    def tried() -> bool:
        file = desk.folder / "fetched"
        return file.exists() and bool(file.read_text())

    wait_for(tried, what="the first try")
    (entry,) = desk.client.entries(thread["id"])
    assert [one["state"] for one in entry["attachments"]] == ["pending"]
    (desk.folder / "lost").unlink()
    entry = desk.entry(entry, lambda one: one["attachments"][0]["state"] == "ready")
    got = desk.client.http.get(entry["attachments"][0]["url"]).text
    (first,) = [
        one["id"]
        for one in desk.client.get("channels/odd/deliveries")["items"]
        if _brought(desk, one["id"], entry["id"])
    ]
    assert got == f"{first} second"


def _brought(desk: Desk, delivery_id: str, entry_id: str) -> bool:
    found: Any = desk.client.get(f"channels/odd/deliveries/{delivery_id}")
    return entry_id in json.dumps(found["entries"])
