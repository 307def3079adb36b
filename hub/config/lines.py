"""The line of every key of a TOML document, which the standard parser does not tell.

The text has been through that parser already, so it is known to be valid; what is left is to walk
over it and to say which key stands where.
"""

from __future__ import annotations

import re
import tomllib

from hub.config.errors import Keys

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY_PART = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_STRING = re.compile(
    # A string in triple quotes may end in one or two quotes of its own.
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\r\n]+")


def line_index(text: str) -> dict[Keys, int]:
    """The line, from 1, of every table, key and array element of a valid TOML document."""
    return _Walk(text).document()


class _Walk:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lines: dict[Keys, int] = {}
        self._array_lengths: dict[Keys, int] = {}
        self._line = 1
        self._counted_to = 0

    def document(self) -> dict[Keys, int]:
        table: Keys = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)
        return self._lines

    def _header(self) -> Keys:
        is_array = self._text.startswith("[[", self._at)
        line = self._here()
        self._at += 2 if is_array else 1
        names = self._key()
        if is_array:
            array = (*self._resolve(names[:-1], line), names[-1])
            number = self._array_lengths.get(array, 0)
            self._array_lengths[array] = number + 1
            self._lines.setdefault(array, line)
            table = (*array, number)
        else:
            table = self._resolve(names, line)
        self._lines[table] = line
        self._skip(_BLANK)
        self._at += 2 if is_array else 1
        return table

    def _resolve(self, names: list[str], line: int) -> Keys:
        """Inside an array of tables a name means the table that was begun last."""
        way: Keys = ()
        for name in names:
            way = (*way, name)
            self._lines.setdefault(way, line)
            if way in self._array_lengths:
                way = (*way, self._array_lengths[way] - 1)
        return way

    def _pair(self, table: Keys) -> None:
        line = self._here()
        way = table
        for name in self._key():
            way = (*way, name)
            self._lines.setdefault(way, line)
        self._skip(_BLANK)
        self._at += 1  # the equals sign
        self._skip(_BLANK)
        self._value(way)

    def _value(self, way: Keys) -> None:
        opening = self._text[self._at]
        if opening == "[":
            self._array(way)
        elif opening == "{":
            self._inline_table(way)
        elif opening in "\"'":
            self._take(_STRING)
        else:
            self._take(_SCALAR)

    def _array(self, way: Keys) -> None:
        number = 0
        while self._next_item("]"):
            self._lines[(*way, number)] = self._here()
            self._value((*way, number))
            number += 1

    def _inline_table(self, way: Keys) -> None:
        while self._next_item("}"):
            self._pair(way)

    def _next_item(self, closing: str) -> bool:
        """Step over an opening bracket or a comma; at the closing bracket step over that."""
        self._skip(_BLANK)
        if self._text[self._at] != closing:
            self._at += 1
            self._skip(_BLANK)
        if self._text[self._at] != closing:
            return True
        self._at += 1
        return False

    def _key(self) -> list[str]:
        self._skip(_BLANK)
        names = [_name(self._take(_KEY_PART))]
        while dot := _DOT.match(self._text, self._at):
            self._at = dot.end()
            names.append(_name(self._take(_KEY_PART)))
        return names

    def _here(self) -> int:
        self._line += self._text.count("\n", self._counted_to, self._at)
        self._counted_to = self._at
        return self._line

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        assert match is not None, "the document was parsed before"  # noqa: S101
        self._at = match.end()
        return match[0]

    def _skip(self, pattern: re.Pattern[str]) -> None:
        self._take(pattern)


def _name(part: str) -> str:
    """The name that a key's text stands for: quotes and escapes are undone."""
    return next(iter(tomllib.loads(f"{part} = 0"))) if part[0] in "\"'" else part
