"""``ctx.clean_html``: the only maker of ``SafeHtml``.

An allow-list for mail as people write it. Nothing that is left runs, submits or loads a style;
pictures may stay as links, since the page shows them only in a frame that fetches nothing until
the reader asks.
"""

from __future__ import annotations

import re
from collections import Counter
from html import escape, unescape

import nh3

from hub.plugin.types import (
    _SEAL,  # pyright: ignore[reportPrivateUsage]  # the kit is its holder
    SafeHtml,
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TAGS = _words(
    """
    a abbr address b bdi bdo blockquote br caption center cite code col colgroup dd del dfn div dl
    dt em figcaption figure font h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp
    small span strike strong sub sup table tbody td tfoot th thead time tr tt u ul var wbr
    """
)
DROPPED_WITH_CONTENT = _words(
    """
    applet audio canvas embed frame frameset iframe math noembed noframes noscript object script
    select style svg template textarea title video xmp
    """
)
EVERYWHERE = frozenset({"dir", "lang", "style", "title"})
CELL = frozenset({"align", "bgcolor", "colspan", "height", "rowspan", "valign", "width"})
ATTRIBUTES = {
    "*": EVERYWHERE,
    "a": frozenset({"href"}),
    "blockquote": frozenset({"cite"}),
    "col": frozenset({"span", "width"}),
    "colgroup": frozenset({"span", "width"}),
    "div": frozenset({"align"}),
    "font": frozenset({"color", "face", "size"}),
    "img": frozenset({"align", "alt", "height", "src", "width"}),
    "li": frozenset({"value"}),
    "ol": frozenset({"reversed", "start", "type"}),
    "p": frozenset({"align"}),
    "table": frozenset(
        {"align", "bgcolor", "border", "cellpadding", "cellspacing", "height", "width"}
    ),
    "td": CELL,
    "th": CELL,
    "time": frozenset({"datetime"}),
    "tr": frozenset({"align", "bgcolor", "valign"}),
    "ul": frozenset({"type"}),
}
STYLES = _words(
    """
    background-color border border-bottom border-collapse border-color border-left border-radius
    border-right border-spacing border-style border-top border-width color direction display
    font-family font-size font-style font-variant font-weight height letter-spacing line-height
    margin margin-bottom margin-left margin-right margin-top max-height max-width min-height
    min-width padding padding-bottom padding-left padding-right padding-top table-layout
    text-align text-decoration text-indent text-transform vertical-align white-space width
    word-break word-spacing word-wrap
    """
)
"""None of these loads anything or leaves its place in the page."""
SCHEMES = frozenset({"cid", "http", "https", "mailto", "sms", "tel"})

MAX_LENGTH = 1_000_000
MAX_DEPTH = 500
MAX_REOPENED = 500_000
VOID_OR_CLOSED_BY_THE_NEXT = _words(
    """
    a br caption col colgroup dd dt h1 h2 h3 h4 h5 h6 hr img input li link meta option p tbody td
    tfoot th thead tr wbr
    """
)
REOPENED = _words("b big code em font i nobr s small strike strong tt u")
"""A parser opens these again in every paragraph until they are closed."""
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
_PICTURE = re.compile(r'<img\b(?:[^>"]|"[^"]*")*?\ssrc="([^"]*)"')
"""Of HTML that was cleaned: every value stands in double quotes there."""

_CLEANER = nh3.Cleaner(
    tags=set(TAGS),
    clean_content_tags=set(DROPPED_WITH_CONTENT),
    attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
    filter_style_properties=set(STYLES),
    url_schemes=set(SCHEMES),
    url_relative="deny",
    link_rel="noopener noreferrer nofollow",
    strip_comments=True,
)


def clean(html: str) -> SafeHtml:
    """``html`` with only what is known to be harmless. What is longer or nested deeper than any
    mail, and would cost minutes to parse, comes back as its own source, readable and inert."""
    text = html.encode("utf-8", "replace").decode()
    if len(text) > MAX_LENGTH or _is_a_trap(text):
        return SafeHtml(f"<pre>{escape(text[:MAX_LENGTH])}</pre>", _seal=_SEAL)
    return SafeHtml(_CLEANER.clean(text), _seal=_SEAL)


def pictures(html: SafeHtml) -> frozenset[str]:
    """Where the pictures lie that it only links to."""
    found = (unescape(match[1]) for match in _PICTURE.finditer(html.html))
    return frozenset(url for url in found if url.lower().startswith(("http://", "https://")))


def stored_html(html: str) -> SafeHtml:
    """HTML that ``clean`` made before and that was stored since."""
    return SafeHtml(html, _seal=_SEAL)


def _is_a_trap(html: str) -> bool:
    """Whether elements are open so deep, or so many are opened again in every paragraph, that
    parsing costs the square of the length (measured with nh3 0.3.7: 200,000 ``<div>`` took two
    minutes). Counted per name from the tags alone, so never less than the parser would have."""
    open_by_name: Counter[str] = Counter()
    depth = 0
    unclosed = reopened = 0
    for match in _TAG.finditer(html):
        name = match[2].lower()
        reopened += unclosed
        if depth > MAX_DEPTH or reopened > MAX_REOPENED:
            return True
        if name in VOID_OR_CLOSED_BY_THE_NEXT or (match[1] and not open_by_name[name]):
            continue
        step = -1 if match[1] else 1
        open_by_name[name] += step
        depth += step
        unclosed += step if name in REOPENED else 0
    return False
