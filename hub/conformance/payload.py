"""A delivery's body as fields, so that one of them can be changed and the rest left alone."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any, Literal, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from msgspec import Struct
from msgspec.structs import replace

from hub.plugin import Delivery

Path = tuple[str | int, ...]
"""Where a field stands; the first step is ``body`` or ``query``."""


class Payload(Struct, frozen=True):
    """The fields of a delivery: those of a JSON body, a form, or a plain mail (its headers and its
    text), and those of the query."""

    delivery: Delivery
    kind: Literal["json", "form", "mail", "other"]
    tree: dict[str, Any]

    @classmethod
    def of(cls, delivery: Delivery) -> Payload:
        """Read by the content type; what is none of these has no fields."""
        query = [list(pair) for pair in parse_qsl(urlsplit(delivery.url).query, True)]
        content = (delivery.header("content-type") or "").lower()
        body: Any = None
        kind: Literal["json", "form", "mail", "other"] = "other"
        try:
            if "x-www-form-urlencoded" in content:
                body = [list(pair) for pair in parse_qsl(delivery.body.decode(), True)]
                kind = "form"
            elif content.startswith("message/rfc822"):
                body = _read_mail(delivery.body)
                kind = "mail" if body is not None else "other"
            elif delivery.body:
                body = json.loads(delivery.body)
                kind = "json"
        except (ValueError, RecursionError):
            kind = "other"
        return cls(delivery, kind, {"body": body, "query": query})

    def leaves(self) -> Iterator[tuple[Path, Any]]:
        """Every value that holds no others, with its place. Names of a form's fields are none."""
        for path, value in _walk(self.tree, ()):
            is_pair = path[0] == "query" or self.kind in {"form", "mail"}
            if not is_pair or path[-1] in {1, "text"}:
                yield path, value

    def fields(self) -> Iterator[Path]:
        """Every field that can be left out."""
        if self.kind == "form":
            yield from (("body", number) for number in range(len(self.tree["body"])))
            return
        if self.kind == "mail":
            headers = self.tree["body"]["headers"]
            yield from (("body", "headers", number) for number in range(len(headers)))
            return
        yield from (path for path in _members(self.tree["body"], ("body",)))

    def name(self, path: Path) -> str:
        """A field in words."""
        if path[0] == "query" or self.kind == "form":
            return str(self.tree[str(path[0])][path[1]][0])
        if self.kind == "mail":
            return str(self.get(path)[0])
        return ".".join(map(str, path[1:]))

    def get(self, path: Path) -> Any:
        """The value at a place."""
        value: Any = self.tree
        for step in path:
            value = value[step]
        return value

    def put(self, path: Path, value: Any) -> Payload:
        """With another value there."""
        tree, parent = _opened(self.tree, path)
        parent[path[-1]] = value
        return replace(self, tree=tree)

    def without(self, path: Path) -> Payload:
        """Without that field."""
        tree, parent = _opened(self.tree, path)
        del parent[path[-1]]
        return replace(self, tree=tree)

    def add(self, name: str, value: Any) -> Payload:
        """With one more field, in every object of it."""
        tree = copy.deepcopy(self.tree)
        if self.kind == "form":
            tree["body"].append([name, str(value)])
        elif self.kind == "mail":
            tree["body"]["headers"].append([name, str(value)])
        else:
            for table in [*_tables(tree["body"])]:
                table[name] = value
        return replace(self, tree=tree)

    def make(self, *, ascii: bool = True) -> Delivery:  # noqa: A002
        """The delivery of these fields; not signed."""
        body = self.delivery.body
        if self.kind == "json":
            body = json.dumps(self.tree["body"], ensure_ascii=ascii).encode("utf-8", "replace")
        elif self.kind == "form":
            body = urlencode([tuple(pair) for pair in self.tree["body"]], errors="replace").encode()
        elif self.kind == "mail":
            body = _write_mail(self.tree["body"])
        parts = urlsplit(self.delivery.url)
        query = urlencode([tuple(pair) for pair in self.tree["query"]], errors="replace")
        url = urlunsplit(parts._replace(query=query)) if parts.query else self.delivery.url
        return replace(self.delivery, body=body, url=url)


def _read_mail(body: bytes) -> dict[str, Any] | None:
    """Headers and text of a mail of one part in UTF-8, line ends as in Python; ``None``: it is
    put together of several, or encoded."""
    head, _, text = body.decode().replace("\r\n", "\n").partition("\n\n")
    headers = [
        [name, value.strip()]
        for name, _, value in (line.partition(":") for line in re.split(r"\n(?![ \t])", head))
    ]
    said = {name.lower(): value.lower() for name, value in headers}
    plain = said.get("content-type", "text/plain").startswith("text/plain")
    if not plain or said.get("content-transfer-encoding", "8bit") not in {"7bit", "8bit"}:
        return None
    return {"headers": headers, "text": text}


def _write_mail(mail: dict[str, Any]) -> bytes:
    head = "".join(f"{name}: {value}\n" for name, value in mail["headers"])
    return f"{head}\n{mail['text']}".encode("utf-8", "replace")


def _opened(tree: dict[str, Any], path: Path) -> tuple[dict[str, Any], Any]:
    """A tree that is another's but for what holds the place, and what holds it: both are copies.
    The rest is shared: payloads are many, and a tree never changes once it is one's."""
    made = tree.copy()
    parent: Any = made
    for step in path[:-1]:
        parent[step] = parent[step].copy()
        parent = parent[step]
    return made, parent


def _walk(value: Any, at: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict):
        for key, each in cast("dict[str, Any]", value).items():
            yield from _walk(each, (*at, key))
    elif isinstance(value, list):
        for number, each in enumerate(cast("list[Any]", value)):
            yield from _walk(each, (*at, number))
    elif at:
        yield at, value


def _members(value: Any, at: Path) -> Iterator[Path]:
    if isinstance(value, dict):
        for key, each in cast("dict[str, Any]", value).items():
            yield (*at, key)
            yield from _members(each, (*at, key))
    elif isinstance(value, list):
        for number, each in enumerate(cast("list[Any]", value)):
            yield from _members(each, (*at, number))


def _tables(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        yield table
        for each in table.values():
            yield from _tables(each)
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from _tables(each)


def vary(text: str, number: int, places: int = 6) -> str:
    """Another text of the same shape: its last letters and digits are others, by ``number``."""
    made = list(text)
    spots = [at for at, char in enumerate(text) if char.isascii() and char.isalnum()][-places:]
    for at in reversed(spots):
        alphabet = "123456789" if made[at].isdigit() else "abcdef"
        if made[at].isupper():
            alphabet = alphabet.upper()
        made[at] = alphabet[number % len(alphabet)]
        number //= len(alphabet)
    return "".join(made)


def renamed(payload: Payload, name: str, number: int) -> tuple[str, Payload] | None:
    """Another id than ``name``, by ``number``, and the payload with that one. ``None``: it does not
    stand there. Many providers count, and for each conversation anew: an id may stand there as a
    number, and one that is put together of several is changed in the last part that does."""
    parts = [(match.start(), match.group()) for match in re.finditer(r"[A-Za-z0-9]+", name)]
    for at, part in ((0, name), *reversed(parts)):
        places = [(path, value) for path, value in payload.leaves() if _says(value, part)]
        if not places:
            continue
        numeric = any(isinstance(value, int) for _, value in places)
        other = str(int(part) + number) if numeric else vary(part, number)
        for path, value in places:
            payload = payload.put(path, int(other) if isinstance(value, int) else other)
        return name[:at] + other + name[at + len(part) :], payload
    return None


def _says(value: Any, text: str) -> bool:
    return value == text or (type(value) is int and str(value) == text)
