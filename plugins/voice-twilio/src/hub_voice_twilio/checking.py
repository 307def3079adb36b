"""Whether the account works, and whether its numbers deliver their calls here."""

from __future__ import annotations

from typing import Any

from hub_sms_twilio import api, asking
from msgspec.structs import replace

from hub.plugin import Context, CredentialsInvalid, Finding, Health, HookError
from hub_voice_twilio.settings import Settings

TIMEOUT = 15.0


async def health(ctx: Context, settings: Settings) -> Health:
    """Whether the account is open, and whether the API key may read calls."""
    found = await asking.health(ctx, _without_key(settings))
    if found.state == "ok" and settings.api_key is not None:
        keyed = api.client(ctx, settings.account_sid, settings.credentials, TIMEOUT)
        await keyed.calls.page_async(page_size=1)
    return found


async def check(ctx: Context, settings: Settings) -> tuple[Finding, ...]:
    """Credentials, and each number: whether it is the account's, can be called, and delivers
    here."""
    found = list(await asking.findings(ctx, _without_key(settings)))
    if any(one.about == "credentials" and one.state != "ok" for one in found):
        return tuple(found)
    if settings.api_key is not None:
        found.append(await _key(ctx, settings))
    for number in settings.numbers:
        found += await _number(ctx, settings, number)
    return tuple(found)


def _without_key(settings: Settings) -> Settings:
    return replace(settings, api_key=None, api_secret=None)


async def _key(ctx: Context, settings: Settings) -> Finding:
    keyed = api.client(ctx, settings.account_sid, settings.credentials, TIMEOUT)
    try:
        await keyed.calls.page_async(page_size=1)
    except CredentialsInvalid:
        detail = "Twilio refuses api_key and api_secret"
        advice = "make a new API key in Twilio's console; its secret is shown once"
        return Finding(about="API key", state="wrong", detail=detail, advice=advice)
    except HookError as error:
        return Finding(about="API key", state="unknown", detail=error.detail)
    return Finding(about="API key", detail="it opens the account's calls")


async def _number(ctx: Context, settings: Settings, number: str) -> list[Finding]:
    known = await asking.number(ctx, settings, number)
    if isinstance(known, Finding):
        return [known]
    about = f"number {number}"
    if not _can_call(known):
        detail = "it carries no calls"
        advice = "choose a number with the capability Voice"
        return [Finding(about=about, state="wrong", detail=detail, advice=advice)]
    return _addresses(about, known, ctx.public_url())


def _can_call(known: Any) -> bool:
    can: dict[str, Any] = known.capabilities or {}
    return can.get("voice") is True


def _addresses(about: str, known: Any, hook: str) -> list[Finding]:
    """What the number does with a call, and whom it tells how that ended."""
    if known.trunk_sid or known.voice_application_sid:
        detail = "its calls go to a SIP trunk or a TwiML app"
        advice = f"configure it with the webhook {hook}"
        return [Finding(about=f"webhook of {about}", state="wrong", detail=detail, advice=advice)]
    return [
        asking.delivers(f"“{what}” of {about}", url, method, f"{hook}#rc=3&rp=all")
        for what, url, method in (
            ("A call comes in", known.voice_url, known.voice_method),
            ("Call status changes", known.status_callback, known.status_callback_method),
        )
    ]
