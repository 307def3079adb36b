"""Handing a mail to the mail server, step by step: so that it is known what an error means.

Until the server has been asked to take the text (DATA), nothing has gone out. From then on only
its answer tells: without one the outcome is unknown (RFC 5321, 4.5.3.2.6).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from hub.plugin import (
    Accepted,
    Context,
    CredentialsInvalid,
    FailureReason,
    HookError,
    Outbound,
    OutcomeUnknown,
    Permanent,
    Temporary,
)
from hub_email import bounces, composing, oauth
from hub_email.composing import Letter
from hub_email.settings import Settings

TIMEOUT = 20.0
UNSUBSCRIBED = re.compile(r"\bunsubscribed\b|\bopted[ -]out\b", re.IGNORECASE)
"""What providers say of who takes no more mail; there is no code for it."""
STATUS = re.compile(r"^([245]\.\d{1,3}\.\d{1,3})\b")


async def send(ctx: Context, message: Outbound, settings: Settings) -> Accepted:
    """One attempt."""
    letter = await composing.compose(ctx, message, settings)
    async with connected(ctx, settings) as client:
        await _address(client, letter)
        await _hand_over(client, letter)
    return Accepted(external_id=letter.message_id, status="sent")


async def look(ctx: Context, settings: Settings) -> None:
    """Log in and say goodbye; raises what is wrong with it."""
    async with connected(ctx, settings):
        pass


@asynccontextmanager
async def connected(ctx: Context, settings: Settings) -> AsyncGenerator[aiosmtplib.SMTP]:
    """Logged in. Raises ``Temporary``, ``CredentialsInvalid``, ``Permanent``."""
    token = await oauth.access_token(ctx, settings.oauth) if settings.oauth else None
    client = aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        local_hostname=_greeting_name(settings),
        timeout=TIMEOUT,
    )
    writer: asyncio.StreamWriter | None = None
    try:
        async with _before_the_text():
            writer = await _connect(ctx, client, settings)
            await _log_in(ctx, client, settings, token)
        yield client
        with suppress(aiosmtplib.SMTPException, OSError):
            await client.quit(timeout=2)
    finally:
        client.close()
        if writer is not None:
            await _let_go(writer)


async def _connect(
    ctx: Context, client: aiosmtplib.SMTP, settings: Settings
) -> asyncio.StreamWriter:
    """Have the client go on where ``ctx.connect`` has begun: after the greeting, in which the
    server has to stop and wait. The connection ends with the writer, so it is to be held."""
    at_once = settings.smtp_tls == "tls"
    reader, writer = await ctx.connect(settings.smtp_host, settings.smtp_port, tls=at_once)
    try:
        async with asyncio.timeout(TIMEOUT):
            await _greeted(reader)
            if settings.smtp_tls == "starttls":
                await _asked_for_tls(reader, writer, settings)
        if settings.smtp_tls == "starttls":
            await ctx.start_tls(reader, writer, settings.smtp_host)
        protocol = SMTPProtocol(loop=asyncio.get_running_loop())
        protocol.connection_made(writer.transport)
        writer.transport.set_protocol(protocol)
        client.protocol, client.transport = protocol, writer.transport
        await client.ehlo()
    except BaseException:
        await _let_go(writer)
        raise
    return writer


async def _let_go(writer: asyncio.StreamWriter) -> None:
    """End a connection on which nothing is left to be said, before this returns: to close it in
    TLS's way is to wait for the server."""
    writer.transport.abort()
    await asyncio.sleep(0)


async def _greeted(reader: asyncio.StreamReader) -> None:
    code = await _answer(reader)
    if code != b"220":
        raise Temporary(f"the mail server takes no connections now ({_ascii(code)})")


async def _asked_for_tls(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, settings: Settings
) -> None:
    """STARTTLS. What the server says of itself before is anybody's word, and not looked at."""
    writer.write(f"EHLO {_greeting_name(settings)}\r\n".encode())
    await _answer(reader)
    writer.write(b"STARTTLS\r\n")
    code = await _answer(reader)
    if code != b"220":
        raise Temporary(f"the mail server does not go on encrypted ({_ascii(code)})")


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """The code of an answer; what else is in its lines is passed over."""
    while True:
        line = await reader.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError("the connection was lost")
        if line[3:4] != b"-":
            return line[:3]


async def _log_in(
    ctx: Context, client: aiosmtplib.SMTP, settings: Settings, token: str | None
) -> None:
    try:
        if token is not None:
            await client.auth_xoauth2(settings.login, token)
        elif settings.password is not None:
            await client.login(settings.login, settings.password.reveal())
    except aiosmtplib.SMTPAuthenticationError as error:
        if 400 <= error.code < 500:
            raise Temporary(f"the mail server lets nobody in now ({error.code})") from error
        if token is not None:
            await oauth.forget(ctx)
        raise CredentialsInvalid(f"the mail server refuses the login ({error.code})") from error


async def _address(client: aiosmtplib.SMTP, letter: Letter) -> None:
    """All that comes before the text."""
    encoding = "utf-8" if letter.foreign else "ascii"
    async with _before_the_text():
        if letter.foreign and not client.supports_extension("smtputf8"):
            raise Permanent("bad_address", "the mail server takes no such address (SMTPUTF8)")
        options = ["SMTPUTF8"] if letter.foreign else []
        if client.supports_extension("size"):
            options.append(f"SIZE={len(letter.body)}")
        await client.mail(letter.sender, options=options, encoding=encoding)
        await client.rcpt(letter.recipient, encoding=encoding)
        for copied in (*letter.cc, *letter.bcc):
            try:
                await client.rcpt(copied, encoding=encoding)
            except aiosmtplib.SMTPRecipientRefused as error:
                if error.code < 500:
                    raise
                detail = f"the mail server refuses {copied}, in copy: {said(error)}"
                raise Permanent("bad_address", detail[:300]) from error


@asynccontextmanager
async def _before_the_text() -> AsyncGenerator[None]:
    """What an error means as long as nothing can have gone out."""
    try:
        yield
    except aiosmtplib.SMTPRecipientRefused as error:
        raise _refusal(error, "bad_address") from error
    except aiosmtplib.SMTPSenderRefused as error:
        if error.code == 530:
            raise CredentialsInvalid("the mail server wants a login") from error
        raise _refusal(error, "configuration") from error
    except aiosmtplib.SMTPResponseException as error:
        raise Temporary(f"the mail server refuses: {said(error)}") from error
    except (aiosmtplib.SMTPException, ValueError, OSError) as error:
        raise Temporary(f"the mail server cannot be used: {_line(str(error))}"[:300]) from error


async def _hand_over(client: aiosmtplib.SMTP, letter: Letter) -> None:
    try:
        await client.data(letter.body)
    except aiosmtplib.SMTPResponseException as error:
        if error.code < 400:  # no answer, or one that is none
            raise OutcomeUnknown("the mail server's answer tells nothing") from error
        raise _refusal(error, "other") from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise OutcomeUnknown("the mail server did not answer after the text") from error


def _refusal(error: aiosmtplib.SMTPResponseException, otherwise: FailureReason) -> HookError:
    if error.code < 500:
        return Temporary(f"the mail server refuses for now: {said(error)}")
    status = STATUS.match(error.message)
    reason: FailureReason = otherwise
    if UNSUBSCRIBED.search(error.message):
        reason = "opted_out"
    elif error.code == 552:
        reason = "too_large"
    elif status is not None:
        found = bounces.reason_of(status[1])
        reason = otherwise if found == "other" else found
        if otherwise == "configuration" and reason == "bad_address":
            reason = otherwise  # it is the sender's address that is refused
    code = status[1] if status is not None else str(error.code)
    return Permanent(reason, f"the mail server refuses: {said(error)}", provider_code=code)


def said(error: aiosmtplib.SMTPResponseException) -> str:
    """The server's answer on one line."""
    return _line(f"{error.code} {error.message}")


def _line(text: str) -> str:
    return " ".join(re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]+", " ", text).split())[:200]


def _ascii(text: bytes) -> str:
    return text.decode("ascii", "replace")


def _greeting_name(settings: Settings) -> str:
    """The own address's domain, as far as it can be said: servers of a mailbox do not look."""
    domain = settings.address.rpartition("@")[2]
    return domain if re.fullmatch(r"[A-Za-z0-9.-]+", domain) else "localhost"
