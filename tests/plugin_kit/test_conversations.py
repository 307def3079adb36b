"""Recorded conversations of line protocols, and TLS in the middle of one."""

from __future__ import annotations

import pytest

from hub.plugin import Temporary
from hub.plugin.kit import conversations
from hub.plugin.kit.recorded import RecordedContext

STARTS_TLS = """\
connect mail.example:587 plain
S 220 ready
C STARTTLS
S 220 go ahead
T
C HELLO *
S 250 hello
E
"""


async def begun(text: str, host: str = "mail.example") -> bytes:
    """What a client hears that starts TLS, and then greets."""
    ctx = RecordedContext()
    ctx.conversations += conversations.read(text)
    reader, writer = await ctx.connect("mail.example", 587, tls="587 tls" in text)
    assert await reader.readline() == b"220 ready\r\n"
    writer.write(b"STARTTLS\r\n")
    assert await reader.readline() == b"220 go ahead\r\n"
    await ctx.start_tls(reader, writer, host)
    writer.write(b"HELLO there\r\n")
    return await reader.read()


async def test_it_goes_on_where_tls_begins() -> None:
    assert await begun(STARTS_TLS) == b"250 hello\r\n"


@pytest.mark.parametrize(
    ("text", "host"),
    [
        (STARTS_TLS.replace("T\nC", "C"), "mail.example"),
        (STARTS_TLS.replace("plain", "tls"), "mail.example"),
        (STARTS_TLS, "other.example"),
    ],
    ids=["not there", "twice", "another host"],
)
async def test_tls_that_was_not_recorded(text: str, host: str) -> None:
    with pytest.raises(conversations.NotRecorded, match="TLS"):
        await begun(text, host)


async def test_what_is_said_in_plain_before_tls_is_not_believed() -> None:
    with pytest.raises(Temporary, match="more than it may"):
        await begun(STARTS_TLS.replace("T\nC", "S 220 injected\nT\nC"))


async def test_who_does_not_begin_tls_is_found_out() -> None:
    ctx = RecordedContext()
    ctx.conversations += conversations.read(STARTS_TLS)
    reader, writer = await ctx.connect("mail.example", 587, tls=False)
    for said in (b"STARTTLS", b"HELLO there"):
        await reader.readline()
        writer.write(said + b"\r\n")
    with pytest.raises(conversations.NotRecorded):
        await reader.read()


def test_a_line_of_nobody_is_told_by_its_number() -> None:
    with pytest.raises(ValueError, match="2: a line begins with connect, S, C, T or E"):
        conversations.read("connect mail.example:587 plain\nX what\n")
