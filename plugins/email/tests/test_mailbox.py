"""Mail is read from a real IMAP server: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hub_email import Email, ids, links, mailbox
from hub_email.settings import Settings
from msgspec import structs

from hub.plugin import (
    CredentialsInvalid,
    Delivery,
    MediaRef,
    Message,
    Outbound,
    Permanent,
    PollResult,
    Secret,
    Temporary,
)
from tests.mailboxes import Box
from tests.mailboxes import mail as write
from tests.small_context import SmallContext


async def polled(channel: Email, ctx: SmallContext, cursor: str | None) -> PollResult:
    return await channel.poll(ctx, cursor)


async def all_new(
    channel: Email, ctx: SmallContext, cursor: str | None
) -> tuple[list[Delivery], str | None]:
    found: list[Delivery] = []
    while True:
        result = await polled(channel, ctx, cursor)
        found += result.deliveries
        cursor = result.cursor or cursor
        if not result.more:
            return found, cursor


async def subjects(channel: Email, ctx: SmallContext, deliveries: list[Delivery]) -> list[str]:
    told: list[str] = []
    for delivery in deliveries:
        (message,) = (await channel.ingest(ctx.at(delivery), delivery)).events
        assert isinstance(message, Message)
        told.append(message.subject or "")
    return told


async def test_what_was_there_before_is_left_alone(box: Box, ctx: SmallContext) -> None:
    box.put(write(1))
    channel = Email(Settings(**box.settings()))
    found, cursor = await all_new(channel, ctx, None)
    assert found == []
    box.put(write(2))
    found, _ = await all_new(channel, ctx, cursor)
    assert await subjects(channel, ctx, found) == ["Number 2"]
    await channel.shutdown()


async def test_all_of_it_is_read_where_that_is_wanted(box: Box, ctx: SmallContext) -> None:
    for number in range(60):
        box.put(write(number))
    channel = Email(Settings(**box.settings(since_beginning=True)))
    found, cursor = await all_new(channel, ctx, None)
    assert await subjects(channel, ctx, found) == [f"Number {n}" for n in range(60)]
    assert (await all_new(channel, ctx, cursor))[0] == []
    await channel.shutdown()


@pytest.mark.feature("ROUT-01")
async def test_nothing_is_lost_or_doubled_when_it_dies_at_any_time(
    box: Box, ctx: SmallContext
) -> None:
    chance = random.Random(7)
    settings = Settings(**box.settings(since_beginning=True))
    channel, cursor, found, put = Email(settings), None, list[Delivery](), 0
    while put < 40 or len(found) < put:
        for _ in range(chance.randrange(3) if put < 40 else 0):
            put += 1
            box.put(write(put))
        poll = asyncio.ensure_future(polled(channel, ctx, cursor))
        if chance.random() < 0.5 and put < 40:
            for _ in range(chance.randrange(12)):
                await asyncio.sleep(0)
            poll.cancel()
            await asyncio.gather(poll, return_exceptions=True)
            await channel.shutdown()
            channel = Email(settings)  # what it brought was not saved, nor was its cursor
            continue
        result = await poll
        found += result.deliveries
        cursor = result.cursor or cursor
    names = await subjects(channel, ctx, found)
    assert names == [f"Number {n}" for n in range(1, put + 1)]
    await channel.shutdown()


async def test_a_folder_that_was_numbered_anew_is_read_again(box: Box, ctx: SmallContext) -> None:
    channel = Email(Settings(**box.settings(since_beginning=True)))
    box.put(write(1))
    _, cursor = await all_new(channel, ctx, None)
    await channel.shutdown()
    box.server.renumber(box.user)
    box.put(write(2))
    assert cursor is not None
    changed = f"1.{cursor.split('.', 1)[1]}"
    found, after = await all_new(channel, ctx, changed)
    assert "Number 2" in await subjects(channel, ctx, found)
    assert after is not None
    assert after.split(".")[0] != changed.split(".", maxsplit=1)[0]
    await channel.shutdown()


class TestWaiting:
    """With the server's word for it that something came."""

    @pytest.fixture(autouse=True)
    def long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mailbox, "WAIT", 30.0)

    async def test_the_server_tells_of_new_mail(self, box: Box, ctx: SmallContext) -> None:
        channel = Email(Settings(**box.settings(since_beginning=True)))
        poll = asyncio.ensure_future(polled(channel, ctx, None))
        while not _idles(channel):  # noqa: ASYNC110 - there is nothing else to wait for
            await asyncio.sleep(0.01)
        await asyncio.to_thread(box.put, write(1))
        result = await poll
        assert await subjects(channel, ctx, list(result.deliveries)) == ["Number 1"]
        await channel.shutdown()


def _idles(channel: Email) -> bool:
    session: Any = channel._mailbox._session
    return session is not None and session._tags >= 3


@pytest.mark.parametrize("how", ["tls", "starttls"])
async def test_the_connection_is_encrypted(how: str, box: Box, ctx: SmallContext) -> None:
    box.put(write(1))
    port = box.server.tls_port if how == "tls" else box.server.port
    channel = Email(Settings(**box.settings(imap_tls=how, imap_port=port, since_beginning=True)))
    found, _ = await all_new(channel, ctx, None)
    assert len(found) == 1
    await channel.shutdown()


async def test_a_wrong_password_asks_for_a_person(box: Box, ctx: SmallContext) -> None:
    channel = Email(Settings(**box.settings(password=Secret("another password"))))
    with pytest.raises(CredentialsInvalid) as error:
        await polled(channel, ctx, None)
    assert "another" not in error.value.detail


async def test_a_folder_that_is_not_there_is_named(box: Box, ctx: SmallContext) -> None:
    with pytest.raises(Permanent, match="'Nowhere'"):
        await polled(Email(Settings(**box.settings(folder="Nowhere"))), ctx, None)


async def test_a_server_that_is_away_is_asked_again(box: Box, ctx: SmallContext) -> None:
    channel = Email(Settings(**box.settings(since_beginning=True)))
    _, cursor = await all_new(channel, ctx, None)
    box.server.crash()
    try:
        with pytest.raises(Temporary):
            await polled(channel, ctx, cursor)
        with pytest.raises(Temporary):
            await polled(channel, ctx, cursor)
    finally:
        box.server.start_again()
    box.put(write(1))
    found, _ = await all_new(channel, ctx, cursor)
    assert await subjects(channel, ctx, found) == ["Number 1"]
    await channel.shutdown()


async def test_of_a_mail_that_is_too_large_the_beginning_comes(box: Box, ctx: SmallContext) -> None:
    box.put(write(1) + b"all work and no play\r\n" * 20_000)
    channel = Email(Settings(**box.settings(since_beginning=True, max_bytes=400_000)))
    ((delivery,), _) = await all_new(channel, ctx, None)
    (message,) = (await channel.ingest(ctx.at(delivery), delivery)).events
    assert isinstance(message, Message)
    assert message.text.startswith("Hello 1")
    assert "Only the beginning" in message.facts["Cut"]
    await channel.shutdown()


WITH_FILE = (
    b"From: zoe@customer.example\r\nTo: help@example.com\r\nMessage-ID: <f@customer.example>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nSee the file.\r\n"
    b"--b\r\nContent-Type: text/csv; name=list.csv\r\nContent-Disposition: attachment;"
    b" filename=list.csv\r\n\r\na,b\r\n--b--\r\n"
)


async def test_a_file_stays_whatever_becomes_of_the_mail(box: Box, ctx: SmallContext) -> None:
    box.put(WITH_FILE)
    channel = Email(Settings(**box.settings(since_beginning=True)))
    ((delivery,), _) = await all_new(channel, ctx, None)
    (message,) = (await channel.ingest(ctx.at(delivery), delivery)).events
    assert isinstance(message, Message)
    box.expunge_all()
    (ref,) = (structs.replace(each, delivery=delivery) for each in message.media)
    file = await channel.fetch_media(ctx, ref)
    assert (file.body, file.name) == (b"a,b", "list.csv")
    for other in (structs.replace(ref, part=9), MediaRef(url="https://customer.example/x")):
        with pytest.raises(Permanent):
            await channel.fetch_media(ctx, other)
    await channel.shutdown()


async def test_a_mail_that_is_too_large_is_a_file_itself(box: Box, ctx: SmallContext) -> None:
    body = write(1) + b"all work and no play\r\n" * 20_000
    box.put(body)
    channel = Email(Settings(**box.settings(since_beginning=True, max_bytes=100_000)))
    ((delivery,), _) = await all_new(channel, ctx, None)
    (message,) = (await channel.ingest(ctx.at(delivery), delivery)).events
    assert isinstance(message, Message)
    (ref,) = message.media
    assert (ref.name, ref.size) == ("Number 1.eml", len(body))
    assert (await channel.fetch_media(ctx, ref)).body == body
    box.expunge_all()
    with pytest.raises(Permanent, match="not in the mailbox"):
        await channel.fetch_media(ctx, ref)
    await channel.shutdown()


async def test_what_was_sent_is_found(box: Box, ctx: SmallContext, outbound: Outbound) -> None:
    channel = Email(Settings(**box.settings()))
    assert (await channel.reconcile(ctx, outbound)).outcome == "unknown"
    name = ids.name_of("t-7", await links.key(ctx))
    own = ids.ours(name, box.user)
    box.put(write(1, message_id=own), folder="Sent")
    found = await channel.reconcile(ctx, outbound)
    assert (found.outcome, found.external_id) == ("found", own)


@pytest.fixture
def outbound() -> Outbound:
    from datetime import UTC, datetime

    from hub.plugin import Address

    return Outbound(
        id="t-7",
        address=Address(scheme="email", value="zoe@customer.example"),
        own_address="",
        deadline=datetime(2100, 1, 1, tzinfo=UTC),
    )
