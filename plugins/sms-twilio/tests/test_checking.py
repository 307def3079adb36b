"""What Twilio knows of the channel's numbers, and what to change there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hub_sms_twilio import TwilioSms
from hub_sms_twilio.settings import Settings

from hub.plugin import Finding, Secret
from tests import recorded
from tests.small_context import SmallContext
from tests.standins.twilio import ACCOUNT, NUMBER, TOKEN
from tests.standins.twilio_voice import TwilioVoiceStandIn

HOOK = "https://hub.example/hooks/main/texts"


@pytest.fixture
def twilio() -> Iterator[TwilioVoiceStandIn]:
    with TwilioVoiceStandIn(recorded.path("openapi/twilio_api_v2010.json")) as twilio:
        yield twilio
        assert twilio.spec_errors == []


def found(twilio: TwilioVoiceStandIn, token: str = TOKEN, **more: Any) -> list[Finding]:
    given = {"numbers": (NUMBER,), **more}
    settings = Settings(account_sid=ACCOUNT, auth_token=Secret(token), **given)

    async def look() -> list[Finding]:
        ctx: Any = SmallContext(routes=twilio.routes, public=HOOK)
        try:
            return list(await TwilioSms(settings).check(ctx))
        finally:
            await ctx.aclose()

    return asyncio.run(look())


def test_a_number_that_delivers_here(twilio: TwilioVoiceStandIn) -> None:
    twilio.configured[NUMBER] = {"sms_url": f"{HOOK}#rc=3&rp=all"}
    assert [(one.about, one.state) for one in found(twilio)] == [
        ("credentials", "ok"),
        (f"“A message comes in” of number {NUMBER}", "ok"),
    ]


@pytest.mark.parametrize(
    ("configured", "said", "advice"),
    [
        ({}, "it goes to nothing", HOOK),
        ({"sms_url": "https://old.example/x?key=1"}, "it goes to https://old.example/x", HOOK),
        ({"sms_url": HOOK, "sms_method": "GET"}, "by GET", "HTTP POST"),
        ({"sms_application_sid": "AP" + "1" * 32}, "TwiML app", HOOK),
        ({"capabilities": {"voice": True, "sms": False}}, "carries no texts", "SMS"),
    ],
)
def test_a_number_that_does_not(
    twilio: TwilioVoiceStandIn, configured: dict[str, Any], said: str, advice: str
) -> None:
    twilio.configured[NUMBER] = configured
    wrong = found(twilio)[-1]
    assert wrong.state == "wrong"
    assert said in wrong.detail
    assert advice in (wrong.advice or "")
    assert "key" not in wrong.detail


def test_numbers_that_cannot_be_looked_at(twilio: TwilioVoiceStandIn) -> None:
    _, other, short = found(twilio, numbers=("+15550100099", "38383"))
    assert (other.state, "none of the account's" in other.detail) == ("wrong", True)
    assert (short.about, short.state) == ("number 38383", "unknown")


def test_with_wrong_credentials_nothing_else_is_asked(twilio: TwilioVoiceStandIn) -> None:
    (credentials,) = found(twilio, token="of another account")
    assert (credentials.about, credentials.state) == ("credentials", "wrong")
    assert len(twilio.requests) == 1
