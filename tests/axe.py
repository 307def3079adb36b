"""What a program can find of how accessible a page is: axe-core, once in each page."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Page

COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
"""The rules that look at colours: whether a page that stays the same is readable in others, too."""
# What is right is long, and nobody reads it.
_RUN = """
async ({ within, ...options }) => {
  const dialog = within && [...document.querySelectorAll("dialog:modal")].at(-1);
  const { violations } = await axe.run(dialog || document, options);
  return { violations };
}
"""


def look_over(page: Page, rules: Any = None) -> AxeResults:
    """What is wrong with the page as it is now. ``rules``: axe's ``runOnly``; all by default.
    Colours are looked at in the dialog that is open, if one is: the page under it has been looked
    at before it opened."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    return AxeResults(page.evaluate(_RUN, {**options, "within": rules is COLOURS}))
