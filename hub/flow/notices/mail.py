"""One mail to one mail server, step by step: so that it is known what an error means.

Until the server has been asked to take the text (DATA), nothing has been sent. Once it has been,
only its answer tells: without one the outcome is unknown (RFC 5321, section 4.5.3.2.6, where it
is told that a lost answer makes duplicates).
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr

import aiosmtplib

from hub.config import MailConfig
from hub.flow.notices.outcomes import Refused, Unsettled
from hub.store.notices import Notice

TIMEOUT = 30.0


class Mailer:
    """Hands mail to the configured server."""

    def __init__(self, config: MailConfig, *, tls: ssl.SSLContext | None = None) -> None:
        self._config = config
        self._tls = tls
        """Whom to trust; what the system trusts (``SSL_CERT_FILE``) unless told."""
        name, address = parseaddr(config.sender)
        self._sender = Address(display_name=name, addr_spec=address)

    async def send(self, notice: Notice, begin: Callable[[], Awaitable[bool]]) -> bool:
        """Send one mail; ``begin`` is asked right before the text is handed over, and may say
        no. Raises ``Refused``, ``Unsettled``."""
        message = self._message(notice)
        foreign = not (notice.recipient + self._sender.addr_spec).isascii()
        client = self._client()
        try:
            await self._address(client, notice.recipient, foreign=foreign)
            if not await begin():
                return False
            await _hand_over(client, message.as_bytes(policy=SMTPUTF8 if foreign else SMTP))
        finally:
            client.close()
        return True

    def _client(self) -> aiosmtplib.SMTP:
        config = self._config
        return aiosmtplib.SMTP(
            hostname=config.host,
            port=config.port,
            username=config.username,
            password=None if config.password is None else config.password.reveal(),
            use_tls=config.tls == "tls",
            start_tls=config.tls == "starttls",
            tls_context=self._tls,
            timeout=TIMEOUT,
        )

    async def _address(self, client: aiosmtplib.SMTP, recipient: str, *, foreign: bool) -> None:
        """All that comes before the text."""
        try:
            await client.connect()
            if foreign and not client.supports_extension("smtputf8"):
                raise Refused("The mail server takes no such address.", final=True)
            options = ["SMTPUTF8"] if foreign else []
            encoding = "utf-8" if foreign else "ascii"
            await client.mail(self._sender.addr_spec, options=options, encoding=encoding)
            await client.rcpt(recipient, encoding=encoding)
        except aiosmtplib.SMTPRecipientRefused as error:
            raise Refused(_said(error), final=error.code >= 500) from error
        except aiosmtplib.SMTPResponseException as error:
            # The login, the sender, the greeting: the operator can mend it, so the mail waits.
            raise Refused(f"The mail server refuses: {_said(error)}", final=False) from error
        except (aiosmtplib.SMTPException, ValueError, OSError) as error:
            reason = f"The mail server cannot be used: {str(error) or type(error).__name__}"
            raise Refused(reason[:500], final=False) from error

    def _message(self, notice: Notice) -> EmailMessage:
        domain = self._sender.domain or "localhost"
        message = EmailMessage()
        try:
            message["From"] = self._sender
            message["To"] = notice.recipient
            message["Subject"] = notice.subject
        except ValueError as error:
            raise Refused(f"The mail cannot be written: {error}", final=True) from error
        message["Message-ID"] = f"<notice.{notice.id}@{domain}>"
        message["Date"] = format_datetime(datetime.fromtimestamp(notice.created_at / 1000, UTC))
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's machine answers
        message.set_content(notice.text)
        if notice.html is not None:
            message.add_alternative(notice.html, subtype="html")
        return message


async def _hand_over(client: aiosmtplib.SMTP, message: bytes) -> None:
    try:
        await client.data(message)
    except aiosmtplib.SMTPResponseException as error:
        if error.code < 400:  # the connection ended while an answer was awaited
            raise Unsettled(_said(error)) from error
        raise Refused(_said(error), final=error.code >= 500) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        reason = str(error) or type(error).__name__
        raise Unsettled(f"The mail server did not answer: {reason}"[:500]) from error


def _said(error: aiosmtplib.SMTPResponseException) -> str:
    return f"{error.code} {error.message}"[:500]
