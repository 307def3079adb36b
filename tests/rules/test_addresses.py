"""One form of an address, in whatever form it comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.rules.addresses import canonical, valid_phone


@pytest.mark.feature("RT-04")
@pytest.mark.parametrize(
    ("scheme", "value", "stored"),
    [
        ("phone", "+12025550123", "+12025550123"),
        ("phone", "+1 (202) 555-0123", "+12025550123"),
        ("phone", "+44 (0)20 7946 0018", "+442079460018"),
        ("phone", "tel:+1-202-555-0123", "+12025550123"),
        ("phone", "22395", "22395"),  # a short code is nobody's number
        ("phone", "anonymous", "anonymous"),
        ("email", " Elif.Kaya@Example.COM ", "elif.kaya@example.com"),
        ("chat", "Ab1", "Ab1"),  # a provider's own ids are what they are
    ],
)
def test_every_form_of_an_address_is_stored_as_one(scheme: str, value: str, stored: str) -> None:
    assert canonical(scheme, value) == stored


@pytest.mark.feature("FILT-08")
@pytest.mark.parametrize(
    ("typed", "ours", "whole"),
    [
        ("030 901820", ["+4930901821", "+4989123456"], "+4930901820"),
        ("030 901820", [], None),
        ("030 901820", ["+4930901821", "+12025550100"], None),  # nobody knows which is meant
        ("(416) 555-0123", ["+12025550100"], "+14165550123"),  # the same plan, another country
        ("+44 20 7946 0018", ["+12025550100"], "+442079460018"),
        ("2025550123", ["22395", "anonymous", "+9991234567"], None),
        ("1-800-FLOWERS", ["+12025550100"], None),
        ("555 0123", ["+12025550100"], None),
    ],
)
def test_a_number_without_its_country_is_of_ours(
    typed: str, ours: list[str], whole: str | None
) -> None:
    assert valid_phone(typed, ours) == whole


@given(scheme=st.sampled_from(["phone", "email", "chat"]), value=st.text(max_size=30))
def test_what_is_stored_stays_as_it_is(scheme: str, value: str) -> None:
    once = canonical(scheme, value)
    assert canonical(scheme, once) == once
