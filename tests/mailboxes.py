"""Mailboxes of a real IMAP server, mail to put into them, and a mail server that takes mail."""

from __future__ import annotations

import asyncio
import imaplib
import ssl
from collections.abc import Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from hub.plugin import Secret
from tests.services import DovecotServer, free_port


class Box:
    """A user's mailbox, seen from the other side: what arrives, arrives here."""

    def __init__(self, server: DovecotServer) -> None:
        self.server = server
        self.user = f"{uuid4().hex[:12]}@example.com"
        self._laid = 0

    def put(self, mail: bytes, folder: str = "INBOX") -> None:
        """Have a mail arrive."""
        with self._connected() as imap:
            assert imap.append(folder, None, None, mail)[0] == "OK"  # type: ignore[arg-type]

    def lay(self, mails: Sequence[bytes]) -> list[Path]:
        """Have mails lie there, in this order, byte by byte as they are; where each lies."""
        maildir = self.server.maildir(self.user)
        for name in ("cur", "new", "tmp"):
            (maildir / name).mkdir(parents=True, exist_ok=True)
        paths: list[Path] = []
        for mail in mails:
            self._laid += 1
            path = maildir / "tmp" / f"{1_700_000_000 + self._laid}.M{self._laid}P1.tests"
            path.write_bytes(mail)
            paths.append(path)
        self.server.adopt(maildir)
        return [path.rename(maildir / "new" / path.name) for path in paths]

    def expunge_all(self) -> None:
        """Take everything away."""
        with self._connected() as imap:
            imap.select("INBOX")
            imap.store("1:*", "+FLAGS", "\\Deleted")
            imap.expunge()

    def count(self, folder: str = "INBOX") -> int:
        """How many mails are in a folder."""
        with self._connected() as imap:
            return int(imap.select(folder, readonly=True)[1][0] or b"0")

    def settings(self, **other: Any) -> dict[str, Any]:
        """As a channel is given them."""
        given: dict[str, Any] = {
            "address": self.user,
            "password": Secret(DovecotServer.PASSWORD),
            "imap_host": "localhost",
            "imap_port": self.server.port,
            "imap_tls": "none",
            "smtp_host": "localhost",
        }
        return given | other

    def _connected(self) -> imaplib.IMAP4:
        imap = imaplib.IMAP4("127.0.0.1", self.server.port)
        imap.login(self.user, DovecotServer.PASSWORD)
        return imap


def mail(number: int = 1, **headers: str) -> bytes:
    """A plain mail; ``reply_to="x"`` is the header ``Reply-To``."""
    given = {
        "From": "Zoe Winter <zoe@customer.example>",
        "To": "help@example.com",
        "Subject": f"Number {number}",
        "Message-ID": f"<m-{number}@customer.example>",
        "Date": "Mon, 02 Mar 2026 09:15:00 +0100",
    }
    named = {name.lower(): name for name in given}
    for key, value in headers.items():
        name = key.replace("_", "-")
        given[named.get(name, name.title())] = value
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value)
    return f"{head}\r\nHello {number}\r\n".encode()


class Taker:
    """A mail server (SMTP) for whoever has a password of the tests: what it takes, and what it
    says. With a certificate (PEM of chain and key) it wants STARTTLS and a login."""

    PASSWORD = "a password of the tests"

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        self.taken: list[bytes] = []
        self.sender = "250 2.1.0 OK"
        self.rcpt = "250 2.1.5 OK"
        self.data: str | None = "250 2.0.0 OK"
        self.host, self.port = "localhost", free_port()
        context = None
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*certificate)
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            authenticator=_may,
            auth_required=context is not None,  # without TLS it would be warned about
            auth_require_tls=context is not None,
            tls_context=context,
            data_size_limit=1_000_000,
            enable_SMTPUTF8=True,
        )
        self._controller.start()

    def stop(self) -> None:
        """End it."""
        self._controller.stop()

    def mails(self) -> list[EmailMessage]:
        """What was taken."""
        return [
            cast("EmailMessage", message_from_bytes(each, policy=policy.default))
            for each in self.taken
        ]

    def mail(self) -> EmailMessage:
        """The one mail that was taken."""
        (mail,) = self.mails()
        return mail

    async def handle_MAIL(  # noqa: N802
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.sender.startswith("250"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return self.sender

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(  # noqa: N802
        self, server: Any, session: Any, envelope: Envelope
    ) -> str:
        self.taken.append(cast("bytes", envelope.content))
        if self.data is None:
            server.transport.abort()
            await asyncio.sleep(0)
        return self.data or "250 OK"


PASSWORDS = {Taker.PASSWORD, DovecotServer.PASSWORD}


def _may(server: Any, session: Any, envelope: Any, mechanism: str, said: Any) -> AuthResult:
    right = isinstance(said, LoginPassword) and said.password.decode() in PASSWORDS
    return AuthResult(success=right, handled=False)
