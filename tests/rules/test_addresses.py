"""One form of an address, in whatever form it comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.rules.addresses import canonical


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


@given(scheme=st.sampled_from(["phone", "email", "chat"]), value=st.text(max_size=30))
def test_what_is_stored_stays_as_it_is(scheme: str, value: str) -> None:
    once = canonical(scheme, value)
    assert canonical(scheme, once) == once
