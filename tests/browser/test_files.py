"""Files in a conversation: pictures, sounds, films and documents where they stand, and what is not
shown because it is something else than it says."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import FilePayload, expect

from tests.browser.office import PNG, SOUND, Office
from tests.browser.screen import Inbox
from tests.hubs import wait_for

NOT_SHOWN = "Not shown: the file is not what its name says"
FILM = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(200)
PAGES = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]>>endobj
trailer<</Root 1 0 R>>
"""


@pytest.fixture(scope="module")
def browser(windowed: Chromium) -> Chromium:
    """One that shows documents."""
    return windowed


def sent_with(desk: Inbox, office: Office, number: str, *files: tuple[str, bytes]) -> None:
    """The conversation of somebody who was sent these, opened."""
    thread = office.message("chat", number, f"Files of {number}")
    ids = [
        office.client.http.post(
            office.client.path("attachments"), files={"file": (name, body, "")}
        ).json()["id"]
        for name, body in files
    ]
    office.answer(thread, "chat", f"Here they are, {number}", attachment_ids=ids)
    desk.page.goto(f"/messages?status=all&conversation={thread['id']}")
    expect(desk.log).to_be_visible()


@pytest.mark.feature("THRD-09")
def test_sounds_and_films_play_and_documents_open_where_they_stand(
    desk: Inbox, office: Office, number: str
) -> None:
    files = (("talk.wav", SOUND), ("film.mp4", FILM), ("plan.pdf", PAGES))
    sent_with(desk, office, number, *files)
    entry = desk.entry(f"Here they are, {number}")
    player = entry.get_by_role("group", name="talk.wav")
    player.get_by_role("button", name="Play").click()
    expect(player.get_by_role("button", name="Pause")).to_be_visible()
    expect(player.get_by_role("slider", name="Position")).to_have_attribute(
        "aria-valuetext", re.compile("of 0:12$")
    )
    expect(entry.locator("video[controls]")).to_have_attribute("aria-label", "film.mp4")
    for name, _ in files:
        expect(entry.get_by_role("link", name=name)).to_contain_text("View attachment")

    document = entry.get_by_role("link", name="plan.pdf")
    document.click()
    dialog = desk.page.get_by_role("dialog", name="plan.pdf")
    expect(dialog.locator("iframe")).to_have_attribute("src", re.compile("^blob:"))

    def is_viewed() -> bool:
        desk.page.evaluate("1")  # what has happened meanwhile is heard of
        return any(frame.url.startswith("chrome-extension:") for frame in desk.page.frames)

    wait_for(is_viewed, what="the browser's own viewer")
    expect(dialog.get_by_role("link", name="Download")).to_have_attribute("download", "plan.pdf")
    desk.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(document).to_be_focused()
    assert "conversation=" in desk.page.url


@pytest.mark.feature("THRD-09")
def test_a_file_that_is_not_what_its_name_says_is_not_shown_and_it_says_so(
    desk: Inbox, office: Office, number: str
) -> None:
    lying = (("page.png", b"<!doctype html><p>A page"), ("setup.exe", PNG), ("plan.pdf", PNG))
    sent_with(desk, office, number, *lying)
    entry = desk.entry(f"Here they are, {number}")
    for name, _ in lying:
        expect(entry.get_by_role("link", name=name)).to_contain_text(NOT_SHOWN)
    expect(entry.locator("img, video, audio, iframe")).to_have_count(0)

    # It is said before it goes out, too.
    picked: list[FilePayload] = [
        {"name": "roof.png", "mimeType": "image/png", "buffer": PNG},
        {"name": "page.png", "mimeType": "image/png", "buffer": lying[0][1]},
    ]
    desk.page.locator("input[type=file]").set_input_files(picked)
    attached = desk.page.get_by_role("list", name="Attached files").get_by_role("listitem")
    expect(attached.filter(has_text="page.png")).to_contain_text(NOT_SHOWN)
    expect(attached.filter(has_text="roof.png")).to_contain_text("bytes")
    expect(attached.filter(has_text="roof.png")).not_to_contain_text(NOT_SHOWN)
