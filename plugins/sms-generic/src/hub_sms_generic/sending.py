"""Handing a message to the provider, and understanding what it answers."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import msgspec

from hub.plugin import (
    Accepted,
    Context,
    CredentialsInvalid,
    Health,
    HookError,
    HttpResponse,
    Outbound,
    OutcomeUnknown,
    Permanent,
    Temporary,
    Unsupported,
)
from hub.plugin import sending as common
from hub.plugin.sms import count
from hub_sms_generic import numbers, paths, templates
from hub_sms_generic.settings import Request, Send, Settings
from hub_sms_generic.webhooks import ID, reason_of, shortened

TIMEOUT = 20.0
SEARCHED = 10_000
"""Letters of an answer that a pattern is looked for in."""


async def send(ctx: Context, message: Outbound, settings: Settings) -> Accepted:
    """One attempt."""
    request = settings.send
    if request is None:
        raise Unsupported("this channel only takes in")
    text = common.text_of(ctx, message)
    if not numbers.can_receive(message.address):
        raise Permanent("bad_address", "This address takes no text messages")
    if len(text) > settings.max_length:
        raise Permanent("too_large", f"The text is longer than {settings.max_length:,} characters")
    sender, encodings = _sender(message, settings), settings.encodings
    values = {
        "to": message.address.value,
        "to_digits": message.address.value.removeprefix("+"),
        "from": sender,
        "from_digits": sender.removeprefix("+"),
        "text": text,
        "id": message.id,
        "encoding": encodings.gsm7 if count(text).wide is None else encodings.ucs2,
    }
    left = (message.deadline - ctx.clock.now()).total_seconds()
    answer = await _ask(ctx, request, settings, values, min(TIMEOUT, left))
    body = _json(answer)
    if not _fine(request, answer, body):
        raise _refusal(ctx, request, answer, body)
    return Accepted(external_id=_id(request, answer, body, message.id))


async def health(ctx: Context, settings: Settings) -> Health:
    """Whether the request for it works; without one nothing is known to be wrong."""
    request = settings.health
    if request is None:
        return Health()
    try:
        answer = await _ask(ctx, request, settings, {}, TIMEOUT)
        body = _json(answer)
        if not _fine(request, answer, body):
            raise _refusal(ctx, request, answer, body)
    except CredentialsInvalid as error:
        return Health(state="needs_attention", reason=error.detail)
    except (Temporary, OutcomeUnknown) as error:
        return Health(state="transient", reason=error.detail)
    except HookError as error:
        return Health(state="degraded", reason=error.detail)
    return Health()


def _sender(message: Outbound, settings: Settings) -> str:
    if message.own_address in settings.numbers:
        return message.own_address
    if message.own_address and settings.numbers:
        raise Permanent("configuration", "The sender's number is none of this channel's")
    return settings.numbers[0] if settings.numbers else ""


async def _ask(
    ctx: Context, request: Request, settings: Settings, values: dict[str, str], limit: float
) -> HttpResponse:
    known = {**values, "callback": ctx.public_url()}
    known |= {f"secret.{name}": secret.reveal() for name, secret in settings.secrets.items()}
    form = request.form
    return await ctx.http.request(
        request.method,
        templates.filled(request.url, known, lambda value: quote(value, safe="")),
        params=templates.filled(request.query, known) or None,
        headers=templates.filled(request.headers, known),
        form=None if form is None else list(templates.filled(form, known).items()),
        json=templates.filled(request.json, known),
        auth=None if request.basic is None else (request.basic.user, request.basic.password),
        timeout=limit,
    )


def _json(answer: HttpResponse) -> Any:
    """``None`` for what is none."""
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return None


def _fine(request: Request, answer: HttpResponse, body: Any) -> bool:
    if not 200 <= answer.status < 300:
        return False
    return request.ok is None or paths.holds(request.ok, body)


def _id(request: Send, answer: HttpResponse, body: Any, own: str) -> str:
    if request.id is None and request.id_pattern is None:
        return own
    found = paths.text(paths.find(request.id, body))
    if request.id_pattern is not None:
        match = re.search(request.id_pattern, answer.text()[:SEARCHED])
        found = match[1] if match is not None else None
    if found is None or not ID.fullmatch(found):
        raise OutcomeUnknown("The provider answered a success without an id")
    return found


def _refusal(ctx: Context, request: Request, answer: HttpResponse, body: Any) -> HookError:
    """What an answer that is no success means: the provider's code first, then what HTTP says."""
    found = paths.find(request.error, body)
    if isinstance(found, list) and len(found) == 1:  # pyright: ignore[reportUnknownArgumentType]
        found = found[0]  # pyright: ignore[reportUnknownVariableType]
    code = shortened(paths.text(found))
    by_status = f"HTTP {answer.status}"
    meaning = request.errors.get(code) if code is not None else None
    meaning = meaning or request.errors.get(by_status)
    named = f"error {code}" if code is not None else by_status
    match meaning:
        case None:
            pass
        case "temporary":
            wait = common.retry_after(answer, ctx.clock.now())
            return Temporary(f"The provider takes nothing now ({named})", retry_after=wait)
        case "credentials":
            return CredentialsInvalid(f"The provider refuses the account ({named})")
        case _:
            words = f"The provider refused it ({named})"
            return Permanent(reason_of(meaning), words, provider_code=code)
    if not 200 <= answer.status < 300:
        refusal = common.refusal(ctx, answer)
        if isinstance(refusal, Permanent) and code is not None:
            words = f"The provider refused it ({named})"
            return Permanent(refusal.reason, words, provider_code=code)
        return refusal
    if code is None:
        return OutcomeUnknown("The provider's answer tells neither success nor an error")
    return Permanent("other", f"The provider refused it ({named})", provider_code=code)
