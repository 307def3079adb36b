"""Settings for a plugin under test."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Struct

from hub.plugin import Secret

S = TypeVar("S", bound=Struct)
MARK = "whsec_"
"""How secrets of Standard Webhooks begin."""


def settings_of(kind: type[S], given: Mapping[str, Any]) -> S:
    """As the hub reads ``[channels.settings]``. Raises ``msgspec.ValidationError``."""

    def decode(wanted: type, value: Any) -> Any:
        if wanted is Secret and isinstance(value, str):
            return Secret(value)
        if wanted is Secret:
            raise TypeError(f"Expected `str`, got `{type(value).__name__}`")
        raise NotImplementedError(f"settings cannot hold {wanted!r}")

    return msgspec.convert(dict(given), kind, dec_hook=decode)


def plain(settings: object) -> Any:
    """Settings as values that can be compared, secrets included."""
    return msgspec.to_builtins(settings, enc_hook=_reveal)


def _reveal(value: object) -> object:
    if isinstance(value, Secret):
        return value.reveal()
    raise NotImplementedError


def with_other_secrets(settings: S, suffix: str) -> S:
    """The same with every secret another one; empty where ``suffix`` is."""
    return cast("S", _other(settings, suffix))


def _another(secret: str, suffix: str) -> str:
    """Another secret of the same form: those of Standard Webhooks are base64."""
    if not secret.startswith(MARK):
        return secret + suffix
    try:
        key = base64.b64decode(secret.removeprefix(MARK), validate=True)
    except binascii.Error:
        return secret + suffix
    return MARK + base64.b64encode(suffix.encode() + key).decode()


def _other(value: Any, suffix: str) -> Any:
    if isinstance(value, Secret):
        return Secret(_another(value.reveal(), suffix) if suffix else "")
    if isinstance(value, Struct):
        names = value.__struct_fields__
        made = {name: _other(getattr(value, name), suffix) for name in names}
        return msgspec.structs.replace(value, **made)
    if isinstance(value, dict):
        table = cast("dict[Any, Any]", value)
        return {key: _other(each, suffix) for key, each in table.items()}
    if isinstance(value, (list, tuple)):
        several = cast("list[Any]", value)
        return type(several)(_other(each, suffix) for each in several)
    return value
