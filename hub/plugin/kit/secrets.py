"""Secrets, and keeping them out of what is shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast
from urllib.parse import quote

import msgspec

from hub.plugin.settings import Secret

HIDDEN = "***"


def secrets_in(value: Any) -> Iterator[str]:
    """Every secret text in a plugin's settings."""
    if isinstance(value, Secret):
        if value:
            yield value.reveal()
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from secrets_in(getattr(value, name))
    elif isinstance(value, dict):
        for item in cast("dict[Any, Any]", value).values():
            yield from secrets_in(item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in cast("list[Any]", value):
            yield from secrets_in(item)


def as_written(secrets: Iterable[str]) -> tuple[str, ...]:
    """Secrets and the ways in which they stand in errors and logs: quoted by Python, in JSON, in
    an address. The longest first."""
    forms = {
        form
        for secret in secrets
        for form in (
            secret,
            repr(secret)[1:-1],
            repr(repr(secret))[1:-1],
            json.dumps(secret)[1:-1],
            quote(secret, safe=""),
        )
    }
    return tuple(sorted(forms, key=len, reverse=True))


def redact(text: str, secrets: Sequence[str]) -> str:
    """``text`` without any of ``secrets`` (as ``as_written`` gives them)."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text
