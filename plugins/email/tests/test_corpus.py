"""Real mail through a hub, from the mailbox to the conversation: each is accounted for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests import corpus, recorded
from tests.hubs import Client, running_hub, wait_for
from tests.mailboxes import Box
from tests.services import DovecotServer

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
NAMELESS = {
    "mimekit_delivery-status-multiple-blank-lines.eml",
    "mail_bad_encoded_subject.eml",
    "mimekit_feedback-report.eml",
    "nodemailer_mixed.eml",
} | {f"stalwart_malformed_{n:03}.eml" for n in (0, 2, 5, 8, 9, 12, 13, 16, 19)}
"""Parts of mails, and mails that name no sender: kept for a person to look at."""
NO_OPS = {
    "mimekit_disposition-notification.eml",  # displayed
    "sisimai_arf-01.eml",  # reported as spam: the channel's notice
    "sisimai_arf-11.eml",
    "mail_multiple_references_with_one_invalid.eml",  # has the Message-ID of another one
}
"""Understood, and no message."""


@pytest.fixture(scope="module")
def box(dovecot_server: DovecotServer) -> Box:
    return Box(dovecot_server)


@pytest.fixture(scope="module")
def client(box: Box) -> Iterator[Client]:
    config = CONFIG.format(box=box.user, password=DovecotServer.PASSWORD, port=box.server.port)
    with running_hub(config=config) as hub:
        yield hub.client()


def taken_in(client: Client, box: Box, mails: dict[str, bytes]) -> list[corpus.Outcome]:
    """Have mails lie in the mailbox, and see what became of each."""
    before = {one["id"] for one in deliveries(client)}
    box.lay(list(mails.values()))

    def arrived() -> list[dict[str, Any]] | None:
        new = [one for one in deliveries(client) if one["id"] not in before]
        return new if len(new) >= len(mails) else None

    new = wait_for(arrived, what=f"{len(mails)} mails")
    assert len(new) == len(mails)
    in_order = sorted(new, key=lambda one: int(one["id"]))
    return [
        corpus.outcome(client, "mail", name, [one])
        for name, one in zip(mails, in_order, strict=True)
    ]


def deliveries(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        further = {"cursor": cursor} if cursor else {}
        page = client.get("channels/mail/deliveries", limit=100, **further)
        found += page["items"]
        cursor = page["next_cursor"]
        if not cursor:
            return found


@pytest.mark.feature("ROUT-05")
def test_every_recorded_mail_is_accounted_for(
    request: pytest.FixtureRequest, client: Client, box: Box
) -> None:
    files = sorted(recorded.path("email_raw").rglob("*.eml"))
    outcomes = taken_in(client, box, {path.name: path.read_bytes() for path in files})
    corpus.report(request, "Raw mail", outcomes)
    corpus.nothing_lost(outcomes, [path.name for path in files])
    kinds = {one.name: one.kind for one in outcomes}
    assert {name for name, kind in kinds.items() if kind == "quarantined"} == NAMELESS
    assert {name for name, kind in kinds.items() if kind == "no-op"} == NO_OPS
    machines = re.compile(r"mailer-daemon|postmaster|mail delivery", re.IGNORECASE)
    told = [one for one in client.threads() if machines.search(one["contact"]["display"])]
    assert told
    assert not any(one["needs_response"] for one in told)


def test_every_recorded_answer_is_kept_whole(
    request: pytest.FixtureRequest, client: Client, box: Box
) -> None:
    files = [
        path
        for path in sorted(recorded.path("email_replies").glob("*.txt"))
        if not path.name.endswith(".expected.txt")
    ]
    mails = {path.name: answer(number, path) for number, path in enumerate(files)}
    outcomes = taken_in(client, box, mails)
    corpus.report(request, "Answers", outcomes)
    corpus.nothing_lost(outcomes, [path.name for path in files])
    assert {one.kind for one in outcomes} == {"entry"}
    thread = client.thread_of("answers@customer.example")
    assert thread is not None
    entries = {one["subject"]: one for one in client.entries(thread["id"], limit=100)}
    folded = 0
    for path in files:
        entry = entries[path.name]
        blocks = entry["blocks"]
        said = "".join(one["text"] for one in blocks if one["type"] in {"text", "quote"})
        whole = path.read_text(encoding="utf-8", errors="replace")
        assert "".join(said.split()) == "".join(whole.split()), path.name
        folded += any(one["type"] == "quote" for one in blocks)
    assert folded >= len(files) // 2


def answer(number: int, path: Path) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"] = "answers@customer.example", "help@example.com"
    mail["Subject"], mail["Message-ID"] = path.name, f"<answer-{number}@customer.example>"
    mail.set_content(path.read_text(encoding="utf-8", errors="replace"))
    return mail.as_bytes()
