"""What ``hub check --providers`` finds at real servers, and what it says to change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_email import Email
from hub_email.settings import Settings

from hub.plugin import Finding, Secret
from tests.mailboxes import Box, Taker
from tests.services import DovecotServer, free_port
from tests.small_context import SmallContext


@pytest.fixture
def taker(certificate: tuple[Path, Path, Path]) -> Iterator[Taker]:
    taker = Taker(certificate[1:])
    yield taker
    taker.stop()


async def found(box: Box, taker: Taker, ctx: SmallContext, **other: Any) -> dict[str, Finding]:
    given = {"smtp_port": taker.port, "smtp_tls": "starttls", "imap_tls": "starttls"}
    channel = Email(Settings(**box.settings(**(given | {"max_sent_bytes": 900_000} | other))))
    return {each.about: each for each in await channel.check(ctx)}


async def test_all_is_well(box: Box, taker: Taker, ctx: SmallContext) -> None:
    findings = await found(box, taker, ctx, plus_replies=True, aliases=("sales@example.com",))
    assert {each.state for each in findings.values()} == {"ok"}, findings
    assert any("sales@example.com" in about for about in findings)
    assert any("+c_check@" in about for about in findings)
    assert "IDLE" in findings["new mail"].detail
    assert "'Sent'" in findings["folder of what was sent"].detail
    assert not taker.taken
    assert DovecotServer.PASSWORD not in repr(findings)


@pytest.mark.parametrize(
    ("other", "about", "advice"),
    [
        ({"folder": "Nowhere"}, "folder 'Nowhere'", "INBOX"),
        ({"sent_folder": "Nowhere"}, "folder of what was sent", "Sent"),
        ({"max_sent_bytes": 5_000_000}, "size of mail", "1000000"),
        ({"password": Secret("another one")}, "reading by IMAP", "app password"),
        ({"password": Secret("another one")}, "sending at", "app password"),
        ({"imap_host": None, "pop3_host": "localhost", "pop3_tls": "none",
          "password": Secret("another one")}, "reading by POP3", "app password"),
    ],
)  # fmt: skip
async def test_what_is_wrong_comes_with_what_to_change(
    other: dict[str, Any], about: str, advice: str, box: Box, taker: Taker, ctx: SmallContext
) -> None:
    if "pop3_host" in other:
        other |= {"pop3_port": box.server.pop3_port}
    findings = await found(box, taker, ctx, **other)
    (one,) = (each for name, each in findings.items() if name.startswith(about))
    assert one.state == "wrong"
    assert advice in (one.advice or "")
    assert "another one" not in repr(findings)


async def test_a_sender_that_is_refused_is_named(box: Box, taker: Taker, ctx: SmallContext) -> None:
    taker.sender = "553 5.7.1 Not yours"
    findings = await found(box, taker, ctx)
    assert findings[f"sender {box.user}"].state == "wrong"
    assert "5.7.1" in findings[f"sender {box.user}"].detail


async def test_tags_that_are_refused_are_named(box: Box, taker: Taker, ctx: SmallContext) -> None:
    taker.rcpt = "550 5.1.1 No such user"
    findings = await found(box, taker, ctx, plus_replies=True)
    (one,) = (each for about, each in findings.items() if about.startswith("answers to"))
    assert one.state == "wrong"
    assert "plus_replies" in (one.advice or "")


async def test_a_server_that_is_away_leaves_it_open(
    box: Box, taker: Taker, ctx: SmallContext
) -> None:
    findings = await found(box, taker, ctx, imap_port=free_port(), smtp_port=free_port())
    states = {about.split(" ")[0]: each.state for about, each in findings.items()}
    assert states["reading"] == states["sending"] == "unknown"
    assert "imap_port" in next(
        each.advice or "" for about, each in findings.items() if about.startswith("reading")
    )


async def test_a_server_that_offers_no_encryption_is_not_logged_in_to(
    box: Box, ctx: SmallContext
) -> None:
    bare = Taker()
    try:
        findings = await found(box, bare, ctx)
    finally:
        bare.stop()
    (one,) = (each for about, each in findings.items() if about.startswith("sending"))
    assert one.state != "ok"
    assert "smtp_tls" in (one.advice or "")
