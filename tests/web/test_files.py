"""Files of strangers: a browser makes no more of them than they are, and nobody reads what is not
theirs."""

from __future__ import annotations

import contextlib
import time

import httpx2
import pytest

from hub.flow.media import MediaLinks
from hub.plugin import Secret
from tests.hubs import Client, HubProcess
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
    made = upload(ana, "page.html", b"GIF89a" + HTML, "text/html").json()
    answer = ana.http.get(made["url"])
    assert answer.headers["content-type"] == "image/gif"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_type_is_what_the_bytes_say(ana: Client) -> None:
    made = upload(ana, "page.html", PNG, "text/html").json()
    assert (made["content_type"], made["inline"], made["size"]) == ("image/png", True, len(PNG))
    assert (made["width"], made["height"]) == (1, 1)
    answer = ana.http.get(made["url"])
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"].startswith("inline; ")
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
    assert disposition.startswith('inline; filename="')
    assert disposition.count('"') == 2
    assert "set-cookie" not in answer.headers


def test_what_is_no_upload_is_told_so(ana: Client) -> None:
    assert check_problem(upload(ana, "empty.txt", b""), 422)["code"] == "empty_file"
    check_problem(ana.http.post(ana.path("attachments"), json={}), 415)
    check_problem(ana.http.post(ana.path("attachments"), files={"other": ("a", b"x")}), 400)


def test_files_of_another_organisation_are_not_there(
    ana: Client, stranger: Client, nobody: Client
) -> None:
    url = upload(ana, "ours.png", PNG).json()["url"]
    check_problem(stranger.http.get(url), 404)
    check_problem(stranger.http.get(url.replace("/main/", "/branch/")), 404)
    check_problem(nobody.http.get(url), 403)
    for wrong in ("0", "-1", "9" * 19, "9" * 40, "abc", "٣"):
        check_problem(ana.http.get(ana.path(f"attachments/{wrong}")), 404)


@pytest.fixture
def links(hub: HubProcess) -> MediaLinks:
    """The hub's own signed links."""
    key = (hub.folder / "data" / "secret_key").read_text().strip()
    return MediaLinks(Secret(key), hub.base_url)


def test_a_signed_link_needs_no_login_and_works_for_its_time(
    hub: HubProcess, ana: Client, links: MediaLinks
) -> None:
    id_ = upload(ana, "offered.png", PNG).json()["id"]
    url = links.url(id_, 60)
    with contextlib.closing(httpx2.Client()) as http:
        answer = http.get(url)
        assert (answer.status_code, answer.content) == (200, PNG)
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
        head = http.head(url)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(PNG))
        check_problem(http.get(links.url(id_, -2)), 404)
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
        empty = MediaLinks(Secret(""), hub.base_url)
        check_problem(http.get(empty.url(id_, 60)), 404)
    assert int(until) >= time.time()
