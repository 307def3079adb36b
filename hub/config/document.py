"""The file as it was parsed, with what is needed to say where something stands in it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from hub.config.errors import ConfigError, Keys, Origin
from hub.config.lines import line_index

Report = Callable[[Keys, str], None]


class Document:
    """A parsed file, or an empty document when there is none; mistakes gather in ``errors``."""

    def __init__(self, path: Path | None, environ: Mapping[str, str]) -> None:
        self.path = path
        self.environ = environ
        self.folder = Path.cwd() if path is None else path.absolute().parent
        """What relative paths in the file are relative to."""
        self.errors: list[ConfigError] = []
        self._lines: dict[Keys, int] = {}
        self.content: dict[str, Any] = {} if path is None else self._parse(path)

    def _parse(self, path: Path) -> dict[str, Any]:
        try:
            text = path.read_bytes().decode().replace("\r\n", "\n")
        except OSError as error:
            self._fail(None, f"cannot be read: {error.strerror}")
            return {}
        except UnicodeDecodeError as error:
            self._fail(error.object.count(b"\n", 0, error.start) + 1, "not UTF-8 text")
            return {}
        try:
            content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            # The standard parser puts the place at the end of its message.
            message, _, place = str(error).rpartition(" (at ")
            match = re.match(r"line (\d+)", place)
            line = int(match[1]) if match else text.count("\n") + 1
            self._fail(line, f"not valid TOML: {message}")
            return {}
        self._lines = line_index(text)
        return content

    def _fail(self, line: int | None, message: str) -> None:
        self.errors.append(ConfigError(path=str(self.path), line=line, message=message))

    def origin(self, where: str, *base: str | int) -> Origin:
        """How mistakes in the section at ``base`` are placed."""
        return Origin(path=str(self.path), where=where, base=base, lines=self._lines)

    def report_to(self, origin: Origin) -> Report:
        """A function that takes a mistake in that section down."""
        return lambda keys, message: self.errors.append(origin.error(keys, message))

    def tables(
        self, section: str, singular: str, named_by: str
    ) -> Iterator[tuple[dict[str, Any], Origin]]:
        """The tables of ``[[section]]``, each with how mistakes in it are placed."""
        raw = self.content.get(section, [])
        if not isinstance(raw, list):
            report = self.report_to(self.origin("", section))
            report((), f"expected tables in double brackets: [[{section}]]")
            return
        for number, item in enumerate(cast("list[Any]", raw)):
            if isinstance(item, dict):
                table = cast("dict[str, Any]", item)
                name = table.get(named_by)
                label = f'"{name}"' if isinstance(name, str) else str(number + 1)
                yield table, self.origin(f"{singular} {label}", section, number)
            else:
                report = self.report_to(self.origin(f"{singular} {number + 1}", section, number))
                report((), f"expected a table: [[{section}]]")
