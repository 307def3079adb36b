"""What servers and mails do that nobody wants: nothing is lost, nothing is told that is not so, and
one bad mail keeps no other back."""

from __future__ import annotations

import asyncio
import io
import re
import zipfile
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from typing import Any

import pytest
from hub_email import Email, imap, incoming, mailbox, streams
from hub_email.settings import Settings
from msgspec import structs

from hub.plugin import (
    CredentialsInvalid,
    Delivery,
    Malformed,
    Message,
    Permanent,
    PollResult,
    Secret,
    Temporary,
)
from hub.plugin.kit.recorded import NOW
from tests.mailboxes import Box
from tests.mailboxes import mail as write
from tests.small_context import SmallContext

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Serve = Callable[[Talk], Awaitable[int]]
GREETING = b"* OK ready\r\n"
MAILS = {1: write(1), 2: write(2), 3: write(3)}


class Scripted:
    """An IMAP server that behaves but for what a test gives in its place: an answer for a command
    that begins so, or ``None`` to break the connection off."""

    def __init__(self) -> None:
        self.instead: dict[bytes, bytes | None] = {}
        self.said: list[bytes] = []
        self.mails = dict(MAILS)
        self.greeting = GREETING
        self.port = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.greeting)
        while line := await reader.readline():
            tag, _, command = line.strip().partition(b" ")
            self.said.append(command)
            instead = [each for each in self.instead if command.startswith(each)]
            if instead:
                answer = self.instead[instead[0]]
                if answer is None:
                    break
                writer.write(answer.replace(b"TAG", tag))
                if not answer.endswith(b"\r\n"):
                    break
                continue
            for each in self._untagged(command):
                writer.write(b"* " + each + b"\r\n")
            writer.write(tag + b" OK done\r\n")
            await writer.drain()
        await writer.drain()

    def _untagged(self, command: bytes) -> list[bytes]:
        if command.startswith(b"EXAMINE"):
            return [b"3 EXISTS", b"OK [UIDVALIDITY 7] ok", b"OK [UIDNEXT 4] ok"]
        if command.startswith(b"UID SEARCH"):
            return [b"SEARCH " + b" ".join(b"%d" % uid for uid in self.mails)]
        if command.startswith(b"UID FETCH") and b"SIZE" in command:
            return [
                b"%d FETCH (UID %d RFC822.SIZE %d)" % (uid, uid, len(body))
                for uid, body in self.mails.items()
            ]
        if found := re.match(rb"UID FETCH (\d+) \(UID BODY.PEEK\[\]", command):
            uid = int(found[1])
            body = self.mails[uid]
            return [b"%d FETCH (UID %d BODY[] {%d}\r\n%s)" % (uid, uid, len(body), body)]
        return []


@pytest.fixture
async def server(serve: Serve) -> Scripted:
    made = Scripted()
    made.port = await serve(made.talk)
    return made


def channel(server: Scripted, **other: Any) -> Email:
    given: dict[str, Any] = {
        "address": "help@example.com",
        "password": Secret("a password of the tests"),
        "imap_host": "localhost",
        "imap_port": server.port,
        "imap_tls": "none",
        "since_beginning": True,
        "smtp_host": "localhost",
    }
    return Email(Settings(**(given | other)))


async def polled(one: Email, ctx: SmallContext, cursor: str | None = None) -> PollResult:
    return await one.poll(ctx, cursor)


async def test_it_behaves(server: Scripted, ctx: SmallContext) -> None:
    one = channel(server)
    result = await polled(one, ctx)
    assert [each.body for each in result.deliveries] == list(MAILS.values())
    await one.shutdown()


async def test_what_came_before_the_line_broke_is_kept(server: Scripted, ctx: SmallContext) -> None:
    server.instead[b"UID FETCH 3 (UID BODY"] = b"* 3 FETCH (UID 3 BODY[] {9999}\r\nFrom: zo"
    one = channel(server)
    result = await polled(one, ctx)
    assert [each.body for each in result.deliveries] == [MAILS[1], MAILS[2]]
    assert result.more
    server.instead.clear()
    server.mails = {3: MAILS[3]}
    again = await polled(one, ctx, result.cursor)
    assert [each.body for each in again.deliveries] == [MAILS[3]]
    await one.shutdown()


async def test_a_mail_that_always_breaks_off_keeps_no_other_back(
    server: Scripted, ctx: SmallContext
) -> None:
    server.instead[b"UID FETCH 1 (UID BODY"] = None
    one = channel(server)
    for _ in range(streams.TRIES):
        with pytest.raises(Temporary):
            await polled(one, ctx)
    result = await polled(one, ctx)
    lost, *others = result.deliveries
    assert [each.body for each in others] == [MAILS[2], MAILS[3]]
    assert lost.header(incoming.PLACE) == "7.1"
    with pytest.raises(Malformed):  # which keeps it, for a person to see
        await one.ingest(ctx.at(lost), lost)
    await one.shutdown()


async def test_a_slow_line_gets_on(
    server: Scripted, ctx: SmallContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "ENOUGH", -1.0)  # all the time there is has passed
    monkeypatch.setattr(streams.Basket, "full", property(lambda self: bool(self.deliveries)))
    one, cursor, found = channel(server), None, list[Delivery]()
    for uid in (1, 2, 3):
        result = await polled(one, ctx, cursor)
        found += result.deliveries
        cursor = result.cursor
        server.mails.pop(uid)
    assert [each.body for each in found] == list(MAILS.values())
    await one.shutdown()


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"EXAMINE", b"TAG NO [SERVERBUG] sorry\r\n"),
        (b"EXAMINE", b"* OK no numbers\r\nTAG OK done\r\n"),
        (b"UID SEARCH", b"* BYE going\r\n"),
        (b"UID SEARCH", b"* SEARCH 1 2 3"),
        (b"UID FETCH", b"* 1 FETCH (UID 1 RFC822.SIZE\r\nTAG OK done\r\n"),
        (b"UID FETCH", b"* 1 FETCH (UID 1 BODY[] {999999999999}\r\n"),
        (b"UID SEARCH", b"* SEARCH " + b"1" * 11_000_000 + b"\r\nTAG OK done\r\n"),
        (b"LOGIN", b"TAG NO [UNAVAILABLE] later\r\n"),
        (b"LOGIN", None),
    ],
)
async def test_what_is_broken_passes(
    command: bytes, answer: bytes | None, server: Scripted, ctx: SmallContext
) -> None:
    server.instead[command] = answer
    one = channel(server)
    with pytest.raises((Temporary, Permanent)) as raised:
        await polled(one, ctx)
    assert type(raised.value) is (Permanent if answer and b"SERVERBUG" in answer else Temporary)
    server.instead.clear()
    assert len((await polled(one, ctx)).deliveries) == 3
    await one.shutdown()


async def test_a_login_that_is_refused_asks_for_a_person(
    server: Scripted, ctx: SmallContext
) -> None:
    server.instead[b"LOGIN"] = b"TAG NO [AUTHENTICATIONFAILED] no\r\n"
    with pytest.raises(CredentialsInvalid):
        await polled(channel(server), ctx)
    assert (await channel(server).health(ctx)).state != "ok"


async def test_encryption_that_is_taken_away_ends_it_before_the_login(
    server: Scripted, ctx: SmallContext
) -> None:
    server.instead[b"STARTTLS"] = b"TAG BAD what?\r\n"
    with pytest.raises(Temporary):
        await polled(channel(server, imap_tls="starttls"), ctx)
    assert server.said == [b"STARTTLS"]


async def test_what_is_said_before_encryption_is_not_believed(
    server: Scripted, ctx: SmallContext
) -> None:
    server.instead[b"STARTTLS"] = b"TAG OK go\r\n* 1 EXISTS\r\n"
    with pytest.raises(Temporary):
        await polled(channel(server, imap_tls="starttls"), ctx)
    assert server.said == [b"STARTTLS"]


async def test_waiting_that_hangs_is_given_up(
    server: Scripted, ctx: SmallContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap, "DONE", 0.05)
    server.mails.clear()
    server.instead[b"CAPABILITY"] = b"* CAPABILITY IMAP4rev1 IDLE\r\nTAG OK done\r\n"
    server.instead[b"IDLE"] = b"+ waiting\r\n"
    server.instead[b"DONE"] = b"+ \r\n"
    one = channel(server)
    with pytest.raises(Temporary):
        await polled(one, ctx)
    server.instead.clear()
    server.mails = dict(MAILS)
    assert len((await polled(one, ctx)).deliveries) == 3  # on a new connection
    await one.shutdown()
    assert mailbox.WAIT < 1


# ------------------------------------------------------------------------- mails


SETTINGS = Settings(address="help@example.com", smtp_host="smtp.example.com")


def read(body: bytes, ctx: SmallContext) -> Message:
    delivery = Delivery(body=body, received_at=NOW)
    (message,) = incoming.read(ctx, delivery, SETTINGS).events
    assert isinstance(message, Message)
    return message


async def test_a_mail_of_fifty_megabytes(box: Box, ctx: SmallContext) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "zoe@customer.example", box.user, "Large"
    mail["Message-ID"] = "<large@customer.example>"
    mail.set_content("See the film.")
    mail.add_attachment(b"x" * 37_000_000, maintype="video", subtype="mp4", filename="film.mp4")
    body = mail.as_bytes()
    assert len(body) > 49_000_000
    box.lay([body, write(2)])
    one = Email(Settings(**box.settings(since_beginning=True)))
    result = await polled(one, ctx)
    (large,) = result.deliveries
    assert result.more
    (other,) = (await polled(one, ctx, result.cursor)).deliveries
    message = read(large.body, ctx)
    assert len(large.body) <= mailbox.BEGINNING
    assert message.text.strip() == "See the film."
    (event,) = (await one.ingest(ctx.at(large), large)).events
    assert isinstance(event, Message)
    whole = event.media[-1]
    assert whole.name == "Large.eml"
    fetched = await one.fetch_media(ctx, whole)
    assert len(fetched.body) >= len(body)
    assert read(other.body, ctx).subject == "Number 2"
    await one.shutdown()


def test_ten_thousand_recipients(offline: SmallContext) -> None:
    many = ", ".join(f"Somebody {n} <n{n}@elsewhere.example>" for n in range(10_000))
    body = f"From: zoe@customer.example\nTo: {many}\nCc: {many}\nSubject: All\n\nHello".encode()
    message = read(body, offline)
    assert message.own_address == "help@example.com"
    assert len(message.cc) == 100


async def test_what_is_packed_is_never_unpacked(offline: SmallContext) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", b"\x00" * 50_000_000)
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "zoe@customer.example", "Packed"
    mail.set_content("See the file.")
    mail.add_attachment(
        packed.getvalue(), maintype="application", subtype="zip", filename="bomb.zip"
    )
    message = read(mail.as_bytes(), offline)
    (ref,) = message.media
    assert ref.size == len(packed.getvalue()) < 100_000
    delivery = Delivery(body=mail.as_bytes(), received_at=NOW)
    fetched = await Email(SETTINGS).fetch_media(offline, structs.replace(ref, delivery=delivery))
    assert fetched.body == packed.getvalue()


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        (b"Content-Type: text/html\nContent-Transfer-Encoding: base64\n\nNot base64 at all!", None),
        (b"Content-Type: application/pdf; name=x.pdf\n\nHello", None),
        (b"Content-Length: 4\nLines: 1\n\nHello there\nand more", "Hello there\nand more"),
        (b"Content-Type: text/plain; charset=utf-16\n\nHello", None),
        (b"Content-Type: multipart/mixed\n\nHello", "Hello"),
        (b"MIME-Version: 9\nContent-Type: text/plain\nContent-Type: image/png\n\nHello", "Hello"),
        (b"Date: Thu, 99 Foo 99999 99:99:99 +9999\n\nHello", "Hello"),
        (b"Received: " + b"x" * 200_000 + b"\n\nHello", "Hello"),
        (b"X-A: b\n" * 20_000 + b"\nHello", "Hello"),
    ],
)
def test_headers_that_lie(head: bytes, wanted: str | None, offline: SmallContext) -> None:
    message = read(b"From: zoe@customer.example\nSubject: Roof\n" + head, offline)
    assert message.subject == "Roof"
    assert wanted is None or message.text == wanted
    assert wanted is not None or message.text or message.media


async def test_encryption_for_sending_that_is_taken_away_ends_it(
    ctx: SmallContext, serve: Serve
) -> None:
    said: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        while line := await reader.readline():
            said.append(line[:4])
            writer.write(b"250-localhost\r\n250 AUTH PLAIN LOGIN\r\n")

    port = await serve(talk)
    one = Email(
        Settings(
            address="help@example.com",
            password=Secret("a password of the tests"),
            smtp_host="localhost",
            smtp_port=port,
            smtp_tls="starttls",
        )
    )
    assert (await one.health(ctx)).state == "transient"
    assert b"AUTH" not in said


async def test_words_for_sending_slipped_in_before_the_encryption_end_it(
    ctx: SmallContext, serve: Serve
) -> None:
    said: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        while line := await reader.readline():
            said.append(line[:4])
            go_on = b"220 go on\r\n250 AUTH PLAIN\r\n"
            writer.write(go_on if line.startswith(b"STARTTLS") else b"250 STARTTLS\r\n")

    port = await serve(talk)
    one = Email(
        Settings(
            address="help@example.com",
            password=Secret("a password of the tests"),
            smtp_host="localhost",
            smtp_port=port,
            smtp_tls="starttls",
        )
    )
    assert (await one.health(ctx)).state == "transient"
    assert said == [b"EHLO", b"STAR"]
