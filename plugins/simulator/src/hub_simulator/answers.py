"""What the simulated provider answers when the hub sends."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import msgspec
from msgspec import Struct

from hub.plugin import (
    CredentialsInvalid,
    HookError,
    Outbound,
    OutcomeUnknown,
    Permanent,
    Reconciled,
    Temporary,
)
from hub_simulator.behaviour import Behaviour, planned_receipts
from hub_simulator.medium import Medium
from hub_simulator.phone import (
    Phone,
    PhoneMessage,
    Picture,
    Step,
    latest_receipt,
    with_log,
    with_message,
)

BUSY_SECONDS = 1.0


class Verdict(Struct, frozen=True, kw_only=True):
    """The provider's answer to one attempt.

    ``error`` is what ``send`` raises, ``hangs`` that it never answers. ``receipts`` says when the
    message's receipts begin: before the answer, or after it.
    """

    external_id: str
    error: HookError | None = None
    hangs: bool = False
    receipts: Literal["none", "before", "after"] = "none"


def external_id_of(transmission_id: str) -> str:
    """The provider's id of a message: the same on every attempt, so that none is sent twice."""
    return f"out-{transmission_id}"


def answer(
    phone: Phone, outbound: Outbound, now: datetime, receipt_pause: float, medium: Medium
) -> tuple[Phone, Verdict]:
    """One attempt: the phone after it, and what the hub hears."""
    known = phone.transmission(outbound.id)
    if known is not None and known.arrived:
        verdict = Verdict(external_id=known.id)
        words = f"accepted before as {known.id}"
    else:
        verdict = _verdict(phone, outbound, now, medium)
        words = _in_words(verdict)
        if verdict.error is None or isinstance(verdict.error, OutcomeUnknown):
            message = _message(phone.behaviour, outbound, verdict, now, receipt_pause)
            phone = with_message(phone, medium.dressed(message, outbound))
    body = msgspec.json.format(msgspec.json.encode(outbound), indent=2).decode()
    logged = with_log(phone, now, "from_hub", f"send, attempt {outbound.attempt}: {words}", body)
    return logged, verdict


def reconciled(phone: Phone, transmission_id: str) -> Reconciled:
    """What became of a message. Of one that the phone does not remember nothing is known: it may
    have been forgotten."""
    message = phone.transmission(transmission_id)
    if message is None or not phone.behaviour.lookup:
        return Reconciled(outcome="unknown")
    if not message.arrived:
        return Reconciled(outcome="absent")
    return Reconciled(outcome="found", external_id=message.id, status=latest_receipt(message))


def _verdict(phone: Phone, outbound: Outbound, now: datetime, medium: Medium) -> Verdict:
    external_id = external_id_of(outbound.id)
    error = _refusal(phone, outbound, medium) or medium.refusal(phone, outbound, now)
    if error is not None:
        return Verdict(external_id=external_id, error=error)
    match phone.behaviour.answer:
        case "lost_arrived":
            error = OutcomeUnknown("the simulated connection broke before the answer")
            return Verdict(external_id=external_id, error=error, receipts="after")
        case "lost_gone":
            error = OutcomeUnknown("the simulated connection broke before the answer")
            return Verdict(external_id=external_id, error=error)
        case "hang":
            return Verdict(external_id=external_id, hangs=True, receipts="after")
        case _:
            early = phone.behaviour.order == "early"
            return Verdict(external_id=external_id, receipts="before" if early else "after")


def _refusal(phone: Phone, outbound: Outbound, medium: Medium) -> HookError | None:
    behaviour = phone.behaviour
    if len(_text(outbound)) > medium.max_length:
        words = f"longer than {medium.max_length} characters"
        return Permanent("too_large", words, provider_code="sim-length")
    if outbound.own_address in phone.opted_out:
        detail = "the customer takes no more messages"
        return Permanent("opted_out", detail, provider_code="sim-opted_out")
    if behaviour.answer == "refuse":
        code = f"sim-{behaviour.reason}"
        return Permanent(behaviour.reason, "the simulated network refuses it", provider_code=code)
    if behaviour.answer == "busy" and outbound.attempt <= behaviour.busy_times:
        return Temporary("the simulated network is busy", retry_after=BUSY_SECONDS)
    if behaviour.answer == "credentials":
        return CredentialsInvalid("the simulated provider refuses the credentials")
    return None


def _message(
    behaviour: Behaviour, outbound: Outbound, verdict: Verdict, now: datetime, receipt_pause: float
) -> PhoneMessage:
    arrived = verdict.receipts != "none"
    plan = planned_receipts(behaviour) if arrived else ()
    # Receipts that come before the answer come at once.
    delay, pause = (0.0, 0.0) if verdict.receipts == "before" else (behaviour.delay, receipt_pause)
    return PhoneMessage(
        id=verdict.external_id,
        author="business",
        own_number=outbound.own_address,
        at=now,
        text=_text(outbound),
        pictures=tuple(
            Picture(id=a.id, name=a.name, content_type=a.content_type, size=a.size, held="hub")
            for a in outbound.attachments
        ),
        transmission=outbound.id,
        quoted=outbound.reply_to or "",
        arrived=arrived,
        reads=behaviour.receipts == "read" and "read" not in plan,
        reason=behaviour.reason if "failed" in plan else None,
        due=tuple(
            Step(kind=status, at=now + timedelta(seconds=delay + place * pause))
            for place, status in enumerate(plan)
        ),
    )


def _text(outbound: Outbound) -> str:
    return "\n".join(part.text for part in outbound.wire if part.text)


def _in_words(verdict: Verdict) -> str:
    if verdict.error is not None:
        return f"{type(verdict.error).__name__}, {verdict.error.detail}"
    return "no answer" if verdict.hangs else f"accepted as {verdict.external_id}"
