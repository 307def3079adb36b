"""IMAP (RFC 3501, with IDLE of RFC 2177) over a connection of the hub's: the few commands that a
mailbox is read with. What the server answers is taken apart by IMAPClient's parser.

Nothing in the mailbox is changed: folders are opened for reading only.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

from imapclient.exceptions import ProtocolError  # pyright: ignore[reportMissingTypeStubs]
from imapclient.imap_utf7 import decode as decode_utf7  # pyright: ignore[reportMissingTypeStubs]
from imapclient.imap_utf7 import encode as encode_utf7  # pyright: ignore[reportMissingTypeStubs]
from imapclient.response_parser import parse_fetch_response, parse_response  # pyright: ignore[reportMissingTypeStubs]
from msgspec import Struct

from hub.plugin import Context, CredentialsInvalid, Permanent, Temporary
from hub_email import oauth, streams
from hub_email.settings import Settings

TIMEOUT = 30.0
"""Seconds for a command's answer."""
DONE = 10.0
"""Seconds for the end of waiting: a connection may have died meanwhile, and nobody said so."""
LONGEST_LINE = 10_000_000
LITERAL = re.compile(rb"\{(\d{1,12})\}\r?\n$")
PASSING = re.compile(
    rb"\[(UNAVAILABLE|INUSE|LIMIT|OVERQUOTA|SERVERBUG|CONTACTADMIN)\]", re.IGNORECASE
)
"""Response codes (RFC 5530) of what is nobody's fault, or passes."""
Line = list[bytes | tuple[bytes, bytes]]
"""A response as the standard library gives it: text, and pairs of text and the literal after it."""


class Opened(Struct, frozen=True):
    """A folder as it is now."""

    validity: int
    next_uid: int


class Failed(streams.RefusedError):
    """The server answered NO or BAD."""


class Session:
    """A connection, from the greeting to the logout."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._most = most
        self._tags = 0
        self._can: frozenset[str] = frozenset()
        self.loop = asyncio.get_running_loop()

    # ---- what is asked

    async def can(self, what: str) -> bool:
        """Whether the server says that it has an extension."""
        if not self._can:
            for line in await self.command(b"CAPABILITY"):
                words = _text(line).split()
                if words[:1] == [b"CAPABILITY"]:
                    self._can = frozenset(each.decode("ascii", "replace").upper() for each in words)
        return what in self._can

    def changed(self) -> None:
        """What the server can is asked anew: after a login, after TLS."""
        self._can = frozenset()

    async def open(self, folder: str) -> Opened:
        """Open a folder for reading. Raises ``Failed``."""
        lines = await self.command(b"EXAMINE " + quoted(encode_utf7(folder)))
        said = b"\n".join(_text(line) for line in lines)
        validity = re.search(rb"\[UIDVALIDITY (\d+)\]", said, re.IGNORECASE)
        next_uid = re.search(rb"\[UIDNEXT (\d+)\]", said, re.IGNORECASE)
        if validity is None:
            raise Temporary("the mailbox gives its mail no lasting numbers (UIDVALIDITY)")
        if next_uid is not None:
            return Opened(int(validity[1]), int(next_uid[1]))
        full = re.search(rb"^[1-9]\d* EXISTS", said, re.MULTILINE) is not None
        found = await self.fetch("*", "(UID)") if full else {}
        return Opened(int(validity[1]), max(found, default=0) + 1)

    async def fetch(self, uids: str, items: str) -> dict[int, dict[bytes, Any]]:
        """Of some mails what ``items`` names, by UID."""
        lines = await self.command(f"UID FETCH {uids} {items}".encode("ascii"))
        found: dict[int, dict[bytes, Any]] = {}
        for line in lines:
            if not re.match(rb"\d+ FETCH ", _text(line)):
                continue
            try:
                # IMAPClient wants the lines as the standard library has them: without the verb.
                told = cast("Any", parse_fetch_response)(_without_verb(line))
            except (ProtocolError, ValueError) as error:
                raise Temporary("the mail server's answer is broken") from error
            found |= {int(uid): dict(fields) for uid, fields in told.items()}
        return found

    async def search(self, what: bytes) -> list[int]:
        """The UIDs of the mails that match, in order."""
        found: list[int] = []
        for line in await self.command(b"UID SEARCH " + what):
            words = _text(line).split()
            if words[:1] == [b"SEARCH"]:
                found += [int(word) for word in words[1:] if word.isdigit()]
        return sorted(found)

    async def folders(self) -> dict[str, frozenset[str]]:
        """The folders and how each is marked (RFC 6154), in lower case."""
        found: dict[str, frozenset[str]] = {}
        for line in await self.command(b'LIST "" "*"'):
            if not _text(line).startswith(b"LIST "):
                continue
            try:
                _, flags, _, name = cast("Any", parse_response)(line)
            except (ProtocolError, ValueError):
                continue
            shown = decode_utf7(name if isinstance(name, bytes) else str(name).encode())
            marks = (bytes(flag).decode("ascii", "replace").lower() for flag in flags)
            found[str(shown)] = frozenset(marks)
        return found

    async def sent_folder(self) -> str | None:
        """The folder of what was sent, by its special use."""
        folders = await self.folders()
        return next((name for name, marks in folders.items() if "\\sent" in marks), None)

    async def idle(self, seconds: float) -> bool:
        """Wait until something arrives in the folder; ``False``: nothing did."""
        tag = self._next_tag()
        await self._write(tag + b" IDLE\r\n")
        arrived = False
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not arrived:
                    said = _text(await self._line())
                    arrived = re.match(rb"\* \d+ EXISTS", said, re.IGNORECASE) is not None
                    if said.startswith(tag):
                        raise Failed(said)
                    if said[:6].upper() == b"* BYE ":
                        raise ConnectionError("the mail server said goodbye")
        async with asyncio.timeout(DONE):
            await self._write(b"DONE\r\n")
            await self._answer(tag)
        return arrived

    # ---- how it is asked

    async def greeting(self) -> None:
        """The first line. Raises ``Temporary``."""
        async with asyncio.timeout(TIMEOUT):
            said = _text(await self._line())
        if not said.upper().startswith((b"* OK", b"* PREAUTH")):
            raise Temporary("the mail server takes no connections now")

    async def command(self, words: bytes) -> list[Line]:
        """Its untagged answers. Raises ``Failed``."""
        tag = self._next_tag()
        async with asyncio.timeout(TIMEOUT):
            await self._write(tag + b" " + words + b"\r\n")
            return await self._answer(tag)

    async def authenticate(self, user: str, token: str) -> None:
        """Log in by XOAUTH2, in one step where the server takes it so (RFC 4959)."""
        tag = self._next_tag()
        said = oauth.sasl(user, token)
        async with asyncio.timeout(TIMEOUT):
            if await self.can("SASL-IR"):
                await self._write(tag + b" AUTHENTICATE XOAUTH2 " + said + b"\r\n")
            else:
                await self._write(tag + b" AUTHENTICATE XOAUTH2\r\n")
                if not _text(await self._line()).startswith(b"+"):
                    raise Failed(b"the server does not go on")
                await self._write(said + b"\r\n")
            await self._answer(tag, going_on=b"\r\n")

    async def close(self) -> None:
        """Say goodbye if the server listens, and end it."""
        with suppress(Exception):
            async with asyncio.timeout(2):
                await self.command(b"LOGOUT")
        self.drop()

    def drop(self) -> None:
        """End it at once."""
        with suppress(RuntimeError):  # its loop may be gone
            self._writer.close()

    def _next_tag(self) -> bytes:
        self._tags += 1
        return b"H%d" % self._tags

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def _answer(self, tag: bytes, going_on: bytes | None = None) -> list[Line]:
        lines: list[Line] = []
        while True:
            line = await self._line()
            said = _text(line)
            if said.startswith(tag + b" "):
                status = said[len(tag) + 1 :].lstrip()
                if status[:2].upper() == b"OK":
                    return lines
                raise Failed(status)
            if said.startswith(b"+") and going_on is not None:
                await self._write(going_on)  # the server tells why it refuses, and wants an answer
            elif said[:6].upper() == b"* BYE ":
                raise ConnectionError("the mail server said goodbye")
            elif said.startswith(b"* "):
                first = line[0]
                if isinstance(first, tuple):
                    line[0] = (first[0][2:], first[1])
                else:
                    line[0] = first[2:]
                lines.append(line)

    async def _line(self) -> Line:
        """One response, with its literals."""
        parts: Line = []
        size = 0
        while True:
            text = await streams.line(self._reader, self._most + LONGEST_LINE)
            literal = LITERAL.search(text)
            if literal is None:
                parts.append(text.rstrip(b"\r\n"))
                return parts
            size += int(literal[1])
            if size > self._most + LONGEST_LINE:
                raise Temporary("the mail server sends more than it was asked for")
            parts.append((text.rstrip(b"\r\n"), await self._reader.readexactly(int(literal[1]))))


@asynccontextmanager
async def session(
    ctx: Context, settings: Settings, most: int | None = None
) -> AsyncGenerator[Session]:
    """A connection that ends with the block. Raises what ``connected`` and ``told`` raise."""
    one = await connected(ctx, settings, most)
    try:
        yield one
    except BaseException:
        one.drop()
        raise
    await one.close()


@asynccontextmanager
async def told() -> AsyncGenerator[None]:
    """Turns what goes wrong on a connection into the errors of the API."""
    try:
        yield
    except Failed as error:
        raise Temporary(f"the mail server refuses: {error}") from error
    except (TimeoutError, ssl.SSLError, OSError, EOFError, ValueError) as error:
        raise Temporary("the connection to the mail server was lost") from error


async def connected(ctx: Context, settings: Settings, most: int | None = None) -> Session:
    """Connect and log in. ``most``: bytes of an answer, ``max_bytes`` of the settings where nothing
    is said. Raises ``Temporary``, ``CredentialsInvalid``, ``Permanent``."""
    host = settings.imap_host
    if host is None:
        raise Permanent("configuration", "imap_host is not set")
    at_once = settings.imap_tls == "tls"
    async with told():
        reader, writer = await ctx.connect(host, settings.imap_port, tls=at_once)
        one = Session(reader, writer, most or settings.max_bytes)
        try:
            await one.greeting()
            if settings.imap_tls == "starttls":
                await one.command(b"STARTTLS")
                await ctx.start_tls(reader, writer, host)
                one.changed()
            await _log_in(ctx, one, settings)
        except BaseException:
            one.drop()
            raise
    return one


async def _log_in(ctx: Context, one: Session, settings: Settings) -> None:
    try:
        if settings.oauth is not None:
            token = await oauth.access_token(ctx, settings.oauth)
            await one.authenticate(settings.login, token)
        elif settings.password is not None:
            words = (settings.login, settings.password.reveal())
            login, password = (quoted(each.encode()) for each in words)
            await one.command(b"LOGIN " + login + b" " + password)
    except Failed as error:
        if PASSING.search(error.answer):
            raise Temporary("the mail server does not let anybody in now") from error
        if settings.oauth is not None:
            await oauth.forget(ctx)
        raise CredentialsInvalid("the mail server (IMAP) refuses the login") from error
    one.changed()


def quoted(text: bytes) -> bytes:
    """A quoted string. Raises ``Permanent`` for line ends, which none can hold."""
    if re.search(rb"[\r\n\x00]", text):
        raise Permanent("configuration", "a name or password has a line end in it")
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _text(line: Line) -> bytes:
    first = line[0]
    return first[0] if isinstance(first, tuple) else first


def _without_verb(line: Line) -> Line:
    """``1 FETCH (UID 7 …`` as ``1 (UID 7 …``."""
    first = line[0]
    if isinstance(first, tuple):
        return [(re.sub(rb"^(\d+) FETCH ", rb"\1 ", first[0]), first[1]), *line[1:]]
    return [re.sub(rb"^(\d+) FETCH ", rb"\1 ", first), *line[1:]]
