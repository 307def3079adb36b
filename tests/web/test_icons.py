"""The icons that a home screen and a notification show."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from tests.hubs import Client

SOURCES = Path(__file__).parents[2] / "webui" / "src"


@pytest.mark.feature("ALRT-03")
def test_every_icon_of_the_manifest_is_what_it_says(ana: Client) -> None:
    link = re.search(r'rel="manifest" href="(/[^"]+)"', ana.http.get("/").text)
    assert link
    manifest = ana.http.get(link[1])
    assert manifest.headers["content-type"].startswith("application/manifest+json")
    drawn: set[tuple[str, str]] = set()
    for icon in manifest.json()["icons"]:
        answer = ana.http.get(icon["src"])
        assert answer.status_code == 200, icon
        assert answer.headers["content-type"].split(";")[0] == icon["type"]
        if icon["type"] == "image/png":
            assert answer.content.startswith(b"\x89PNG\r\n\x1a\n")
            width, height = struct.unpack(">II", answer.content[16:24])
            assert icon["sizes"] == f"{width}x{height}"
        else:
            assert answer.text == (SOURCES / "mark.svg").read_text(encoding="utf-8")
        drawn.add((icon["sizes"], icon["purpose"]))
    both = {(f"{size}x{size}", purpose) for size in (192, 512) for purpose in ("any", "maskable")}
    assert drawn == {("any", "any"), *both}
