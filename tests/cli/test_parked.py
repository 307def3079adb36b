"""``hub parked``: what an operator does about work that was put aside."""

from __future__ import annotations

import asyncio
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from hub.flow.host import now_ms
from hub.store import notices
from hub.store import tables as t
from tests import books
from tests.cli.test_commands import hub


def test_it_is_listed_tried_again_and_dropped(tmp_path: Path) -> None:
    assert hub(tmp_path, "parked", "list", anew=True).stdout == "Nothing was put aside.\n"
    url = f"sqlite:///{tmp_path / 'data' / 'hub.db'}"

    def fill(connection: Connection) -> None:
        (organisation,) = books.rows(connection, t.organisations)
        for id_, state in ((11, "failed"), (12, "unknown"), (13, "failed")):
            notices.queue_text(
                connection,
                id_,
                organisation_id=organisation.id,
                recipient="+15550100001",
                text="The code is KIWI-HARBOUR",
                now=now_ms(),
            )
            ended = sa.update(t.notices).where(t.notices.c.id == id_)
            connection.execute(ended.values(state=state, reason="refused"))
        parked = {
            "consumer": "gone", "organisation_id": organisation.id, "position": 3,
            "reason": "ValueError: no", "at": now_ms(),
        }  # fmt: skip
        connection.execute(t.parked.insert(), [parked])

    asyncio.run(books.write(url, fill))
    listed = hub(tmp_path, "parked", "list")
    assert (listed.returncode, listed.stderr) == (0, "")
    lines = listed.stdout.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("notice:11  main  ")
    assert lines[0].endswith("text to +15550100001, failed: refused")
    change = next(line.split()[0] for line in lines if line.startswith("change:gone:"))
    assert "KIWI-HARBOUR" not in listed.stdout

    done = hub(tmp_path, "parked", "drop", "notice:13", "notice:99")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "notice:13: dropped",
        "notice:99: notice:99 is not put aside",
    ]
    done = hub(tmp_path, "parked", "retry")
    assert done.returncode == 2
    assert done.stderr == "hub: name what to try again, or say --all\n"
    done = hub(tmp_path, "parked", "retry", "--all")
    assert done.returncode == 1
    assert sorted(done.stdout.splitlines()) == [
        f"{change}: nothing here is called gone: is its extension switched on?",
        "notice:11: waits to be done",
    ]
    done = hub(tmp_path, "parked", "retry", "notice:12")
    assert (done.returncode, done.stdout) == (0, "notice:12: waits to be done\n")
    assert hub(tmp_path, "parked", "drop", change).returncode == 0
    assert hub(tmp_path, "parked", "list").stdout == "Nothing was put aside.\n"
