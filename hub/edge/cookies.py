"""The cookies of signing in, and what a browser says of itself."""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie

from hub.edge.sessions import COOKIE, KNOWN_COOKIE, Browser, SignedIn, named
from hub.rules.sign_in import KNOWN_FOR, LASTS

_KNOWN_PATH = "/api/v1/session"


def browser_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Browser:
    """What somebody signs in with."""
    client, public_url = connection.client, connection.app.state["parts"].public_url
    return Browser(
        remote="?" if client is None else client.host,
        user_agent=connection.headers.get("user-agent", ""),
        known=connection.cookies.get(named(KNOWN_COOKIE, public_url, path=_KNOWN_PATH)),
        session=connection.cookies.get(named(COOKIE, public_url)),
    )


def signed_in(signed: SignedIn, public_url: str) -> list[Cookie]:
    """What the browser keeps of a new session."""
    return [session_cookie(signed.token, public_url), known_cookie(signed.known, public_url)]


def session_cookie(token: str, public_url: str) -> Cookie:
    """What is shown with every request; an empty ``token`` takes it away."""
    return Cookie(
        key=named(COOKIE, public_url),
        value=token,
        httponly=True,
        secure=public_url.startswith("https://"),
        samesite="lax",
        path="/",
        max_age=LASTS // 1000 if token else 0,
    )


def known_cookie(value: str, public_url: str) -> Cookie:
    """What is shown where one signs in."""
    return Cookie(
        key=named(KNOWN_COOKIE, public_url, path=_KNOWN_PATH),
        value=value,
        httponly=True,
        secure=public_url.startswith("https://"),
        samesite="strict",
        path=_KNOWN_PATH,
        max_age=KNOWN_FOR // 1000,
    )
