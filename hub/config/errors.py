"""A mistake in the configuration, and where it stands."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from msgspec import Struct

Keys = tuple[str | int, ...]
"""The way to a value: names of keys, and numbers (from 0) in arrays."""


class ConfigError(Struct, frozen=True, kw_only=True):
    """One mistake. No message holds a secret, nor anything read from the environment or a file."""

    path: str
    """The file as the operator named it, or ``environment``."""
    line: int | None = None
    where: str = ""
    """The section: ``channel "sms-support"``."""
    key: str = ""
    """Within the section: ``settings.from_number``."""
    message: str

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return ": ".join(part for part in (place, self.where, self.key, self.message) if part)


class ConfigErrors(Exception):
    """Everything that is wrong with a configuration; as text, a line for each mistake."""

    def __init__(self, errors: Iterable[ConfigError]) -> None:
        self.errors = sorted(errors, key=lambda error: (error.path, error.line or 0))
        super().__init__("\n".join(map(str, self.errors)))


class Origin(Struct, frozen=True, kw_only=True):
    """Where a section of the configuration was read, so that a mistake in it can be placed."""

    path: str = "settings"
    where: str = ""
    base: Keys = ()
    """The way to the section in the file."""
    lines: Mapping[Keys, int] = {}
    """The line of every key in the file, from 1."""

    def error(self, keys: Keys, message: str) -> ConfigError:
        """A mistake at ``keys`` within the section, placed at the nearest line that is known."""
        way = (*self.base, *keys)
        known = (way[:length] for length in range(len(way), 0, -1))
        line = next((self.lines[part] for part in known if part in self.lines), None)
        key = dotted(keys)
        return ConfigError(path=self.path, line=line, where=self.where, key=key, message=message)


def dotted(keys: Keys) -> str:
    """``settings.hosts[1].name``."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return text.removeprefix(".")


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """A hint at the nearest known name, to be put at the end of a message; empty when none is."""
    near = difflib.get_close_matches(given, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""


def unknown_key(given: str, known: Iterable[str]) -> str:
    """The message for a key that means nothing."""
    names = sorted(known)
    hint = did_you_mean(given, names)
    return f"unknown key{hint or '; known keys: ' + (', '.join(names) or 'none')}"
