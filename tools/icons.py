"""Draws the icons of the web interface's manifest from its mark: ``python tools/icons.py``.

They stand in ``webui/public/`` and in git, because a build has no browser to draw them with. A
maskable one is cut to any shape by whoever shows it: its ground reaches the edges, and the sign
keeps to the middle, of which four fifths are never cut off.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.services import find_chromium  # noqa: E402

MARK = ROOT / "webui" / "src" / "mark.svg"
PUBLIC = ROOT / "webui" / "public"
SIZES = (192, 512)


def main() -> int:
    """Write every icon."""
    mark = MARK.read_text(encoding="utf-8")
    whole = mark.replace(' rx="9"', "").replace("0 0 32 32", "-4 -4 40 40")
    whole = whole.replace(
        '<rect width="32" height="32"', '<rect x="-4" y="-4" width="40" height="40"'
    )
    (PUBLIC / "icon.svg").write_text(mark, encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium())
        for size in SIZES:
            page = browser.new_page(viewport={"width": size, "height": size})
            for name, drawing in (("icon", mark), ("icon-maskable", whole)):
                page.set_content(
                    f"<style>body {{ margin: 0 }} svg {{ display: block }}</style>{drawing}"
                )
                path = PUBLIC / f"{name}-{size}.png"
                page.screenshot(path=path, omit_background=True)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
