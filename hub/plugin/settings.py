"""Types for a plugin's settings."""

from __future__ import annotations

import hmac
from typing import Any, final


@final
class Secret:
    """A value that never prints itself.

    Annotate a setting with it (``auth_token: Secret``); the value comes from the environment or
    a file (``{ env = "NAME" }``, ``{ file = "path" }``). ``reveal()`` gives the text to who needs
    it: the provider.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret text."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(
            self._value.encode(), other._value.encode()
        )

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> Any:
        raise TypeError("a Secret cannot be pickled or copied into a message")
