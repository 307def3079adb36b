"""What plugins return and raise, checked: a Struct does not look at the types it is made with,
and an error's detail is whatever its raiser put there."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast, get_origin

import msgspec

from hub.plugin import (
    HookError,
    IngestResult,
    Permanent,
    Reply,
    RouteReply,
    SafeHtml,
    Temporary,
    Verification,
)
from hub.plugin.errors import FAILURE_REASONS
from hub.plugin.kit.secrets import redact

T = TypeVar("T")

ANYTHING = (Exception, asyncio.CancelledError, GeneratorExit, SystemExit)
"""What a plugin may raise where it is called directly, and what must not get past the host:
``sys.exit`` in a vendor's client would end the hub."""
LONGEST_DETAIL = 300
LONGEST_KEPT = 100 * 365 * 24 * 3600
"""Seconds for which a plugin may keep a value that expires."""

# RFC 9110, sections 5.1 and 5.5: a line end in a value would begin another header.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_SEALED = (SafeHtml, Verification)
_KEPT = (bytes, bytearray, memoryview, datetime)


def checked(answer: object, kind: type[T]) -> T:
    """``answer``, if it is a ``kind`` through and through. Raises ``TypeError`` or ``ValueError``
    with the place of what is wrong."""
    outer = get_origin(kind) or kind
    if not isinstance(answer, outer):
        raise TypeError(f"returned {type(answer).__name__}, expected {outer.__name__}")
    sealed: list[object] = []

    def put_aside(value: object) -> int:
        if not isinstance(value, _SEALED):
            raise TypeError(f"returned a {type(value).__name__} where none belongs")
        sealed.append(value)
        return len(sealed) - 1

    def put_back(wanted: type, place: object) -> object:
        value = sealed[place] if isinstance(place, int) and place < len(sealed) else None
        if not isinstance(value, wanted):
            raise TypeError(f"expected {wanted.__name__}")
        return value

    plain = msgspec.to_builtins(answer, builtin_types=_KEPT, enc_hook=put_aside)
    right = msgspec.convert(plain, kind, builtin_types=_KEPT, dec_hook=put_back)
    if isinstance(right, RouteReply):
        _check_reply(right.status, {**right.headers, "content-type": right.content_type})
    elif isinstance(right, IngestResult) and right.reply is not None:
        _check_reply(right.reply.status, {"content-type": right.reply.content_type})
    elif isinstance(right, Reply):
        _check_reply(right.status, {"content-type": right.content_type})
    return right


def _check_reply(status: int, headers: Mapping[str, str]) -> None:
    """Raises ``ValueError`` for what no HTTP server can send."""
    if not 200 <= status <= 599:
        raise ValueError(f"returned a reply with the status {status}")
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"returned a reply with a bad header {name[:40]!r}")


def cleaned(error: HookError, secrets: tuple[str, ...]) -> HookError:
    """The error with a detail that can be stored and shown: text, short, without secrets. Raises
    ``TypeError`` if the plugin has not made it as its class says."""
    facts = cast("Any", error)
    if not hasattr(error, "detail"):
        raise TypeError(f"raised {type(error).__name__} without calling its __init__")
    error.detail = redact(str(facts.detail), secrets)[:LONGEST_DETAIL]
    error.args = (error.detail,)
    given: object = facts.accepted
    several = cast("Sequence[object]", given) if isinstance(given, (tuple, list)) else ()
    error.accepted = tuple(each for each in several if isinstance(each, str))
    if isinstance(error, Temporary):
        error.retry_after = _seconds(getattr(error, "retry_after", None))
    elif isinstance(error, Permanent):
        if getattr(error, "reason", None) not in FAILURE_REASONS:
            error.reason = "other"
        code = getattr(error, "provider_code", None)
        error.provider_code = None if code is None else redact(str(code), secrets)[:100]
    return error


def _seconds(value: object) -> float | None:
    """How long to wait, also where it was taken from a header as it came."""
    try:
        seconds = float(cast("Any", value))
    except (TypeError, ValueError):
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def lasting(seconds: float) -> float:
    """For how long a value is kept. Raises ``ValueError`` for a time that is none."""
    if not 0 < seconds <= LONGEST_KEPT:
        raise ValueError(f"ctx.kv.put: {seconds!r} is no number of seconds to keep a value for")
    return seconds
