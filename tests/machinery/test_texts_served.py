"""A text that is no conversation, through the simulator of a running hub."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from hub.flow.host import now_ms
from hub.store import notices
from hub.store import tables as t
from hub.store.ids import Ids
from tests import books
from tests.hubs import HubProcess, wait_for

CONFIG = """\
[[channels]]
id = "simulator"
plugin = "simulator"
[channels.settings]
numbers = ["+15550100001", "+15550100002"]

[[notices.texts]]
channel = "simulator"
from = "+15550100002"
"""
PHONE = "+12025550142"


def test_it_reaches_the_phone_and_makes_no_conversation(tmp_path: Path) -> None:
    with (
        HubProcess(tmp_path, config=CONFIG) as hub,
        contextlib.closing(hub.client()) as client,
    ):
        url = f"sqlite:///{tmp_path / 'data' / 'hub.db'}"

        def queue(connection: notices.Connection) -> None:
            (organisation,) = books.rows(connection, t.organisations)
            notices.queue_text(
                connection,
                Ids(900).new(),
                organisation_id=organisation.id,
                recipient=PHONE,
                text="Your code is 123456.",
                now=now_ms(),
            )

        asyncio.run(books.write(url, queue))

        def arrived() -> Any:
            events = f"{hub.base_url}/hooks/main/simulator/events"
            phone = client.http.get(events, params={"number": PHONE}).json()["phone"]
            return phone["messages"]

        (message,) = wait_for(arrived, what="the text")
        assert message["text"] == "Your code is 123456."
        assert message["own_number"] == "+15550100002"

        def receipts() -> int:
            count = sa.select(sa.func.count()).select_from(t.receipts)
            return asyncio.run(books.read(url, lambda connection: connection.scalar(count))) or 0

        wait_for(receipts, what="a receipt")  # of a message the hub has no entry of
        assert client.threads(status="all") == []
        (row,) = asyncio.run(books.read(url, lambda connection: books.rows(connection, t.notices)))
        assert (row.state, row.attempts) == ("sent", 1)
    assert "Traceback" not in hub.output
