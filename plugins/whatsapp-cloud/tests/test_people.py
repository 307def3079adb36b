"""One person is one address, however a number or id is written; and when they may be written to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hub_whatsapp_cloud import WhatsAppCloud, people
from hypothesis import given
from hypothesis import strategies as st

from hub.plugin import Address, BadAddress, ComposeFacts

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ME = Address(scheme="phone", value="+46701740605")
USER = Address(scheme=people.USER, value="SE.5520417736118820")


@pytest.mark.feature("ROUT-01")
@pytest.mark.parametrize(
    ("spellings", "line"),
    [
        (("553187654321", "5531987654321", "+5531987654321"), "+5531987654321"),  # Brazil
        (("551187654321", "5511987654321"), "+5511987654321"),
        (("541112345678", "5491112345678", "+54 9 11 1234-5678"), "+5491112345678"),  # Argentina
        (("5493511234567", "543511234567"), "+5493511234567"),
        (("5215512345678", "525512345678", "+52 55 1234 5678"), "+525512345678"),  # Mexico
        (("46701740605", "+46701740605"), "+46701740605"),
        (("15550100300",), "+15550100300"),
    ],
)
def test_one_line_is_one_address(spellings: tuple[str, ...], line: str) -> None:
    for written in spellings:
        assert people.typed(f"+{written.removeprefix('+')}", None).value == line
        if " " not in written:
            found = people.phone(written)
            assert found is not None
            assert (found.scheme, found.value, found.verified) == ("phone", line, True)


@pytest.mark.parametrize(
    "number",
    ["+553133334444", "+5511333344445", "+5491112345678", "+525512345678", "+5255123456789"],
)
def test_what_is_another_line_stays_one(number: str) -> None:
    """Landlines of Brazil, and what is whole already."""
    found = people.phone(number)
    assert found is not None
    assert found.value == number


@given(st.from_regex(r"\A\+[1-9][0-9]{6,14}\Z"))
def test_a_line_is_found_again(number: str) -> None:
    found = people.phone(number)
    assert found is not None
    again = people.phone(found.value)
    assert again == found
    assert people.can_receive(found)


@given(st.text(max_size=60))
def test_anything_typed_is_an_address_or_none(text: str) -> None:
    try:
        found = people.typed(text, "SE")
    except BadAddress:
        return
    assert people.can_receive(found)
    assert people.typed(found.value, "SE") == found


def test_who_is_known_by_what() -> None:
    assert [a.value for a in people.known_by("46701740605", "SE.55")] == ["+46701740605", "SE.55"]
    assert [a.scheme for a in people.known_by(None, "SE.55")] == [people.USER]
    assert [a.value for a in people.known_by("SE.55", None)] == ["SE.55"]
    assert people.known_by("", "") == ()
    assert people.known_by("12", "se.55") == ()
    assert people.user("US.ENT.11815799212886844830") is not None
    for odd in ("US.", "US.1\n", "USA.1", "US.1 2", f"US.{'1' * 129}", "whatsapp:US.1"):
        assert people.user(odd) is None


def test_what_can_be_written_to() -> None:
    assert people.can_receive(ME)
    assert people.can_receive(USER)
    for value in ("46701740605", "+46", "+4670174060\n", "", "+0701740605"):
        assert not people.can_receive(Address(scheme="phone", value=value))
    assert not people.can_receive(Address(scheme="email", value="a@b.example"))


def test_numbers_are_read_as_in_the_country_of_the_channel(channel: WhatsAppCloud) -> None:
    assert channel.normalise_address("(212) 555-0142").value == "+12125550142"
    assert channel.normalise_address("+46 70 174 06 05").value == "+46701740605"
    assert channel.normalise_address(" SE.5520417736118820 ") == people.user("SE.5520417736118820")
    for odd in ("12", "Ana", "whatsapp:+46701740605", "+0701740605"):
        with pytest.raises(BadAddress):
            channel.normalise_address(odd)


def facts(last: datetime | None, address: Address = ME) -> ComposeFacts:
    return ComposeFacts(address=address, own_address="", now=NOW, last_inbound_at=last)


@pytest.mark.feature("COMP-06")
@pytest.mark.parametrize("address", [ME, USER])
def test_the_window_of_24_hours(channel: WhatsAppCloud, address: Address) -> None:
    day = timedelta(hours=24)
    one = timedelta(seconds=1)
    assert channel.INFO.can.reply_window == day.total_seconds()
    opened = channel.compose_rules(facts(NOW - day + one, address))
    assert (opened.may, opened.until) == ("free", NOW + one)
    for last in (NOW - day, NOW - day - one, NOW - timedelta(days=400), None):
        closed = channel.compose_rules(facts(last, address))
        assert (closed.may, closed.until) == ("template", None)
        assert "template" in (closed.why or "")
    ahead = channel.compose_rules(facts(NOW + timedelta(minutes=5), address))
    assert ahead.may == "free"  # a clock that runs ahead


def test_who_cannot_be_reached_cannot_be_written_to(channel: WhatsAppCloud) -> None:
    rules = channel.compose_rules(facts(NOW, Address(scheme="email", value="a@b.example")))
    assert rules.may == "closed"
