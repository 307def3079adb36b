"""Reading the simulated provider's deliveries, and showing texts."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hub_simulator import Simulator
from hub_simulator.settings import Settings
from hub_simulator.sms import read
from hypothesis import given
from hypothesis import strategies as st

from hub.plugin import (
    Address,
    Attachment,
    BadAddress,
    ComposeFacts,
    Item,
    Malformed,
    Message,
    Surface,
    Text,
)
from hub.plugin.kit.checks import check_class
from plugins.simulator.tests.world import PURE

CASES = Path(__file__).parents[1] / "cases" / "ingest"
SURFACES: tuple[Surface, ...] = ("timeline", "preview", "composer", "wire", "notification")
plugin = Simulator(Settings())


def render(surface: Surface, text: str = "", **more: Any) -> Any:
    return plugin.render(PURE, Item(direction="out", text=text, **more), surface)


def test_it_is_a_plugin_the_hub_can_run() -> None:
    assert check_class(Simulator) == []
    assert Simulator.INFO.real is False


@pytest.mark.parametrize("case", sorted(CASES.iterdir()), ids=lambda case: case.name)
def test_recorded_deliveries_mean_what_they_should(case: Path) -> None:
    head, _, body = (case / "request.http").read_bytes().partition(b"\r\n\r\n")
    assert head.startswith(b"POST ")
    expected = json.loads((case / "expect.json").read_text())
    if expected.get("error") == "malformed":
        with pytest.raises(Malformed):
            read(body)
        return
    result = read(body)
    if "ignored" in expected:
        assert (result.ignored, result.events) == (expected["ignored"], ())
        return
    events = json.loads(msgspec.json.encode(result.events))
    assert len(events) == len(expected["events"])
    for event, wanted in zip(events, expected["events"], strict=True):
        assert _as_named(event, wanted) == wanted


def _as_named(got: Any, wanted: Any) -> Any:
    """What a case names of a value; what it does not name may be anything."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        return {key: _as_named(got[key], one) for key, one in wanted.items() if key in got}
    if isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        return [_as_named(*pair) for pair in zip(got, wanted, strict=True)]
    return got


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_called_malformed(body: bytes) -> None:
    with contextlib.suppress(Malformed):
        read(body)


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"type": ' * 100_000, b"{}", b"", b"null"])
def test_nonsense_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read(body)


fields = st.sampled_from(["id", "from", "to", "text", "media", "keyword"])


@given(st.dictionaries(fields, st.none() | st.integers() | st.text(max_size=5)))
def test_a_delivery_with_strange_fields_never_breaks(changes: dict[str, Any]) -> None:
    delivery = {
        "type": "sms.received",
        "id": "in-1",
        "from": "+12025550142",
        "to": "+12025550100",
        "text": "Hi",
        **changes,
    }
    try:
        result = read(json.dumps(delivery).encode())
    except Malformed:
        return
    message = result.events[0]
    assert isinstance(message, Message)
    assert all(address.value for address in message.sender)


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("(202) 555-0142", "+12025550142"),
        ("+1 202 555 0142", "+12025550142"),
        ("+1 555 0142", "+15550142"),
        ("+44 7700 900123", "+447700900123"),
        ("+1 (202) 555-0142 ", "+12025550142"),
    ],
)
def test_numbers_are_taken_as_people_type_them(typed: str, value: str) -> None:
    address = plugin.normalise_address(PURE, typed)
    assert (address.scheme, address.value) == ("phone", value)
    assert plugin.normalise_address(PURE, value) == address
    assert plugin.normalise_address(PURE, address.display or "") == address


@pytest.mark.parametrize("typed", ["", "Mira", "12", "+1 202 555 01425555555", "911 ext 4", "+"])
def test_what_is_no_number_is_said_so(typed: str) -> None:
    with pytest.raises(BadAddress):
        plugin.normalise_address(PURE, typed)


def test_a_number_without_a_country_belongs_to_the_region() -> None:
    british = Simulator(Settings(region="GB"))
    assert british.normalise_address(PURE, "07700 900123").value == "+447700900123"


@pytest.mark.parametrize(
    "wrong",
    [
        {"numbers": []},
        {"numbers": ["202 555 0100"]},
        {"numbers": ["+12025550100\n"]},
        {"customers": ["Mira"]},
        {"region": "usa"},
        {"receipt_pause": -1},
        {"colour": "red"},
    ],
)
def test_wrong_settings_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError) as error:
        msgspec.convert(wrong, Settings)
    assert next(iter(wrong)) in str(error.value)


def test_what_a_person_sees_is_what_goes_out() -> None:
    picture = Attachment(id="a1", name="tap.png", content_type="image/png", size=9)
    rendered = render("wire", "Two\nlines", attachments=(picture,))
    assert [(p.text, p.attachment_ids) for p in rendered.wire] == [("Two\nlines", ("a1",))]
    assert rendered.blocks == render("timeline", "Two\nlines", attachments=(picture,)).blocks
    assert rendered.preview == "Two lines"


def test_markup_stays_text() -> None:
    for surface in ("timeline", "preview", "composer", "wire"):
        assert render(surface, "<script>x</script>").blocks == (Text(text="<script>x</script>"),)


def test_a_message_of_files_alone_says_so_in_one_line() -> None:
    picture = Attachment(id="a1", name="tap.png", content_type="image/png", size=9)
    paper = Attachment(id="a2", name="offer.pdf", content_type="application/pdf", size=9)
    assert render("preview", attachments=(picture,)).preview == "Picture"
    assert render("preview", attachments=(picture, picture)).preview == "2 pictures"
    assert render("preview", attachments=(picture, paper)).preview == "2 files"


def test_a_notification_is_one_short_line() -> None:
    line = render("notification", "A very long message\n" * 20).preview
    assert len(line) == 140
    assert "\n" not in line


def test_the_composer_warns_of_segments_and_length() -> None:
    assert render("composer", "x" * 160).warnings == ()
    assert render("composer", "x" * 161).warnings == ("2 segments",)
    assert render("composer", "ж" * 71).warnings == ("2 segments",)
    assert render("composer", "Hi", subject="Offer").warnings == ("The subject will be left out",)
    facts = ComposeFacts(
        address=Address(scheme="phone", value="+12025550142"),
        own_address="+12025550100",
        now=datetime(2026, 3, 1, tzinfo=UTC),
        last_inbound_at=None,
    )
    limit = plugin.compose_rules(PURE, facts).max_length
    assert limit == 1600
    assert not any("Too long" in warning for warning in render("composer", "x" * limit).warnings)
    (warning,) = render("composer", "x" * (limit + 1)).warnings
    assert warning == "Too long: 1,601 of 1,600 characters"


@pytest.mark.parametrize("surface", SURFACES)
def test_every_surface_shows_something_and_changes_nothing(surface: Surface) -> None:
    item = Item(direction="in", text="Hello")
    assert plugin.render(PURE, item, surface) == plugin.render(PURE, item, surface)
    assert plugin.render(PURE, item, surface).preview == "Hello"
