"""From end to end: a real hub, a mailbox that tells of new mail, and a mail server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.hubs import Client, HubProcess, wait_for
from tests.mailboxes import Box, Taker
from tests.mailboxes import mail as write
from tests.services import DovecotServer

CONFIG = """
[[organisations]]
slug = "main"
name = "Main"
[[channels]]
id = "mail"
organisation = "main"
plugin = "email"
allow_hosts = ["localhost"]
[channels.settings]
address = "{box}"
name = "Example Help"
password = "{password}"
imap_host = "localhost"
imap_port = {imap_port}
imap_tls = "none"
since_beginning = true
smtp_host = "localhost"
smtp_port = {smtp_port}
smtp_tls = "none"
plus_replies = true
track_opens = true
track_clicks = true
unsubscribe = "all"
"""


@pytest.fixture(scope="module")
def box(dovecot_server: DovecotServer) -> Box:
    return Box(dovecot_server)


@pytest.fixture(scope="module")
def taker() -> Iterator[Taker]:
    taker = Taker()
    yield taker
    taker.stop()


@pytest.fixture(scope="module")
def hub(box: Box, taker: Taker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    folder: Path = tmp_path_factory.mktemp("hub")
    config = CONFIG.format(
        box=box.user,
        password=DovecotServer.PASSWORD,
        imap_port=box.server.port,
        smtp_port=taker.port,
    )
    with HubProcess(folder, config=config) as hub:
        yield hub


@pytest.fixture(scope="module")
def client(hub: HubProcess) -> Client:
    return hub.client()


class Customer:
    """Somebody who writes, gets answers and answers them."""

    def __init__(self, name: str, box: Box, taker: Taker, client: Client) -> None:
        self.address = f"{name}@customer.example"
        self.box, self.taker, self.client = box, taker, client

    def writes(self, number: str, **headers: str) -> None:
        """A mail, in the mailbox a moment later."""
        given = {"from_": self.address, "to": self.box.user, "message_id": f"<{number}@x.example>"}
        head = {name.rstrip("_"): value for name, value in (given | headers).items()}
        self.box.put(write(1, **(head | {"subject": headers.get("subject", number)})))

    def thread(self) -> dict[str, Any] | None:
        """The conversation with them."""
        return self.client.thread_of(self.address)

    def entries(self) -> list[dict[str, Any]]:
        """What it says."""
        thread = self.thread()
        return self.client.entries(thread["id"]) if thread else []

    def entry(self, what: Callable[[dict[str, Any]], object], *, said: str) -> dict[str, Any]:
        """The entry for which ``what`` is true, as soon as there is one."""
        return wait_for(lambda: next((one for one in self.entries() if what(one)), None), what=said)

    def is_answered(self, body: str, **other: Any) -> tuple[dict[str, Any], EmailMessage]:
        """A member writes to them; the entry, and the mail that came."""
        thread = self.thread()
        assert thread is not None
        before = len(self.taker.taken)
        message = {"channel_id": "mail", "contact_id": thread["contact"]["id"], "body": body}
        entry = self.client.post(f"threads/{thread['id']}/messages", message | other)
        wait_for(lambda: len(self.taker.taken) > before, what="the mail at the mail server")
        return entry, self.taker.mails()[-1]


@pytest.fixture
def zoe(request: pytest.FixtureRequest, box: Box, taker: Taker, client: Client) -> Customer:
    name = re.sub(r"\W+", "-", request.node.name.removeprefix("test_"))[:40]
    return Customer(name, box, taker, client)


@pytest.mark.feature("ROUT-05", "ROUT-06")
def test_another_mail_with_the_same_id_is_a_message_of_its_own(zoe: Customer) -> None:
    id_ = f"report-{zoe.address}"

    def mail(date: str, words: str, above: str = "", below: str = "") -> bytes:
        return (
            f"{above}From: {zoe.address}\r\nTo: {zoe.box.user}\r\nSubject: Report\r\n"
            f"Date: {date}\r\nMessage-ID: <{id_}>\r\n\r\n{words}\r\n{below}"
        ).encode()

    monday, tuesday = "Mon, 02 Mar 2026 09:00:00 +0100", "Tue, 03 Mar 2026 09:00:00 +0100"
    words = "All is well. https://a.example/1"
    above = "Received: from elsewhere\r\nDelivered-To: other@example.com\r\n"
    mails = [
        mail(monday, words),
        mail(monday, words.replace("a.example", "scanner.example"), above),
        mail("Mon, 02 Mar 2026 08:00:00 +0000", words, below="-- \r\nThe list\r\n"),
        mail(tuesday, words),
        mail(tuesday, words, above),
        mail(tuesday, "Fire!"),
    ]
    zoe.box.lay(mails)
    zoe.box.lay([mail(tuesday, "The last one")])
    zoe.entry(lambda one: "The last one" in one["text"], said="the last mail")
    said = [one["text"].split()[0] for one in zoe.entries() if one["direction"] == "in"]
    assert sorted(said) == ["All", "All", "Fire!", "The"]
    out, answer = zoe.is_answered("Thank you")
    assert answer["In-Reply-To"] == f"<{id_}>"
    assert out["direction"] == "out"


@pytest.mark.feature("ROUT-01", "ROUT-05", "THRD-04")
def test_a_mail_its_answer_and_the_answer_to_that(zoe: Customer) -> None:
    zoe.writes("first", subject="Thursday")
    entry = zoe.entry(lambda one: one["subject"] == "Thursday", said="the mail")
    assert entry["text"].strip() == "Hello 1"
    assert entry["group"] == "emails"
    thread = zoe.thread()
    assert thread is not None
    assert thread["needs_response"]

    out, mail = zoe.is_answered("At nine.", subject="Re: Thursday")
    assert mail["From"] == f"Example Help <{zoe.box.user}>"
    assert mail["To"] == zoe.address
    assert mail["Subject"] == "Re: Thursday"
    assert mail["In-Reply-To"] == "<first@x.example>"
    assert mail["References"].split()[-1] == "<first@x.example>"
    sent = zoe.entry(lambda one: one["id"] == out["id"] and one["status"] == "sent", said="sent")
    assert sent["subject"] == "Re: Thursday"
    thread = zoe.thread()
    assert thread is not None
    assert not thread["needs_response"]

    # Their mail program names the message; another keeps the tag of the address alone.
    zoe.writes("second", in_reply_to=mail["Message-ID"], subject="Re: Thursday")
    second = zoe.entry(lambda one: one["id"] > out["id"], said="their answer")
    assert second["answers"]["entry_id"] == out["id"]
    zoe.writes("third", to=mail["Reply-To"], subject="Something else")
    third = zoe.entry(lambda one: one["subject"] == "Something else", said="their other answer")
    assert third["answers"]["entry_id"] == out["id"]
    assert third["thread_id"] == second["thread_id"] == out["thread_id"]


@pytest.mark.feature("ROUT-05")
def test_machines_are_not_answered_and_count_as_nobodys_answer(zoe: Customer) -> None:
    zoe.writes("before")
    zoe.entry(lambda one: one["direction"] == "in", said="the mail")
    out, mail = zoe.is_answered("At nine.")
    about = mail["Message-ID"]
    taken = len(zoe.taker.taken)
    zoe.writes("away", in_reply_to=about, auto_submitted="auto-replied", subject="Out of office")
    zoe.entry(lambda one: one["subject"] == "Out of office", said="the auto-reply")
    zoe.box.put(bounce(about, zoe.box.user))
    failed = zoe.entry(lambda one: one["id"] == out["id"] and one["status"] == "failed", said="it")
    assert "5.1.1" in failed["status_reason"] or "unknown" in failed["status_reason"]
    thread = zoe.thread()
    assert thread is not None
    assert len([one for one in zoe.entries() if one["direction"] == "in"]) == 2
    assert len(zoe.taker.taken) == taken
    # What comes from the mailbox itself is nobody's.
    zoe.writes("self", from_=zoe.box.user, subject="From ourselves")
    zoe.writes("after", subject="The end")
    zoe.entry(lambda one: one["subject"] == "The end", said="the mail after it")
    assert zoe.client.thread_of(zoe.box.user) is None


@pytest.mark.feature("ROUT-05")
def test_an_auto_reply_leaves_needs_response_as_it_is(zoe: Customer) -> None:
    zoe.writes("asks")
    zoe.entry(lambda one: one["direction"] == "in", said="the mail")
    zoe.is_answered("At nine.")
    zoe.writes("out", auto_submitted="auto-replied", subject="Out of office")
    zoe.entry(lambda one: one["subject"] == "Out of office", said="the auto-reply")
    thread = zoe.thread()
    assert thread is not None
    assert not thread["needs_response"]
    zoe.writes("person", subject="Back again")
    zoe.entry(lambda one: one["subject"] == "Back again", said="the person's answer")
    thread = zoe.thread()
    assert thread is not None
    assert thread["needs_response"]


def bounce(about: str, to: str) -> bytes:
    return (
        "From: MAILER-DAEMON@mx.customer.example\r\nReturn-Path: <>\r\n"
        f"To: {to}\r\nSubject: Undelivered\r\nMessage-ID: <b-{abs(hash(about))}@mx.example>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status;"
        ' boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nIt came back.\r\n'
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        "Final-Recipient: rfc822; zoe@customer.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 unknown user\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {about}\r\n\r\n--b--\r\n"
    ).encode()


@pytest.mark.feature("THRD-04")
def test_a_formatted_mail_with_files(zoe: Customer) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"] = zoe.address, zoe.box.user
    mail["Subject"], mail["Message-ID"] = "Formatted", "<formatted@x.example>"
    mail.set_content("See the picture.")
    mail.add_alternative('<p onclick="x()">See <b>the</b> picture.<script>1</script></p>', "html")
    png = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40
    mail.add_attachment(png, maintype="image", subtype="png", filename="roof.png")
    mail.add_attachment(b"a,b\n", maintype="text", subtype="csv", filename="list.csv")
    zoe.box.put(mail.as_bytes())
    zoe.entry(lambda one: one["subject"] == "Formatted", said="the mail")
    zoe.box.expunge_all()

    def fetched(one: dict[str, Any]) -> bool:
        return [each["state"] for each in one["attachments"]] == ["ready", "ready"]

    entry = zoe.entry(fetched, said="the files, though the mail is gone")
    assert [each["name"] for each in entry["attachments"]] == ["roof.png", "list.csv"]
    body = zoe.client.http.get(entry["attachments"][1]["url"])
    assert body.content.replace(b"\r\n", b"\n") == b"a,b\n"
    html = next(each["html"] for each in entry["blocks"] if each["type"] == "html")
    assert "<b>the</b>" in html
    assert "script" not in html
    assert "onclick" not in html


@pytest.mark.feature("THRD-04", "CONT-03")
def test_opens_clicks_and_the_end_of_it(hub: HubProcess, zoe: Customer) -> None:
    zoe.writes("interested")
    zoe.entry(lambda one: one["direction"] == "in", said="the mail")
    out, mail = zoe.is_answered("See https://example.com/offer?a=1&b=2")
    body = mail.get_body(("html",))
    assert body is not None
    links = [unescape(each) for each in re.findall(r'(?:href|src)="([^"]*)"', body.get_content())]
    click, unsubscribe, picture = (
        hub.base_url + urlsplit(one).path + "?" + urlsplit(one).query for one in links
    )
    assert httpx2.get(picture).headers["content-type"] == "image/gif"
    followed = httpx2.get(click)
    assert (followed.status_code, followed.headers["location"]) == (
        302,
        "https://example.com/offer?a=1&b=2",
    )

    def seen(one: dict[str, Any]) -> bool:
        told = one["engagement"] or {}
        return one["id"] == out["id"] and bool(told.get("opened") and told.get("clicked"))

    entry = zoe.entry(seen, said="what became of it")
    assert entry["engagement"]["clicked_url"] == "https://example.com/offer?a=1&b=2"
    assert httpx2.get(f"{hub.base_url}/hooks/main/mail/click?t=made-up").status_code == 404

    assert b"<form" in httpx2.get(unsubscribe).content
    header = re.sub(r"\s", "", mail["List-Unsubscribe"]).strip("<>")
    assert urlsplit(header).query == urlsplit(unsubscribe).query
    done = httpx2.post(unsubscribe, data={"List-Unsubscribe": "One-Click"})
    assert done.status_code == 200
    zoe.entry(lambda one: (one["event"] or {}).get("type") == "opted_out", said="the opting out")
    thread = zoe.thread()
    assert thread is not None
    wanted = {"channel_id": "mail", "contact_id": thread["contact"]["id"], "body": "Still there?"}
    assert zoe.client.call("POST", f"threads/{thread['id']}/messages", wanted).status_code >= 400


def test_nobody_hands_in_mail_from_outside(hub: HubProcess, zoe: Customer) -> None:
    for kind in ("message/rfc822", "application/vnd.channel-hub.mail-link+json"):
        posted = httpx2.post(
            f"{hub.base_url}/hooks/main/mail",
            content=write(1, from_=zoe.address),
            headers={"Content-Type": kind},
        )
        assert posted.status_code == 404
    assert zoe.thread() is None
    assert zoe.client.get("channels/mail/deliveries", state="unverified")["items"] == []


def test_the_servers_are_checked(hub: HubProcess) -> None:
    done = hub.run("check", "--providers")
    assert "sender" in done.stdout, done.stdout + done.stderr
    assert "WRONG" in done.stdout  # nobody follows links to this machine
    assert DovecotServer.PASSWORD not in done.stdout
