"""What a hub has received, as cases: with everything about people in it replaced.

Nobody has to say which fields are personal. All of them are replaced, by values of the same shape,
and the same value by the same one. What the channel then reads otherwise was a word of the protocol
(a type, a state, a time): that alone stays, and only if it looks like one. If neither works, there
is no case.
"""

from __future__ import annotations

import json
import random
import re
import string
from collections.abc import Callable, Iterator
from datetime import date, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct
from msgspec.structs import replace

from hub.conformance.cases import PUBLIC, Cases
from hub.conformance.checks.ingest import CLOSED
from hub.conformance.guard import Guard
from hub.conformance.matching import told
from hub.conformance.payload import Path as Place
from hub.conformance.payload import Payload
from hub.conformance.settings import plain as revealed
from hub.conformance.stage import Instance, Outcome, Stage
from hub.conformance.subject import Subject
from hub.plugin import Delivery, Verification
from hub.plugin.kit.recorded import RecordedContext
from hub.plugin.kit.verify import Replayed

SHORT = 4
"""Characters from which on a value is known again within another one."""
DIGITS = 3
"""So many are no number of anybody's."""
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_./:+-]{0,31}")
TIMES = range(1_000_000_000, 4_000_000_000)
"""Seconds since 1970 that are times: from 2001 to 2096."""
PHONE = r"\+[1-9][0-9]{6,14}"
EMAIL = r"[^\s@<>\"',;:=&?/]+@[^\s@<>\"',;:=&?/]+"
HEX = re.compile(r"[0-9a-f][0-9a-f-]{6,}[0-9a-f]")
AREAS = (212, 213, 214, 215, 216, 217, 218, 219)
"""Of +1 … 555 0100 to 0199, which are set aside for fiction."""
OTHERS = "äéîñöšüž"
"""In place of letters that are not ASCII."""
SAME = (CLOSED | {"error"}) - {"occurred_at", "due_at", "display"}
"""Fields of what is told whose values mean something by themselves."""


class CannotRecord(Exception):
    """Why a delivery cannot be made a case."""


class Recorded(Struct, frozen=True, kw_only=True):
    """A case to be. ``kind``: what it is about, in a word; ``replaced``: the fields that hold
    other values now; ``ids``: of its messages; ``fault``: how the channel broke on it, if so."""

    kind: str
    request: bytes
    expect: dict[str, Any]
    replaced: tuple[str, ...]
    ids: tuple[str, ...] = ()
    fault: str | None = None

    @property
    def likeness(self) -> str:
        """The same for two deliveries that tell the same kind of thing in the same fields."""
        return f"{sorted(self.replaced)} {_shape(self.expect)}"


class Recorder:
    """Makes cases of the deliveries of one channel, whose settings are ``settings``. The cases have
    those of their ``conformance.toml``. ``looks_secret`` tells secrets by a header's name."""

    def __init__(
        self,
        subject: Subject,
        cases: Cases,
        settings: Any,
        looks_secret: Callable[[str], bool],
    ) -> None:
        self._stage = stage = Stage(subject, cases, "recording", Guard(), 0)
        public = f"{PUBLIC}/hooks/main/{subject.info.name}"
        ours = stage.settings()
        self._public = public
        self._before = stage.make(settings, RecordedContext(public=public))
        self._after = stage.make(ours, RecordedContext(public=public))
        self._settings = _counterparts(revealed(settings), revealed(ours))
        self._given = frozenset(self._settings.values())
        self._names = self._settings | {value: value for value in self._given}
        """Every value that was replaced, and by what; the settings' to begin with."""
        self._looks_secret = looks_secret
        self._chance = random.SystemRandom()
        self._phones = 0

    async def record(self, delivery: Delivery, proof: Verification | None) -> Recorded:
        """A delivery as a case. Raises ``CannotRecord``."""
        payload = Payload.of(delivery)
        if payload.kind == "other" and delivery.body:
            raise CannotRecord("its body is neither JSON nor a form: write the case by hand")
        verify = Replayed(proof or Verification.custom("the channel verifies nothing"))
        before = await self._before.ingest(delivery, verify)
        reading = _Reading(self._after, verify, _shape(_plain(before)))
        payload = replace(payload, delivery=replace(delivery, url=self._moved(delivery.url)))
        for path, value in list(payload.leaves()):
            if isinstance(value, str):
                payload = payload.put(path, self._in_our_settings(value))
        if not await reading.same(payload):
            raise CannotRecord(
                "with the settings of conformance.toml the channel reads it otherwise: give them "
                "as many numbers, accounts and the like as the channel has"
            )
        words = {str(event.get("text")) for event in before.events}
        payload, originals, stayed = await self._replaced(payload, reading, words)
        after = await reading.read(payload)
        payload = await self._without_headers(payload, reading)
        made = payload.make(ascii=False)
        expect = _expected(after)
        came = "\n".join(str(value) for _, value in Payload.of(delivery).leaves()).casefold()
        # What else is told are the channel's own words.
        private = {one for one in _told(_plain(before)) if one.casefold() in came}
        private -= stayed | self._given
        _look_for(originals, private, Payload.of(made), expect)
        return Recorded(
            kind=_kind(after),
            request=_written(made),
            expect=expect,
            replaced=tuple(dict.fromkeys(self._fields(payload, Payload.of(delivery)))),
            ids=tuple(event["external_id"] for event in after.events if event["type"] == "message"),
            fault=None if before.fault is None else type(before.fault).__name__,
        )

    def _fields(self, after: Payload, before: Payload) -> Iterator[str]:
        for path, value in before.leaves():
            if after.get(path) != value:
                yield after.name(path[:-1] if path[-1] == 1 and path[0] == "query" else path)

    def _moved(self, url: str) -> str:
        """At the address that the cases have."""
        parts = urlsplit(url)
        more = parts.path.split("/")[4:]
        if not all(map(_is_word, more)):
            raise CannotRecord("its address names something: write the case by hand")
        here = urlsplit("/".join([self._public, *more]))
        return urlunsplit(here._replace(query=parts.query))

    def _in_our_settings(self, value: str) -> str:
        ways = sorted(self._settings, key=len, reverse=True)
        if not ways:
            return value
        pattern = "|".join(map(re.escape, ways))
        return re.sub(pattern, lambda found: self._settings[found[0]], value)

    async def _replaced(
        self, payload: Payload, reading: _Reading, words: set[str]
    ) -> tuple[Payload, set[str], set[str]]:
        """With every value replaced that does not have to stay; those that were replaced, and
        those that stay."""
        places: dict[Any, list[Place]] = {}
        for path, value in payload.leaves():
            if not self._says_nothing(value):
                places.setdefault(value, []).append(path)
        originals: set[str] = set()
        stayed: set[str] = set()
        # The short ones first: they are known again within the long ones.
        for value, paths in sorted(places.items(), key=lambda one: len(str(one[0]))):
            for other in self._candidates(value):
                changed = payload
                for path in paths:
                    changed = changed.put(path, other)
                if other != value and await reading.same(changed):
                    payload = changed
                    originals.add(str(value))
                    self._names.setdefault(str(value), str(other))
                    break
            else:
                self._may_stay(value, payload.name(paths[0]), words)
                stayed.add(str(value))
        return payload, originals, stayed

    def _says_nothing(self, value: Any) -> bool:
        if value is None or isinstance(value, bool):
            return True
        if not isinstance(value, str):
            return abs(value) < 10**DIGITS
        few = value.isdecimal() and len(value) <= DIGITS
        signs = not any(map(str.isalnum, value))
        return few or signs or value in self._given or value in {"true", "false"}

    def _may_stay(self, value: Any, field: str, words: set[str]) -> None:
        """Raises ``CannotRecord`` for what is more than a word of the protocol. Of ``words``, which
        somebody wrote, one alone may mean something (STOP)."""
        text = str(value)
        if _is_time(value) or (_is_word(text) and (text not in words or text.isalpha())):
            return
        raise CannotRecord(
            f"{field} cannot be replaced without changing what the channel understands: write the "
            "case by hand"
        )

    def _candidates(self, value: Any) -> Iterator[Any]:
        """Others for a value, those that say least first."""
        if not isinstance(value, str):
            whole = isinstance(value, int)
            yield int(self._scrambled(str(value))) if whole else self._chance.randint(0, 80) + 0.5
            return
        if value in self._names:
            yield self._names[value]
        if found := re.match(r"https?://[^/?#@]+(?=[/?#])", value):
            rest = value[found.end() :]  # whose server it is says nothing of who writes
            yield found[0] + self._mask(rest, self._scrambled)
            yield found[0] + self._mask(rest, self._scrambled_ids)
        yield self._mask(value, self._scrambled)
        if value.isdecimal():
            yield self._phone().removeprefix("+")
        words = re.findall(r"[^\W_]+", self._mask(value, lambda rest: HEX.sub("", rest), hide=True))
        if all(word.isalpha() or len(word) <= DIGITS for word in words) and len(words) <= 2:
            yield self._mask(value, self._scrambled_ids)

    def _mask(self, value: str, rest: Callable[[str], str], *, hide: bool = False) -> str:
        """With what is known again, phone numbers and email addresses replaced (or taken out), and
        all between them by ``rest``."""
        known = [name for name in self._names if len(name) >= SHORT]
        ways = [EMAIL, PHONE, *map(re.escape, sorted(known, key=len, reverse=True))]
        made, end = "", 0
        for found in re.finditer("|".join(ways), value):
            made += rest(value[end : found.start()]) + ("" if hide else self._name(found[0]))
            end = found.end()
        return made + rest(value[end:])

    def _name(self, value: str) -> str:
        """The replacement of a number, an address, or what was replaced before."""
        if value not in self._names:
            if re.fullmatch(PHONE, value):
                self._names[value] = self._phone()
            else:
                user, _, host = value.partition("@")
                named = self._scrambled(host.partition(".")[0])
                self._names[value] = f"{self._scrambled(user)}@{named}.example"
        return self._names[value]

    def _phone(self) -> str:
        """Another number that is nobody's."""
        area, number = divmod(self._phones, 100)
        self._phones += 1
        return f"+1{AREAS[area % len(AREAS)]}55501{number:02}"

    def _scrambled(self, text: str) -> str:
        """Other letters and digits, and everything else as it is."""
        made = text
        while made == text and any(map(str.isalnum, text)):
            made = "".join(map(self._other, text))
        return made

    def _scrambled_ids(self, text: str) -> str:
        """The same within long hexadecimal numbers alone."""
        digits = "0123456789abcdef"
        return HEX.sub(
            lambda found: "".join(
                self._chance.choice(digits) if char != "-" else char for char in found[0]
            ),
            text,
        )

    def _other(self, char: str) -> str:
        if char in string.digits:
            return self._chance.choice("123456789" if char != "0" else string.digits)
        if char in string.ascii_lowercase:
            return self._chance.choice(string.ascii_lowercase)
        if char in string.ascii_uppercase:
            return self._chance.choice(string.ascii_uppercase)
        return self._chance.choice(OTHERS) if char.isalnum() else char

    async def _without_headers(self, payload: Payload, reading: _Reading) -> Payload:
        """With those headers alone that the channel reads, and none that would be a secret."""

        def with_headers(headers: tuple[tuple[str, str], ...]) -> Payload:
            return replace(payload, delivery=replace(payload.delivery, headers=headers))

        headers = tuple(
            (name, value)
            for name, value in payload.delivery.headers
            if not self._looks_secret(name)
        )
        for one in headers:
            name = one[0].lower()
            without = tuple(each for each in headers if each is not one)
            if name != "content-type" and await reading.same(with_headers(without)):
                headers = without
            elif name != "content-type":
                self._may_stay(one[1], f"the header {one[0]}", set())
        if not await reading.same(with_headers(headers)):
            raise CannotRecord("it is read by a header that looks like a secret")
        put = self._put_by_signing(payload.delivery)
        return with_headers(tuple(one for one in headers if one[0].lower() not in put))

    def _put_by_signing(self, delivery: Delivery) -> set[str]:
        """Headers that ``sign.py`` puts anew, such as the time at which it was signed."""
        if self._stage.cases.sign is None:
            return set()
        bare = tuple(one for one in delivery.headers if one[0].lower() == "content-type")
        signed = self._stage.signed(replace(delivery, headers=bare))
        return {name.lower() for name, _ in signed.headers} - {"content-type"}


class _Reading:
    """How the channel reads a payload with the settings of the cases."""

    def __init__(self, one: Instance, verify: Replayed, wanted: str) -> None:
        self._one = one
        self._verify = verify
        self._wanted = wanted

    async def read(self, payload: Payload) -> Outcome:
        return await self._one.ingest(payload.make(ascii=False), self._verify)

    async def same(self, payload: Payload) -> bool:
        """Whether it tells the same kind of thing as the delivery that came."""
        return _shape(_plain(await self.read(payload))) == self._wanted


def _plain(outcome: Outcome) -> dict[str, Any]:
    """What came of it, without the proof."""
    return {name: value for name, value in told(outcome).items() if name != "verification"}


def _shape(value: Any, field: str = "") -> str:
    """What is told, whoever and whatever it is about."""
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        return f"{{{', '.join(f'{name}: {_shape(each, name)}' for name, each in table.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_shape(each, field) for each in cast('list[Any]', value))}]"
    if isinstance(value, str) and value and field not in SAME:
        return "…"
    return repr(value) if not isinstance(value, (int, float)) or value in {True, False} else "#"


def _told(value: Any, field: str = "") -> Iterator[str]:
    """Everything that is said of somebody in what is told."""
    if isinstance(value, dict):
        for name, each in cast("dict[str, Any]", value).items():
            yield from _told(each, name)
    elif isinstance(value, (list, tuple)):
        for each in cast("list[Any]", value):
            yield from _told(each, field)
    elif isinstance(value, str) and _says_something(value, field):
        yield value


def _says_something(value: str, field: str) -> bool:
    letters = any(map(str.isalnum, value))
    return letters and field not in {*SAME, "ignored"} and not _is_time(value)


def _counterparts(theirs: Any, ours: Any) -> dict[str, str]:
    """Each text in the channel's settings, and what stands in its place in those of the cases."""
    found: dict[str, str] = {}
    if isinstance(theirs, dict) and isinstance(ours, dict):
        one, other = cast("dict[str, Any]", theirs), cast("dict[str, Any]", ours)
        for name in one:
            found |= _counterparts(one[name], other.get(name))
    elif isinstance(theirs, (list, tuple)) and isinstance(ours, (list, tuple)):
        some, others = cast("list[Any]", theirs), cast("list[Any]", ours)
        for number, each in enumerate(some):
            found |= _counterparts(each, others[number % len(others)] if others else None)
    elif isinstance(theirs, str) and isinstance(ours, str) and len(theirs) >= SHORT:
        found[theirs] = ours
    return found


def _is_word(text: str) -> bool:
    return bool(WORD.fullmatch(text)) and sum(map(str.isdigit, text)) <= DIGITS


def _is_time(value: Any) -> bool:
    """A date or a time, or seconds or milliseconds since 1970."""
    text = str(value)
    if text.isdecimal():
        return int(text) in TIMES or (len(text) == 13 and int(text) // 1000 in TIMES)
    if not re.search(r"\d[-:]\d", text) and "," not in text:
        return False
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            parse(text)
        except (ValueError, TypeError):
            continue
        return True
    return False


def _kind(outcome: Outcome) -> str:
    if outcome.fault is not None:
        return "not_understood"
    if outcome.error is not None:
        return outcome.name
    if outcome.events:
        first = outcome.events[0]
        if first.get("echo"):
            return "echo"
        more = first.get("status") or ("with_files" if first.get("media") else "")
        types = dict.fromkeys(str(event["type"]) for event in outcome.events)
        return "_".join(filter(None, (*types, more)))
    return "ignored" if outcome.value.ignored else "handshake"


def _expected(outcome: Outcome) -> dict[str, Any]:
    """What the case expects: what the channel makes of it now."""
    if outcome.fault is not None:
        return {"error": "malformed"}
    found = _pruned(_plain(outcome))
    return found or {"events": []}


def _pruned(value: Any) -> Any:
    """Without what says nothing; an empty text says that there are no words beside the files."""
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        kept = {name: _pruned(each) for name, each in table.items() if each or each == 0}
        kept = {name: each for name, each in kept.items() if each is not False}
        return kept | ({"text": ""} if table.get("media") and not table.get("text") else {})
    if isinstance(value, (list, tuple)):
        return [_pruned(each) for each in cast("list[Any]", value)]
    return value


def _written(delivery: Delivery) -> bytes:
    """As ``request.http`` has it."""
    parts = urlsplit(delivery.url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"{delivery.method} {path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in delivery.headers]
    return "\n".join([*lines, "", ""]).encode("latin-1", "replace") + delivery.body


def _look_for(
    originals: set[str], private: set[str], payload: Payload, expect: dict[str, Any]
) -> None:
    """Raises ``CannotRecord`` when something of what was replaced is still there: of ``originals``,
    as far as they are more than words, and of what was ``private`` every word."""
    values = [str(value) for _, value in payload.leaves() if value is not None]
    values += [value for _, value in payload.delivery.headers]
    values += _told(expect)
    names = json.dumps(payload.tree["body"], ensure_ascii=False)
    for original in originals | private:
        if original.isalpha():
            # It may stand by chance within another word; as a field's name it means another thing.
            word = re.compile(rf"(?<!\w){re.escape(original)}(?!\w)")
            found = original in private and any(map(word.search, values))
        else:
            found = len(original) > DIGITS and any(original in value for value in values)
            found = found or (bool(re.search(r"[0-9@]", original)) and original in names)
        if found:
            raise CannotRecord(
                f"{original!r} cannot be replaced everywhere: write the case by hand"
            )


def write_case(folder: Path, case: Recorded, recorded: date) -> str:
    """Put a case into a folder of cases, beside those that are there; its name, ``ingest/…``."""
    names = (f"{case.kind}_{number}" for number in count(1))
    name = next(name for name in names if not (folder / "ingest" / name).exists())
    place = folder / "ingest" / name
    place.mkdir(parents=True)
    (place / "request.http").write_bytes(case.request)
    text = json.dumps(case.expect, ensure_ascii=False, indent=2)
    (place / "expect.json").write_text(f"{text}\n", "utf-8")
    about = f"\n[ingest.{name}]\nrecorded = {recorded}\nredacted = {json.dumps(case.replaced)}\n"
    with (folder / "provenance.toml").open("a", encoding="utf-8") as provenance:
        provenance.write(about)
    return f"ingest/{name}"
