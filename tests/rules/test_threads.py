"""What orders a timeline, and what a page may be told of files and text."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.rules import content, files, threads
from hub.rules.addresses import shown

NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("occurred", "expected"),
    [
        (None, NOW),
        (NOW - 60_000, NOW - 60_000),
        (NOW - threads.CLOCK_BOUND_MS, NOW - threads.CLOCK_BOUND_MS),
        (NOW - threads.CLOCK_BOUND_MS - 1, NOW),
        (NOW + 1, NOW),
    ],
)
def test_a_provider_with_a_wrong_clock_neither_buries_nor_pins(
    occurred: int | None, expected: int
) -> None:
    assert threads.sort_time(NOW, occurred) == expected


@given(st.text(alphabet=st.characters(), max_size=400))
def test_a_preview_is_one_short_printable_line(text: str) -> None:
    line = content.one_line(text)
    assert len(line) <= content.PREVIEW_LENGTH
    assert "\n" not in line
    assert all(c.isprintable() or c in "\u200d\ufe0f" for c in line)


@given(st.text(alphabet=st.characters(), max_size=200))
def test_what_is_stored_can_be_stored_and_loses_no_character(text: str) -> None:
    kept = content.storable(text)
    kept.encode("utf-8")
    assert "\x00" not in kept
    if "\x00" not in text and not any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        assert kept == text


def test_content_survives_being_stored() -> None:
    whole = content.Content(text="a\x00b\n€", facts={"k": "v"}, event={"type": "x"}, warnings=["w"])
    assert content.decode(content.encode(whole)) == whole


@pytest.mark.parametrize(
    ("name", "content_type", "expected"),
    [
        ("../../etc/passwd", "text/plain", "passwd"),
        ("C:\\Users\\x\\a.png", "image/png", "a.png"),
        ("ev\u202egnp.exe", "application/octet-stream", "evgnp.exe"),
        ("", "image/jpeg", "image.jpg"),
        (None, "audio/ogg", "audio.ogg"),
        ("..", "application/pdf", "file.pdf"),
        ("a" * 300 + ".png", "image/png", "a" * 116 + ".png"),
    ],
)
def test_a_file_name_is_a_plain_base_name(
    name: str | None, content_type: str, expected: str
) -> None:
    assert files.safe_name(name, content_type) == expected


@pytest.mark.parametrize(
    ("body", "name", "expected"),
    [
        (b"<html><script>alert(1)</script></html>", "cat.png", "text/plain"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "a.png", "text/plain"),
        (b"BEGIN:VCARD\nEND:VCARD", "a.vcf", "text/vcard"),
        (b"\x89PNG\r\n\x1a\nbroken", "a.png", "application/octet-stream"),
        (b"\x00\x01\x02", "a.png", "application/octet-stream"),
        (b"plain words", "a.txt", "text/plain"),
    ],
)
def test_what_a_file_is_its_bytes_say(body: bytes, name: str, expected: str) -> None:
    found = files.identify(io.BytesIO(body), name).content_type
    assert found == expected or found not in files.SHOWN
    assert found not in files.SHOWN


def test_addresses_read_as_people_write_them() -> None:
    assert shown("phone", "+442087654321") == "+44 20 8765 4321"
    assert shown("phone", "38383") == "38383"
    assert shown("phone", "+0") == "+0"
    assert shown("email", "a@b.example") == "a@b.example"
    assert shown("phone", "+442087654321", "Ana's mobile") == "Ana's mobile"
