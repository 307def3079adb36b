"""Whether the account works, and whether what is written to its numbers is delivered here."""

from __future__ import annotations

from typing import Any

from hub.plugin import Context, Finding, HookError
from hub_sms_twilio import api, asking
from hub_sms_twilio.messages import TIMEOUT
from hub_sms_twilio.settings import Settings

RETRIES = "#rc=3&rp=all"
"""Behind an address: what Twilio is to do where a delivery fails. Without it one that is answered
with 503 is not repeated (Twilio docs, usage/webhooks/webhooks-connection-overrides)."""


async def check(ctx: Context, settings: Settings) -> tuple[Finding, ...]:
    """Credentials, the Messaging Service, and each number: whether it is the account's, carries
    texts, and delivers here."""
    found = list(await asking.findings(ctx, settings))
    if any(one.about == "credentials" and one.state != "ok" for one in found):
        return tuple(found)
    by_service = False
    if settings.messaging_service_sid is not None:
        finding, by_service = await _service(ctx, settings, settings.messaging_service_sid)
        found.append(finding)
    numbers = [await _number(ctx, settings, one, by_service=by_service) for one in settings.numbers]
    return (*found, *numbers)


async def _service(ctx: Context, settings: Settings, sid: str) -> tuple[Finding, bool]:
    """What is found, and whether the service says where its numbers deliver."""
    about = "Messaging Service"
    client = api.client(ctx, settings.account_sid, settings.owner, TIMEOUT)
    try:
        service: Any = await client.messaging.v1.services(sid).fetch_async()
    except HookError as error:
        detail = error.detail or "Twilio does not know it"
        return Finding(about=about, state="unknown", detail=detail), False
    if service.use_inbound_webhook_on_number:
        return Finding(about=about, detail="each of its numbers says where it delivers"), False
    url, method = service.inbound_request_url, service.inbound_method
    if not url:
        detail = "it drops what is written to its numbers"
        advice = f"send incoming messages to a webhook: {ctx.public_url()}{RETRIES}"
        return Finding(about=about, state="wrong", detail=detail, advice=advice), True
    wanted = f"{ctx.public_url()}{RETRIES}"
    return asking.delivers(f"incoming messages of the {about}", url, method, wanted), True


async def _number(ctx: Context, settings: Settings, number: str, *, by_service: bool) -> Finding:
    about = f"number {number}"
    if not number.startswith("+"):
        detail = "Twilio tells nothing of short codes: look in its console"
        return Finding(about=about, state="unknown", detail=detail)
    known = await asking.number(ctx, settings, number)
    if isinstance(known, Finding):
        return known
    can: dict[str, Any] = known.capabilities or {}
    if can.get("sms") is not True:
        detail, advice = "it carries no texts", "choose a number with the capability SMS"
        return Finding(about=about, state="wrong", detail=detail, advice=advice)
    if by_service:
        return Finding(about=about, detail="it is the account's and carries texts")
    wanted = f"{ctx.public_url()}{RETRIES}"
    if known.sms_application_sid:
        detail, advice = "its texts go to a TwiML app", f"configure it with the webhook {wanted}"
        return Finding(about=about, state="wrong", detail=detail, advice=advice)
    about = f"“A message comes in” of {about}"
    return asking.delivers(about, known.sms_url, known.sms_method, wanted)
