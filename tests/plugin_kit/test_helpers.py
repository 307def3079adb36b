"""What plugins need again and again: reading JSON, a send's two ends, words on every surface."""

from __future__ import annotations

import string
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from hub.plugin import (
    Accepted,
    Address,
    Attachment,
    Capabilities,
    CredentialsInvalid,
    Delivery,
    HookError,
    HttpResponse,
    Item,
    Malformed,
    MediaLimits,
    Outbound,
    OutcomeUnknown,
    Permanent,
    Temporary,
    Text,
    Unsupported,
    WirePart,
)
from hub.plugin.kit.html import clean
from hub.plugin.kit.recorded import NOW, RecordedContext
from hub.plugin.reading import Id, read_json
from hub.plugin.rendering import NOTIFICATION_LENGTH, plain_text
from hub.plugin.sending import accepted, refusal, retry_after, text_of


class Coming(Struct):
    id: Id
    text: str = ""


def delivery(body: bytes) -> Delivery:
    return Delivery(body=body, received_at=NOW)


@given(st.binary() | st.text().map(str.encode) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
).map(msgspec.json.encode))  # fmt: skip
def test_whatever_comes_is_read_or_malformed(body: bytes) -> None:
    try:
        came = read_json(delivery(body), Coming)
    except Malformed:
        return
    assert came.id
    assert not came.id.isspace()


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"id": "\\ud800"}', b'{"id": "\xff"}', b""])
def test_what_breaks_parsers_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_json(delivery(body), Coming)


@pytest.mark.parametrize("id_", ["", " ", "a b", "a\n", "\x00", "x" * 201, None, 7, "\u2003"])
def test_what_is_no_id_is_malformed(id_: object) -> None:
    with pytest.raises(Malformed):
        read_json(delivery(msgspec.json.encode({"id": id_})), Coming)


MESSAGE = Outbound(
    id="t-1",
    address=Address(scheme="x:user", value="zoe"),
    own_address="",
    deadline=NOW + timedelta(seconds=1),
    wire=(WirePart(text="Hello"),),
)


def test_a_message_gives_its_words() -> None:
    assert text_of(RecordedContext(), MESSAGE) == "Hello"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"kind": "of_a_later_version"}, Unsupported),
        ({"deadline": NOW}, Temporary),
        ({"address": Address(scheme="x:user", value="")}, Permanent),
        ({"address": Address(scheme="x:user", value="zoe\r\nBcc: x")}, Permanent),
        ({"wire": ()}, Permanent),
        ({"wire": (WirePart(text="a"), WirePart(text="b"))}, Permanent),
        ({"wire": (WirePart(text=" \n"),)}, Permanent),
        ({"wire": (WirePart(text="a", attachment_ids=("f",)),)}, Permanent),
    ],
)
def test_what_cannot_go_out_is_refused(change: dict[str, Any], error: type[HookError]) -> None:
    with pytest.raises(error):
        text_of(RecordedContext(), replace(MESSAGE, **change))


def answer(status: int, body: bytes = b"{}", **headers: str) -> HttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpResponse(status=status, headers=named, body=body, url="https://x.example")


@pytest.mark.parametrize(("body", "id_"), [(b'{"id": "m-1"}', "m-1"), (b'{"id": 17}', "17")])
def test_a_success_with_an_id_is_accepted(body: bytes, id_: str) -> None:
    got = accepted(RecordedContext(), answer(201, body), "id")
    assert got == Accepted(external_id=id_)


@given(st.sampled_from([200, 201, 202, 299]), st.binary())
def test_a_success_that_names_nothing_is_unknown(status: int, body: bytes) -> None:
    for said in (body, b"[]", b"null", b'{"id": ""}', b'{"id": true}', b'{"id": null}', b"[" * 10):
        with pytest.raises(OutcomeUnknown):
            accepted(RecordedContext(), answer(status, said), "id")


@given(st.integers(100, 599).filter(lambda status: not 200 <= status < 300))
def test_every_other_status_means_something(status: int) -> None:
    error = refusal(RecordedContext(), answer(status))
    if status == 401:
        assert type(error) is CredentialsInvalid
    elif status in {429, 503}:
        assert type(error) is Temporary
    elif 400 <= status < 500 and status != 408:
        assert type(error) is Permanent
    else:
        assert type(error) is OutcomeUnknown, "it may have gone out"
    with pytest.raises(type(error)):
        accepted(RecordedContext(), answer(status, b'{"id": "m-1"}'), "id")


def test_a_busy_provider_is_left_alone_as_long_as_it_says() -> None:
    date = format_datetime(NOW + timedelta(seconds=90), usegmt=True)
    assert retry_after(answer(429, retry_after="7"), NOW) == 7
    assert retry_after(answer(429, retry_after=date), NOW) == 90
    assert retry_after(answer(429, retry_after=date), NOW + timedelta(days=1)) == 0
    for none in ("", "soon", "-1", "1" * 9, "٣"):
        assert retry_after(answer(429, retry_after=none), NOW) is None
    assert retry_after(answer(429), NOW) is None
    error = refusal(RecordedContext(), answer(503, retry_after="7"))
    assert isinstance(error, Temporary)
    assert error.retry_after == 7


FILE = Attachment(id="f1", name="roof.png", content_type="image/png", size=9)
PLAIN = Capabilities()
CARRIES = Capabilities(subject=True, media_out=MediaLimits(max_bytes=9, max_count=1))


def test_what_is_not_carried_is_left_out_and_said() -> None:
    item = Item(
        direction="out", text="Hi", subject="Offer", html=clean("<b>Hi</b>"), attachments=(FILE,)
    )
    plain = plain_text(item, "wire", PLAIN)
    assert plain.wire == (WirePart(text="Hi"),)
    assert len(plain.warnings) == 3
    carried = plain_text(item, "wire", CARRIES)
    assert carried.wire == (WirePart(text="Hi", subject="Offer", attachment_ids=("f1",)),)
    assert carried.warnings == ("The formatting will be left out",)
    assert plain_text(item, "composer", PLAIN).wire == ()
    assert plain_text(item, "timeline", PLAIN).warnings == ()


@given(st.text(alphabet=string.printable, max_size=400))
def test_a_preview_is_a_line_and_a_notification_a_short_one(text: str) -> None:
    item = Item(direction="in", text=text)
    preview = plain_text(item, "preview", PLAIN)
    assert len(preview.preview.splitlines()) <= 1
    assert preview.blocks == ((Text(text=text),) if text else ())
    assert len(plain_text(item, "notification", PLAIN).preview) <= NOTIFICATION_LENGTH


def test_without_words_a_preview_says_what_there_is() -> None:
    def preview(**item: Any) -> str:
        return plain_text(Item(direction="in", **item), "preview", PLAIN).preview

    assert preview(attachments=(FILE,)) == "File"
    assert preview(attachments=(FILE, FILE)) == "2 files"
    assert preview(facts={"Place": "Here"}) == "Place"
    assert preview() == ""
