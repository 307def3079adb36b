"""Against a Resend that checks every request by its own description."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from hub_email import ids
from hub_email_resend import EmailResend
from hub_email_resend.settings import Settings
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.plugin import (
    Address,
    Attachment,
    CredentialsInvalid,
    Delivery,
    FetchRef,
    HookError,
    IngestResult,
    MediaRef,
    Message,
    Outbound,
    OutcomeUnknown,
    Permanent,
    Receipt,
    Secret,
    Temporary,
    WirePart,
)
from tests.small_context import SmallContext
from tests.standins.resend import Hang, Refuse, ResendStandIn, signed

KEY = "a key of the channel's"
NAME = ids.name_of("41", KEY.encode())
ZOE = Address(scheme="email", value="zoe@customer.example")
MAIL = (
    b"From: Zoe Winter <zoe@customer.example>\r\nTo: help@example.com\r\nSubject: The list\r\n"
    b"Message-ID: <in-1@customer.example>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n"
    b"See the list.\r\n--b\r\nContent-Type: text/csv; name=list.csv\r\n"
    b"Content-Disposition: attachment\r\n\r\na,b\r\n--b--\r\n"
)


def message(ctx: SmallContext, **more: Any) -> Outbound:
    known: dict[str, Any] = {
        "id": "41",
        "address": ZOE,
        "own_address": "help@example.com",
        "deadline": ctx.clock.now() + timedelta(minutes=10),
        "started_at": ctx.clock.now(),
        "wire": (WirePart(text="At nine. 🙂", subject="Thursday"),),
    }
    return Outbound(**(known | more))


@pytest.fixture
def channel(settings: Settings) -> EmailResend:
    return EmailResend(settings)


async def read(channel: EmailResend, ctx: SmallContext, body: bytes) -> IngestResult:
    headers = tuple(signed(body).items())
    came = Delivery(body=body, headers=headers, received_at=ctx.clock.now())
    return await channel.ingest(ctx.at(came), came)


async def test_a_mail_goes_out_as_resend_wants_it(
    resend: ResendStandIn, ctx: SmallContext, channel: EmailResend
) -> None:
    ctx.files.bodies["f1"] = b"a,b\n"
    file = Attachment(id="f1", name="Liste ü.csv", content_type="text/csv", size=4)
    part = WirePart(
        text="At nine.", subject="Grüße", html="<p>At nine.</p>", attachment_ids=("f1",)
    )
    accepted = await channel.send(
        ctx, message(ctx, wire=(part,), attachments=(file,), reply_to="<in-1@customer.example>")
    )
    (sent,) = resend.sent
    assert accepted.external_id == f"<{NAME}.hub@example.com>"
    assert sent["to"] == ["zoe@customer.example"]
    assert (sent["subject"], sent["text"], sent["html"]) == ("Grüße", "At nine.", "<p>At nine.</p>")
    assert sent["headers"]["In-Reply-To"] == "<in-1@customer.example>"
    assert "<in-1@customer.example>" in sent["headers"]["References"]
    assert sent["attachments"][0]["filename"] == "Liste ü.csv"
    assert resend.requests[0].headers["idempotency-key"] == "41"


async def test_what_is_tried_twice_goes_out_once(
    resend: ResendStandIn, ctx: SmallContext, channel: EmailResend
) -> None:
    first = await channel.send(ctx, message(ctx))
    again = await channel.send(ctx, message(ctx, attempt=2))
    assert first == again
    assert len(resend.sent) == 1


@pytest.mark.parametrize(
    ("refuse", "error", "reason"),
    [
        (Refuse(403, "invalid_api_key"), CredentialsInvalid, None),
        (Refuse(401, "missing_api_key"), CredentialsInvalid, None),
        (
            Refuse(403, "validation_error", "The domain is not verified."),
            Permanent,
            "configuration",
        ),
        (Refuse(422, "validation_error", "Invalid `to` field."), Permanent, "bad_address"),
        (Refuse(422, "validation_error", "Invalid `from` field."), Permanent, "configuration"),
        (Refuse(422, "invalid_attachment"), Permanent, "unsupported_content"),
        (Refuse(451, "security_error"), Permanent, "policy"),
        (Refuse(409, "concurrent_idempotent_requests"), Temporary, None),
        (Refuse(409, "invalid_idempotent_request"), OutcomeUnknown, None),
        (Refuse(429, "monthly_quota_exceeded"), Permanent, "configuration"),
        (Refuse(503, page="<html>closed</html>"), Temporary, None),
        (Refuse(500, "internal_server_error"), OutcomeUnknown, None),
        (Refuse(502, page="<html>Bad Gateway</html>"), OutcomeUnknown, None),
        (Refuse(413, page="<html>Too large</html>"), Permanent, "too_large"),
    ],
)
async def test_what_resend_refuses(
    resend: ResendStandIn,
    ctx: SmallContext,
    channel: EmailResend,
    refuse: Refuse,
    error: type[HookError],
    reason: str | None,
) -> None:
    resend.moods[ZOE.value] = refuse
    with pytest.raises(error) as refused:
        await channel.send(ctx, message(ctx))
    assert type(refused.value) is error
    assert getattr(refused.value, "reason", None) == reason


async def test_a_busy_resend_says_when_to_come_back(
    resend: ResendStandIn, ctx: SmallContext, channel: EmailResend
) -> None:
    resend.moods[ZOE.value] = Refuse(429, "rate_limit_exceeded", headers={"Retry-After": "2"})
    with pytest.raises(Temporary) as busy:
        await channel.send(ctx, message(ctx))
    assert busy.value.retry_after == 2.0


async def test_a_lost_send_is_found_again(
    resend: ResendStandIn, ctx: SmallContext, channel: EmailResend
) -> None:
    """The request is cancelled when Resend has the mail, and has not answered."""
    resend.moods[ZOE.value] = Hang()
    lost = asyncio.create_task(channel.send(ctx, message(ctx)))
    assert await asyncio.to_thread(resend.taken.wait, 10)
    lost.cancel()
    found = await channel.reconcile(ctx, message(ctx))
    assert (found.outcome, found.external_id) == ("found", f"<{NAME}.hub@example.com>")
    other = message(ctx, id="42", wire=(WirePart(text="Another", subject="Thursday"),))
    early = await channel.reconcile(ctx, other)
    assert early.outcome == "unknown"
    long_ago = replace(other, started_at=ctx.clock.now() - timedelta(minutes=5))
    assert (await channel.reconcile(ctx, long_ago)).outcome == "absent"


@pytest.mark.parametrize("keeps_raw", [True, False])
async def test_a_mail_that_has_come_in_is_fetched_with_its_files(
    resend: ResendStandIn, ctx: SmallContext, channel: EmailResend, keeps_raw: bool
) -> None:
    id_ = "5b1c9f0e-97a6-4f5c-8a0e-27b1f0c4d101"
    resend.files |= {f"/{id_}": MAIL, "/f-1": b"a,b"}
    attached = {
        "id": "7c1c9f0e-97a6-4f5c-8a0e-27b1f0c4d102",
        "filename": "list.csv",
        "content_type": "text/csv",
        "size": 3,
    }
    resend.files[f"/{attached['id']}"] = b"a,b"
    resend.received[id_] = {
        "object": "email",
        "id": id_,
        "to": ["help@example.com"],
        "from": "Zoe Winter <zoe@customer.example>",
        "subject": "The list",
        "text": "See the list.",
        "html": None,
        "headers": {"in-reply-to": f"<{NAME}.hub@example.com>"},
        "message_id": "<in-1@customer.example>",
        "attachments": [attached],
        "raw": {"download_url": f"https://store.resend.example/{id_}"} if keeps_raw else None,
    }
    brought = replace(await channel.fetch(ctx, FetchRef(id=id_)), source="fetch")
    (came,) = (await channel.ingest(ctx.at(brought), brought)).events
    assert isinstance(came, Message)
    assert (came.external_id, came.text) == ("<in-1@customer.example>", "See the list.")
    assert came.sender_name == "Zoe Winter"
    assert came.reply_to == (None if keeps_raw else f"<{NAME}.hub@example.com>")
    (file,) = came.media
    assert (file.name, file.content_type, file.size) == ("list.csv", "text/csv", 3)
    fetched = await channel.fetch_media(replace(file, delivery=brought))
    assert fetched.body == b"a,b"
    shown = [each for each in resend.requests if each.host.startswith("store.")]
    assert all("authorization" not in each.headers for each in shown)


async def test_a_mail_that_is_not_there_yet_is_asked_for_again(
    resend: ResendStandIn, ctx: SmallContext, channel: EmailResend
) -> None:
    with pytest.raises(Temporary):
        await channel.fetch(ctx, FetchRef(id="5b1c9f0e-97a6-4f5c-8a0e-27b1f0c4d999"))
    with pytest.raises(Permanent):
        await channel.fetch(ctx, FetchRef(id="../domains"))


async def test_files_come_from_deliveries_alone(ctx: SmallContext, channel: EmailResend) -> None:
    for ref in (MediaRef(url="https://elsewhere.example/x"), MediaRef(part=1), MediaRef()):
        with pytest.raises(Permanent):
            await channel.fetch_media(ref)


async def test_who_posts_what_the_hub_would_fetch_has_to_prove_it(
    ctx: SmallContext, channel: EmailResend
) -> None:
    headers = (("Content-Type", "message/rfc822"),)
    came = Delivery(body=MAIL, headers=headers, received_at=ctx.clock.now())
    with pytest.raises(HookError) as refused:
        await channel.ingest(ctx.at(came), came)
    assert type(refused.value).__name__ == "Unverified"


async def test_a_look_at_resend_says_what_to_change(
    resend: ResendStandIn, ctx: SmallContext, channel: EmailResend, settings: Settings
) -> None:
    found = await channel.check(ctx)
    assert [(each.about, each.state) for each in found] == [
        ("credentials", "ok"),
        ("sender example.com", "ok"),
        ("webhook", "wrong"),
    ]
    hook: dict[str, Any] = {
        "id": "479e3145-dd38-476b-932c-529ceb705947",
        "endpoint": ctx.public_url(),
        "status": "disabled",
        "events": ["email.delivered"],
        "created_at": "2026-03-02 09:30:00+00",
    }
    resend.webhooks.append(hook)
    resend.domains[0]["status"] = "failed"
    wrong = {each.about for each in await channel.check(ctx) if each.state == "wrong"}
    assert wrong == {"sender example.com", "webhook", "webhook events"}
    other = EmailResend(replace(settings, api_key=Secret("re_another")))
    (refused,) = await other.check(ctx)
    assert (refused.state, refused.about) == ("wrong", "credentials")
    assert (await other.health(ctx)).state == "needs_attention"
    assert (await channel.health(ctx)).state == "ok"


@effort(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    data=st.dictionaries(
        st.sampled_from(["email_id", "tags", "headers", "bounce", "to", "from", "click"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(max_size=8), inner, max_size=3)
            ),
            max_leaves=8,
        ),
    ),
    kind=st.sampled_from(
        ["email.bounced", "email.delivered", "email.complained", "email.clicked", "email.received"]
    ),
)
async def test_whatever_resend_posts_ends_in_a_word_of_the_api(
    settings: Settings, data: dict[str, Any], kind: str
) -> None:
    ctx = SmallContext()
    body = json.dumps({"type": kind, "created_at": "x", "data": data}).encode()
    try:
        result = await read(EmailResend(settings), ctx, body)
    except HookError:
        return
    assert result.events or result.ignored or result.fetch


async def test_the_transmission_is_told_although_the_mail_is_not_known_yet(
    ctx: SmallContext, channel: EmailResend
) -> None:
    data = {
        "email_id": "e-1",
        "from": "Help <sales@example.com>",
        "tags": {"hub": NAME.replace(".", "_")},
    }
    body = json.dumps({"type": "email.sent", "created_at": None, "data": data}).encode()
    (told,) = (await read(channel, ctx, body)).events
    assert isinstance(told, Receipt)
    assert told.transmission_id == "41"
    assert told.external_id == f"<{NAME}.hub@example.com>"
    assert told.occurred_at is None
