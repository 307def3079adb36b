"""The mailbox, read by POP3 (RFC 1939): for servers that offer nothing better.

POP3 numbers mail anew in each session, so the place reached is what each mail is called (UIDL): a
short digest of each, of those that were there before the channel began apart from those that were
taken in. Nothing is deleted, unless the settings say so: then, and only then, what the hub has
saved already is deleted at the next look.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from msgspec import Struct

from hub.plugin import Context, CredentialsInvalid, Delivery, Permanent, PollResult, Temporary
from hub_email import oauth, streams
from hub_email.incoming import CUT, PLACE
from hub_email.settings import Settings

TIMEOUT = 30.0
"""Seconds for an answer, and between two lines of a long one."""
EVERY = 60.0
"""Seconds between two looks: each is a login, and many servers count them."""
AT_ONCE = 100
BYTES_AT_ONCE = 30_000_000
BEGINNING = 3000
"""Lines of a mail that is too large."""
LARGEST = 100_000_000
LONGEST_LINE = 1_000_000
DIGEST = 8
PASSING = re.compile(rb"\[(IN-USE|LOGIN-DELAY|SYS/TEMP)\]", re.IGNORECASE)
"""Response codes (RFC 2449, RFC 3206) of what passes."""


class Known(Struct, frozen=True):
    """Digests of the mails that were there ``before`` the channel began, and of those ``taken``."""

    before: frozenset[bytes] = frozenset()
    taken: frozenset[bytes] = frozenset()

    def __str__(self) -> str:
        both = (self.before, self.taken)
        return ".".join(base64.b64encode(b"".join(sorted(each))).decode() for each in both)

    @classmethod
    def of(cls, cursor: str | None) -> Known | None:
        """As it was saved."""
        if not re.fullmatch(r"[A-Za-z0-9+/=]*\.[A-Za-z0-9+/=]*", cursor or ""):
            return None
        return cls(*(_split(base64.b64decode(each)) for each in (cursor or "").split(".")))


def _split(digests: bytes) -> frozenset[bytes]:
    return frozenset(digests[at : at + DIGEST] for at in range(0, len(digests), DIGEST))


class Failed(streams.RefusedError):
    """The server answered -ERR."""


class Session:
    """A connection, from the greeting to the end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.ended = False

    async def greeting(self) -> None:
        """The first line. Raises ``Failed``."""
        await self._answer()

    async def command(self, words: bytes) -> bytes:
        """What follows the ``+OK``. Raises ``Failed``."""
        self._writer.write(words + b"\r\n")
        await self._writer.drain()
        return await self._answer()

    async def lines(self, words: bytes, most: int) -> bytes:
        """A long answer. Raises ``Temporary`` where it has more than ``most`` bytes."""
        await self.command(words)
        told = bytearray()
        while (line := await self._line(most)) != b".\r\n":
            told += line[1:] if line.startswith(b".") else line
            if len(told) > most:
                raise Temporary("the mail server sends more than it was asked for")
        return bytes(told)

    async def authenticate(self, said: bytes) -> None:
        """Log in by XOAUTH2. Raises ``Failed``."""
        self._writer.write(b"AUTH XOAUTH2\r\n")
        await self._writer.drain()
        if not (await self._line()).startswith(b"+"):
            raise Failed(b"the server does not go on")
        self._writer.write(said + b"\r\n")
        await self._writer.drain()
        line = await self._line()
        if line.startswith(b"+ "):  # it tells why it refuses, and wants an answer
            self._writer.write(b"\r\n")
            line = await self._line()
        if not line.startswith(b"+OK"):
            raise Failed(line.removeprefix(b"-ERR").strip())

    async def close(self) -> None:
        """Have the server carry out what was asked, and end it. Raises ``Failed``."""
        await self.command(b"QUIT")
        self.drop()

    def drop(self) -> None:
        """End it at once: nothing is deleted then."""
        self.ended = True
        with suppress(RuntimeError):  # its loop may be gone
            self._writer.close()

    async def _answer(self) -> bytes:
        line = await self._line()
        if line.startswith(b"+OK"):
            return line[3:].strip()
        raise Failed(line.removeprefix(b"-ERR").strip())

    async def _line(self, most: int = LONGEST_LINE) -> bytes:
        async with asyncio.timeout(TIMEOUT):
            line = await streams.line(self._reader, most)
        return line if line.endswith(b"\r\n") else line[:-1] + b"\r\n"


class Maildrop:
    """Reads the mailbox; each look is a session of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._patience = streams.Patience()

    async def poll(self, ctx: Context, cursor: str | None) -> PollResult:
        """What is there and was not yet taken in."""
        known = Known.of(cursor)
        async with session(ctx, self._settings) as one:
            names = await _names(one)
            there = {_digest(name): number for number, name in names.items()}
            if known is None:
                old = frozenset[bytes]() if self._settings.since_beginning else frozenset(there)
                known = Known(before=old)
            if self._settings.pop3_delete:
                await _delete(one, known, there)
            sizes = await _numbers(one, b"LIST")
            new = [
                (digest, number)
                for digest, number in sorted(there.items(), key=lambda each: each[1])
                if digest not in known.taken and digest not in known.before
            ]
            basket, taken, total = streams.Basket(), set[bytes](), 0
            for digest, number in new:
                size = sizes.get(number, 0)
                total += size
                if taken and (len(taken) == AT_ONCE or total > BYTES_AT_ONCE or basket.full):
                    break
                if not await basket.put(self._mail(one, number, names[number], size)):
                    one.drop()
                    break
                taken.add(digest)
        # What is gone from the mailbox need not be known any more.
        now = Known(before=known.before & there.keys(), taken=(known.taken & there.keys()) | taken)
        more = len(taken) < len(new)
        return PollResult(
            deliveries=tuple(basket.deliveries), cursor=str(now), more=more, next_in=EVERY
        )

    async def whole(self, ctx: Context, place: str) -> bytes:
        """The mail at a ``PLACE``, however large, if it is there still."""
        async with session(ctx, self._settings) as one:
            found = [number for number, name in (await _names(one)).items() if name == place]
            if found:
                return await one.lines(b"RETR %d" % found[0], LARGEST)
        raise Permanent("other", "the mail is not in the mailbox any more")

    def drop(self) -> None:
        """Nothing is kept between two looks."""

    async def _mail(self, one: Session, number: int, name: str, size: int) -> Delivery:
        headers = [("Content-Type", "message/rfc822"), (PLACE, name)]
        most = self._settings.max_bytes
        share = self._patience.share(name)
        if share == "whole" and size <= most:
            body = await one.lines(b"RETR %d" % number, most + LONGEST_LINE)
        else:
            headers.append((CUT, str(size)))
            body = b""
            if share != "nothing":
                body = await one.lines(b"TOP %d %d" % (number, BEGINNING), size + LONGEST_LINE)
                body = body[:most]
        self._patience.had(name)
        return Delivery(body=body, headers=tuple(headers), received_at=datetime.now(UTC))


async def _delete(one: Session, known: Known, there: dict[bytes, int]) -> None:
    """What an earlier look has brought: that it is known says that the hub has saved it."""
    for digest in sorted(known.taken & there.keys()):
        await one.command(b"DELE %d" % there.pop(digest))


async def look(ctx: Context, settings: Settings) -> None:
    """Log in, and see that mail has lasting names; raises what is wrong with it."""
    async with session(ctx, settings) as one:
        await _names(one)


@asynccontextmanager
async def session(ctx: Context, settings: Settings) -> AsyncGenerator[Session]:
    """Logged in. Raises ``Temporary``, ``CredentialsInvalid``, ``Permanent``."""
    host = settings.pop3_host
    if host is None:
        raise Permanent("configuration", "pop3_host is not set")
    try:
        at_once = settings.pop3_tls == "tls"
        reader, writer = await ctx.connect(host, settings.pop3_port, tls=at_once)
        one = Session(reader, writer)
        try:
            await one.greeting()
            if settings.pop3_tls == "starttls":
                await one.command(b"STLS")
                await ctx.start_tls(reader, writer, host)
            await _log_in(ctx, one, settings)
            yield one
            if not one.ended:
                await one.close()
        finally:
            one.drop()
    except Failed as error:
        raise Temporary(f"the mail server refuses: {error}") from error
    except (TimeoutError, ssl.SSLError, OSError, EOFError, ValueError) as error:
        raise Temporary("the connection to the mail server was lost") from error


async def _log_in(ctx: Context, one: Session, settings: Settings) -> None:
    try:
        if settings.oauth is not None:
            token = await oauth.access_token(ctx, settings.oauth)
            await one.authenticate(oauth.sasl(settings.login, token))
        elif settings.password is not None:
            words = [settings.login.encode(), settings.password.reveal().encode()]
            if any(re.search(rb"[\r\n\x00]", each) for each in words):
                raise Permanent("configuration", "a name or password has a line end in it")
            await one.command(b"USER " + words[0])
            await one.command(b"PASS " + words[1])
    except Failed as error:
        if PASSING.search(error.answer):
            raise Temporary("the mail server does not let anybody in now") from error
        if settings.oauth is not None:
            await oauth.forget(ctx)
        raise CredentialsInvalid("the mail server (POP3) refuses the login") from error


async def _names(one: Session) -> dict[int, str]:
    """What each mail is called, by its number in this session."""
    try:
        told = await one.lines(b"UIDL", LARGEST)
    except Failed as error:
        raise Permanent(
            "configuration", "the mailbox gives its mail no lasting names (UIDL)"
        ) from error
    found = (line.split() for line in told.decode("latin-1").splitlines())
    return {int(each[0]): each[1] for each in found if len(each) == 2 and each[0].isdigit()}


async def _numbers(one: Session, words: bytes) -> dict[int, int]:
    found = (line.split() for line in (await one.lines(words, LARGEST)).splitlines())
    return {
        int(each[0]): int(each[1])
        for each in found
        if len(each) >= 2 and each[0].isdigit() and each[1].isdigit()
    }


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode("latin-1", "replace")).digest()[:DIGEST]
