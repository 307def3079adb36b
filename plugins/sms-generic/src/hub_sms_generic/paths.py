"""Finding values in what a provider says, by JMESPath expressions of the settings."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jmespath  # pyright: ignore[reportMissingTypeStubs]
from jmespath.exceptions import JMESPathError  # pyright: ignore[reportMissingTypeStubs]

MAX_LENGTH = 2_000
"""Letters of an expression."""


@lru_cache(maxsize=512)
def _compiled(expression: str) -> Any:
    return jmespath.compile(expression)  # pyright: ignore[reportUnknownMemberType]


def check(key: str, expression: str | None) -> None:
    """Raises ``ValueError``, naming the setting ``key``, for what is no expression."""
    if expression is None:
        return
    if len(expression) > MAX_LENGTH:
        raise ValueError(f"{key}: an expression has at most {MAX_LENGTH:,} letters")
    try:
        _compiled(expression)
    except (JMESPathError, RecursionError) as error:
        raise ValueError(
            f"{key}: {expression[:80]!r} is no JMESPath expression "
            "(a name with a hyphen or a colon stands in double quotes)"
        ) from error


def find(expression: str | None, value: Any) -> Any:
    """What ``expression`` says of ``value``; ``None`` where it says nothing, or cannot be applied
    to what is there."""
    if expression is None:
        return None
    try:
        return _compiled(expression).search(value)
    except (JMESPathError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def holds(expression: str | None, value: Any) -> bool:
    """Whether ``expression`` is true of ``value``, as JMESPath has it: not of ``null``, an empty
    text or list."""
    found = find(expression, value)
    return found is not None and found is not False and found != "" and found not in ([], {})


def text(value: Any) -> str | None:
    """A text or whole number as a text; ``None`` for nothing and for everything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
