"""A large mailbox, a hub that dies again and again, and a mailbox that others work in, too:
nothing is lost, nothing comes twice, and what was taken in stays."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.hubs import HubProcess, wait_for
from tests.mailboxes import Box
from tests.mailboxes import mail as write
from tests.patience import PATIENCE
from tests.services import DovecotServer

MAILS = int(os.environ.get("HUB_MAILS", "10000"))
"""A poll takes in a part of them; this many are more than a few polls."""
LATER = 300
KILLS = 4
CONFIG = """
[[organisations]]
slug = "main"
[[channels]]
id = "mail"
organisation = "main"
plugin = "email"
allow_hosts = ["localhost"]
[channels.settings]
address = "{box}"
password = "{password}"
imap_host = "localhost"
imap_port = {port}
imap_tls = "none"
since_beginning = true
smtp_host = "localhost"
"""


def numbered(number: int) -> bytes:
    sender = f"customer-{number % 40}@customer.example"
    return write(number, **{"from": sender, "message_id": f"<n-{number}@x.example>"})


def asked(folder: Path, statement: str) -> list[Any]:
    """Rows of the hub's database, which need not be there yet."""
    path = next((folder / "data").glob("*.db"), None)
    if path is None:
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=PATIENCE)) as database:
        return database.execute(statement).fetchall()


def subjects(folder: Path) -> Counter[str]:
    """The subjects of all messages, and how often each is there."""
    rows = asked(folder, "SELECT content FROM entries WHERE direction = 'in'")
    return Counter(json.loads(row[0])["subject"] for row in rows)


def count(folder: Path) -> int:
    """How many entries there are: each thread has counted its own."""
    rows = asked(folder, "SELECT coalesce(sum(seq), 0) FROM threads")
    return int(rows[0][0]) if rows else 0


@pytest.mark.timeout(1200)
@pytest.mark.feature("ROUT-01")
def test_a_large_mailbox(dovecot_server: DovecotServer, tmp_path: Path) -> None:
    chance = random.Random(11)
    box = Box(dovecot_server)
    paths = box.lay([numbered(number) for number in range(MAILS)])
    long_ago = time.time() - 400 * 86_400
    for path in paths:
        os.utime(path, (long_ago, long_ago))
    maildir = box.server.maildir(box.user)
    config = CONFIG.format(box=box.user, password=DovecotServer.PASSWORD, port=box.server.port)
    hub = HubProcess(tmp_path / "hub", config=config)
    gone: set[int] = set()
    put = MAILS
    kills = sorted(chance.sample(range(MAILS // 10, MAILS * 9 // 10), KILLS))
    with hub.start():
        for kill in kills:
            wait_for(lambda kill=kill: count(hub.folder) >= kill, what=f"{kill} mails", limit=900)
            hub.kill()
            taken = subjects(hub.folder)
            gone |= vanish(maildir, chance, elsewhere=kill % 2 == 0)
            box.lay([numbered(number) for number in range(put, put + LATER // KILLS)])
            put += LATER // KILLS
            hub.start()
            assert not taken - subjects(hub.folder)  # what was taken in stays
        kept = {f"Number {number}" for number in range(put) if number not in gone}
        wait_for(lambda: count(hub.folder) >= len(kept), what="all of it", limit=900)
        wait_for(lambda: kept <= set(subjects(hub.folder)), what="each of them")
    found = subjects(hub.folder)
    assert kept <= set(found)
    assert set(found) <= {f"Number {number}" for number in range(put)}
    assert set(found.values()) == {1}
    assert hub.stop() == 0


def vanish(maildir: Path, chance: random.Random, *, elsewhere: bool) -> set[int]:
    """Somebody else moves some mails to another folder, or deletes them."""
    there = sorted(path for name in ("new", "cur") for path in (maildir / name).iterdir())
    target = maildir / ".Archive" / "cur"
    target.mkdir(parents=True, exist_ok=True)
    gone: set[int] = set()
    for path in chance.sample(there, 50):
        subject = path.read_bytes().split(b"Subject: Number ")[1].split(b"\r\n")[0]
        gone.add(int(subject))
        path.rename(target / path.name) if elsewhere else path.unlink()
    return gone


def test_a_mailbox_that_is_numbered_anew_meanwhile(
    dovecot_server: DovecotServer, tmp_path: Path
) -> None:
    box = Box(dovecot_server)
    box.lay([numbered(number) for number in range(600)])
    config = CONFIG.format(box=box.user, password=DovecotServer.PASSWORD, port=box.server.port)
    hub = HubProcess(tmp_path / "hub", config=config)
    with hub.start():
        wait_for(lambda: count(hub.folder) >= 100, what="some of it")
        hub.kill()
        box.server.renumber(box.user)
        box.lay([numbered(number) for number in range(600, 650)])
        hub.start()
        wait_for(lambda: count(hub.folder) >= 650, what="all of it")
    assert subjects(hub.folder) == Counter(f"Number {number}" for number in range(650))
