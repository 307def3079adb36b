"""A cases folder: what a provider sends and answers, recorded, and what the hub is to make of it.

Everything that is wrong with it is said with file and key.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Struct, field

from hub.plugin import CallFacts, Capabilities, Delivery, FetchRef, Item, MediaRef, Outbound
from hub.plugin.kit import conversations
from hub.plugin.kit.conversations import Conversation
from hub.plugin.kit.html import clean
from hub.plugin.kit.recorded import NOW, Asked, Exchange
from hub.plugin.types import SafeHtml, Source

T = TypeVar("T")
Sign = Callable[[Delivery, Any], Delivery]

PUBLIC = "https://hub.example"
NOTHING = "conformance.toml"
CONVERSATIONS = "connections.txt"
FETCHED = "fetched.http"
"""In place of ``request.http``: what the hook ``fetch`` brought, which proves nothing."""
DOCUMENTS = "documents.json"


class CasesError(Exception):
    """A cases folder that cannot be used; each line names the file."""


class Refused(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings that are to be refused, by ``key``: the valid ones with ``change``."""

    key: str
    change: dict[str, Any]


class Older(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings as they were written for the plugin API ``api`` (``was``), and what
    ``migrate_settings`` makes of them (``becomes``)."""

    api: str
    was: dict[str, Any]
    becomes: dict[str, Any]


class SettingsCases(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[settings]``: ``valid`` ones; ``invalid`` ones; while a secret is being replaced
    (``rotating``), and afterwards (``rotated``), as changes of the valid ones; and ``older``
    ones, of earlier versions."""

    valid: dict[str, Any]
    invalid: tuple[Refused, ...] = ()
    rotating: dict[str, Any] | None = None
    rotated: dict[str, Any] | None = None
    older: tuple[Older, ...] = ()


class ExpectedFailure(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A check that is known to fail, why, where that is followed up, and until when it may."""

    check: str
    reason: str
    link: str
    until: date


class Conformance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``conformance.toml``. ``conformance``: the level of the suite the plugin holds itself to."""

    settings: SettingsCases
    conformance: str = "1.0"
    expected_failures: tuple[ExpectedFailure, ...] = ()


class IngestCase(Struct, frozen=True, kw_only=True):
    """A delivery as it was received, and what is expected of it: ``events``, ``ignored``, ``reply``
    or ``error``. ``signed`` ones carry a signature of the provider's own."""

    name: str
    delivery: Delivery
    expect: dict[str, Any]
    signed: bool = False

    @property
    def events(self) -> list[dict[str, Any]]:
        """The expected events."""
        return self.expect.get("events", [])


class SendCase(Struct, frozen=True, kw_only=True):
    """A message to send (or to look for), what the provider is asked and answers, and what is
    expected: ``accepted``, ``reconciled`` or ``error``. ``kv``: what the channel kept before;
    ``files``: the bytes that its attachments have, by their ids; ``item``: what its wire form is
    rendered from, where that is more than words and files (a template)."""

    name: str
    message: Outbound
    exchanges: tuple[Exchange, ...]
    expect: dict[str, Any]
    kv: dict[str, str] = field(default_factory=dict[str, str])
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    item: Item | None = None
    conversations: tuple[Conversation, ...] = ()


class AskCase(Struct, frozen=True, kw_only=True):
    """A hook that asks the provider: what it is given, by the names of its arguments; what the
    provider and the assistant are asked and answer; and what is expected of it: ``fetched``,
    ``health``, ``templates``, ``delivery``, ``reply``, ``deliveries``, ``emitted`` or ``error``."""

    name: str
    exchanges: tuple[Exchange, ...]
    expect: dict[str, Any]
    given: dict[str, Any] = field(default_factory=dict[str, Any])
    conversations: tuple[Conversation, ...] = ()
    asked: tuple[Asked, ...] = ()


class RenderCase(Struct, frozen=True, kw_only=True):
    """An item, and what is expected on each surface."""

    name: str
    item: Item
    expect: dict[str, Any]


class Cases(Struct, frozen=True, kw_only=True):
    """Everything of a folder. ``sign`` signs as the provider does; ``forge`` with a key that is not
    the provider's, where the keys are no secrets of the settings. ``documents``: the certificates
    and key sets that signatures are checked by, by their addresses. ``digest`` names the folder's
    content."""

    conformance: Conformance
    sign: Sign | None = None
    forge: Sign | None = None
    ingest: tuple[IngestCase, ...] = ()
    vectors: tuple[IngestCase, ...] = ()
    send: tuple[SendCase, ...] = ()
    reconcile: tuple[SendCase, ...] = ()
    media: tuple[AskCase, ...] = ()
    health: tuple[AskCase, ...] = ()
    templates: tuple[AskCase, ...] = ()
    fetch: tuple[AskCase, ...] = ()
    answer: tuple[AskCase, ...] = ()
    poll: tuple[AskCase, ...] = ()
    listen: tuple[AskCase, ...] = ()
    render: tuple[RenderCase, ...] = ()
    documents: dict[str, bytes] = field(default_factory=dict[str, bytes])
    provenance: dict[str, Any] = field(default_factory=dict[str, Any])
    digest: str = ""


NO_CASES = Cases(conformance=Conformance(settings=SettingsCases(valid={})))
"""What there is without a folder."""


def read_cases(folder: Path, can: Capabilities) -> Cases:
    """The cases of a plugin that can ``can``. Raises ``CasesError``."""
    return _Reader(folder, can).read()


def find_cases(folder: Path) -> Path | None:
    """Where a plugin's cases lie by custom: ``tests/cases`` or ``cases``."""
    places = (folder / "tests" / "cases", folder / "cases")
    return next((place for place in places if (place / NOTHING).is_file()), None)


class _Reader:
    def __init__(self, folder: Path, can: Capabilities) -> None:
        self._folder = folder
        self._problems: list[str] = []
        self._source: Source = "http"
        if can.inbound and "http" not in can.inbound:
            self._source = min(can.inbound)
        self._provenance: dict[str, Any] = {}

    def read(self) -> Cases:
        conformance = self._toml(NOTHING, Conformance)
        provenance = self._toml("provenance.toml", dict[str, Any])
        self._provenance = provenance or {}
        sign, forge = self._sign()
        cases = Cases(
            conformance=conformance or NO_CASES.conformance,
            sign=sign,
            forge=forge,
            ingest=self._each("ingest", self._ingest),
            vectors=self._each("vectors", self._ingest),
            send=self._each("send", self._send),
            reconcile=self._each("reconcile", self._send),
            media=self._each("media", self._ask),
            health=self._each("health", self._ask),
            templates=self._each("templates", self._ask),
            fetch=self._each("fetch", self._ask),
            answer=self._each("answer", self._ask),
            poll=self._each("poll", self._ask),
            listen=self._each("listen", self._ask),
            render=self._each("render", self._render),
            documents=self._documents(),
            provenance=self._provenance,
            digest=digest_of(self._folder),
        )
        named = self._provenance.get("defaults", {}).get("provider")
        if provenance is not None and not named:
            self._problem("provenance.toml", "defaults.provider: say whose traffic this is")
        if self._problems:
            raise CasesError("\n".join(self._problems))
        return cases

    def _problem(self, file: str | Path, words: str) -> None:
        name = file.relative_to(self._folder) if isinstance(file, Path) else file
        self._problems.append(f"{self._folder / name}: {words}")

    def _toml(self, name: str, kind: type[T]) -> T | None:
        try:
            read = tomllib.loads((self._folder / name).read_text(encoding="utf-8"))
            return msgspec.convert(read, kind)
        except FileNotFoundError:
            self._problem(name, "is missing")
        except (ValueError, msgspec.ValidationError) as error:
            self._problem(name, str(error))
        return None

    def _sign(self) -> tuple[Sign | None, Sign | None]:
        path = self._folder / "sign.py"
        if not path.is_file():
            return None, None
        spec = importlib.util.spec_from_file_location(f"cases_sign_{abs(hash(path))}", path)
        if spec is None or spec.loader is None:
            raise ImportError(str(path))
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:  # noqa: BLE001 — whatever the author's code raises
            self._problem("sign.py", f"{type(error).__name__}: {error}")
            return None, None
        sign = getattr(module, "sign", None)
        if not callable(sign):
            self._problem("sign.py", "has no function sign(delivery, settings)")
            return None, None
        return cast("Sign", sign), cast("Sign | None", getattr(module, "forge", None))

    def _documents(self) -> dict[str, bytes]:
        """What lies at the addresses that ``documents.json`` names, each with a file here."""
        path = self._folder / DOCUMENTS
        if not path.is_file():
            return {}
        found: dict[str, bytes] = {}
        try:
            named = _decoded(path, dict[str, str])
        except ValueError as error:
            self._problem(DOCUMENTS, str(error).removeprefix(f"{DOCUMENTS}: "))
            return {}
        for url, name in named.items():
            try:
                found[url] = (self._folder / name).read_bytes()
            except OSError as error:
                self._problem(DOCUMENTS, f"{url}: {name}: {error.strerror}")
        return found

    def _each(self, kind: str, read: Callable[[Path, str], T]) -> tuple[T, ...]:
        return tuple(self._all(kind, read))

    def _all(self, kind: str, read: Callable[[Path, str], T]) -> Iterator[T]:
        place = self._folder / kind
        for folder in sorted(place.iterdir()) if place.is_dir() else ():
            if not folder.is_dir():
                continue
            try:
                yield read(folder, kind)
            except (OSError, ValueError, msgspec.MsgspecError) as error:
                missing = isinstance(error, FileNotFoundError)
                file = Path(str(error.filename)) if missing else folder
                self._problem(file, "is missing" if missing else str(error))

    def _expect(self, folder: Path, *known: str) -> dict[str, Any]:
        path = folder / "expect.json"
        try:
            read: object = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"expect.json: {error}") from error
        if not isinstance(read, dict) or not read:
            raise ValueError("expect.json: has to be an object that says something")
        expect = cast("dict[str, Any]", read)
        unknown = sorted(set(expect) - set(known))
        if unknown:
            raise ValueError(f"expect.json: {unknown[0]}: is none of {', '.join(known)}")
        return expect

    def _ingest(self, folder: Path, kind: str) -> IngestCase:
        fetched = (folder / FETCHED).is_file()
        delivery = _request((folder / (FETCHED if fetched else "request.http")).read_bytes())
        delivery = msgspec.structs.replace(
            delivery,
            source="fetch" if fetched else self._source,
            received_at=self._received(kind, folder.name),
        )
        expect = self._expect(folder, "events", "ignored", "reply", "error")
        return IngestCase(
            name=f"{kind}/{folder.name}",
            delivery=delivery,
            expect=expect,
            signed=kind == "vectors",
        )

    def _received(self, kind: str, name: str) -> datetime:
        """When it came, if the provenance says so."""
        about = self._provenance.get(kind, {}).get(name, {})
        given: object = about.get("received_at")
        if isinstance(given, datetime):
            return given if given.tzinfo else given.replace(tzinfo=UTC)
        return datetime.combine(given, time(12), UTC) if isinstance(given, date) else NOW

    def _send(self, folder: Path, kind: str) -> SendCase:
        message = _decoded(folder / "message.json", Outbound)
        exchanges = _exchanges(folder)
        kept, item = folder / "kv.json", folder / "item.json"
        return SendCase(
            name=f"{kind}/{folder.name}",
            message=message,
            exchanges=exchanges,
            expect=self._expect(
                folder, "accepted", "reconciled", "error", "reason", "retry_after", "provider_code"
            ),
            kv=_decoded(kept, dict[str, str]) if kept.is_file() else {},
            files={path.name: path.read_bytes() for path in folder.glob("files/*")},
            item=_decoded(item, Item) if item.is_file() else None,
            conversations=_conversations(folder),
        )

    def _ask(self, folder: Path, kind: str) -> AskCase:
        given: dict[str, Any] = {}
        if kind in _GIVEN:
            argument, file, type_ = _GIVEN[kind]
            given[argument] = _decoded(folder / file, type_)
        elif kind == "poll":
            kept = folder / "cursor.json"
            given["cursor"] = _decoded(kept, str) if kept.is_file() else None
        needs_none = kind == "answer" and not (folder / "exchange.jsonl").is_file()
        return AskCase(
            name=f"{kind}/{folder.name}",
            exchanges=() if needs_none else _exchanges(folder),
            expect=self._expect(folder, *_EXPECTED[kind], "error", "reason", "retry_after"),
            given=given,
            conversations=_conversations(folder),
            asked=_lines(folder / "asked.jsonl", Asked),
        )

    def _render(self, folder: Path, kind: str) -> RenderCase:
        return RenderCase(
            name=f"{kind}/{folder.name}",
            item=_decoded(folder / "item.json", Item),
            expect=self._expect(folder, "timeline", "preview", "composer", "wire", "notification"),
        )


def digest_of(folder: Path) -> str:
    """A name for the folder's content."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def changed(settings: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with some keys otherwise."""
    return {**settings, **change}


_GIVEN: dict[str, tuple[str, str, type]] = {
    "media": ("ref", "ref.json", MediaRef),
    "fetch": ("ref", "ref.json", FetchRef),
    "answer": ("facts", "facts.json", CallFacts),
}
_EXPECTED = {
    "media": ("fetched",),
    "health": ("health",),
    "templates": ("templates",),
    "fetch": ("delivery",),
    "answer": ("reply",),
    "poll": ("deliveries", "cursor"),
    "listen": ("emitted",),
}


def _exchanges(folder: Path) -> tuple[Exchange, ...]:
    """What is asked and answered, in order."""
    path = folder / "exchange.jsonl"
    if (folder / CONVERSATIONS).is_file() and not path.is_file():
        return ()
    if not path.is_file():
        raise FileNotFoundError(2, "is missing", str(path))
    return _lines(path, Exchange)


def _lines(path: Path, kind: type[T]) -> tuple[T, ...]:
    """One of each line; none of a file that is not there."""
    found: list[T] = []
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(msgspec.json.decode(line, type=kind))
            except msgspec.MsgspecError as error:
                raise ValueError(f"{path.name}:{number}: {error}") from error
    return tuple(found)


def _conversations(folder: Path) -> tuple[Conversation, ...]:
    """What is said on connections of line protocols, in order."""
    path = folder / CONVERSATIONS
    if not path.is_file():
        return ()
    try:
        return conversations.read(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{CONVERSATIONS}:{error}") from error


def _decoded(path: Path, kind: type[T]) -> T:
    def decode(wanted: type, value: Any) -> Any:
        if wanted is SafeHtml and isinstance(value, str):
            return clean(value)
        raise NotImplementedError(f"a case cannot hold {wanted.__name__}")

    try:
        return msgspec.json.decode(path.read_bytes(), type=kind, dec_hook=decode)
    except (msgspec.MsgspecError, NotImplementedError) as error:
        raise ValueError(f"{path.name}: {error}") from error


def _request(recorded: bytes) -> Delivery:
    """A recorded request: line ends as they were, either kind."""
    ends = [(recorded.find(end), end) for end in (b"\r\n\r\n", b"\n\n") if end in recorded]
    at, end = min(ends) if ends else (len(recorded), b"")
    first, *lines = recorded[:at].decode("latin-1").replace("\r\n", "\n").split("\n")
    try:
        method, path, _ = first.split(" ")
    except ValueError:
        raise ValueError("request.http: the first line is not METHOD /path HTTP/1.1") from None
    headers: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"request.http: {line[:40]!r} is no header")
        headers.append((name, value.strip()))
    return Delivery(
        method=method,
        url=PUBLIC + path,
        headers=tuple(headers),
        body=recorded[at + len(end) :],
        received_at=NOW,
    )
