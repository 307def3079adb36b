"""Links of our own in what goes out: the picture that tells of an opening, links that tell of a
click, and the end of all mail (RFC 8058).

Each carries what it is about, signed: nobody makes one but the channel, so it leads nowhere that
did not stand in a mail of ours. What they tell is handed to the hub as a delivery.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from datetime import datetime
from html import escape, unescape
from typing import Literal

import msgspec

from hub.plugin import (
    Address,
    Clicked,
    Context,
    Delivery,
    IngestResult,
    Opened,
    OptIn,
    OptOut,
    Route,
    RouteReply,
    RouteRequest,
)
from hub.plugin.reading import read_json
from hub_email import addresses

KEY = "links"
"""Where the key of all of them is kept."""
TOLD = "application/vnd.channel-hub.mail-link+json"
"""Content type of the deliveries that tell of them."""
LONGEST_LINK = 2000
LONGEST_TOKEN = 4000
QUIET = 30.0
"""Seconds in which the same link tells once, however often it is asked for."""
REMEMBERED = 10_000
LINK = re.compile(r'(<a\b[^>]*?\bhref=")([^"]{1,4000})(")', re.IGNORECASE)
BARE = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]']", re.IGNORECASE)
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
}

Kind = Literal["open", "click", "out", "in"]


class Token(msgspec.Struct, frozen=True, array_like=True):
    """What a link is about: the Message-ID of its mail, and where it leads, or whose it is."""

    kind: Kind
    about: str
    what: str = ""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """That one was asked for, and when."""

    token: Token
    at: datetime


async def key(ctx: Context) -> bytes:
    """The channel's key, made when it is first needed and never changed: links live for ever."""
    entry = await ctx.kv.get(KEY)
    if entry is None:
        await ctx.kv.put(KEY, secrets.token_hex(32), version=0)
        entry = await ctx.kv.get(KEY)
    if entry is None:
        raise RuntimeError("the key of the links was not kept")
    return entry.value.encode()


# ------------------------------------------------------------------------- in what goes out


def address(ctx: Context, signer: bytes, token: Token) -> str:
    """The public address of a link."""
    return f"{ctx.public_url(token.kind)}?t={_sign(signer, token)}"


def with_clicks(ctx: Context, signer: bytes, html: str, about: str) -> str:
    """Formatted text whose links tell of a click."""

    def through(found: re.Match[str]) -> str:
        wanted = unescape(found[2])
        if not re.match(r"https?://", wanted, re.IGNORECASE) or len(wanted) > LONGEST_LINK:
            return found[0]
        own = address(ctx, signer, Token("click", about, wanted))
        return f"{found[1]}{escape(own)}{found[3]}"

    return LINK.sub(through, html)


def with_picture(ctx: Context, signer: bytes, html: str, about: str) -> str:
    """Formatted text with the picture that tells of an opening."""
    source = escape(address(ctx, signer, Token("open", about)))
    return f'{html}<img src="{source}" alt="" width="1" height="1">'


def formatted(text: str) -> str:
    """Plain text as formatted text, its links with it."""
    out: list[str] = []
    at = 0
    for found in BARE.finditer(text):
        link = escape(found[0])
        out += [escape(text[at : found.start()]), f'<a href="{link}">{link}</a>']
        at = found.end()
    out.append(escape(text[at:]))
    return "<div>" + "".join(out).replace("\r\n", "\n").replace("\n", "<br>\n") + "</div>"


# ------------------------------------------------------------------------- what comes back


class Pages:
    """The public routes of the links."""

    def __init__(self) -> None:
        self._lately: OrderedDict[str, float] = OrderedDict()

    def routes(self) -> tuple[Route, ...]:
        """All of them, whatever the settings say now: mail that went out before has them."""
        return (
            Route(method="GET", path="open", auth="public", handler=self._open),
            Route(method="GET", path="click", auth="public", handler=self._click),
            Route(method="GET", path="out", auth="public", handler=self._ask),
            Route(method="POST", path="out", auth="public", handler=self._out),
            Route(method="POST", path="in", auth="public", handler=self._in),
        )

    async def _open(self, ctx: Context, request: RouteRequest) -> RouteReply:
        token = await _token(ctx, request, "open")
        if token is not None and self._is_new(request):
            await _tell(ctx, token)
        return RouteReply(content_type="image/gif", body=PIXEL, headers=HEADERS)

    async def _click(self, ctx: Context, request: RouteRequest) -> RouteReply:
        token = await _token(ctx, request, "click")
        if token is None:
            return _page("This link is not valid", "It may have been cut off.", status=404)
        if self._is_new(request):
            try:
                await _tell(ctx, token)
            except Exception as error:  # noqa: BLE001 — who follows a link wants to get there
                ctx.log.warning("a click could not be kept", error=type(error).__name__)
        return RouteReply(
            status=302,
            content_type="text/plain",
            headers={**HEADERS, "Location": _in_header(token.what)},
        )

    async def _ask(self, ctx: Context, request: RouteRequest) -> RouteReply:
        token = await _token(ctx, request, "out")
        if token is None:
            return _page("This link is not valid", "It may have been cut off.", status=404)
        words = f"No more mail will be sent to {escape(token.what)}."
        return _page("Unsubscribe?", words, _button("Unsubscribe"))

    async def _out(self, ctx: Context, request: RouteRequest) -> RouteReply:
        token = await _token(ctx, request, "out")
        if token is None:
            return _page("This link is not valid", "It may have been cut off.", status=404)
        await _tell(ctx, token)
        back = address(ctx, await key(ctx), Token("in", token.about, token.what))
        words = f"No more mail will be sent to {escape(token.what)}."
        return _page("You are unsubscribed", words, _button("That was a mistake", back))

    async def _in(self, ctx: Context, request: RouteRequest) -> RouteReply:
        token = await _token(ctx, request, "in")
        if token is None:
            return _page("This link is not valid", "It may have been cut off.", status=404)
        await _tell(ctx, token)
        return _page("You are subscribed again", f"Mail is sent to {escape(token.what)}.")

    def _is_new(self, request: RouteRequest) -> bool:
        """Whether the link has not told just now: programs ask several times."""
        text, now = request.query.get("t", ""), time.monotonic()
        last = self._lately.pop(text, None)
        self._lately[text] = now if last is None or now - last >= QUIET else last
        while len(self._lately) > REMEMBERED:
            self._lately.popitem(last=False)
        return self._lately[text] == now


def read(delivery: Delivery) -> IngestResult:
    """What a delivery of ours tells. Raises ``Malformed``."""
    told = read_json(delivery, Told)
    token, at = told.token, told.at
    match token.kind:
        case "open":
            return IngestResult(events=(Opened(external_id=token.about, occurred_at=at),))
        case "click":
            clicked = Clicked(external_id=token.about, url=token.what, occurred_at=at)
            return IngestResult(events=(clicked,))
        case "out" | "in":
            whose = addresses.of(token.what) or Address(scheme=addresses.SCHEME, value=token.what)
            kind, how = (OptOut, "followed the link to unsubscribe")
            if token.kind == "in":
                kind, how = (OptIn, "took the unsubscribing back")
            return IngestResult(events=(kind(address=whose, how=how, occurred_at=at),))


async def _tell(ctx: Context, token: Token) -> None:
    now = ctx.clock.now()
    body = msgspec.json.encode(Told(token=token, at=now))
    await ctx.emit(Delivery(body=body, headers=(("Content-Type", TOLD),), received_at=now))


async def _token(ctx: Context, request: RouteRequest, kind: Kind) -> Token | None:
    text = request.query.get("t", "")
    if not text or len(text) > LONGEST_TOKEN:
        return None
    token = _signed(await key(ctx), text)
    return token if token is not None and token.kind == kind else None


def _sign(signer: bytes, token: Token) -> str:
    body = msgspec.json.encode(token)
    return f"{_base64(body)}.{_base64(_proof(signer, body))}"


def _signed(signer: bytes, text: str) -> Token | None:
    body, _, proof = text.partition(".")
    try:
        said, given = _from_base64(body), _from_base64(proof)
        if not hmac.compare_digest(_proof(signer, said), given):
            return None
        return msgspec.json.decode(said, type=Token)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        return None


def _proof(signer: bytes, body: bytes) -> bytes:
    return hmac.new(signer, b"link\n" + body, hashlib.sha256).digest()[:16]


def _base64(body: bytes) -> str:
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _in_header(url: str) -> str:
    """An address as a header takes it: without line ends, in ASCII."""
    plain = re.sub(r"[\x00-\x20\x7f]", "", url)
    return "".join(c if c.isascii() else "".join(f"%{b:02X}" for b in c.encode()) for c in plain)


def _button(label: str, where: str = "") -> str:
    # Without an address the form is posted to where the page was asked for.
    action = f' action="{escape(where)}"' if where else ""
    return f'<form method="post"{action}><button>{escape(label)}</button></form>'


def _page(title: str, words: str, more: str = "", *, status: int = 200) -> RouteReply:
    html = (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;"
        "margin:12vh auto;padding:0 1rem}button{font:inherit;padding:.5rem 1rem}</style>"
        f"<h1>{title}</h1><p>{words}</p>{more}</html>"
    )
    return RouteReply(
        status=status, content_type="text/html; charset=utf-8", body=html.encode(), headers=HEADERS
    )
