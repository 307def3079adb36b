"""Files that came in: fetched from Twilio with credentials, from nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from hub_sms_twilio import TwilioSms
from hub_sms_twilio.settings import Settings

from hub.plugin import CredentialsInvalid, HookError, MediaRef, Permanent, Secret, Temporary
from tests.plugin_kit.provider import Request, running
from tests.small_context import SmallContext
from tests.standins.twilio import ACCOUNT, TwilioStandIn

FILE = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages/MM1/Media/ME1"


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "www.contoso.com",
        "http://api.twilio.com/x",
        "https://twilio.com.evil.example/x",
        "https://eviltwilio.com/x",
        "https://api.twilio.com@evil.example/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[",
        "file:///etc/passwd",
    ],
)
async def test_nothing_is_fetched_from_elsewhere(
    offline: SmallContext, settings: Settings, url: str | None
) -> None:
    with pytest.raises(Permanent) as refused:
        await TwilioSms(settings).fetch_media(offline, MediaRef(url=url))
    assert refused.value.reason == "policy"


async def test_a_redirect_to_the_inside_is_refused(settings: Settings) -> None:
    async def inside(request: Request) -> None:
        await request.answer(302, headers={"Location": "https://127.0.0.2/"})

    async with running(inside) as twilio:
        ctx = SmallContext(routes={"api.twilio.com": twilio.url})
        with pytest.raises(Permanent) as refused:
            await TwilioSms(settings).fetch_media(ctx, MediaRef(url=FILE))
        assert refused.value.reason == "policy"
        assert len(twilio.requests) == 1
        await ctx.aclose()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, CredentialsInvalid),
        (403, Permanent),
        (404, Temporary),
        (429, Temporary),
        (500, Temporary),
        (503, Temporary),
        (410, Permanent),
        (204, Permanent),
    ],
)
async def test_what_an_answer_means(settings: Settings, status: int, error: type) -> None:
    async def answer(request: Request) -> None:
        await request.answer(status)

    async with running(answer) as twilio:
        ctx = SmallContext(routes={"api.twilio.com": twilio.url})
        with pytest.raises(HookError) as failed:
            await TwilioSms(settings).fetch_media(ctx, MediaRef(url=FILE))
        assert type(failed.value) is error
        await ctx.aclose()


async def test_a_lost_connection_may_be_tried_again(settings: Settings) -> None:
    async def hang_up(request: Request) -> None:
        request.writer.close()

    async with running(hang_up) as twilio:
        ctx = SmallContext(routes={"api.twilio.com": twilio.url})
        with pytest.raises(Temporary):
            await TwilioSms(settings).fetch_media(ctx, MediaRef(url=FILE))
        await ctx.aclose()


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('inline; filename="a b.png"', "a b.png"),
        ("attachment; filename*=UTF-8''%C3%A9.png", "é.png"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="..\\\\x.png"', "x.png"),
        ('attachment; filename=".."', ".."),
        ("attachment", None),
        ("", None),
        (";;;=\xff", None),
    ],
)
async def test_the_name_is_a_base_name(settings: Settings, disposition: str, name: Any) -> None:
    async def answer(request: Request) -> None:
        await request.answer(body=b"x", headers={"Content-Disposition": disposition})

    async with running(answer) as twilio:
        ctx = SmallContext(routes={"api.twilio.com": twilio.url})
        file = await TwilioSms(settings).fetch_media(ctx, MediaRef(url=FILE))
        assert file.name == name
        await ctx.aclose()


async def test_wrong_credentials(
    twilio: TwilioStandIn, ctx: SmallContext, settings: Settings
) -> None:
    from msgspec.structs import replace

    wrong = TwilioSms(replace(settings, auth_token=Secret("wrong")))
    with pytest.raises(CredentialsInvalid):
        await wrong.fetch_media(ctx, MediaRef(url=FILE))
