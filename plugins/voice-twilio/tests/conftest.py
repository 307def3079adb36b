"""The channel under test, a context on the kit's real network, and Twilio's stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from hub_voice_twilio.settings import Settings

from hub.plugin import Secret
from tests import recorded
from tests.small_context import SmallContext
from tests.standins.twilio import ACCOUNT, NUMBER, TOKEN
from tests.standins.twilio_voice import TwilioVoiceStandIn


@pytest.fixture
def settings() -> Settings:
    return Settings(
        account_sid=ACCOUNT,
        auth_token=Secret(TOKEN),
        numbers=(NUMBER,),
        ring=("+14155550111", "+14155550112"),
    )


@pytest.fixture
def twilio() -> Iterator[TwilioVoiceStandIn]:
    with TwilioVoiceStandIn(recorded.path("openapi/twilio_api_v2010.json")) as twilio:
        yield twilio
        assert twilio.spec_errors == []


@pytest.fixture
async def ctx(twilio: TwilioVoiceStandIn) -> AsyncIterator[SmallContext]:
    ctx = SmallContext(routes=twilio.routes)
    yield ctx
    await ctx.aclose()


@pytest.fixture
def offline() -> SmallContext:
    """A context for hooks that touch no network."""
    return SmallContext()
