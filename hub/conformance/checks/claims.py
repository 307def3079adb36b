"""Claims: what is claimed is proven by a check or a case, what is told was claimed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hub.conformance.cases import Cases
from hub.conformance.check import Failed, NeedsCase, check
from hub.conformance.stage import Stage
from hub.plugin import Capabilities, IngestResult, Message, Receipt

Proof = Callable[[Cases], bool]


def _event(tag: str) -> Proof:
    return lambda cases: any(e.get("type") == tag for case in cases.ingest for e in case.events)


def _with(field: str) -> Proof:
    return lambda cases: any(e.get(field) for case in cases.ingest for e in case.events)


def _kind(kind: str) -> Proof:
    return lambda cases: any(case.message.kind == kind for case in cases.send)


def _wire(holds: Callable[[Any], bool]) -> Proof:
    return lambda cases: any(holds(part) for case in cases.send for part in case.message.wire)


def idempotency_keys(headers: Mapping[str, str]) -> list[str]:
    """The key of a request, if it has one."""
    return [value for name, value in headers.items() if name.lower().endswith("idempotency-key")]


def _keyed(cases: Cases) -> bool:
    """A send whose request has the transmission's id as its key."""
    return any(
        case.message.id in idempotency_keys(exchange.request.headers)
        for case in cases.send
        if "accepted" in case.expect
        for exchange in case.exchanges
    )


PROOFS: dict[str, Proof] = {
    "inbound": lambda cases: bool(cases.ingest),
    "outbound": lambda cases: any("accepted" in case.expect for case in cases.send),
    "receipts": _event("receipt"),
    "media_in": _with("media"),
    "media_out": _wire(lambda part: bool(part.attachment_ids)),
    "reconciles": lambda cases: bool(cases.reconcile),
    "provider_idempotency": _keyed,
    "opt_out": _event("opt_out"),
    "keywords": _event("message"),  # the hub reads the words of any
    "subject": _wire(lambda part: bool(part.subject)),
    "threading": _with("reply_to"),
    "copies": _with("cc"),
    "edits": _event("edited"),
    "deletes": _event("deleted"),
    "reactions": _event("reaction"),
    "calls": _event("call_started"),
    "templates": _kind("template"),
    "splits": lambda cases: any(
        case.expect.get("accepted", {}).get("parts") for case in cases.send
    ),
}
"""Flag to the case that exercises it. ``verifies``, ``routes``, ``reply_window`` and
``replay_window`` have checks of their own."""
PROVEN_BY_CHECKS = frozenset({"verifies", "routes", "formats", "reply_window", "replay_window"})


def claimed(can: Capabilities) -> list[str]:
    """The flags that are on."""
    plain = Capabilities()
    names = can.__struct_fields__
    return [name for name in names if getattr(can, name) != getattr(plain, name)]


@check("CLM-01", "What is claimed is exercised", why="The hub believes every claim.")
async def claims_are_exercised(stage: Stage) -> None:
    """By a case; a claim that neither a check nor a case can prove yet fails."""
    if not stage.cases.digest:
        raise NeedsCase("there are no cases")
    unproven = [
        flag
        for flag in claimed(stage.can)
        if flag not in PROVEN_BY_CHECKS and not PROOFS.get(flag, lambda _cases: False)(stage.cases)
    ]
    if stage.info.role != "channel":
        unproven.append(f"the role {stage.info.role}")
    if unproven:
        raise Failed(
            "not_proven",
            done="looked for a case of everything that INFO.can claims",
            expected="one of each",
            got=f"claimed, not proven: {', '.join(unproven)}",
        )


@check("CLM-02", "What is told was claimed", why="The hub asks for nothing that is not claimed.",
       on="inbound")  # fmt: skip
async def told_is_claimed(stage: Stage) -> None:
    """Files, replies, and the states of receipts."""
    can = stage.can
    for case in stage.with_events():
        async with stage.running() as one:
            outcome = await one.ingest(stage.delivery(case))
        events = outcome.value.events if isinstance(outcome.value, IngestResult) else ()
        for event in events:
            wrong = None
            if isinstance(event, Message) and event.media and not can.media_in:
                wrong = "files, without can.media_in"
            elif isinstance(event, Message) and event.reply_to and not can.threading:
                wrong = "a reply, without can.threading"
            elif isinstance(event, Message) and event.cc and not can.copies:
                wrong = "people in copy, without can.copies"
            elif isinstance(event, Receipt) and event.status not in can.receipts:
                wrong = f"a receipt {event.status!r} that can.receipts does not name"
            if wrong:
                raise Failed(
                    "not_claimed",
                    done=f"ingested the case {case.name}",
                    expected="what INFO.can claims",
                    got=wrong,
                )
