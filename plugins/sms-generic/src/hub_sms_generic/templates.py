"""Requests as settings write them: texts with ``{names}`` in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

NAME = re.compile(r"\{([a-z_]+(?:\.[A-Za-z0-9_-]+)?)\}")
NUMBERS = {"{to_number}": "to_digits", "{from_number}": "from_digits"}
"""As the whole value of a JSON field: the digits as a number, not as a text."""
NAMES = frozenset({"to", "to_digits", "from", "from_digits", "text", "id", "encoding", "callback"})
"""``to`` and ``from`` as they are, ``…_digits`` without the plus; ``id``: the hub's own of the
message; ``encoding``: which letters the text needs; ``callback``: the channel's public address."""
SECRET = "secret."  # noqa: S105 — what stands before a secret's name


def names(template: Any) -> Iterator[str]:
    """Every name in a template: a text, or a table or list of templates."""
    if isinstance(template, str):
        if template in NUMBERS:
            yield NUMBERS[template]
        else:
            yield from NAME.findall(template)
    elif isinstance(template, Mapping):
        for each in cast("Mapping[str, Any]", template).values():
            yield from names(each)
    elif isinstance(template, (list, tuple)):
        for each in cast("list[Any]", template):
            yield from names(each)


def filled(
    template: Any, values: Mapping[str, str], quote: Callable[[str], str] | None = None
) -> Any:
    """The template with its names replaced by ``values``, each written as by ``quote``. What it
    holds besides texts stays as it is."""
    if isinstance(template, str):
        if template in NUMBERS:
            digits = values[NUMBERS[template]]
            return int(digits) if digits.isascii() and digits.isdigit() else digits
        write = quote or str
        return NAME.sub(lambda match: write(values[match[1]]), template)
    if isinstance(template, Mapping):
        table = cast("Mapping[str, Any]", template)
        return {key: filled(each, values, quote) for key, each in table.items()}
    if isinstance(template, (list, tuple)):
        return [filled(each, values, quote) for each in cast("list[Any]", template)]
    return template
