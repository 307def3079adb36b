"""The mutants, a module for each section of the contract; importing them registers them."""

from hub.conformance.mutants.wrong import (
    ask,
    claims,
    compose,
    idempotency,
    ingest,
    instances,
    load,
    malformed,
    performance,
    render,
    retries,
    security,
    send,
    settings,
    signature,
)

__all__ = [
    "ask",
    "claims",
    "compose",
    "idempotency",
    "ingest",
    "instances",
    "load",
    "malformed",
    "performance",
    "render",
    "retries",
    "security",
    "send",
    "settings",
    "signature",
]
