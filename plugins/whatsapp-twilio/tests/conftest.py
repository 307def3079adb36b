"""The channel under test, a context on the kit's real network, and Twilio's stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from hub_whatsapp_twilio import TwilioWhatsApp
from hub_whatsapp_twilio.settings import Settings

from hub.plugin import Secret
from tests import recorded
from tests.small_context import SmallContext
from tests.standins.twilio import ACCOUNT, NUMBER, TOKEN
from tests.standins.twilio_whatsapp import WhatsAppStandIn


@pytest.fixture
def settings() -> Settings:
    return Settings(account_sid=ACCOUNT, auth_token=Secret(TOKEN), numbers=(NUMBER,))


@pytest.fixture
def channel(settings: Settings) -> TwilioWhatsApp:
    return TwilioWhatsApp(settings)


@pytest.fixture
def twilio() -> Iterator[WhatsAppStandIn]:
    spec = recorded.path("openapi/twilio_api_v2010.json")
    with WhatsAppStandIn(spec, recorded.path("openapi/twilio_content_v1.json")) as twilio:
        yield twilio
        assert twilio.spec_errors == []


@pytest.fixture
async def ctx(twilio: WhatsAppStandIn) -> AsyncIterator[SmallContext]:
    ctx = SmallContext(routes=twilio.routes)
    yield ctx
    await ctx.aclose()
