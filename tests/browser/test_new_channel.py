"""A channel that the pages have never heard of appears complete in them, out of its own data."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import BrowserContext, expect

from hub.cli.new import new_plugin
from tests.authors.provider import Provider
from tests.browser.screen import Inbox
from tests.hubs import HubProcess, wait_for

ICON = "M12 3 4 21h16Z"
KEY = "shared with the pigeons"
CONFIG = """\
[[channels]]
id = "loft"
plugin = "pigeon"
name = "The loft"
allow_hosts = ["127.0.0.1"]
[channels.settings]
url = "{url}"
key = "{key}"
"""
RULES = """
    @hub.hookimpl
    def compose_rules(self, ctx: hub.Context, facts: hub.ComposeFacts) -> hub.ComposeRules:
        return hub.ComposeRules(max_length=20)
"""


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture
def loft(tmp_path: Path, provider: Provider) -> Iterator[HubProcess]:
    """A hub with what ``hub plugin new`` wrote, an icon of its own, facts, and a rule."""
    assert new_plugin("pigeon", tmp_path) == 0
    site = tmp_path / "hub-pigeon" / "src"
    path = site / "hub_pigeon" / "channel.py"
    channel = path.read_text()
    for before, after in (
        ('label="Pigeon",', f'label="Pigeon", icon=hub.Icon(path="{ICON}"), tone="teal",'),
        ("text=came.text)", 'text=came.text, facts={"Flown": "12 miles"})'),
    ):
        assert before in channel
        channel = channel.replace(before, after)
    path.write_text(channel + RULES)
    info = site / "hub_pigeon-1.0.dist-info"
    info.mkdir()
    needs = "Requires-Dist: channel-hub>=0.1,<2\n"
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: p\nVersion: 1.0\n{needs}")
    (info / "entry_points.txt").write_text("[hub.plugins]\npigeon = hub_pigeon:Pigeon\n")
    config = CONFIG.format(url=provider.url, key=KEY)
    environ = {"PYTHONPATH": str(site)}
    with HubProcess(tmp_path / "hub", config=config, environ=environ) as process:
        yield process


@pytest.mark.feature("PLUG-05", "PLUG-06")
def test_it_has_a_row_a_card_an_icon_and_its_rules(
    loft: HubProcess, provider: Provider, browser_as: Callable[..., BrowserContext]
) -> None:
    body = json.dumps({"id": "1", "from": "zoe", "text": "Coo from\nafar"}).encode()
    signature = hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
    url = f"{loft.base_url}/hooks/main/loft"
    answer = httpx2.post(url, content=body, headers={"X-Pigeon-Signature": signature})
    assert answer.status_code == 200

    with contextlib.closing(loft.client()) as ana:
        inbox = Inbox(browser_as(ana, loft.base_url).new_page()).go()
        row = inbox.rows.filter(has_text="zoe")
        expect(row).to_contain_text("Coo from afar")
        expect(row.locator(f"svg.teal path[d='{ICON}']")).to_have_count(1)
        row.click()

        card = inbox.entry("Coo from")
        expect(card).to_contain_text("Flown")
        expect(card).to_contain_text("12 miles")
        expect(card.locator(".meta")).to_contain_text("The loft")
        expect(inbox.modes.locator(f"svg.teal path[d='{ICON}']")).to_have_count(1)
        expect(inbox.modes).to_contain_text("The loft")

        send = inbox.page.get_by_role("button", name="Send", exact=True)
        inbox.message.fill("x" * 21)
        expect(send).to_be_disabled()
        inbox.message.fill("Coo, coo.")
        expect(send).to_be_enabled()
        inbox.message.press("Enter")
        expect(inbox.entry("Coo, coo.")).to_contain_text("Sent")
    (taken,) = wait_for(lambda: provider.taken, what="the message at the provider")
    assert (taken["to"], taken["text"]) == ("zoe", "Coo, coo.")
