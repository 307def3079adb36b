"""The settings and one's own account without a pointer: every control is reached, in the order in
which they are read, and seen when it is."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.hubs import HubProcess

PAGES = (
    "settings/organisation",
    "settings/sign-in",
    "settings/members",
    "settings/invitations",
    "settings/roles",
    "settings/tokens",
    "settings/quiet-hours",
    "settings/consent",
    "settings/approvals",
    "settings/assignment",
    "settings/targets",
    "settings/letters",
    "settings/channels",
    "settings/templates",
    "settings/audit",
    "account",
)
CONTROLS = """() => {
    const groups = new Set();
    return [...document.querySelectorAll('main :is(a[href], button, input, select, textarea,'
        + ' summary, [tabindex])')].filter(one => {
        if (one.tabIndex < 0 || one.disabled || !one.checkVisibility({ visibilityProperty: true }))
            return false;
        if (one.type !== 'radio') return true;
        const group = one.name && document.querySelector(
            `main input[type=radio][name="${CSS.escape(one.name)}"]:checked`) || one;
        return group === one;  // of several the one that is chosen
    }).map((one, at) => { one.dataset.at = String(at); return one.outerHTML.slice(0, 160); });
}"""
FOCUSED = """() => {
    const one = document.activeElement;
    if (!one || one === document.body) return null;
    const box = one.getBoundingClientRect();
    const style = getComputedStyle(one);
    return {
        at: one.dataset.at ?? '',
        seen: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
        html: one.outerHTML.slice(0, 160),
        more: one.matches('input[type=date], input[type=time], input[type=datetime-local]'),
    };
}"""
MOST = 400


@pytest.mark.feature("SHELL-07")
def test_every_control_of_the_settings_is_reached(
    hub: HubProcess, anas_browser: BrowserContext
) -> None:
    page = anas_browser.new_page()
    page.set_viewport_size({"width": 1440, "height": 900})
    for path in PAGES:
        page.goto(f"{hub.base_url}/{path}")
        expect(page.locator("main").get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_load_state("networkidle")
        wanted = page.evaluate(CONTROLS)
        assert wanted, path
        page.evaluate("() => document.activeElement?.blur?.()")
        page.locator("main").evaluate("one => { one.tabIndex = -1; one.focus(); }")
        reached: list[int] = []
        for _ in range(MOST):
            page.keyboard.press("Tab")
            focused = page.evaluate(FOCUSED)
            if focused is None or not focused["at"]:
                break
            assert focused["seen"], (path, focused["html"])
            at = int(focused["at"])
            if not reached or reached[-1] != at:  # parts of a date are stations of their own
                reached.append(at)
        missing = [wanted[at] for at in range(len(wanted)) if at not in reached]
        assert missing == [], path
        assert reached == sorted(reached), path
