"""What a search finds: the words of a text, the text of a contact, and what was typed.

Words are made here and not by the databases' own tokenizers, so that both find the same, and what
is marked in a result is what was found. A word is a run of letters and digits, without case and
diacritics. Scripts that are written without spaces (Chinese, Japanese, Thai, …) and emoji make a
word of each character, so what is inside a sentence is found there too.

Of what was typed every word must be found. One of three letters or more also finds longer words
that begin with it, and so does the last one from two letters on. Quotes ask for exactly these words
in this order. Nothing that can be typed is a mistake.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from msgspec import Struct

from hub.rules.content import Content

LOOKED_AT = 200
"""Characters of what was typed."""
WORD_LENGTH = 64
"""Longer words are cut, in texts and in what is typed."""
WORDS = 16_000
"""Of one text; PostgreSQL knows no more positions."""
SHORTEST_NUMBER = 4
"""Digits that are looked for within numbers."""
EXCERPT = 200
_BEFORE = 60  # characters of an excerpt that stand before the first word found
_CONTACT = 4_000

_ONE_BY_ONE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u2600-\u27bf\U0001f000-\U0001faff"  # symbols and emoji
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # kana, Han
)
_WORD = re.compile(f"[{_ONE_BY_ONE}]|[^\\W_{_ONE_BY_ONE}]+")
_CHUNK = re.compile(r'"([^"]*)"?|([^"\s]+)')
_QUOTES = str.maketrans("“”„‟«»", '""""""')
_LINES = str.maketrans("\t\n\v\f\r", "     ")
_NUMBER = re.compile(r"[\d\s()+./\-\u2010-\u2015]+")
_TRUNK_ZERO = re.compile(r"^((?:\+|00)[\d\s./\-]*)\(0\)")  # +44 (0)20 …

Range = tuple[int, int]


class Term(Struct, frozen=True):
    """Words that stand one after the other; with ``prefix`` the last may go on."""

    words: tuple[str, ...]
    prefix: bool

    def stands_at(self, text: list[str], place: int) -> bool:
        """Whether the words of ``text`` from ``place`` on are these."""
        last = len(self.words) - 1
        own = text[place : place + len(self.words)]
        if len(own) <= last or tuple(own[:last]) != self.words[:last]:
            return False
        return own[last] == self.words[last] or (
            self.prefix and own[last].startswith(self.words[last])
        )


class Query(Struct, frozen=True):
    """What was typed. An entry is found by all of ``terms``; a contact whose text
    (``contact_text``) holds all of ``needles`` or one of ``numbers``."""

    terms: tuple[Term, ...]
    needles: tuple[str, ...]
    numbers: tuple[str, ...]

    def finds_words(self, text: list[str]) -> bool:
        """Whether it finds an entry with these words."""
        return all(
            any(term.stands_at(text, place) for place in range(len(text))) for term in self.terms
        )

    def finds_contact(self, text: str) -> bool:
        """Whether it finds a contact with this text."""
        return (bool(self.needles) and all(needle in text for needle in self.needles)) or any(
            number in text for number in self.numbers
        )


class _Folded(dict[int, str]):
    """What becomes of a character, as ``str.translate`` asks for it."""

    def __missing__(self, code: int) -> str:
        folded = _folded(chr(code))
        if code < 0x2000 or folded != chr(code):
            self[code] = folded
        return folded


def _folded(char: str) -> str:
    category = unicodedata.category(char)
    if category[0] == "M" or category == "Cf":
        return ""
    if category[0] in "CZ":
        return " "
    if category == "Nd":
        return str(unicodedata.decimal(char))
    plain = unicodedata.normalize("NFKD", char)
    bare = "".join(one for one in plain if unicodedata.category(one)[0] != "M")
    return unicodedata.normalize("NFC", bare.casefold())


_FOLDED = _Folded()


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def fold(text: str) -> str:
    """``text`` without case, diacritics and control characters, digits as 0 to 9."""
    if text.isascii() and text.isprintable():
        return text.lower()
    return _composed(text).translate(_FOLDED)


def words(text: str) -> list[str]:
    """The words of a text as they are indexed."""
    return [word[:WORD_LENGTH] for word in _WORD.findall(fold(text))[:WORDS]]


def entry_text(content: Content) -> str:
    """What of an entry is searched."""
    return f"{content.subject}\n{content.text}" if content.subject else content.text


def contact_text(
    name: str | None,
    addresses: Iterable[tuple[str, str, str | None]],
    details: Iterable[str | None] = (),
) -> str:
    """What of a contact is searched: name, addresses (scheme, value, display) and what else is
    known of them, in parts with two spaces before each, so that what a part begins with can be told
    from what it holds. Of a name that is a number, its digits as well."""
    folded_name = fold(name or "")
    parts = folded_name.split()
    if _NUMBER.fullmatch(folded_name.strip()):
        parts.append(_digits(folded_name))
    for scheme, value, display in addresses:
        folded = fold(value)
        parts += [_digits(folded)] if scheme == "phone" else folded.split()
        parts += fold(display or "").split()
    for detail in details:
        parts += fold(detail or "").split()
    return "".join(f"  {part}" for part in parts if part)[:_CONTACT]


def parse(typed: str) -> Query:
    """What was typed, whatever it is."""
    folded = fold(typed[:LOOKED_AT].translate(_QUOTES))
    chunks = [(quoted or plain, bool(quoted)) for quoted, plain in _CHUNK.findall(folded)]
    chunks = [(" ".join(text.split()), quoted) for text, quoted in chunks if text.strip()]
    terms: list[Term] = []
    for place, (text, quoted) in enumerate(chunks):
        found = tuple(word[:WORD_LENGTH] for word in _WORD.findall(text))
        if found:
            least = 2 if place == len(chunks) - 1 else 3
            terms.append(Term(found, not quoted and len(found[-1]) >= least))
    return Query(
        terms=tuple(dict.fromkeys(terms)),
        needles=tuple(dict.fromkeys(_needle(text) for text, _ in chunks)),
        numbers=_numbers(folded),
    )


def _needle(text: str) -> str:
    """What a contact's text must hold. One or two characters, or three digits, are too little to be
    looked for everywhere, and somewhere in too many numbers: a part must begin with them."""
    little = len(text) < SHORTEST_NUMBER if text.isdecimal() else len(text) < 3
    return f"  {text}" if little else text.replace(" ", "  ")


def _numbers(typed: str) -> tuple[str, ...]:
    """A phone number in whatever form: its digits, and those without the zeros that are dialled
    before it at home."""
    typed = typed.strip()
    if not _NUMBER.fullmatch(typed):
        return ()
    digits = _digits(_TRUNK_ZERO.sub(r"\1", typed))
    if len(digits) < SHORTEST_NUMBER:
        return ()
    bare = digits.lstrip("0")
    return (digits, bare) if bare != digits and len(bare) >= 6 else (digits,)


def _digits(text: str) -> str:
    return "".join(char for char in text if "0" <= char <= "9")


# ------------------------------------------------------------------ showing what was found


def entry_excerpt(query: Query, text: str) -> tuple[str, list[Range]]:
    """The part of an entry's text around the first word found, on one line, and where the words
    found stand in it."""
    text = _composed(text).translate(_LINES)
    places = list(_words_in(text))
    own = [word for word, _, _ in places]
    found: list[Range] = []
    end = EXCERPT
    for place, (_, start, _) in enumerate(places):
        if found and start >= end:
            break
        for term in query.terms:
            if term.stands_at(own, place):
                if not found:
                    end = max(start - _BEFORE, 0) + EXCERPT
                found.append((start, places[place + len(term.words) - 1][2]))
    begin = max(end - EXCERPT, 0)
    if len(text) <= EXCERPT:
        begin = 0
    return _cut(text, begin, _merged(found))


def contact_excerpt(query: Query, texts: Iterable[str]) -> tuple[str, list[Range]]:
    """The first of a contact's texts (its name, its addresses as they are shown) in which
    something was found, and where."""
    first = ""
    for given in texts:
        text = _composed(given).translate(_LINES)
        first = first or text
        if found := _found_in_contact(query, text):
            return _cut(text, 0, found)
    return _cut(first, 0, [])


def _found_in_contact(query: Query, text: str) -> list[Range]:
    folded, origin = _aligned(text)
    found: list[Range] = []
    for needle in query.needles:
        begins = r"(?<!\S)" if needle.startswith("  ") else ""
        pattern = begins + r"\s+".join(map(re.escape, needle.split()))
        found += [
            (origin[match.start()], origin[match.end() - 1] + 1)
            for match in re.finditer(pattern, folded)
        ]
    digits = [place for place, char in enumerate(folded) if "0" <= char <= "9"]
    number = "".join(folded[place] for place in digits)
    for wanted in query.numbers:
        if (at := number.find(wanted)) >= 0:
            found.append((origin[digits[at]], origin[digits[at + len(wanted) - 1]] + 1))
    return _merged(found)


def _aligned(text: str) -> tuple[str, list[int] | range]:
    """``text`` folded, and for each character of that the place of the one it came from."""
    folded = text.translate(_FOLDED)
    if text.isascii():
        return folded, range(len(text))
    origin: list[int] = []
    for place, char in enumerate(text):
        origin += [place] * len(_FOLDED[ord(char)])
    return folded, origin


def _words_in(text: str) -> Iterator[tuple[str, int, int]]:
    folded, origin = _aligned(text)
    for place, match in enumerate(_WORD.finditer(folded)):
        if place == WORDS:
            return
        yield match[0][:WORD_LENGTH], origin[match.start()], origin[match.end() - 1] + 1


def _merged(ranges: Iterable[Range]) -> list[Range]:
    merged: list[Range] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _cut(text: str, begin: int, found: list[Range]) -> tuple[str, list[Range]]:
    """An excerpt with its ranges counted as JavaScript counts: in UTF-16 units."""
    end = begin + EXCERPT
    lead = "…" if begin else ""
    shown = f"{lead}{text[begin:end]}{'…' if end < len(text) else ''}"
    by = len(lead) - begin
    inside = [(max(start, begin) + by, min(stop, end) + by) for start, stop in found if start < end]
    return shown, [(_units(shown[:start]), _units(shown[:stop])) for start, stop in inside]


def _units(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)
