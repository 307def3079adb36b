"""Login by OAuth 2.0: a token server, and the real dialogues of the mail servers (XOAUTH2)."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from hub_email import Email
from hub_email.settings import Oauth, Settings

from hub.plugin import Address, CredentialsInvalid, HookError, Outbound, Secret, Temporary, WirePart
from hub.plugin.kit.recorded import SetClock
from tests.mailboxes import Box, Taker
from tests.mailboxes import mail as write
from tests.small_context import SmallContext


class TokenServer:
    """Gives tokens for a refresh token (RFC 6749), and says which are good (RFC 7662)."""

    def __init__(self, port: int) -> None:
        self.refresh = "the refresh token"
        self.good: dict[str, str] = {}
        self.user = ""
        self.asked: list[dict[str, list[str]]] = []
        self.fails: tuple[int, bytes] | None = None
        self.rotates = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self.answer(*outer.give(parse_qs(body)))

            def do_GET(self) -> None:
                token = (self.headers["Authorization"] or "").removeprefix("Bearer ")
                known = outer.good.get(token)
                found = {"active": "true", "username": known} if known else {"active": "false"}
                self.answer(200, json.dumps(found).encode())

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def give(self, form: dict[str, list[str]]) -> tuple[int, bytes]:
        """What a request for a token is answered."""
        self.asked.append(form)
        if self.fails is not None:
            return self.fails
        if form.get("refresh_token") != [self.refresh]:
            return 400, b'{"error": "invalid_grant"}'
        token = f"token-{len(self.asked)}"
        self.good[token] = self.user
        given: dict[str, Any] = {"access_token": token, "expires_in": 3600}
        if self.rotates:
            self.refresh = given["refresh_token"] = f"refresh-{len(self.asked)}"
        return 200, json.dumps(given).encode()

    def stop(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def tokens(box: Box) -> Iterator[TokenServer]:
    made = TokenServer(box.server.introspection_port)
    made.user = box.user
    yield made
    made.stop()


@pytest.fixture
async def online(tokens: TokenServer) -> AsyncIterator[SmallContext]:
    ctx = SmallContext(
        routes={"oauth.example.com": tokens.url},
        allowed_hosts=["localhost"],
        clock=SetClock(datetime.now(UTC)),
    )
    yield ctx
    await ctx.aclose()


OAUTH = Oauth(
    token_url="https://oauth.example.com/token",
    client_id="the hub",
    client_secret=Secret("a client's secret"),
    refresh_token=Secret("the refresh token"),
    scope="mail",
)


@pytest.mark.parametrize("how", ["imap", "pop3"])
async def test_mail_is_read_with_a_token(
    how: str, box: Box, tokens: TokenServer, online: SmallContext
) -> None:
    box.put(write(1))
    given = box.settings(password=None, oauth=OAUTH, since_beginning=True)
    if how == "pop3":
        given |= {"imap_host": None, "pop3_host": "localhost", "pop3_tls": "none"}
        given |= {"pop3_port": box.server.pop3_port}
    channel = Email(Settings(**given))
    result = await channel.poll(online, None)
    assert len(result.deliveries) == 1
    assert tokens.asked == [
        {
            "grant_type": ["refresh_token"],
            "client_id": ["the hub"],
            "client_secret": ["a client's secret"],
            "refresh_token": ["the refresh token"],
            "scope": ["mail"],
        }
    ]
    other = Email(Settings(**given))
    await other.poll(online, result.cursor)
    assert len(tokens.asked) == 1  # the same token does for all
    await channel.shutdown()
    await other.shutdown()


async def test_a_token_that_was_withdrawn_is_fetched_anew(
    box: Box, tokens: TokenServer, online: SmallContext
) -> None:
    box.put(write(1))
    channel = Email(Settings(**box.settings(password=None, oauth=OAUTH, since_beginning=True)))
    await channel.poll(online, None)
    tokens.good.clear()
    await channel.shutdown()
    with pytest.raises(CredentialsInvalid):
        await channel.poll(online, None)
    assert len((await channel.poll(online, None)).deliveries) == 1
    await channel.shutdown()


async def test_a_token_that_is_old_is_fetched_anew_and_the_new_refresh_token_kept(
    box: Box, tokens: TokenServer, online: SmallContext
) -> None:
    tokens.rotates = True
    box.put(write(1))
    for _ in range(3):
        channel = Email(Settings(**box.settings(password=None, oauth=OAUTH, since_beginning=True)))
        assert len((await channel.poll(online, None)).deliveries) == 1
        await channel.shutdown()
        online.clock = SetClock(online.clock.now() + timedelta(hours=2))
    assert [each["refresh_token"] for each in tokens.asked] == [
        ["the refresh token"],
        ["refresh-1"],
        ["refresh-2"],
    ]


@pytest.mark.parametrize(
    ("fails", "error"),
    [
        ((400, b'{"error": "invalid_grant"}'), CredentialsInvalid),
        ((500, b"<html>Sorry"), Temporary),
        ((200, b"<html>Sign in"), Temporary),
        ((429, b"{}"), Temporary),
    ],
)
async def test_what_the_token_server_says_is_told(
    fails: tuple[int, bytes],
    error: type[HookError],
    box: Box,
    tokens: TokenServer,
    online: SmallContext,
) -> None:
    tokens.fails = fails
    channel = Email(Settings(**box.settings(password=None, oauth=OAUTH)))
    with pytest.raises(error) as raised:
        await channel.poll(online, None)
    assert "secret" not in raised.value.detail


class Xoauth2(Taker):
    """A mail server that takes tokens (SASL XOAUTH2)."""

    def __init__(self, tokens: TokenServer) -> None:
        self.tokens = tokens
        super().__init__()

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult | None:  # noqa: N802
        """The dialogue as Google and Microsoft have it."""
        said = base64.b64decode(args[1]).decode()
        user, bearer = said.split("\x01")[:2]
        token = bearer.removeprefix("auth=Bearer ")
        if self.tokens.good.get(token) == user.removeprefix("user="):
            return AuthResult(success=True, handled=False)
        await server.challenge_auth('{"status":"401"}')
        return AuthResult(success=False, handled=False)


async def test_mail_is_sent_with_a_token(
    box: Box, tokens: TokenServer, online: SmallContext
) -> None:
    taker = Xoauth2(tokens)
    try:
        given = box.settings(password=None, oauth=OAUTH, smtp_port=taker.port, smtp_tls="none")
        channel = Email(Settings(**given))
        message = Outbound(
            id="7",
            address=Address(scheme="email", value="zoe@customer.example"),
            own_address="",
            deadline=datetime.now(UTC) + timedelta(minutes=5),
            wire=(WirePart(text="At nine"),),
        )
        await channel.send(online, message)
        assert taker.mail()["To"] == "zoe@customer.example"
        tokens.good.clear()
        with pytest.raises(CredentialsInvalid):
            await channel.send(online, message)
        await channel.send(online, message)
        assert len(taker.taken) == 2
    finally:
        taker.stop()
