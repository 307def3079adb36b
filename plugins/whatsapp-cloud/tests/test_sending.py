"""Sending to a Meta that keeps its own rules, and what its failures mean."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hub_whatsapp_cloud import WhatsAppCloud, failures, people
from hub_whatsapp_cloud.settings import Settings
from msgspec.structs import replace

from hub.plugin import (
    Address,
    Attachment,
    CredentialsInvalid,
    HookError,
    Item,
    Outbound,
    OutcomeUnknown,
    Permanent,
    Secret,
    Temporary,
    Unsupported,
    WirePart,
)
from tests.plugin_kit.provider import Request, running
from tests.small_context import SmallContext
from tests.standins.meta import NUMBER, TOKEN, Answer, Hang, MetaStandIn, Refuse

ME = "+46701740605"
PNG = Attachment(id="f1", name="a.png", content_type="image/png", size=1000)
SOUND = Attachment(id="f2", name="a.mp3", content_type="audio/mpeg", size=1000)
PDF = Attachment(id="f3", name="Offer 7.pdf", content_type="application/pdf", size=1000)


def message(ctx: SmallContext, text: str = "Hello", **more: Any) -> Outbound:
    known: dict[str, Any] = {
        "id": "7",
        "address": Address(scheme="phone", value=ME),
        "own_address": NUMBER,
        "deadline": ctx.clock.now() + timedelta(minutes=10),
        "wire": (WirePart(text=text),),
    }
    return Outbound(**(known | more))


def rendered(
    ctx: SmallContext, channel: WhatsAppCloud, text: str, *files: Attachment, **more: Any
) -> Outbound:
    item = Item(direction="out", text=text, attachments=files)
    wire = channel.render(item, "wire").wire
    return message(ctx, wire=wire, attachments=files, **more)


@pytest.fixture(autouse=True)
def _they_have_written(meta: MetaStandIn) -> None:
    meta.open |= {ME, "SE.5520417736118820"}


async def test_a_text(meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud) -> None:
    text = "Hé & +1 😀\nsecond line"
    accepted = await channel.send(ctx, message(ctx, text))
    (sent,) = meta.sent
    assert (accepted.external_id, accepted.status) == (sent.id, "queued")
    assert sent.body["text"] == {"body": text, "preview_url": True}
    assert sent.body["to"] == ME
    ((method, url, headers),) = meta.requests
    assert (method, url.partition("/v24.0/")[0]) == ("POST", "https://graph.facebook.com")
    assert TOKEN not in url
    assert headers["authorization"] == f"Bearer {TOKEN}"


async def test_a_reply_names_what_it_answers(
    meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud
) -> None:
    await channel.send(ctx, message(ctx, reply_to="wamid.asked"))
    assert meta.sent[0].body["context"] == {"message_id": "wamid.asked"}
    await channel.send(ctx, message(ctx))
    assert "context" not in meta.sent[1].body


async def test_who_has_no_number_is_reached_by_the_user_id(
    meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud
) -> None:
    user = Address(scheme=people.USER, value="SE.5520417736118820")
    await channel.send(ctx, message(ctx, address=user))
    body = meta.sent[0].body
    assert (body["recipient"], "to" in body) == (user.value, False)


async def test_files_are_offered_by_signed_addresses(meta: MetaStandIn, settings: Settings) -> None:
    async def file(request: Request) -> None:
        await request.answer(body=b"picture", headers={"Content-Type": "image/png"})

    async with running(file) as hub:
        ctx = SmallContext(routes=meta.routes, files=hub.url)
        channel = WhatsAppCloud(settings)
        accepted = await channel.send(ctx, rendered(ctx, channel, "The offer", PNG, PDF, SOUND))
        image, document, sound = (sent.body for sent in meta.sent)
        assert image["image"]["caption"] == "The offer"
        assert "caption" not in document["document"]
        assert document["document"]["filename"] == "Offer 7.pdf"
        assert list(sound["audio"]) == ["link"]
        assert accepted.parts == tuple(sent.id for sent in meta.sent)
        fetched = await asyncio.to_thread(meta.fetch, meta.sent[0])
        assert fetched.content == b"picture"
        await ctx.aclose()


async def test_words_that_fit_below_no_file_go_ahead_of_it(
    meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud
) -> None:
    await channel.send(ctx, rendered(ctx, channel, "Listen", SOUND, id="1"))
    await channel.send(ctx, rendered(ctx, channel, "x" * 1025, PNG, id="2"))
    assert [sent.body["type"] for sent in meta.sent] == ["text", "audio", "text", "image"]


async def test_what_is_out_does_not_go_out_again(
    meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud
) -> None:
    """The second of three is refused for now; the next attempt goes on there."""
    three = rendered(ctx, channel, "", PNG, PDF, SOUND)
    taken = len(meta.sent)

    class Limited(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            return Refuse(429, 130429) if len(meta.sent) == taken + 1 else default

    meta.moods = Limited()
    with pytest.raises(Temporary):
        await channel.send(ctx, three)
    meta.moods = {}
    accepted = await channel.send(ctx, replace(three, attempt=2))
    assert [sent.body["type"] for sent in meta.sent] == ["image", "document", "audio"]
    assert accepted.parts == tuple(sent.id for sent in meta.sent)
    assert accepted.external_id == meta.sent[0].id
    assert await ctx.kv.get("sent/7") is None


@pytest.mark.feature("COMP-06")
async def test_outside_the_window_meta_refuses(
    meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud
) -> None:
    meta.open.clear()
    with pytest.raises(Permanent) as closed:
        await channel.send(ctx, message(ctx))
    assert (closed.value.reason, closed.value.provider_code) == ("window_closed", "131047")


@pytest.mark.parametrize(
    ("mood", "error", "wait"),
    [
        (Refuse(401, 190), CredentialsInvalid, None),
        (Refuse(400, 0), CredentialsInvalid, None),
        (Refuse(403, 10), CredentialsInvalid, None),
        (Refuse(403, 299), CredentialsInvalid, None),
        (Refuse(400, 131031), CredentialsInvalid, None),
        (Refuse(401, page="no"), CredentialsInvalid, None),
        (Refuse(429, 130429, {"Retry-After": "7"}), Temporary, 7.0),
        (Refuse(400, 4), Temporary, None),
        (Refuse(400, 131056), Temporary, None),
        (Refuse(400, 80007), Temporary, None),
        (Refuse(500, 131000), Temporary, None),
        (Refuse(503, 131016), Temporary, None),
        (Refuse(500, 139999), Temporary, None),
        (Refuse(503, page="<html>"), Temporary, None),
        (Refuse(429, page="slow down"), Temporary, None),
        (Refuse(500, page="<html>"), OutcomeUnknown, None),
        (Refuse(502, page="<html>"), OutcomeUnknown, None),
        (Refuse(408, page=""), OutcomeUnknown, None),
        (Refuse(302, page=""), OutcomeUnknown, None),
        (Refuse(400, 139999), Permanent, None),
        (Refuse(404, page="[]"), Permanent, None),
        (Refuse(400, page="[" * 100_000), Permanent, None),
        (Refuse(400, page='{"error": "no"}'), Permanent, None),
        (Refuse(400, page='{"error": {"code": true}}'), Permanent, None),
        (Refuse(400, page='{"error": {"code": 7, "is_transient": true}}'), Temporary, None),
        (Answer(b"<html>Welcome</html>"), OutcomeUnknown, None),
        (Answer(b""), OutcomeUnknown, None),
        (Answer(b"[]"), OutcomeUnknown, None),
        (Answer(b"{}"), OutcomeUnknown, None),
        (Answer(b'{"messages": {}}'), OutcomeUnknown, None),
        (Answer(b'{"messages": [7]}'), OutcomeUnknown, None),
        (Answer(b'{"messages": [{"id": ""}]}'), OutcomeUnknown, None),
    ],
)
async def test_what_an_answer_means(
    meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud, mood: Any, error: type, wait: Any
) -> None:
    meta.moods[ME] = mood
    with pytest.raises(HookError) as failed:
        await channel.send(ctx, message(ctx))
    assert type(failed.value) is error
    assert getattr(failed.value, "retry_after", None) == wait
    assert TOKEN not in failed.value.detail
    assert 0 < len(failed.value.detail) < 200
    assert len(meta.requests) == 1  # one attempt, whatever it means


async def test_a_date_to_come_back_at(
    meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud
) -> None:
    later = ctx.clock.now().replace(microsecond=0) + timedelta(seconds=90)
    meta.moods[ME] = Refuse(429, 130429, {"Retry-After": format_datetime(later, usegmt=True)})
    with pytest.raises(Temporary) as failed:
        await channel.send(ctx, message(ctx))
    assert failed.value.retry_after == pytest.approx(90, abs=1)


@pytest.mark.parametrize("after", [True, False])
async def test_no_answer_leaves_the_outcome_open(
    meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud, after: bool
) -> None:
    meta.moods[ME] = Hang(after)
    soon = ctx.clock.now() + timedelta(seconds=0.3)
    with pytest.raises(OutcomeUnknown):
        await channel.send(ctx, message(ctx, deadline=soon))
    assert len(meta.requests) == 1
    assert len(meta.sent) == after


async def test_nobody_there_is_temporary(settings: Settings) -> None:
    async with running() as gone:
        routes = {"graph.facebook.com": gone.url}
    ctx = SmallContext(routes=routes)
    with pytest.raises(Temporary):
        await WhatsAppCloud(settings).send(ctx, message(ctx))
    assert (await WhatsAppCloud(settings).health(ctx)).state == "transient"
    await ctx.aclose()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"kind": "of_a_later_version"}, Unsupported),
        ({"kind": "assist"}, Unsupported),
        ({"kind": "call"}, Unsupported),
        ({"kind": "template"}, Permanent),
        ({"kind": "template", "wire": (WirePart(data={"template": "x"}),)}, Permanent),
        ({"wire": ()}, Permanent),
        ({"wire": (WirePart(text=" \n"),)}, Permanent),
        ({"wire": (WirePart(text="a" * 4097),)}, Permanent),
        ({"wire": (WirePart(text="a"), WirePart(text=""))}, Permanent),
        ({"address": Address(scheme="phone", value="46701740605")}, Permanent),
        ({"address": Address(scheme="phone", value="+4670\r\nX: 1")}, Permanent),
        ({"address": Address(scheme=people.USER, value="+46701740605")}, Permanent),
        ({"address": Address(scheme="email", value="a@b.example")}, Permanent),
        ({"own_address": "+15550100999"}, Permanent),
        (
            {
                "wire": (WirePart(attachment_ids=("f1", "f3")),),
                "attachments": (PNG, PDF),
            },
            Permanent,
        ),
        (
            {
                "wire": (WirePart(text="x" * 1025, attachment_ids=("f1",)),),
                "attachments": (PNG,),
            },
            Permanent,
        ),
        (
            {
                "wire": (WirePart(attachment_ids=("f1",)),),
                "attachments": (replace(PNG, content_type="image/gif"),),
            },
            Permanent,
        ),
        (
            {
                "wire": (WirePart(attachment_ids=("f1",)),),
                "attachments": (replace(PNG, size=5_000_001),),
            },
            Permanent,
        ),
    ],
)
async def test_what_is_refused_before_anything_goes_out(
    meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud, change: Any, error: type
) -> None:
    with pytest.raises(HookError) as refused:
        await channel.send(ctx, message(ctx, **change))
    assert type(refused.value) is error
    assert meta.requests == []


async def test_nothing_is_done_after_the_deadline(
    meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud
) -> None:
    with pytest.raises(Temporary):
        await channel.send(ctx, message(ctx, deadline=ctx.clock.now()))
    assert meta.requests == []


async def test_sends_at_once_stay_apart(
    meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud
) -> None:
    sends = [channel.send(ctx, message(ctx, f"no. {n}", id=f"{n}")) for n in range(20)]
    accepted = await asyncio.gather(*sends)
    told = {sent.id: sent.body["text"]["body"] for sent in meta.sent}
    assert [told[each.external_id] for each in accepted] == [f"no. {n}" for n in range(20)]


@pytest.mark.parametrize("code", sorted(failures.CODES))
def test_every_code_has_words(code: int) -> None:
    failure = failures.meaning(code)
    assert failure.words
    assert len(failure.words) < 120
    assert "\n" not in failure.words


# ---- files that came in


async def test_a_file_is_fetched_in_two_steps(
    meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud
) -> None:
    from hub.plugin import MediaRef

    meta.media["4711"] = ("image/jpeg", b"a photo")
    fetched = await channel.fetch_media(ctx, MediaRef(provider_id="4711"))
    assert (fetched.body, fetched.content_type) == (b"a photo", "image/jpeg")
    hosts = [url.split("/")[2] for _, url, _ in meta.requests]
    assert hosts == ["graph.facebook.com", "lookaside.fbsbx.com"]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("https://elsewhere.example/x", "policy"),
        ("http://lookaside.fbsbx.com/x", "policy"),
        ("https://lookaside.fbsbx.com.elsewhere.example/x", "policy"),
        ("https://fbsbx.com@elsewhere.example/x", "policy"),
        ("https://[::1", "policy"),
        (7, "policy"),
        (None, "policy"),
    ],
)
async def test_the_token_goes_to_metas_hosts_alone(
    meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud, address: Any, reason: str
) -> None:
    from hub.plugin import MediaRef

    meta.mood = Answer(json.dumps({"url": address}).encode())
    with pytest.raises(Permanent) as refused:
        await channel.fetch_media(ctx, MediaRef(provider_id="4711"))
    assert refused.value.reason == reason
    assert len(meta.requests) == 1


@pytest.mark.parametrize("name", ["../me", "4711?fields=x", "", "a b", "4711/x"])
async def test_a_files_id_is_an_id(
    meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud, name: str
) -> None:
    from hub.plugin import MediaRef

    with pytest.raises(Permanent):
        await channel.fetch_media(ctx, MediaRef(provider_id=name))
    assert meta.requests == []


async def test_a_file_that_is_gone_and_one_that_waits(
    meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud
) -> None:
    from hub.plugin import MediaRef

    with pytest.raises(Permanent):
        await channel.fetch_media(ctx, MediaRef(provider_id="4711"))
    meta.mood = Refuse(500, 131000)
    with pytest.raises(Temporary):
        await channel.fetch_media(ctx, MediaRef(provider_id="4711"))
    meta.mood = Answer(b'{"url": "https://lookaside.fbsbx.com/x?mid=4711"}')
    with pytest.raises(Temporary):
        await channel.fetch_media(ctx, MediaRef(provider_id="4711"))


# ---- how it is


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, "ok"),
        ({"status": "BANNED"}, "needs_attention"),
        ({"status": "FLAGGED"}, "degraded"),
        ({"quality_rating": "RED"}, "degraded"),
        ({"status": None, "quality_rating": None}, "ok"),
    ],
)
async def test_health(
    meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud, change: Any, state: str
) -> None:
    meta.number |= change
    assert (await channel.health(ctx)).state == state


async def test_health_with_a_wrong_token(
    meta: MetaStandIn, ctx: SmallContext, settings: Settings
) -> None:
    wrong = WhatsAppCloud(replace(settings, access_token=Secret("another")))
    assert (await wrong.health(ctx)).state == "needs_attention"
    meta.mood = Refuse(400, 100)
    assert (await WhatsAppCloud(settings).health(ctx)).state == "needs_attention"


async def states(ctx: SmallContext, channel: WhatsAppCloud) -> dict[str, tuple[str, str | None]]:
    return {one.about: (one.state, one.advice) for one in await channel.check(ctx)}


async def test_check_when_all_is_right(
    meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud
) -> None:
    meta.number["webhook_configuration"] = {
        "application": "https://other.example",
        "phone_number": ctx.public_url(),
    }
    found = await states(ctx, channel)
    assert {state for state, _ in found.values()} == {"ok"}
    assert set(found) == {
        "access token",
        f"sender {NUMBER}",
        "app secret",
        "business_account_id",
        "webhook subscription",
        "webhook address",
    }
    assert {method for method, _, _ in meta.requests} == {"GET"}  # it looks, and changes nothing


async def test_check_says_what_is_wrong_and_what_to_change(
    meta: MetaStandIn, ctx: SmallContext, channel: WhatsAppCloud
) -> None:
    meta.number |= {
        "display_phone_number": "+1 555-010-0999",
        "webhook_configuration": {"application": "https://other.example/hook"},
    }
    meta.secret = "another secret"
    meta.numbers = ["1"]
    meta.apps = []
    found = await states(ctx, channel)
    for about in (
        f"sender {NUMBER}",
        "app secret",
        "business_account_id",
        "webhook subscription",
        "webhook address",
    ):
        state, advice = found[about]
        assert (about, state) == (about, "wrong")
        assert advice
    assert ctx.public_url() in (found["webhook address"][1] or "")
    meta.number |= {"display_phone_number": "15550100200", "status": "BANNED"}
    del meta.number["webhook_configuration"]
    found = await states(ctx, channel)
    assert found[f"sender {NUMBER}"][0] == "wrong"
    assert found["webhook address"][0] == "unknown"


async def test_check_when_meta_lets_nobody_in(
    meta: MetaStandIn, ctx: SmallContext, settings: Settings, channel: WhatsAppCloud
) -> None:
    wrong = WhatsAppCloud(replace(settings, access_token=Secret("another")))
    assert [(one.about, one.state) for one in await wrong.check(ctx)] == [("access token", "wrong")]
    meta.mood = Refuse(400, 100)
    assert [one.about for one in await channel.check(ctx)] == ["phone_number_id"]
    meta.mood = Refuse(502, page="<html>")
    assert [one.state for one in await channel.check(ctx)] == ["unknown"]
