"""Mail is read from a real POP3 server: nothing is lost, nothing comes twice, nothing is deleted
that is not known to be kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hub_email import Email, streams
from hub_email.pop3 import Known
from hub_email.settings import Settings
from hypothesis import given
from hypothesis import strategies as st

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
from tests.mailboxes import Box
from tests.mailboxes import mail as write
from tests.services import free_port
from tests.small_context import SmallContext

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Serve = Callable[[Talk], Awaitable[int]]


def settings(box: Box, **other: Any) -> Settings:
    given: dict[str, Any] = {
        **box.settings(imap_host=None),
        "pop3_host": "localhost",
        "pop3_port": box.server.pop3_port,
        "pop3_tls": "none",
    }
    return Settings(**(given | other))


async def polled(channel: Email, ctx: SmallContext, cursor: str | None) -> PollResult:
    return await channel.poll(ctx, cursor)


async def all_new(
    channel: Email, ctx: SmallContext, cursor: str | None
) -> tuple[list[str], str | None]:
    told: list[str] = []
    while True:
        result = await polled(channel, ctx, cursor)
        cursor = result.cursor
        told += [(await read(channel, ctx, each)).subject or "" for each in result.deliveries]
        if not result.more:
            return told, cursor


async def read(channel: Email, ctx: SmallContext, delivery: Delivery) -> Message:
    (message,) = (await channel.ingest(ctx.at(delivery), delivery)).events
    assert isinstance(message, Message)
    return message


@pytest.mark.feature("ROUT-01")
async def test_what_is_new_comes_once_and_stays_there(box: Box, ctx: SmallContext) -> None:
    box.put(write(1))
    channel = Email(settings(box))
    assert (await all_new(channel, ctx, None))[0] == []
    _, cursor = await all_new(channel, ctx, None)
    for number in range(2, 62):
        box.put(write(number))
    found, cursor = await all_new(channel, ctx, cursor)
    assert found == [f"Number {n}" for n in range(2, 62)]
    assert (await all_new(channel, ctx, cursor))[0] == []
    everything, _ = await all_new(Email(settings(box, since_beginning=True)), ctx, None)
    assert len(everything) == 61


async def test_what_vanishes_and_what_comes_meanwhile(box: Box, ctx: SmallContext) -> None:
    channel = Email(settings(box, since_beginning=True))
    for number in range(3):
        box.put(write(number))
    _, cursor = await all_new(channel, ctx, None)
    box.expunge_all()
    box.put(write(7))
    found, cursor = await all_new(channel, ctx, cursor)
    assert found == ["Number 7"]
    assert cursor is not None
    kept = Known.of(cursor)
    assert kept is not None
    assert len(kept.taken) == 1


async def test_only_what_was_saved_is_deleted_and_only_on_demand(
    box: Box, ctx: SmallContext
) -> None:
    box.put(write(1))
    before = Email(settings(box))
    _, cursor = await all_new(before, ctx, None)
    box.put(write(2))
    channel = Email(settings(box, pop3_delete=True))
    result = await polled(channel, ctx, cursor)
    assert box.count() == 2
    again = await polled(channel, ctx, cursor)  # it was not saved: it comes again
    assert [each.body for each in again.deliveries] == [each.body for each in result.deliveries]
    assert (await all_new(channel, ctx, result.cursor))[0] == []
    assert box.count() == 1  # what was there before the channel began is left alone


@pytest.mark.parametrize("how", ["tls", "starttls"])
async def test_the_connection_is_encrypted(how: str, box: Box, ctx: SmallContext) -> None:
    box.put(write(1))
    port = box.server.pop3s_port if how == "tls" else box.server.pop3_port
    channel = Email(settings(box, pop3_tls=how, pop3_port=port, since_beginning=True))
    assert (await all_new(channel, ctx, None))[0] == ["Number 1"]
    assert (await channel.health(ctx)).state != "needs_attention"


async def test_a_wrong_password_asks_for_a_person(box: Box, ctx: SmallContext) -> None:
    channel = Email(settings(box, password=Secret("another password")))
    with pytest.raises(CredentialsInvalid) as error:
        await polled(channel, ctx, None)
    assert "another" not in error.value.detail


async def test_a_server_that_is_away_is_asked_again(box: Box, ctx: SmallContext) -> None:
    with pytest.raises(Temporary):
        await polled(Email(settings(box, pop3_port=free_port())), ctx, None)


async def test_dots_and_long_lines_come_as_they_were(box: Box, ctx: SmallContext) -> None:
    long = b"x" * 300_000
    box.put(write(1) + b".\r\n..\r\n.hidden\r\n" + long + b"\r\n")
    channel = Email(settings(box, since_beginning=True))
    result = await polled(channel, ctx, None)
    assert result.deliveries[0].body.endswith(b".\r\n..\r\n.hidden\r\n" + long + b"\r\n")


async def test_of_a_mail_that_is_too_large_the_beginning_comes(box: Box, ctx: SmallContext) -> None:
    body = write(1) + b"all work and no play\r\n" * 20_000
    box.put(body)
    channel = Email(settings(box, since_beginning=True, max_bytes=100_000))
    (delivery,) = (await polled(channel, ctx, None)).deliveries
    message = await read(channel, ctx, delivery)
    assert message.text.startswith("Hello 1")
    (ref,) = message.media
    assert (await channel.fetch_media(ctx, ref)).body == body
    box.expunge_all()
    with pytest.raises(Permanent, match="not in the mailbox"):
        await channel.fetch_media(ctx, ref)


@given(
    st.frozensets(st.binary(min_size=8, max_size=8)),
    st.frozensets(st.binary(min_size=8, max_size=8)),
)
def test_what_is_known_is_read_as_it_was_saved(
    before: frozenset[bytes], taken: frozenset[bytes]
) -> None:
    known = Known(before=before, taken=taken)
    assert Known.of(str(known)) == known


# What no real server does on demand, a scripted one does.


def scripted(*answers: bytes) -> Talk:
    """Says one answer after the other, whatever it is asked; then it ends."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"+OK ready\r\n")
        for answer in answers:
            if not await reader.readline():
                break
            writer.write(answer)
            await writer.drain()

    return talk


OK = b"+OK\r\n"
HAS_ONE = (OK, OK, b"+OK\r\n1 aa\r\n.\r\n", b"+OK\r\n1 30\r\n.\r\n")


async def test_a_mail_that_always_breaks_off_keeps_no_other_back(
    box: Box, ctx: SmallContext, serve: Serve
) -> None:
    port = await serve(scripted(*HAS_ONE, b"+OK\r\nFrom: zoe@cust"))
    channel = Email(settings(box, pop3_port=port, since_beginning=True))
    for _ in range(streams.TRIES):
        with pytest.raises(Temporary):
            await polled(channel, ctx, None)
    port = await serve(scripted(*HAS_ONE, OK))
    channel._maildrop._settings = settings(box, pop3_port=port, since_beginning=True)
    result = await polled(channel, ctx, None)
    (delivery,) = result.deliveries
    with pytest.raises(Malformed):  # which keeps it, for a person to see
        await channel.ingest(ctx.at(delivery), delivery)


async def test_without_lasting_names_nothing_is_read(
    box: Box, ctx: SmallContext, serve: Serve
) -> None:
    port = await serve(scripted(OK, OK, b"-ERR unknown command\r\n", OK))
    with pytest.raises(Permanent, match="UIDL"):
        await polled(Email(settings(box, pop3_port=port)), ctx, None)


async def test_a_mailbox_in_use_is_asked_again(box: Box, ctx: SmallContext, serve: Serve) -> None:
    port = await serve(scripted(OK, b"-ERR [IN-USE] locked\r\n"))
    with pytest.raises(Temporary):
        await polled(Email(settings(box, pop3_port=port)), ctx, None)


async def test_encryption_that_is_refused_ends_it_before_the_login(
    box: Box, ctx: SmallContext, serve: Serve
) -> None:
    said: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"+OK ready\r\n")
        while line := await reader.readline():
            said.append(line)
            writer.write(b"-ERR not here\r\n")

    port = await serve(talk)
    with pytest.raises(Temporary):
        await polled(Email(settings(box, pop3_port=port, pop3_tls="starttls")), ctx, None)
    assert said == [b"STLS\r\n"]
