"""The channel under test, a context on the kit's real network, and Resend's stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from hub_email_resend.settings import Settings

from hub.plugin import Secret
from tests import recorded
from tests.small_context import SmallContext
from tests.standins.resend import KEY, SECRET, ResendStandIn


@pytest.fixture
def settings() -> Settings:
    return Settings(
        api_key=Secret(KEY),
        signing_secrets=(Secret(SECRET),),
        address="help@example.com",
        aliases=("sales@example.com",),
        name="Example Help",
    )


@pytest.fixture
def resend() -> Iterator[ResendStandIn]:
    with ResendStandIn(recorded.path("openapi/resend.json")) as resend:
        yield resend
        assert resend.spec_errors == []


@pytest.fixture
async def ctx(resend: ResendStandIn) -> AsyncIterator[SmallContext]:
    ctx = SmallContext(routes=resend.routes)
    await ctx.kv.put("links", "a key of the channel's")
    yield ctx
    await ctx.aclose()
