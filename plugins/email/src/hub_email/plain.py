"""What formatted mail says, as plain text: for mail that comes without one."""

from __future__ import annotations

import re
from html.parser import HTMLParser

LONGEST = 1_000_000
"""Characters of HTML that are looked at."""
SILENT = frozenset({"script", "style", "head", "title", "template", "noscript"})
BLOCKS = frozenset(
    {"address", "article", "blockquote", "dd", "div", "dl", "dt", "figure", "footer", "form"}
    | {"h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p"}
    | {"pre", "section", "table", "tr", "ul"}
)
APART = frozenset({"p", "blockquote", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6"})
SPACES = re.compile(r"[ \t\r\n\f\v\u00a0]+")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self._silent = 0
        self._link: str | None = None
        self._link_at = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in SILENT:
            self._silent += tag != "head"
            return
        if tag == "br":
            self.out.append("\n")
        elif tag == "li":
            self.out.append("\n- ")
        elif tag in BLOCKS:
            self.out.append("\n\n" if tag in APART else "\n")
        elif tag in {"td", "th"}:
            self.out.append(" ")
        elif tag == "a":
            self._link = dict(attrs).get("href")
            self._link_at = len(self.out)
        elif tag == "img":
            words = dict(attrs).get("alt")
            if words and words.strip():
                self.out.append(f"[{words.strip()}]")

    def handle_endtag(self, tag: str) -> None:
        if tag in SILENT:
            self._silent = max(0, self._silent - (tag != "head"))
        elif tag == "a":
            self._end_link()
        elif tag in BLOCKS:
            self.out.append("\n\n" if tag in APART else "\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.out.append(SPACES.sub(" ", data))

    def _end_link(self) -> None:
        address, self._link = self._link, None
        shown = "".join(self.out[self._link_at :]).strip()
        if address and re.match(r"https?://", address, re.IGNORECASE) and shown:
            bare = re.sub(r"^https?://|/$", "", address)
            if re.sub(r"^https?://|/$", "", shown) != bare:
                self.out.append(f" ({address[:500]})")


def text_of(html: str) -> str:
    """The words of ``html``, in paragraphs. Never raises."""
    reader = _Reader()
    try:
        reader.feed(html[:LONGEST])
        reader.close()
    except (AssertionError, ValueError, RecursionError):  # what it had read by then stays
        pass
    text = "".join(reader.out)
    lines = [re.sub(r" {2,}", " ", line).strip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
