"""What a password has to be like."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.rules.sign_in import LONGEST_PASSWORD, SHORTEST_PASSWORD, check_password
from hub.rules.states import Refusal

ANA = ("ana.ruiz@northwind.example", "Ana Ruiz")


def refused(password: str, *about: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        check_password(password, "new_password", *about)
    assert caught.value.fields == {"new_password": caught.value.detail}
    return caught.value


@pytest.mark.parametrize(
    "password",
    ["password123", "qwertyuiop", "1234567890", "iloveyou12", "aaaaaaaaaaaa", "abcabcabcabc",
     "P@ssw0rd123", "channelhub", "Channel Hub"],
)  # fmt: skip
def test_what_is_guessed_first_is_refused(password: str) -> None:
    assert refused(password).code == "password_easy"


@pytest.mark.parametrize(
    "password", ["ana.ruiz@northwind.example", "anaruiz123", "northwind.example"]
)
def test_what_is_known_of_its_owner_is_refused(password: str) -> None:
    assert refused(password, *ANA).code == "password_easy"


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "Tr0ub4dor&3-lamp", "жёлтая лампа на окне", "a long walk by the sea"],
)
def test_what_is_hard_to_guess_will_do(password: str) -> None:
    check_password(password, "new_password", *ANA)


def test_it_has_bounds() -> None:
    assert refused("x7!" * 3).code == "password_too_short"
    assert refused("x" * (LONGEST_PASSWORD + 1)).code == "password_too_long"


@given(st.text(min_size=SHORTEST_PASSWORD, max_size=LONGEST_PASSWORD), st.text(max_size=50))
def test_any_text_is_looked_at(password: str, name: str) -> None:
    with contextlib.suppress(Refusal):
        check_password(password, "password", name)
