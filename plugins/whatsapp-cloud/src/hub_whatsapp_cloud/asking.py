"""What Meta says of the number, the app and the webhook's address, for ``health`` and ``check``."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, cast

from hub.plugin import (
    Context,
    CredentialsInvalid,
    Finding,
    Health,
    HookError,
    Permanent,
    Temporary,
)
from hub_whatsapp_cloud import graph, people
from hub_whatsapp_cloud.settings import Settings

FIELDS = "display_phone_number,quality_rating,status"
SHUT = frozenset({"BANNED", "DELETED", "DISCONNECTED", "UNVERIFIED"})
LIMITED = frozenset({"FLAGGED", "RESTRICTED", "RATE_LIMITED"})


async def health(ctx: Context, settings: Settings) -> Health:
    """Whether the token works, and how the number is."""
    try:
        number = await graph.get(ctx, settings, settings.phone_number_id, {"fields": FIELDS})
    except CredentialsInvalid as error:
        return Health(state="needs_attention", reason=error.detail)
    except Temporary as error:
        return Health(state="transient", reason=error.detail)
    except HookError as error:
        return Health(state="needs_attention", reason=error.detail)
    status, quality = number.get("status"), number.get("quality_rating")
    if status in SHUT:
        return Health(state="needs_attention", reason=f"The number is {str(status).lower()}")
    if status in LIMITED:
        return Health(state="degraded", reason=f"The number is {str(status).lower()}")
    if quality == "RED":
        reason = "The number's quality is low: too many people block or report it"
        return Health(state="degraded", reason=reason)
    return Health(state="ok")


async def findings(ctx: Context, settings: Settings) -> tuple[Finding, ...]:
    """Token, number, app secret, account, and where Meta sends what happens."""
    try:
        fields = f"{FIELDS},webhook_configuration"
        number = await graph.get(ctx, settings, settings.phone_number_id, {"fields": fields})
    except CredentialsInvalid as error:
        advice = (
            "make a token of a system user with whatsapp_business_messaging and "
            "whatsapp_business_management, and give the user the account"
        )
        return (_wrong("access token", error.detail, advice),)
    except Permanent as error:
        advice = "copy phone_number_id from API Setup: it is an id, not the number"
        return (_wrong("phone_number_id", error.detail, advice),)
    except HookError as error:
        return (Finding(about="access token", state="unknown", detail=error.detail),)
    return (
        Finding(about="access token", detail="it opens the number"),
        _number(number, settings),
        await _secret(ctx, settings),
        await _account(ctx, settings),
        await _subscribed(ctx, settings),
        _webhook(ctx, number),
    )


def _wrong(about: str, detail: str, advice: str) -> Finding:
    return Finding(about=about, state="wrong", detail=detail, advice=advice)


def _number(number: Mapping[str, Any], settings: Settings) -> Finding:
    about = f"sender {settings.number}"
    shown = "".join(each for each in str(number.get("display_phone_number")) if each.isdigit())
    if people.phone(shown) != people.phone(settings.number):
        detail = f"phone_number_id is that of {number.get('display_phone_number')}"
        return _wrong(about, detail, "set number and phone_number_id to the same one")
    status = number.get("status")
    if status in SHUT or status in LIMITED:
        detail = f"the number is {str(status).lower()}"
        return _wrong(about, detail, "see the number's page in WhatsApp Manager")
    return Finding(about=about, detail=f"it is {str(status or 'there').lower()}")


async def _secret(ctx: Context, settings: Settings) -> Finding:
    """Meta compares a proof, made with the app secret, with that of the app the token is of."""
    token = settings.access_token.reveal().encode()
    proof = hmac.digest(settings.app_secret.reveal().encode(), token, "sha256").hex()
    params = {"fields": "id", "appsecret_proof": proof}
    try:
        await graph.get(ctx, settings, settings.phone_number_id, params)
    except (CredentialsInvalid, Permanent):
        advice = "copy the secret from App settings, Basic, of the app that the token is of"
        return _wrong("app secret", "it is not that of the token's app", advice)
    except HookError as error:
        return Finding(about="app secret", state="unknown", detail=error.detail)
    return Finding(about="app secret", detail="it belongs to the token's app")


async def _account(ctx: Context, settings: Settings) -> Finding:
    about = "business_account_id"
    path = f"{settings.business_account_id}/phone_numbers"
    try:
        page = await graph.get(ctx, settings, path, {"fields": "id", "limit": "100"})
    except (CredentialsInvalid, Permanent) as error:
        advice = (
            "copy the WhatsApp Business Account's id from API Setup, and let the user manage it"
        )
        return _wrong(about, error.detail, advice)
    except HookError as error:
        return Finding(about=about, state="unknown", detail=error.detail)
    if settings.phone_number_id not in {each.get("id") for each in _rows(page)}:
        advice = "set business_account_id to the account that has the number"
        return _wrong(about, "the number is none of this account's", advice)
    return Finding(about=about, detail="it has the number")


async def _subscribed(ctx: Context, settings: Settings) -> Finding:
    about = "webhook subscription"
    try:
        page = await graph.get(ctx, settings, f"{settings.business_account_id}/subscribed_apps")
    except HookError as error:
        return Finding(about=about, state="unknown", detail=error.detail)
    if not _rows(page):
        advice = f"POST /{settings.business_account_id}/subscribed_apps with the access token"
        return _wrong(about, "no app is told what happens in this account", advice)
    return Finding(about=about, detail="an app is told what happens in the account")


def _webhook(ctx: Context, number: Mapping[str, Any]) -> Finding:
    """The address nearest to the number counts: its own, else the account's, else the app's."""
    about, wanted = "webhook address", ctx.public_url()
    given = number.get("webhook_configuration")
    told = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    places = ("phone_number", "whatsapp_business_account", "application")
    address = next((told[place] for place in places if told.get(place)), None)
    advice = f"set the callback URL to {wanted}, with the channel's verify_token"
    if address is None:
        return Finding(about=about, state="unknown", detail="Meta does not say it", advice=advice)
    if address != wanted:
        return _wrong(about, f"Meta posts to {str(address)[:200]}", advice)
    return Finding(about=about, detail="Meta posts to this channel")


def _rows(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    data = page.get("data")
    rows = cast("list[Any]", data) if isinstance(data, list) else []
    return [cast("dict[str, Any]", row) for row in rows if isinstance(row, dict)]
