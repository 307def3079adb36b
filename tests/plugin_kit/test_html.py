"""Cleaned HTML: nothing runs, submits, loads a style or takes minutes."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.plugin import SafeHtml
from hub.plugin.kit.html import ATTRIBUTES, SCHEMES, STYLES, TAGS, clean, stored_html
from tests import recorded


class Harmless(HTMLParser):
    """Fails on anything that is not on the lists."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        for name, value in attrs:
            allowed = ATTRIBUTES["*"] | ATTRIBUTES.get(tag, frozenset())
            assert name in allowed or (tag == "a" and name == "rel"), (tag, name)
            if name in {"href", "src", "cite"}:
                # As a browser reads it: control characters and spaces around are dropped.
                url = re.sub(r"[\x00-\x20]", "", value or "")
                assert urlsplit(url).scheme in SCHEMES, url
            if name == "style":
                unquoted = re.sub(r"""("|').*?\1""", "", value or "")
                for declaration in filter(None, unquoted.split(";")):
                    assert declaration.partition(":")[0].strip() in STYLES, value
        if tag == "a":
            assert "noopener" in (dict(attrs).get("rel") or "")

    def handle_comment(self, data: str) -> None:
        pytest.fail(f"a comment is left: {data!r}")

    def handle_decl(self, decl: str) -> None:
        pytest.fail(f"a declaration is left: {decl!r}")

    def handle_pi(self, data: str) -> None:
        pytest.fail(f"an instruction is left: {data!r}")


def harmless(html: str) -> str:
    cleaned = clean(html).html
    parser = Harmless()
    parser.feed(cleaned)
    parser.close()
    assert clean(cleaned).html == cleaned or cleaned.startswith("<pre>")
    return cleaned


def test_the_payloads_of_dompurify() -> None:
    payloads = recorded.load("html/dompurify_payloads.json")
    assert len(payloads) > 100
    for payload in payloads:
        harmless(payload["payload"])


@pytest.mark.parametrize(
    ("dirty", "left"),
    [
        ("<p onclick=alert(1)>x<script>alert(1)</script></p>", "<p>x</p>"),
        ("<form action=//evil><input name=a>x<button>b</button></form>", "xb"),
        ("<style>@import 'x'</style><link rel=stylesheet href=x>x", "x"),
        ("<svg><style><img src=x onerror=alert(1)></style></svg>x", "<img>x"),
        ("<meta http-equiv=refresh content='0;url=//x'><base href=//x>x", "x"),
        ("<a href='javascript:alert(1)'>x</a>", '<a rel="noopener noreferrer nofollow">x</a>'),
        ("<a href=/inside>x</a>", '<a rel="noopener noreferrer nofollow">x</a>'),
        ("<img src='data:image/svg+xml,x' alt=a>", '<img alt="a">'),
        ("<img src='cid:1@x' width=5>", '<img src="cid:1@x" width="5">'),
        (
            "<p style='color:red;background:url(//x);position:fixed;font-family:Arial'>x</p>",
            '<p style="color:red;font-family:Arial">x</p>',
        ),
        ("<!-- c --><b>x", "<b>x</b>"),
        ("<td>x", "x"),
        ("", ""),
    ],
)
def test_what_is_left(dirty: str, left: str) -> None:
    assert harmless(dirty) == left


def test_mail_keeps_its_looks() -> None:
    mail = (
        '<table width="600" cellpadding="0"><tbody><tr><td align="center" style="padding:4px">'
        '<h1 dir="rtl">x</h1><blockquote>q</blockquote><ul><li>1</li></ul>'
        "</td></tr></tbody></table>"
    )
    assert harmless(mail) == mail


@given(st.text(alphabet=st.sampled_from("<>/=\"' \n\x00abp!-&;:\ud800é"), max_size=120))
def test_any_text(text: str) -> None:
    clean(text)


@pytest.mark.parametrize(
    "trap",
    [
        "<div>" * 150_000,
        "<div></x>" * 100_000,
        "<x1><x2><x3>" * 50_000,
        "<p>" + "".join(f"<b title={n}>" for n in range(19)) + "</p>" + "<p>x" * 200_000,
        "<font>" * 100_000,
        "x" * 5_000_000,
    ],
)
def test_a_trap_is_shown_as_its_source(trap: str) -> None:
    began = time.process_time()
    cleaned = harmless(trap)
    assert time.process_time() - began < 5
    assert cleaned.startswith("<pre>")
    assert len(cleaned) < 6_000_000


@pytest.mark.parametrize(
    "mail", ["<p>x" * 20_000, "<table><tr><td><a name=x>y" * 100, "<div><b>x</b></div>" * 20_000]
)
def test_careless_mail_is_no_trap(mail: str) -> None:
    assert not harmless(mail).startswith("<pre>")


def test_only_the_hub_makes_it() -> None:
    with pytest.raises(TypeError):
        SafeHtml("<script>")
    assert stored_html("<b>x</b>") == clean("<b>x</b>")
