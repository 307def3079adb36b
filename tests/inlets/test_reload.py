"""A changed configuration while channels poll and listen: who follows begins when who was there
before has ended, and nothing is missed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from hub.store import tables as t
from tests import books
from tests.host.unruly import PLUGINS
from tests.hubs import wait_for
from tests.inlets.conftest import configured
from tests.reload.test_reload import Reloading
from tests.standins.courier import Courier

WAYS = ("poll", "listen")


@pytest.mark.feature("PLUG-02", "PLUG-04")
def test_a_changed_channel_goes_on_where_it_was(
    database_url: str, tmp_path: Path, courier: Courier
) -> None:
    parts = [configured(courier, f"courier-{way}", tmp_path, id_=way) for way in WAYS]
    hub = Reloading(
        tmp_path,
        config="".join(parts),
        database_url=database_url,
        environ={"PYTHONPATH": str(PLUGINS)},
    )
    written: list[str] = []

    def write_and_wait(what: str, ways: tuple[str, ...] = WAYS) -> None:
        texts = [f"{what} {number}" for number in range(6)]
        written.extend(texts)
        courier.write(*texts)
        wait_for(
            lambda: all(sorted(_texts(database_url)[way]) == sorted(written) for way in ways),
            what=what,
        )

    with hub:
        write_and_wait("as it was")
        assert courier.listened == 1
        hub.change("every = 1.0", "every = 1.5")
        hub.reloaded()
        write_and_wait("changed")
        assert courier.listened == 2
        hub.write(parts[0])
        hub.reloaded()
        wait_for(lambda: not courier.listening, what="the end of the connection")
        write_and_wait("taken out", ("poll",))
        hub.write("".join(parts))
        hub.reloaded()
        write_and_wait("there again")
        assert hub.stop() == 0
    assert courier.most_polling == 1
    assert courier.most_listening == 1
    asyncio.run(books.read(database_url, books.check))


def _texts(url: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {way: [] for way in WAYS}
    for entry in asyncio.run(books.read(url, lambda connection: books.rows(connection, t.entries))):
        found[entry.channel_id].append(json.loads(entry.content)["text"])
    return found
