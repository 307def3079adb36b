"""The links in what goes out tell what they were made for, and nobody makes one but the channel."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hub_email import Email, composing, links
from hub_email.links import Token
from hub_email.settings import Settings
from hypothesis import given
from hypothesis import strategies as st

from hub.plugin import (
    Address,
    Clicked,
    Opened,
    OptIn,
    OptOut,
    Outbound,
    RouteReply,
    RouteRequest,
    WirePart,
)
from hub.plugin.types import Event
from tests.small_context import SmallContext

HTML = '<p>See <a href="https://example.com/a?b=1&amp;c=2" rel="nofollow">it</a></p>'


def made(**other: Any) -> Email:
    return Email(Settings(address="help@example.com", smtp_host="smtp.example.com", **other))


async def mail(ctx: SmallContext, part: WirePart, *, automatic: bool = False, **other: Any) -> Any:
    message = Outbound(
        id="7",
        address=Address(scheme="email", value="zoe@customer.example"),
        own_address="help@example.com",
        deadline=datetime.now(UTC) + timedelta(minutes=5),
        wire=(part,),
        automatic=automatic,
    )
    settings = Settings(address="help@example.com", smtp_host="smtp.example.com", **other)
    letter = await composing.compose(ctx, message, settings)
    return message_from_bytes(letter.body, policy=policy.default)


def links_of(text: str) -> list[str]:
    return [unescape(each) for each in re.findall(r'(?:href|src)="([^"]*)"', text)]


async def asked(channel: Email, ctx: SmallContext, url: str, method: str = "GET") -> RouteReply:
    parts = urlsplit(url)
    path = parts.path.rpartition("/")[2]
    route = next(each for each in channel.routes() if (each.method, each.path) == (method, path))
    assert route.auth == "public"
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    request = RouteRequest(method=method, path=path, query=query, headers={}, body=b"")
    handler: Any = route.handler  # those of sockets are called otherwise
    return await handler(ctx, request)


async def told(channel: Email, ctx: SmallContext) -> list[Event]:
    events: list[Event] = []
    for delivery in ctx.emitted:
        events += (await channel.ingest(ctx.at(delivery), delivery)).events
    ctx.emitted.clear()
    return events


async def test_nothing_is_tracked_unless_the_settings_say_so(offline: SmallContext) -> None:
    for part in (WirePart(text="See https://example.com/a"), WirePart(text="See", html=HTML)):
        assert "hub.example" not in (await mail(offline, part)).as_string()


@pytest.mark.feature("THRD-04")
async def test_opens_and_clicks_are_told(offline: SmallContext) -> None:
    channel = made()
    sent = await mail(offline, WirePart(text="See", html=HTML), track_opens=True, track_clicks=True)
    about = str(sent["Message-ID"])
    click, picture = links_of(sent.get_body(("html",)).get_content())
    shown = await asked(channel, offline, picture)
    assert (shown.status, shown.content_type) == (200, "image/gif")
    assert shown.body.startswith(b"GIF89a")
    followed = await asked(channel, offline, click)
    assert followed.status == 302
    assert followed.headers["Location"] == "https://example.com/a?b=1&c=2"
    assert followed.headers["Referrer-Policy"] == "no-referrer"
    for _ in range(5):  # programs ask again and again
        await asked(channel, offline, picture)
    opened, clicked = await told(channel, offline)
    assert isinstance(opened, Opened)
    assert isinstance(clicked, Clicked)
    assert opened.external_id == clicked.external_id == about
    assert clicked.url == "https://example.com/a?b=1&c=2"


async def test_a_plain_mail_that_is_tracked_has_formatted_words_too(offline: SmallContext) -> None:
    text = "See https://example.com/a?b=1&c=2.\n<b>Not bold</b>"
    sent = await mail(offline, WirePart(text=text), track_opens=True, track_clicks=True)
    assert sent.get_body(("plain",)).get_content().replace("\r", "").strip() == text
    html = sent.get_body(("html",)).get_content()
    assert "&lt;b&gt;" in html
    click, _ = links_of(html)
    reply = await asked(made(), offline, click)
    assert reply.headers["Location"] == "https://example.com/a?b=1&c=2"


@pytest.mark.feature("CONT-03")
@pytest.mark.parametrize("how", ["automatic", "all"])
async def test_one_click_ends_all_mail(how: str, offline: SmallContext) -> None:
    channel = made()
    part = WirePart(text="Your appointment", html="<p>Your appointment</p>")
    sent = await mail(offline, part, automatic=how == "automatic", unsubscribe=how)
    (url,) = re.findall(r"<(.*)>", sent["List-Unsubscribe"].replace("\r\n ", ""))
    assert sent["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert url in sent.get_body(("plain",)).get_content().replace("\n", "")
    assert links_of(sent.get_body(("html",)).get_content()) == [url]
    page = await asked(channel, offline, url)
    assert page.status == 200
    assert b'method="post"' in page.body
    assert await told(channel, offline) == []  # looking at it changes nothing
    done = await asked(channel, offline, url, "POST")
    assert done.status == 200
    (out,) = await told(channel, offline)
    assert isinstance(out, OptOut)
    assert out.address.value == "zoe@customer.example"
    (back,) = (unescape(each) for each in re.findall(r'action="([^"]*)"', done.body.decode()))
    await asked(channel, offline, back, "POST")
    (again,) = await told(channel, offline)
    assert isinstance(again, OptIn)


async def test_no_link_can_be_made_or_bent(offline: SmallContext) -> None:
    channel = made()
    key = await links.key(offline)
    about = "<7.0123456789abcdef.hub@example.com>"
    good = links.address(offline, key, Token("click", about, "https://example.com/"))
    forged = links.address(offline, b"another key", Token("click", about, "https://evil.example/"))
    other = links.address(offline, key, Token("open", about)).replace("/open?", "/click?")
    for bad in (forged, other, good[:-3], good + "x", good.replace("?t=", "?t=A"), good[:-30]):
        reply = await asked(channel, offline, bad)
        assert reply.status == 404
        assert "Location" not in reply.headers
    out = links.address(offline, key, Token("click", about, "x@y.example")).replace("click", "out")
    assert (await asked(channel, offline, out, "POST")).status == 404
    assert await told(channel, offline) == []


@given(st.text(max_size=200))
async def test_any_text_is_formatted_harmlessly(text: str) -> None:
    html = links.formatted(text)
    assert all(each.lower().startswith(("http://", "https://")) for each in links_of(html))
    assert not re.search(r"<(?!/?(?:a|br|div)\b)", html)


@pytest.mark.parametrize(
    "href", ["mailto:x@y.example", "tel:+491", "cid:1", "https://" + "a" * 3000]
)
async def test_what_is_no_page_is_left_alone(href: str, offline: SmallContext) -> None:
    html = f'<a href="{href}">x</a>'
    assert links.with_clicks(offline, b"k", html, "<a@b>") == html


async def test_the_key_stays(offline: SmallContext) -> None:
    assert await links.key(offline) == await links.key(offline)
