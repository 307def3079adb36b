"""The channel under test, a context on the kit's real network, and Meta's stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from hub_whatsapp_cloud import WhatsAppCloud
from hub_whatsapp_cloud.settings import Settings

from hub.plugin import Secret
from tests.small_context import SmallContext
from tests.standins.meta import ACCOUNT, NUMBER, NUMBER_ID, SECRET, TOKEN, VERIFY, MetaStandIn


@pytest.fixture
def settings() -> Settings:
    return Settings(
        phone_number_id=NUMBER_ID,
        number=NUMBER,
        business_account_id=ACCOUNT,
        access_token=Secret(TOKEN),
        app_secret=Secret(SECRET),
        verify_token=Secret(VERIFY),
    )


@pytest.fixture
def channel(settings: Settings) -> WhatsAppCloud:
    return WhatsAppCloud(settings)


@pytest.fixture
def meta() -> Iterator[MetaStandIn]:
    with MetaStandIn() as meta:
        yield meta
        assert meta.problems == []


@pytest.fixture
async def ctx(meta: MetaStandIn) -> AsyncIterator[SmallContext]:
    ctx = SmallContext(routes=meta.routes)
    yield ctx
    await ctx.aclose()
