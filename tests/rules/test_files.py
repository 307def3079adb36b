"""Parts of files, and what strangers' bytes are, whatever they are."""

from __future__ import annotations

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.rules import files, ranges

ETAG = '"e"'
numbers = st.integers(0, 40).map(str) | st.just("")


@given(st.binary(max_size=30), numbers, numbers)
def test_a_part_is_what_a_slice_of_the_file_is(body: bytes, first: str, last: str) -> None:
    size = len(body)
    try:
        part = ranges.wanted(f"bytes={first}-{last}", None, size=size, etag=ETAG)
    except ranges.Unsatisfiable:
        assert int(first) >= size if first else not size or last == "0"
        return
    if part is None:
        assert not (first or last) or int(last) < int(first)
        return
    expected = body[int(first) :] if first else body[-int(last) :]
    if first and last:
        expected = body[int(first) : int(last) + 1]
    assert body[part.start : part.end] == expected
    assert 0 <= part.start < part.end <= size


@given(st.text(), st.none() | st.text(), st.integers(0, 100))
def test_whatever_is_asked_for_is_answered(asked: str, version: str | None, size: int) -> None:
    try:
        part = ranges.wanted(asked, version, size=size, etag=ETAG)
    except ranges.Unsatisfiable:
        return
    assert part is None or 0 <= part.start < part.end <= size


STARTS = [
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8 ", b"%PDF-",
    b"<svg", b"OggS", b"ID3", b"\0\0\0\x18ftypmp42", b"PK\3\4", b"BM", b"II*\0", b"\0\0\x01\0",
    b"<html>", b"",
]  # fmt: skip


@given(st.sampled_from(STARTS), st.binary(max_size=2000), st.text(max_size=20))
@example(b"II*\0", b"\xff" * 40, "a.tiff")
def test_strangers_bytes_are_always_something(start: bytes, rest: bytes, name: str) -> None:
    found = files.identify(io.BytesIO(start + rest), name)
    assert found.content_type.count("/") == 1
    assert files.safe_name(name, found.content_type)
    if b"<" in start:
        assert not files.shown_in_place(found.content_type, name)


@given(st.text(alphabet=st.characters(), max_size=150), st.sampled_from(["image/png", "text/html"]))
def test_no_name_breaks_its_header(name: str, content_type: str) -> None:
    header = files.disposition(content_type, files.safe_name(name, content_type))
    header.encode("ascii")
    assert header.isprintable()
    assert header.count('"') == 2
    assert content_type == "image/png" or header.startswith("attachment;")


@pytest.mark.parametrize(
    ("content_type", "name", "shown"),
    [
        ("image/jpeg", "photo.png", True),
        ("audio/mp4", "memo.mp4", True),
        ("video/mp4", "memo.m4a", True),
        ("image/png", "photo.svg.exe", False),
        ("image/png", "photo.html", False),
        ("image/png", "clip.mp4", False),
        ("image/svg+xml", "photo.svg", False),
        ("text/html", "page.html", False),
        ("application/pdf", "letter.pdf", False),
    ],
)
def test_what_is_no_picture_by_its_name_is_not_shown(
    content_type: str, name: str, shown: bool
) -> None:
    assert files.shown_in_place(content_type, name) is shown


@pytest.mark.feature("THRD-09")
@pytest.mark.parametrize(
    ("content_type", "name", "lies"),
    [
        ("image/png", "photo.jpg", False),
        ("image/png", "photo", False),
        ("audio/mp4", "memo.mp4", False),
        ("text/plain", "code.ts", False),  # by its name a film, to some
        ("application/zip", "letter.docx", False),
        ("application/octet-stream", "photo.heic", False),  # nobody knows what it is
        ("application/pdf", "letter.pdf", False),
        ("text/plain", "photo.png", True),
        ("image/png", "setup.exe", True),
        ("image/png", "letter.pdf", True),
        ("application/zip", "letter.pdf", True),
        ("application/pdf", "photo.png", True),
        ("application/pdf", "setup.exe", True),
    ],
)
def test_what_pretends_to_be_something_else(content_type: str, name: str, lies: bool) -> None:
    assert files.mismatched(content_type, name) is lies
