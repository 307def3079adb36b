"""``{ env = "NAME" }`` and ``{ file = "path" }``: values that stand elsewhere than in the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, cast, final

from hub.config.errors import Keys


@final
class Unresolved:
    """Stands for a value that is not known; loading has told why, or did not need it."""

    def __repr__(self) -> str:
        return "UNRESOLVED"


UNRESOLVED: Final = Unresolved()


class Referenced(str):
    """A value that came from the environment or a file: always text, and never to be printed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Referenced(***)"


LookUp = Callable[[Literal["env", "file"], str, Keys], Any]
"""Gives the value of a reference: its kind, what it names, and the keys where it stands."""


def replace_references(value: Any, keys: Keys, look_up: LookUp) -> Any:
    """``value`` with every reference in it replaced, however deep it stands."""
    if isinstance(value, list):
        items = enumerate(cast("list[Any]", value))
        return [replace_references(item, (*keys, number), look_up) for number, item in items]
    if not isinstance(value, dict):
        return value
    match cast("dict[str, Any]", value):
        case {"env": str(name), **others} if not others:
            return look_up("env", name, keys)
        case {"file": str(path), **others} if not others:
            return look_up("file", path, keys)
        case table:
            return {
                name: replace_references(item, (*keys, name), look_up)
                for name, item in table.items()
            }


def withhold(value: Any) -> Any:
    """``value`` with ``UNRESOLVED`` for every reference: a section that is switched off needs none
    of its secrets."""
    return replace_references(value, (), lambda _kind, _name, _keys: UNRESOLVED)


class References:
    """Looks references up. What cannot be had is reported and becomes ``UNRESOLVED``."""

    def __init__(
        self, environ: Mapping[str, str], folder: Path, report: Callable[[Keys, str], None]
    ) -> None:
        self._environ = environ
        self._folder = folder
        self._report = report

    def look_up(self, kind: Literal["env", "file"], name: str, keys: Keys) -> Any:
        """A ``LookUp``; paths are relative to the folder."""
        try:
            found = self._environ[name] if kind == "env" else self._read(name)
        except KeyError:
            problem = f"environment variable {name} is not set"
        except OSError as error:
            problem = f"cannot read {name}: {error.strerror}"
        except ValueError:
            problem = f"cannot read {name}: it is not UTF-8 text"
        else:
            if found:
                return Referenced(found)
            problem = f"{'environment variable ' if kind == 'env' else ''}{name} is empty"
        self._report(keys, problem)
        return UNRESOLVED

    def _read(self, path: str) -> str:
        return (self._folder / path).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
