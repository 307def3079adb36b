"""Files of strangers: a browser makes no more of them than they are, and nobody reads what is not
theirs."""

from __future__ import annotations

import contextlib
import random
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from hub.edge.keys import Keys
from hub.flow.media import MediaLinks
from hub.plugin import Secret
from tests.hubs import Client, HubProcess, wait_for
from tests.web.asking import check_problem

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360"
    "f8cf500f0003860180342a5bd90000000049454e44ae426082"
)
HTML = b"<!doctype html><html><script>alert(document.domain)</script></html>"
SVG = (
    b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
    b"<script>alert(1)</script></svg>"
)
XHTML = b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><script/></html>'
FORM = "multipart/form-data; boundary=b"
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def upload(client: Client, name: str, body: bytes, claimed: str = "image/png") -> httpx2.Response:
    return client.http.post(client.path("attachments"), files={"file": (name, body, claimed)})


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("page.html", HTML),
        ("page.png", HTML),
        ("image.svg", SVG),
        ("image.png", SVG),
        ("page.xhtml", XHTML),
        ("letter.pdf", PDF),
        ("script.js", b"alert(1)"),
        ("both.png", PNG[:8] + HTML),
    ],
)
def test_what_could_carry_a_script_is_never_shown_in_place(
    ana: Client, name: str, body: bytes
) -> None:
    made = upload(ana, name, body)
    assert made.status_code == 201
    assert not made.json()["inline"]
    answer = ana.http.get(made.json()["url"])
    assert answer.content == body
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    kind = answer.headers["content-type"].partition(";")[0]
    assert kind == made.json()["content_type"]
    assert kind not in {"text/html", "application/xhtml+xml", "text/javascript"}


def test_a_picture_with_a_page_in_it_is_a_picture(ana: Client) -> None:
    made = upload(ana, "page.gif", b"GIF89a" + HTML, "text/html").json()
    answer = ana.http.get(made["url"])
    assert answer.headers["content-type"] == "image/gif"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.feature("THRD-09")
@pytest.mark.parametrize(
    ("name", "inline"),
    [("dot.png", True), ("dot", True), ("dot.jpg", True), ("page.html", False), ("dot.exe", False)],
)
def test_the_type_is_what_the_bytes_say(ana: Client, name: str, inline: bool) -> None:
    made = upload(ana, name, PNG, "text/html").json()
    assert (made["content_type"], made["inline"], made["size"]) == ("image/png", inline, len(PNG))
    assert (made["width"], made["height"]) == (1, 1)
    answer = ana.http.get(made["url"])
    assert answer.headers["content-type"] == "image/png"
    place = "inline" if inline else "attachment"
    assert answer.headers["content-disposition"].startswith(f"{place}; ")
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"


NAMES = (
    'a";x="b.png',
    "a\r\nSet-Cookie: x=1.png",
    "../../etc/passwd",
    "C:\\x\\y.png",
    "\u202egnp.exe",
    "名前.png",
    "x" * 300,
)


@pytest.mark.parametrize("name", NAMES)
def test_no_name_gets_out_of_its_header(ana: Client, name: str) -> None:
    made = upload(ana, name, PNG)
    assert made.status_code == 201
    shown = made.json()["name"]
    assert not set(shown) & set("/\\\r\n\u202e")
    assert len(shown) <= 120
    answer = ana.http.get(made.json()["url"])
    disposition = answer.headers["content-disposition"]
    place = "attachment" if name.endswith(".exe") else "inline"
    assert disposition.startswith(f'{place}; filename="')
    assert disposition.count('"') == 2
    if not shown.isascii():
        assert disposition.endswith(f"; filename*=UTF-8''{quote(shown)}")
    assert "set-cookie" not in answer.headers


def test_what_is_no_upload_is_told_so(ana: Client) -> None:
    assert check_problem(upload(ana, "empty.txt", b""), 422)["code"] == "empty_file"
    check_problem(ana.http.post(ana.path("attachments"), json={}), 415)
    wrong: list[dict[str, Any]] = [
        {"files": {"other": ("a", b"x")}},
        {"files": [("file", ("a", b"x")), ("file", ("b", b"y"))]},
        {"data": {"file": "no file"}, "files": {"other": ("a", b"x")}},
        {"content": b"--b\r\nnonsense", "headers": {"content-type": FORM}},
        {"content": b"--b\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\nx",
         "headers": {"content-type": FORM}},
        {"content": b"", "headers": {"content-type": FORM}},
    ]  # fmt: skip
    for given in wrong:
        answer = ana.http.post(ana.path("attachments"), **given)
        assert "This is no upload" in check_problem(answer, 400)["detail"]
    check_problem(
        ana.http.post(
            ana.path("attachments"), content=b"", headers={"content-type": "multipart/form-data"}
        ),
        415,
    )


def test_files_of_another_organisation_are_not_there(
    ana: Client, stranger: Client, nobody: Client
) -> None:
    url = upload(ana, "ours.png", PNG).json()["url"]
    check_problem(stranger.http.get(url), 404)
    check_problem(stranger.http.get(url.replace("/main/", "/branch/")), 404)
    check_problem(nobody.http.get(url), 403)
    for wrong in ("0", "-1", "9" * 19, "9" * 40, "abc", "٣"):
        check_problem(ana.http.get(ana.path(f"attachments/{wrong}")), 404)


Link = Callable[[str, float], str]


@pytest.fixture
def link(hub: HubProcess) -> Link:
    """The hub's own signed links."""
    key = (hub.folder / "data" / "secret_key").read_text().strip()
    return _links(hub, Secret(key), "")


def _links(hub: HubProcess, key: Secret, channel_id: str) -> Link:
    with contextlib.closing(sqlite3.connect(hub.folder / "data" / "hub.db")) as database:
        (org,) = database.execute("SELECT id FROM organisations WHERE slug = 'main'").fetchone()
    links = MediaLinks(Keys(lambda: (key,)), hub.base_url)
    return lambda id_, seconds: links.url((org, channel_id), id_, seconds)


def test_a_signed_link_needs_no_login_and_works_for_its_time(
    hub: HubProcess, ana: Client, link: Link
) -> None:
    id_ = upload(ana, "offered.png", PNG).json()["id"]
    url = link(id_, 60)
    with contextlib.closing(httpx2.Client()) as http:
        answer = http.get(url)
        assert (answer.status_code, answer.content) == (200, PNG)
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
        head = http.head(url)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(PNG))
        check_problem(http.get(link(id_, -2)), 404)
        base, until, signature = url.rsplit("/", 2)
        other = upload(ana, "other.png", PNG).json()["id"]
        for forged in (
            f"{base}/{int(until) + 1}/{signature}",
            f"{base}/{until}/{signature[:-1]}",
            f"{base}/{until}/{'0' * 64}",
            f"{base.replace(id_, other)}/{until}/{signature}",
            f"{base}/{'9' * 30}/{signature}",
            f"{base}/-1/{signature}",
            f"{base}/{until}/%C3%A9",
        ):
            check_problem(http.get(forged), 404)
        check_problem(http.get(_links(hub, Secret(""), "")(id_, 60)), 404)
        key = (hub.folder / "data" / "secret_key").read_text().strip()
        # What one channel signs opens no file of another's.
        check_problem(http.get(_links(hub, Secret(key), "simulator")(id_, 60)), 404)
    assert int(until) >= time.time()


LONG = random.Random(7).randbytes(700_000)


@pytest.mark.feature("THRD-09")
@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, len(LONG)),
        ("bytes=100-299999", 100, 300_000),
        ("bytes=600000-999999999", 600_000, len(LONG)),
        ("bytes=-5", len(LONG) - 5, len(LONG)),
        ("bytes=-999999999", 0, len(LONG)),
    ],
)
def test_a_recording_can_be_seeked(ana: Client, asked: str, start: int, end: int) -> None:
    url = upload(ana, "long.bin", LONG).json()["url"]
    answer = ana.http.get(url, headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == LONG[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(LONG)}"
    assert answer.headers["content-length"] == str(end - start)
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,3-4", "bytes=-", "bytes=5-4", "lines=1-2", "bytes=x-"]
)
def test_what_is_no_single_range_is_answered_whole(ana: Client, asked: str) -> None:
    url = upload(ana, "long.bin", LONG).json()["url"]
    answer = ana.http.get(url, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, LONG)


def test_a_range_outside_of_the_file_is_told_its_size(ana: Client) -> None:
    url = upload(ana, "long.bin", LONG).json()["url"]
    for asked in (f"bytes={len(LONG)}-", "bytes=999999999-", "bytes=-0"):
        answer = ana.http.get(url, headers={"Range": asked})
        check_problem(answer, 416)
        assert answer.headers["content-range"] == f"bytes */{len(LONG)}"


def test_a_version_that_is_known_is_not_sent_again(ana: Client, nobody: Client) -> None:
    url = upload(ana, "long.bin", LONG).json()["url"]
    head = ana.http.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(LONG))
    assert head.headers["accept-ranges"] == "bytes"
    assert nobody.http.head(url).status_code == 403
    etag = head.headers["etag"]
    for known in (etag, f'"other", W/{etag}', "*"):
        answer = ana.http.get(url, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == etag
    for version, status in ((etag, 206), ('"other"', 200), (f"W/{etag}", 200)):
        answer = ana.http.get(url, headers={"Range": "bytes=1-2", "If-Range": version})
        assert answer.status_code == status


def test_a_file_larger_than_may_be_is_told_so_and_leaves_nothing(
    hub: HubProcess, ana: Client
) -> None:
    def pieces(size: int) -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(size // 1_000_000):
            yield bytes(1_000_000)
        yield b"\r\n--b--\r\n"

    answer = ana.http.post(
        ana.path("attachments"), content=pieces(101_000_000), headers={"content-type": FORM}
    )
    assert check_problem(answer, 413)["detail"] == "A file may have 100 MB."
    assert list((hub.folder / "data" / "blobs" / "incoming").iterdir()) == []


def test_an_upload_that_is_broken_off_leaves_nothing(hub: HubProcess, ana: Client) -> None:
    url = httpx2.URL(hub.base_url)
    cookie = "; ".join(f"{name}={value}" for name, value in ana.http.cookies.items())
    request = (
        f"POST {ana.path('attachments')} HTTP/1.1\r\nHost: {url.netloc.decode()}\r\n"
        f"Cookie: {cookie}\r\nX-CSRF-Token: {ana.http.headers['x-csrf-token']}\r\n"
        f"Content-Type: {FORM}\r\nContent-Length: 9000000\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    )
    incoming = hub.folder / "data" / "blobs" / "incoming"
    with contextlib.closing(socket.create_connection((url.host, url.port or 80))) as connection:
        connection.sendall(request.encode() + bytes(3_000_000))
        wait_for(lambda: list(incoming.iterdir()), what="the file that comes")
    wait_for(lambda: not list(incoming.iterdir()), what="its end")


def test_an_upload_is_seen_and_sent_by_who_made_it_alone(ana: Client, viewer: Client) -> None:
    made = upload(ana, "secret.png", PNG).json()
    assert ana.http.get(made["url"]).status_code == 200
    check_problem(viewer.http.get(made["url"]), 404)
