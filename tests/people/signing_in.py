"""What tests of signing in do again and again."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx2
import sqlalchemy as sa
from pyotp.totp import TOTP

from hub.store import tables as t
from tests import books
from tests.hubs import PASSWORD, Client, wait_for
from tests.mailboxes import Taker
from tests.patience import PATIENCE
from tests.people.conftest import House

_LINK = re.compile(r"http://\S+/(join|reset)#([\w-]{40,})")


def token_in(text: str) -> str:
    """What a link carries."""
    found = _LINK.search(text)
    assert found, text
    return found[2]


def mailed_to(taker: Taker, email: str, *, number: int = 1) -> str:
    """The text of the mail so many were sent before to somebody."""

    def look() -> str | None:
        texts = [mail.get_content() for mail in taker.mails() if mail["To"] == email]
        return texts[number - 1] if len(texts) >= number else None

    return wait_for(look, what=f"mail {number} to {email}")


def ask(
    house: House,
    path: str,
    json: Any = None,
    *,
    method: str = "POST",
    cookies: dict[str, str] | None = None,
    **options: Any,
) -> httpx2.Response:
    """A request of a browser in which nobody has signed in."""
    with httpx2.Client(base_url=house.hub.base_url, timeout=PATIENCE, cookies=cookies) as http:
        return http.request(method, f"/api/v1{path}", json=json, **options)


def sign_in(house: House, email: str, password: str = PASSWORD, **options: Any) -> httpx2.Response:
    """A try in such a browser."""
    return ask(house, "/session", {"email": email, "password": password}, **options)


def signed_in(house: House, email: str, password: str = PASSWORD) -> Client:
    """Somebody in another browser."""
    client = house.client()
    return client.sign_in(email, password)


def write(house: House, *statements: sa.Executable) -> None:
    """Change rows behind the hub's back."""

    def work(connection: sa.Connection) -> None:
        for statement in statements:
            connection.execute(statement)

    asyncio.run(books.write(house.url, work))


def enrol(client: Client) -> tuple[str, list[str]]:
    """Set up codes: the secret, and the recovery codes. The code that it took is used."""
    offered = client.http.post("/api/v1/me/totp", json={}).json()
    code = TOTP(offered["secret"]).now()
    confirmed = client.http.post("/api/v1/me/totp/confirm", json={"code": code})
    assert confirmed.status_code == 200, confirmed.text
    return offered["secret"], confirmed.json()["recovery_codes"]


def forget_last_code(house: House) -> None:
    """Let time pass, for codes: the last one is long ago."""
    write(house, sa.update(t.totps).values(last_step=0))
