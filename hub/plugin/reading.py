"""Reading what a provider sends as JSON, for plugins whose webhooks do."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from hub.plugin.errors import Malformed
from hub.plugin.types import Delivery

T = TypeVar("T")

Id = Annotated[str, Meta(pattern=r"\A[^\s\x00-\x1f\x7f]+\Z", max_length=200)]
"""For the fields of a payload that name somebody or something: a text that is not empty and has
neither spaces nor control characters. Nobody is no sender, and a blank id is no id."""


def read_json(delivery: Delivery, kind: type[T]) -> T:
    """The body of ``delivery`` as a ``kind``, such as a msgspec Struct with the fields that the
    channel needs; fields it does not name are passed over. Raises ``Malformed`` for what is no
    JSON, or not of these types, however deep, large or broken it is."""
    try:
        return msgspec.json.decode(delivery.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"the body is not as expected: {error}") from error
