"""Meta's Graph API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from hub.plugin import Context, HttpResponse, OutcomeUnknown, Temporary
from hub_whatsapp_cloud import failures
from hub_whatsapp_cloud.settings import Settings

HOST = "https://graph.facebook.com"
TIMEOUT = 15.0


def bearer(settings: Settings) -> dict[str, str]:
    """What opens the API."""
    return {"Authorization": f"Bearer {settings.access_token.reveal()}"}


async def post(
    ctx: Context, settings: Settings, path: str, wanted: Mapping[str, Any], limit: float
) -> dict[str, Any]:
    """One request that changes something, within ``limit`` seconds. Raises what the answer means
    where it is no success."""
    response = await ctx.http.request(
        "POST",
        f"{HOST}/{settings.api_version}/{path}",
        headers=bearer(settings),
        json=wanted,
        timeout=limit,
    )
    return _read(ctx, response)


async def get(
    ctx: Context, settings: Settings, path: str, params: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Look at something. Whatever leaves it open is ``Temporary``: nothing is changed by asking
    again."""
    url = f"{HOST}/{settings.api_version}/{path}"
    try:
        response = await ctx.http.request(
            "GET", url, headers=bearer(settings), params=params, timeout=TIMEOUT
        )
        return _read(ctx, response)
    except OutcomeUnknown as error:
        raise Temporary(error.detail) from error


def _read(ctx: Context, response: HttpResponse) -> dict[str, Any]:
    if not 200 <= response.status < 300:
        raise failures.of_response(response, ctx.clock.now())
    try:
        answer: Any = json.loads(response.body)
    except (ValueError, RecursionError) as error:
        raise OutcomeUnknown("Meta's answer is no JSON") from error
    if not isinstance(answer, dict):
        raise OutcomeUnknown("Meta's answer is no object")
    return cast("dict[str, Any]", answer)
