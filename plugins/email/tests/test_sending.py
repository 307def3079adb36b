"""Mail goes out by a real SMTP server, and what came of it is told as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hub_email import Email, ids, incoming, links
from hub_email.settings import Settings

from hub.plugin import (
    Address,
    Attachment,
    CredentialsInvalid,
    HookError,
    Outbound,
    OutcomeUnknown,
    Permanent,
    Secret,
    Temporary,
    WirePart,
)
from tests.mailboxes import Taker
from tests.services import free_port
from tests.small_context import SmallContext


@pytest.fixture
def taker(certificate: tuple[Path, Path, Path]) -> Iterator[Taker]:
    taker = Taker(certificate[1:])
    yield taker
    taker.stop()


@pytest.fixture
def channel(taker: Taker) -> Callable[..., Email]:
    def made(**other: Any) -> Email:
        given: dict[str, Any] = {
            "address": "help@example.com",
            "name": "Example Help",
            "password": Secret(Taker.PASSWORD),
            "smtp_host": "localhost",
            "smtp_port": taker.port,
            "smtp_tls": "starttls",
        }
        return Email(Settings(**(given | other)))

    return made


def outbound(**other: Any) -> Outbound:
    given: dict[str, Any] = {
        "id": "t-7",
        "address": Address(scheme="email", value="zoe@customer.example"),
        "own_address": "help@example.com",
        "deadline": datetime.now(UTC) + timedelta(minutes=5),
        "wire": (WirePart(text="Grüße\n.\nfrom here", subject="Thursday at nine ✓"),),
    }
    return Outbound(**(given | other))


async def test_a_mail_goes_out_encrypted(
    channel: Callable[..., Email], taker: Taker, ctx: SmallContext
) -> None:
    accepted = await channel().send(ctx, outbound(reply_to="<in-1@customer.example>"))
    mail = taker.mail()
    assert accepted.external_id == mail["Message-ID"]
    assert ids.transmission(accepted.external_id) == "t-7"
    assert mail["From"] == "Example Help <help@example.com>"
    assert mail["To"] == "zoe@customer.example"
    assert mail["Subject"] == "Thursday at nine ✓"
    assert mail["In-Reply-To"] == mail["References"] == "<in-1@customer.example>"
    assert mail.get_content().replace("\r\n", "\n") == "Grüße\n.\nfrom here\n"
    assert "Auto-Submitted" not in mail


async def test_the_same_message_has_the_same_id(
    channel: Callable[..., Email], taker: Taker, ctx: SmallContext
) -> None:
    ids = [(await channel().send(ctx, outbound(attempt=n))).external_id for n in (1, 2)]
    assert len(set(ids)) == 1


async def test_formatting_and_files_go_along(
    channel: Callable[..., Email], taker: Taker, ctx: SmallContext
) -> None:
    ctx.files.bodies["a-1"] = b"a,b"
    part = WirePart(text="At nine", subject="S", html="<b>At nine</b>", attachment_ids=("a-1",))
    file = Attachment(id="a-1", name="líst.csv", content_type="text/csv", size=3)
    await channel().send(ctx, outbound(wire=(part,), attachments=(file,)))
    mail = taker.mail()
    (attached,) = mail.iter_attachments()
    assert attached.get_filename() == "líst.csv"
    assert attached.get_payload(decode=True) == b"a,b"
    body = mail.get_body(("html",))
    assert body is not None
    assert "<b>At nine</b>" in body.get_content()


@pytest.mark.feature("ROUT-05")
@pytest.mark.parametrize("by", ["settings", "message"])
async def test_what_machines_write_says_so(
    by: str, channel: Callable[..., Email], taker: Taker, ctx: SmallContext
) -> None:
    one = channel(automatic=by == "settings", plus_replies=True)
    await one.send(ctx, outbound(automatic=by == "message"))
    mail = taker.mail()
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail[incoming.LOOP] == "help@example.com"
    name = ids.name_of("t-7", await links.key(ctx))
    assert mail["Reply-To"] == f"help+c_{name}@example.com"


async def test_people_answer_without_a_way_to_unsubscribe(
    channel: Callable[..., Email], taker: Taker, ctx: SmallContext
) -> None:
    await channel().send(ctx, outbound())
    mail = taker.mail()
    assert mail["List-Unsubscribe"] is None
    assert mail["Auto-Submitted"] is None
    assert "hub.example" not in mail.as_string()


def unfolded(value: str) -> str:
    return value.replace("\r\n", "").replace("\n", "")


@pytest.mark.parametrize(
    ("subject", "other", "answered", "named"),
    [
        (
            "S",
            {"reply_to": "<b@x>", "earlier": ("<a@x>", "<b@x>", "<c@x>")},
            "<b@x>",
            ["<a@x>", "<b@x>"],
        ),
        ("Re: S", {"earlier": ("<a@x>", "<b@x>")}, "<b@x>", ["<a@x>", "<b@x>"]),
        ("AW: S", {"earlier": ("<a@x>", "<0f.digest@localhost>")}, "<a@x>", ["<a@x>"]),
        ("Something new", {"earlier": ("<a@x>",)}, None, []),
        ("S", {"reply_to": f"<{'long' * 60}@x>"}, f"<{'long' * 60}@x>", [f"<{'long' * 60}@x>"]),
    ],
)
@pytest.mark.feature("ROUT-05")
async def test_an_answer_names_what_came_before(
    subject: str,
    other: dict[str, Any],
    answered: str | None,
    named: list[str],
    channel: Callable[..., Email],
    taker: Taker,
    ctx: SmallContext,
) -> None:
    await channel().send(ctx, outbound(wire=(WirePart(text="x", subject=subject),), **other))
    mail = taker.mail()
    assert mail["In-Reply-To"] == answered
    assert (mail["References"] or "").split() == named
    assert all(each.encode() in taker.taken[0] for each in named)  # not encoded in any way


@pytest.mark.parametrize(
    ("rcpt", "data", "error", "reason"),
    [
        ("550 5.1.1 No such user", "250 OK", Permanent, "bad_address"),
        ("550 5.7.1 Relaying denied", "250 OK", Permanent, "policy"),
        ("451 4.3.0 Later", "250 OK", Temporary, None),
        ("250 OK", "554 5.7.1 Spam", Permanent, "policy"),
        ("250 OK", "552 Too large", Permanent, "too_large"),
        ("250 OK", "452 4.3.1 Full", Temporary, None),
        ("250 OK", None, OutcomeUnknown, None),
    ],
)
async def test_a_refusal_is_told_as_what_it_is(
    rcpt: str,
    data: str | None,
    error: type[HookError],
    reason: str | None,
    channel: Callable[..., Email],
    taker: Taker,
    ctx: SmallContext,
) -> None:
    taker.rcpt, taker.data = rcpt, data
    with pytest.raises(error) as raised:
        await channel().send(ctx, outbound())
    assert type(raised.value) is error
    assert getattr(raised.value, "reason", None) == reason


async def test_a_wrong_password_asks_for_a_person(
    channel: Callable[..., Email], taker: Taker, ctx: SmallContext
) -> None:
    with pytest.raises(CredentialsInvalid):
        await channel(password=Secret("another one")).send(ctx, outbound())
    assert not taker.taken


async def test_a_server_that_is_away_is_asked_again(
    channel: Callable[..., Email], ctx: SmallContext
) -> None:
    with pytest.raises(Temporary):
        await channel(smtp_port=free_port()).send(ctx, outbound())


async def test_a_mail_that_is_too_large_never_leaves(
    channel: Callable[..., Email], taker: Taker, ctx: SmallContext
) -> None:
    part = WirePart(text="all work and no play " * 10_000)
    with pytest.raises(Permanent) as raised:
        await channel(max_sent_bytes=100_000).send(ctx, outbound(wire=(part,)))
    assert raised.value.reason == "too_large"
    assert not taker.taken


async def test_no_header_can_be_smuggled_in(
    channel: Callable[..., Email], taker: Taker, ctx: SmallContext
) -> None:
    part = WirePart(text="x", subject="S\r\nBcc: x@elsewhere.example")
    await channel().send(ctx, outbound(wire=(part,)))
    assert "Bcc" not in taker.mail()


async def test_health_logs_in(channel: Callable[..., Email], ctx: SmallContext) -> None:
    assert (await channel().health(ctx)).state == "ok"
    wrong = await channel(password=Secret("another one")).health(ctx)
    assert wrong.state == "needs_attention"
