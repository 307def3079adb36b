"""What a provider posts: messages that came in, and what became of those that went out.

A webhook may hold one of them or many, as JSON, as a form or as parameters of the address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, cast

import msgspec

from hub.plugin import (
    ChannelNotice,
    Context,
    Delivery,
    Event,
    FailureReason,
    IngestResult,
    Malformed,
    Message,
    OptIn,
    OptOut,
    Receipt,
    Verification,
)
from hub_sms_generic import paths, templates, times
from hub_sms_generic.numbers import Numbering
from hub_sms_generic.settings import (
    ByBasic,
    ByHeader,
    ByHmac,
    ByQuery,
    Incoming,
    Receipts,
    Settings,
    Verify,
)

ID = re.compile(r"[^\s\x00-\x1f\x7f]{1,200}")
AROUND = "request"
"""Beside what a message holds: the ``body`` it stood in, and the request's ``query`` and
``headers`` (names in lower case)."""
MOST = 1_000
"""Messages and receipts of one webhook."""


def proof(ctx: Context, delivery: Delivery, by: Verify) -> Verification | None:
    """That the provider sent it; ``None`` where it proves nothing. Raises ``Unverified``."""
    match by:
        case ByHmac():
            return ctx.verify.hmac(
                keys=by.keys,
                header=by.header,
                algorithm=by.algorithm,
                encoding=by.encoding,
                prefix=by.prefix,
                signed=_signed(delivery, by.signed),
            )
        case ByHeader():
            return ctx.verify.token(keys=by.keys, header=by.header, prefix=by.prefix)
        case ByQuery():
            return ctx.verify.token(keys=by.keys, query=by.name)
        case ByBasic():
            return ctx.verify.basic(username=by.user, passwords=by.keys)
        case _:
            return None


def _signed(delivery: Delivery, template: str) -> bytes:
    made, at = bytearray(), 0
    for match in templates.NAME.finditer(template):
        made += template[at : match.start()].encode()
        name, at = match[1], match.end()
        if name == "body":
            made += delivery.body
        elif name == "url":
            made += delivery.url.encode()
        else:
            value = delivery.header(name.removeprefix("header.")) or ""
            made += value.encode("utf-8", "replace")
    return bytes(made + template[at:].encode())


def read(ctx: Context, delivery: Delivery, settings: Settings, numbers: Numbering) -> IngestResult:
    """The events of a verified delivery. Raises ``Malformed``."""
    body = _content(delivery)
    if body is None:
        return IngestResult(ignored="there is nothing in it, as when an address is tried")
    around = {
        "body": body,
        "query": _named(delivery.query()),
        "headers": {name.lower(): value for name, value in delivery.headers},
    }
    events: list[Event] = []
    passed_over: list[str] = []
    if settings.receipts is not None:
        for one in _each(settings.receipts, body, around):
            if _is_receipt(settings, one):
                told = _receipt(settings.receipts, one, settings)
                if isinstance(told, str):
                    passed_over.append(told)
                    ctx.log.info("receipt passed over", why=told)
                else:
                    events += told
    if settings.incoming is not None:
        for one in _each(settings.incoming, body, around):
            if _is_message(settings, one):
                events += _message(settings.incoming, one, settings, numbers)
    if events:
        return IngestResult(events=tuple(events))
    why = passed_over[0] if passed_over else "it is neither a message nor a receipt"
    return IngestResult(ignored=why)


def _content(delivery: Delivery) -> Any:
    """A form or the parameters as a table, else JSON; ``None`` where there is nothing at all."""
    kind = (delivery.header("content-type") or "").partition(";")[0].strip().lower()
    if not delivery.body.strip():
        return _named(delivery.query()) or None
    if kind == "application/x-www-form-urlencoded" and delivery.method != "GET":
        return _named(delivery.form())
    try:
        found = msgspec.json.decode(delivery.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Malformed(f"neither a form nor JSON ({kind[:80] or 'no content type'})") from error
    if not isinstance(found, (dict, list)):
        raise Malformed("the JSON is neither an object nor a list")
    return cast("Any", found)


def _named(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Fields by their names. One that comes with several values is a list of them: which of them
    was meant is not for us to guess."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        values = found.setdefault(name, [])
        if value not in values:
            values.append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _each(rule: Incoming | Receipts, body: Any, around: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What the rule looks at: each with the request around it."""
    found = body if rule.each is None else paths.find(rule.each, _with(body, around))
    several: list[Any] = cast("list[Any]", found) if isinstance(found, list) else [found]
    if len(several) > MOST:
        raise Malformed(f"there are more than {MOST:,} in one webhook")
    for one in several:
        if one is not None:
            yield _with(one, around)


def _with(value: Any, around: dict[str, Any]) -> dict[str, Any]:
    if isinstance(value, dict):
        return {**cast("dict[str, Any]", value), AROUND: around}
    return {"value": value, AROUND: around}


def _is_receipt(settings: Settings, one: dict[str, Any]) -> bool:
    """Where the settings do not tell the two apart, what has a text is a message, also beside a
    status: of the two mistakes, the one that loses nothing."""
    incoming, receipts = settings.incoming, settings.receipts
    if receipts is None:
        return False
    if receipts.when is not None:
        return paths.holds(receipts.when, one)
    if paths.find(receipts.status, one) is None:
        return False
    if incoming is None:
        return True
    if incoming.when is not None:
        return not paths.holds(incoming.when, one)
    return paths.find(incoming.text, one) is None


def _is_message(settings: Settings, one: dict[str, Any]) -> bool:
    incoming = settings.incoming
    if incoming is None:
        return False
    if incoming.when is not None:
        return paths.holds(incoming.when, one)
    named = (incoming.sender, incoming.text)
    return not _is_receipt(settings, one) and any(paths.find(p, one) is not None for p in named)


def _receipt(rule: Receipts, one: dict[str, Any], settings: Settings) -> tuple[Event, ...] | str:
    said = paths.text(paths.find(rule.status, one))
    if said is None:
        raise Malformed(f"receipts.status: {rule.status} is no text there")
    status = rule.statuses.get(said)
    if status is None:
        return f"the status {said[:40]!r} is not in receipts.statuses"
    external_id, own_id = _id(rule.id, one, "receipts.id"), _id(rule.own_id, one, "receipts.own_id")
    if external_id is None and own_id is None:
        raise Malformed("receipts.id: the receipt names no message")
    if settings.send is not None and settings.send.id is None and settings.send.id_pattern is None:
        external_id = external_id or own_id
    at = times.read(rule, one)
    receipt = Receipt(
        status=status, external_id=external_id, transmission_id=own_id, occurred_at=at
    )
    if status != "failed":
        return (receipt,)
    code = shortened(paths.text(paths.find(rule.error, one)))
    meaning = rule.errors.get(code) if code is not None else None
    stops = meaning == "credentials"
    words = f"The provider gave up ({f'error {code}' if code else f'status {shortened(said)}'})"
    failed = msgspec.structs.replace(
        receipt, reason=reason_of(meaning), detail=words, provider_code=code
    )
    return (failed, ChannelNotice(text=words, state="needs_attention")) if stops else (failed,)


def reason_of(meaning: str | None) -> FailureReason:
    """Why a message failed for good, by what its code means."""
    if meaning == "credentials":
        return "configuration"
    return "other" if meaning in {None, "temporary"} else cast("FailureReason", meaning)


def shortened(code: str | None) -> str | None:
    """A provider's code, which may hold anything, as it can be shown."""
    if code is None:
        return None
    return "".join(letter for letter in code if letter.isprintable())[:40] or None


def _message(
    rule: Incoming, one: dict[str, Any], settings: Settings, numbers: Numbering
) -> tuple[Event, ...]:
    external_id = _id(rule.id, one, "incoming.id")
    if external_id is None:
        raise Malformed(f"incoming.id: there is no {rule.id}")
    sender = numbers.sender(paths.text(paths.find(rule.sender, one)) or "")
    if sender is None:
        raise Malformed(f"incoming.from: {rule.sender} is missing, or no sender of text messages")
    text = paths.find(rule.text, one)
    if text is None:
        text = ""
    elif paths.text(text) is None:
        raise Malformed(f"incoming.text: {rule.text} is no text")
    text = str(text)
    to = numbers.sender(paths.text(paths.find(rule.to, one)) or "")
    own_address = to.value if to is not None else ""
    if not own_address and len(settings.numbers) == 1:
        own_address = settings.numbers[0]
    at = times.read(rule, one)
    message = Message(
        external_id=external_id,
        sender=(sender,),
        own_address=own_address,
        text=text,
        occurred_at=at,
    )
    words, choice = text.strip().upper(), settings.opt_out
    how = f"replied {text.strip()[:40]}"
    only = own_address or None
    if words in map(str.upper, choice.stop) or paths.holds(choice.stop_when, one):
        return message, OptOut(address=sender, how=how, own_address=only, occurred_at=at)
    if words in map(str.upper, choice.start) or paths.holds(choice.start_when, one):
        return message, OptIn(address=sender, how=how, own_address=only, occurred_at=at)
    return (message,)


def _id(path: str | None, one: dict[str, Any], key: str) -> str | None:
    """An id that is there. Raises ``Malformed`` for one that is none."""
    found = paths.find(path, one)
    if found is None:
        return None
    told = paths.text(found)
    if told is None or not ID.fullmatch(told):
        raise Malformed(f"{key}: {path} is no id")
    return told
