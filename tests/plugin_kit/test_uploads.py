"""Files that a plugin uploads: what a server reads of them, and what recorded cases say."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import multipart
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.plugin import Permanent, Upload
from hub.plugin.kit.http import PluginHttp
from hub.plugin.kit.recorded import (
    Answer,
    Call,
    ExpectedRequest,
    RecordedContext,
    RecordedHttp,
    differences,
)
from tests.plugin_kit.provider import Provider, Request, running

PICTURE = bytes(range(256)) * 200
ROOF = Upload(field="photo", name="roof “new”; 1.jpg", body=PICTURE, content_type="image/jpeg")
NOTE = Upload(field="file", name='a "b".txt', body=b"--\r\n\r\n--")
FIELDS = [("chat", "4711"), ("caption", "é\r\nsecond line"), ("chat", "again")]


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with running() as provider:
        yield provider


@pytest.fixture
async def http() -> AsyncIterator[PluginHttp]:
    async with PluginHttp(allowed_hosts=["127.0.0.1"]) as http:
        yield http


def read(request: Request) -> list[tuple[str | None, str | None, str, bytes]]:
    kind, options = multipart.parse_options_header(request.headers["content-type"])
    assert kind == "multipart/form-data"
    parser = multipart.MultipartParser(
        io.BytesIO(request.body), options["boundary"], len(request.body), strict=True
    )
    return [(part.name, part.filename, part.content_type, part.raw) for part in parser]


async def test_a_server_reads_fields_and_files(provider: Provider, http: PluginHttp) -> None:
    for _ in range(2):
        await http.request(
            "POST", provider.url, form=FIELDS, files=[ROOF, NOTE], headers={"X-Own": "1"}
        )
    first, again = provider.requests
    assert read(first) == [
        *((name, None, "text/plain", value.encode()) for name, value in FIELDS),
        ("photo", ROOF.name, "image/jpeg", PICTURE),
        ("file", NOTE.name, "application/octet-stream", NOTE.body),
    ]
    assert first.headers["x-own"] == "1"
    assert int(first.headers["content-length"]) == len(first.body)
    assert (first.body, first.headers) == (again.body, again.headers), "each attempt is the same"
    await http.request("POST", provider.url, files=[NOTE])
    assert provider.requests[-1].headers["content-type"] != first.headers["content-type"]


@pytest.mark.parametrize(
    "upload",
    [
        Upload(field="f", name="n", body=b"", content_type="text/plain\r\nX-Evil: 1"),
        Upload(field="f\ud800", name="n", body=b""),
    ],
)
async def test_what_is_no_form_never_leaves(
    provider: Provider, http: PluginHttp, upload: Upload
) -> None:
    with pytest.raises(Permanent):
        await http.request("POST", provider.url, files=[upload])
    assert provider.requests == []


async def recorded(**what: Any) -> Call:
    http = RecordedHttp(fine)
    await http.request("POST", "https://pigeon.example/files", **what)
    return http.calls[0]


async def fine(call: Call) -> Answer:
    return Answer()


@given(
    # What has a meaning of its own in a file's name is read in more than one way.
    name=st.text(
        st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\\%"),
        min_size=1,
        max_size=40,
    ),
    body=st.binary(max_size=200),
    value=st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
)
async def test_a_recorded_call_has_what_was_sent(name: str, body: bytes, value: str) -> None:
    upload = Upload(field="file", name=name, body=body, content_type="image/png")
    call = await recorded(form=[("text", value)], files=[upload])
    assert call.form() == [("text", value)]
    assert call.files() == [upload]


async def test_a_case_names_fields_and_files() -> None:
    call = await recorded(form=FIELDS, files=[ROOF, NOTE])
    wanted: dict[str, Any] = {
        "method": "POST",
        "url": "https://pigeon.example/files",
        "form": [["chat", "again"], ["chat", "4711"], ["caption", "é\r\nsecond line"]],
        "files": [
            {"field": "photo", "name": ROOF.name, "content_type": "image/jpeg"},
            {"field": "file", "body": "--\r\n\r\n--"},
        ],
    }

    def found(**change: Any) -> list[str]:
        return differences(msgspec.convert(wanted | change, ExpectedRequest), call)

    assert found() == []
    assert found(files=[]) == ["files: expected 0, got 2"]
    other = [{"field": "photo", "body": "JPEG"}, {"field": "document", "name": "c.txt"}]
    words = " ".join(found(files=other))
    assert "file photo, body" in words
    assert "file document, field" in words
    assert "file document, name" in words
    assert found(form=[]) != []


async def test_values_in_memory_expire_by_the_clock() -> None:
    ctx = RecordedContext()
    assert await ctx.kv.put("a", "1", expires_in=60)
    assert await ctx.kv.put("b", "2", expires_in=60)
    assert await ctx.kv.put("b", "3")
    ctx.time.pass_by(59.9)
    assert await ctx.kv.get("a") is not None
    ctx.time.pass_by(0.1)
    assert await ctx.kv.get("a") is None
    assert await ctx.kv.put("a", "4", version=0)
    kept = await ctx.kv.get("b")
    assert kept is not None
    assert kept.value == "3"
    for nothing in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="number of seconds"):
            await ctx.kv.put("c", "5", expires_in=nothing)
