"""Sending, finding out whether a message went out, and what Twilio has of templates and senders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlencode

from hub_sms_twilio import api, asking, messages
from hub_sms_twilio.forms import TRANSMISSION
from hub_sms_twilio.messages import MEDIA_SECONDS, TIMEOUT
from hub_whatsapp_cloud import parts
from msgspec.structs import replace

from hub.plugin import (
    Accepted,
    Context,
    CredentialsInvalid,
    Finding,
    HookError,
    Outbound,
    OutcomeUnknown,
    Permanent,
    Reconciled,
    TemplateInfo,
    Temporary,
    WirePart,
)
from hub_whatsapp_twilio import templates as contents
from hub_whatsapp_twilio.failures import CODES
from hub_whatsapp_twilio.limits import CARRIES
from hub_whatsapp_twilio.settings import Settings
from hub_whatsapp_twilio.webhooks import PREFIX

CONTENTS = "https://content.twilio.com/v1/ContentAndApprovals"
SENDERS = "https://messaging.twilio.com/v2/Channels/Senders"
PAGE = 100
PAGES = 10
"""Pages that are looked at, of ``PAGE`` each."""

health = asking.health


async def send(ctx: Context, message: Outbound, settings: Settings) -> Accepted:
    """One attempt."""
    going = parts.parts_of(message, CARRIES)
    sender = _sender(message, settings)
    limit = messages.limit_of(ctx, message)

    async def one(part: WirePart) -> Accepted:
        parameters = sender | _content(ctx, message, part) | _callback(ctx, message, settings)
        return await messages.create(ctx, settings, parameters, limit, CODES)

    return await parts.one_by_one(ctx, message, going, one)


async def reconcile(ctx: Context, message: Outbound, settings: Settings) -> Reconciled:
    """Look for the message at Twilio. Of several parts, for the one whose answer was lost: where it
    is there and others are still to go, the whole has not gone out yet, and goes on after it."""
    going = parts.parts_of(message, CARRIES)
    known = await parts.out_already(ctx, message) if len(going) > 1 else []
    part = going[min(len(known), len(going) - 1)]
    wanted = {"to": f"{PREFIX}{message.address.value}", "from_": _from(message, settings)}
    says = messages.says(part)

    def is_it(candidate: Any) -> bool:
        return candidate.sid not in known and says(candidate)

    found = await messages.find(ctx, settings, message, is_it, wanted)
    if found.outcome == "absent" and message.kind == "template":
        # Whether Twilio shows a template's words as they are read is not sure; another message
        # since then may be it.
        other = await messages.find(ctx, settings, message, lambda _: True, wanted)
        return Reconciled(outcome="absent" if other.outcome == "absent" else "unknown")
    if found.outcome != "found" or found.external_id is None or len(going) == 1:
        return found
    ids = [*known, found.external_id]
    if len(ids) < len(going):
        await parts.keep(ctx, message, ids)
        return Reconciled(outcome="absent")
    return replace(found, external_id=ids[0])


async def templates(ctx: Context, settings: Settings) -> tuple[TemplateInfo, ...]:
    """All contents of the account that are templates, page by page."""
    found: list[Any] = []
    url: str | None = f"{CONTENTS}?PageSize={PAGE}"
    for _ in range(PAGES):
        if url is None:
            break
        page = await _get(ctx, settings, url)
        found += _rows(page, "contents")
        url = _next(page, CONTENTS)
    return contents.infos(found)


async def findings(ctx: Context, settings: Settings) -> tuple[Finding, ...]:
    """Account, key, senders, and where Twilio posts what comes to each."""
    found = list(await asking.findings(ctx, settings))
    if any(each.about == "credentials" and each.state != "ok" for each in found):
        return tuple(found)
    try:
        page = await _get(ctx, settings, f"{SENDERS}?Channel=whatsapp&PageSize={PAGE}")
    except CredentialsInvalid:
        page = {}
    except HookError as error:
        return *found, Finding(about="WhatsApp senders", state="unknown", detail=error.detail)
    senders = {
        str(row.get("sender_id")).removeprefix(PREFIX): row for row in _rows(page, "senders")
    }
    for number in settings.numbers:
        found += _findings_of(ctx, number, senders.get(number))
    return tuple(found)


def _rows(page: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    given = page.get(name)
    rows = cast("list[Any]", given) if isinstance(given, list) else []
    return [cast("dict[str, Any]", row) for row in rows if isinstance(row, dict)]


def _findings_of(ctx: Context, number: str, sender: Mapping[str, Any] | None) -> list[Finding]:
    about = f"sender {number}"
    if sender is None:
        detail = "it is no WhatsApp sender of this account"
        advice = "register it as a WhatsApp sender in Twilio's console, or mend numbers"
        return [Finding(about=about, state="wrong", detail=detail, advice=advice)]
    status = str(sender.get("status") or "unknown")
    if not status.upper().startswith("ONLINE"):
        advice = "see the sender's page in Twilio's console"
        detail = f"Twilio says {status.lower()}"
        return [Finding(about=about, state="wrong", detail=detail, advice=advice)]
    given = sender.get("webhook")
    told = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    address = str(told.get("callback_url") or "").partition("#")[0]
    wanted = ctx.public_url()
    if address == wanted:
        return [
            Finding(about=about, detail="it is online"),
            Finding(about=f"webhook address of {number}", detail="Twilio posts to this channel"),
        ]
    wrong = Finding(
        about=f"webhook address of {number}",
        state="wrong",
        detail=f"Twilio posts to {address[:200] or 'no address'}",
        advice=f"set the sender's webhook for incoming messages to {wanted}, by HTTP POST",
    )
    return [Finding(about=about, detail="it is online"), wrong]


def _from(message: Outbound, settings: Settings) -> str:
    own = message.own_address or settings.numbers[0]
    if own not in settings.numbers:
        raise Permanent("configuration", "The sender's number is none of this channel's")
    return f"{PREFIX}{own}"


def _sender(message: Outbound, settings: Settings) -> dict[str, Any]:
    sender = {"to": f"{PREFIX}{message.address.value}", "from_": _from(message, settings)}
    service = settings.messaging_service_sid
    return sender if service is None else sender | {"messaging_service_sid": service}


def _content(ctx: Context, message: Outbound, part: WirePart) -> dict[str, Any]:
    if message.kind == "template":
        template = part.data["template"]
        names = ("content_sid", "content_variables")
        return {name: str(template[name]) for name in names if name in template}
    content: dict[str, Any] = {"body": part.text} if part.text.strip() else {}
    files = parts.files_of(message, part)
    if files:
        content["media_url"] = [ctx.media.signed_url(files[0].id, seconds=MEDIA_SECONDS)]
    return content


def _callback(ctx: Context, message: Outbound, settings: Settings) -> dict[str, str]:
    if not settings.status_callbacks:
        return {}
    query = urlencode({TRANSMISSION: message.id})
    return {"status_callback": f"{ctx.public_url()}?{query}"}


async def _get(ctx: Context, settings: Settings, url: str) -> dict[str, Any]:
    """A page, read by us: the client's own reader breaks on what it does not expect. Nothing is
    changed by asking again."""
    client = api.client(ctx, settings.account_sid, settings.credentials, TIMEOUT, CODES)
    try:
        answer = await client.request_async("GET", url)
    except OutcomeUnknown as error:
        raise Temporary(error.detail) from error
    return cast("dict[str, Any]", json.loads(answer.text))


def _next(page: Mapping[str, Any], base: str) -> str | None:
    """Where the next page lies, if that is where the first one was: the credentials go there."""
    meta = page.get("meta")
    url = cast("dict[str, Any]", meta).get("next_page_url") if isinstance(meta, dict) else None
    return url if isinstance(url, str) and url.startswith(f"{base}?") else None
