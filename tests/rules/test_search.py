"""What words a text has, what was typed, and what is marked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.rules.search import (
    EXCERPT,
    LOOKED_AT,
    WORD_LENGTH,
    Term,
    contact_excerpt,
    contact_text,
    entry_excerpt,
    parse,
    words,
)


def cut(text: str, ranges: list[tuple[int, int]]) -> list[str]:
    """What the ranges name, counted as JavaScript counts."""
    units = text.encode("utf-16-le")
    return [units[2 * start : 2 * end].decode("utf-16-le") for start, end in ranges]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Is it ready?", ["is", "it", "ready"]),
        ("Ça coûte ÉNORME, Straße", ["ca", "coute", "enorme", "strasse"]),
        ("E\u0301te\u0301", ["ete"]),
        ("snake_case e-mail a@b.de", ["snake", "case", "e", "mail", "a", "b", "de"]),
        ("٤٧١١ 4711", ["4711", "4711"]),
        ("東京都 カメラ", ["東", "京", "都", "カ", "メ", "ラ"]),
        ("한국어 \u1112\u1161\u11ab", ["한국어", "한"]),
        ("done 👍🏽!", ["done", "👍", "🏽"]),
        ("שָׁלוֹם عَلَيْكُم", ["שלום", "عليكم"]),
        ("nul\x00byte\u200bzero", ["nul", "bytezero"]),
        ("½ \ufb01ne", ["1", "2", "fine"]),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_a_long_word_is_cut_alike_in_a_text_and_in_what_is_typed() -> None:
    (word,) = words("x" * 500)
    assert parse("x" * 500).terms == (Term((word,), prefix=True),)
    assert len(word) == WORD_LENGTH


@pytest.mark.parametrize(
    ("typed", "terms"),
    [
        ("invoice", [Term(("invoice",), prefix=True)]),
        ("an invoice", [Term(("an",), prefix=False), Term(("invoice",), prefix=True)]),
        ("invoice an", [Term(("invoice",), prefix=True), Term(("an",), prefix=True)]),
        ("a", [Term(("a",), prefix=False)]),
        ('"the invoice" x', [Term(("the", "invoice"), prefix=False), Term(("x",), prefix=False)]),
        ("“the invoice”", [Term(("the", "invoice"), prefix=False)]),
        ('"never closed', [Term(("never", "closed"), prefix=False)]),
        ("ana@example.com", [Term(("ana", "example", "com"), prefix=True)]),
        ("東京", [Term(("東", "京"), prefix=False)]),
        ('"" * ()', []),
        ("x" * 190 + " beyond", [Term(("x" * WORD_LENGTH,), prefix=True), Term(("beyond",), True)]),
    ],
)
def test_what_was_typed(typed: str, terms: list[Term]) -> None:
    assert parse(typed).terms == tuple(terms)


def test_only_so_much_is_looked_at() -> None:
    assert parse("a " * LOOKED_AT + "needle") == parse("a " * LOOKED_AT)


ANA = contact_text(
    "Ána O'Neill",
    [("phone", "+12025550142", None), ("email", "ana@example.com", "Ana N.")],
    ["12 Élm Street", None, "HVAC-77"],
)


@pytest.mark.parametrize(
    "typed",
    [
        "(202) 555-0142", "+1 202 555 0142", "02025550142", "001 202 555 0142", "0142", "50142",
        "202.555", "٠١٤٢", "555\u20110142",
        "ana", "ANA", "nei", "o'n", "o", "an o'", "ana@ex", "example.com", '"ana o\'neill"', "n.",
        "12 elm", "elm str ana", "hvac-77", "120",
    ],
)  # fmt: skip
def test_a_contact_is_found(typed: str) -> None:
    assert parse(typed).finds_contact(ANA), typed


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "-",
        "na ex",
        "ei",
        "14",
        "142",
        "555 ana",
        "0143",
        "020255501429",
        "ana 0143",
        '"neill ana"',
        "%",
        "_",
    ],
)
def test_a_contact_is_not_found(typed: str) -> None:
    assert not parse(typed).finds_contact(ANA), typed


def test_a_name_that_is_a_number_is_found_by_its_digits() -> None:
    text = contact_text("+1 404-555-1234", [])
    assert "  14045551234" in text
    assert "  404-555-1234" in text
    assert contact_text("Zoe 2", []) == "  zoe  2"


def test_a_zero_in_brackets_is_not_dialled_from_abroad() -> None:
    london = contact_text(None, [("phone", "+442079460958", None)])
    for typed in ("+44 (0)20 7946 0958", "0044 (0)20 7946 0958", "020 7946 0958", "+442079460958"):
        assert parse(typed).finds_contact(london), typed


def test_the_words_found_are_marked() -> None:
    text = "Your invoice is ready.\nThe invoices of last year are not."
    shown, ranges = entry_excerpt(parse("invoice year"), text)
    assert shown == text.replace("\n", " ")
    assert cut(shown, ranges) == ["invoice", "invoices", "year"]


def test_an_excerpt_of_a_long_text_lies_around_the_first_word_found() -> None:
    text = f"{'before ' * 100}🙂 Crème brûlée {'after ' * 100}"
    shown, ranges = entry_excerpt(parse("creme"), text)
    assert cut(shown, ranges) == ["Crème"]
    assert shown[0] == shown[-1] == "…"
    assert len(shown) == EXCERPT + 2
    assert "brûlée after" in shown


def test_what_is_marked_of_a_contact() -> None:
    texts = ["🙂 Ána O'Neill", "+1 202-555-0142", "ana@example.com"]
    for typed, text, marked in (
        ("ana", texts[0], ["Ána"]),
        ("n", texts[0], []),
        ("o", texts[0], ["O"]),
        ("2025550142", texts[1], ["202-555-0142"]),
        ("0142", texts[1], ["0142"]),
        ("example", texts[2], ["example"]),
        ('"ana o\'n"', texts[0], ["Ána O'N"]),
        ("nobody", texts[0], []),
    ):
        shown, ranges = contact_excerpt(parse(typed), texts)
        assert (shown, cut(shown, ranges)) == (text, marked), typed


@given(st.text(max_size=300), st.text(max_size=300))
def test_whatever_is_typed_and_said(typed: str, said: str) -> None:
    query = parse(typed)
    for shown, ranges in (entry_excerpt(query, said), contact_excerpt(query, [said])):
        assert len(shown) <= EXCERPT + 2
        length = len(shown.encode("utf-16-le", "surrogatepass")) // 2
        edges = [edge for pair in ranges for edge in pair]
        assert edges == sorted(edges)
        assert all(0 <= edge <= length for edge in edges)
        assert all(start < end for start, end in ranges)


@given(st.text(max_size=60))
def test_every_word_of_a_text_finds_and_marks_it(said: str) -> None:
    for word in words(said):
        query = parse(f'"{word}"')
        assert query.terms == (Term((word,), prefix=False),)
        shown, ranges = entry_excerpt(query, said)
        assert ranges
        if len(said) < EXCERPT:
            assert word in "".join(words(" ".join(cut(shown, ranges))))
