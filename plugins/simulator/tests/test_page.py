"""What the page's routes answer."""

from __future__ import annotations

import asyncio
import json
import re
from importlib import resources
from typing import Any

import pytest
from hub_simulator import store
from hub_simulator.routes import PAGE_FILES

from hub.plugin import Attachment, MediaRef, Message, Permanent
from plugins.simulator.tests.world import CUSTOMER, OWN, MemoryKv, running
from tests.patience import PATIENCE


def told(reply: Any) -> Any:
    return json.loads(reply.body)


async def test_every_route_is_for_members_and_acting_needs_the_right_to_send() -> None:
    async with running() as world:
        for (method, _), route in world.routes.items():
            assert route.auth == "member"
            assert route.capability == ("messages.view" if method == "GET" else "messages.send")


async def test_the_page_and_all_it_refers_to_are_served_without_inline_script() -> None:
    async with running() as world:
        page = await world.call("GET", "phone")
        html = page.body.decode()
        assert page.content_type == "text/html; charset=utf-8"
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style", html)
        wanted = set(re.findall(r'(?:src|href)="([^"/]+)"', html))
        scripts = {"phone.js"}
        while scripts:
            source = (await world.call("GET", scripts.pop())).body.decode()
            imported = set(re.findall(r'from "\./([^"]+)"', source))
            scripts |= imported - wanted
            wanted |= imported
        assert wanted == {path for path in PAGE_FILES if path != "phone"}
        for path in wanted:
            assert (await world.call("GET", path)).status == 200


async def test_everything_in_the_page_folder_is_served_or_a_sample() -> None:
    async with running() as world:
        files = resources.files("hub_simulator").joinpath("page")
        served = {path for method, path in world.routes if method == "GET"}
        names = {file.name for file in files.iterdir() if file.is_file()}
        assert names - served == {"phone.html"}
        samples = {sample["id"] for sample in told(await world.call("GET", "setup"))["samples"]}
        for sample in samples:
            reply = await world.call("GET", "picture", id=sample)
            assert reply.body.startswith(b"\x89PNG")
        assert len(samples) == len(list(files.joinpath("samples").iterdir()))


async def test_events_show_the_phone_and_wait_for_what_is_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store, "LOOK_AGAIN", 60.0)
    async with running() as world:
        first = told(await world.call("GET", "events", number="202 555 0142"))
        assert first["phone"]["number"] == CUSTOMER
        assert first["phone"]["display"] == "+1 202-555-0142"
        assert first["phone"]["messages"] == []
        since = str(first["version"])
        waiting = asyncio.create_task(world.call("GET", "events", number=CUSTOMER, since=since))
        await world.call("GET", "events", number="+447700900123", since="7")
        assert not waiting.done()
        await world.text("Anybody there?")
        async with asyncio.timeout(PATIENCE):
            news = told(await waiting)
        assert [m["text"] for m in news["phone"]["messages"]] == ["Anybody there?"]
        assert news["version"] != first["version"]


async def test_a_waiting_page_is_let_go_at_shutdown() -> None:
    async with running() as world:
        waiting = asyncio.create_task(world.call("GET", "events", number=CUSTOMER, since="0"))
        await asyncio.sleep(0)
    assert (await waiting).status == 200


async def test_a_page_hears_of_what_another_process_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LOOK_AGAIN", 0.01)
    kv = MemoryKv()
    async with running(kv) as here, running(kv) as there:
        waiting = asyncio.create_task(here.call("GET", "events", number=CUSTOMER, since="0"))
        await there.send("t1", "From the other process")
        news = told(await waiting)
        assert [m["text"] for m in news["phone"]["messages"]] == ["From the other process"]


async def test_every_phone_that_was_used_is_offered() -> None:
    async with running(customers=["+12025550142"]) as world:
        await world.send("t1", number="+491711234567")
        offered = told(await world.call("GET", "events"))["phones"]
        assert [phone["number"] for phone in offered] == ["+12025550142", "+491711234567"]


@pytest.mark.parametrize("number", ["not a number", "12", "+1 202 555 0142 ext. 5"])
async def test_a_number_that_is_none_is_said_so(number: str) -> None:
    async with running() as world:
        reply = await world.call("GET", "events", number=number)
        assert reply.status == 422
        assert told(reply)["detail"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("texts", {"number": CUSTOMER, "own_number": OWN, "text": "  "}),
        ("texts", {"number": CUSTOMER, "own_number": OWN, "text": "x" * 1601}),
        ("texts", {"number": CUSTOMER, "own_number": "+12025550199", "text": "x"}),
        ("texts", {"number": "202 555", "own_number": OWN, "text": "x"}),
        ("texts", {"number": CUSTOMER, "own_number": OWN, "pictures": ["upload-gone"]}),
        ("texts", b"{"),
        ("texts", b"\xff"),
        ("behaviour", {"number": CUSTOMER, "behaviour": {"answer": "explode"}}),
        ("behaviour", {"number": CUSTOMER, "behaviour": {"copies": 1000}}),
        ("behaviour", {"number": CUSTOMER, "behaviour": {"unknown": 1}}),
        ("seen", {"number": CUSTOMER}),
        ("pictures", b"x" * 600_001),
    ],
)
async def test_what_makes_no_sense_is_refused_in_words(path: str, body: Any) -> None:
    async with running() as world:
        reply = await world.call("POST", path, body)
        assert reply.status == 422
        assert told(reply)["detail"]
        assert (await world.phone()).messages == ()


async def test_a_picture_goes_by_reference_and_is_fetched_later() -> None:
    async with running() as world:
        body = b"\x89PNG" + bytes(100_000)
        kept = told(await world.call("POST", "pictures", body, name="../../roof.png"))
        assert kept["name"] == "roof.png"
        await world.text("", pictures=["sample-tap", kept["id"]])
        await world.quiet()
        (message,) = world.ctx.events
        assert isinstance(message, Message)
        assert message.text == ""
        tap, roof = message.media
        assert (tap.content_type, tap.name) == ("image/png", "dripping-tap.png")
        fetched = await world.plugin.fetch_media(world.ctx, roof)
        assert (fetched.body, fetched.content_type) == (body, "image/png")
        assert roof.size == len(body)
        assert (await world.plugin.fetch_media(world.ctx, tap)).body.startswith(b"\x89PNG")


async def test_old_uploads_make_room() -> None:
    async with running() as world:
        ids = [
            told(await world.call("POST", "pictures", bytes([n]) * 50_000, name=f"{n}.png"))["id"]
            for n in range(25)
        ]
        assert (await world.call("GET", "picture", id=ids[-1])).status == 200
        assert (await world.call("GET", "picture", id=ids[0])).status == 404
        with pytest.raises(Permanent):
            await world.plugin.fetch_media(world.ctx, MediaRef(provider_id=ids[0]))
        assert len(world.ctx.kv.values) == 1 + 20 * 2


async def test_a_file_the_hub_sent_is_shown_to_who_got_it_only() -> None:
    async with running() as world:
        world.ctx.media.bodies = {"a1": b"GIF89a", "a2": b"<script>", "secret": b"no"}
        picture = Attachment(id="a1", name="plan.gif", content_type="image/gif", size=6)
        page = Attachment(id="a2", name="page.html", content_type="text/html", size=8)
        await world.send("t1", "", attachments=(picture, page))
        shown = await world.call("GET", "attachment", number=CUSTOMER, id="a1")
        assert (shown.body, shown.content_type) == (b"GIF89a", "image/gif")
        saved = await world.call("GET", "attachment", number=CUSTOMER, id="a2")
        assert saved.content_type == "application/octet-stream"
        assert saved.headers["Content-Disposition"] == "attachment"
        for number, wanted in ((CUSTOMER, "secret"), ("+447700900123", "a1"), (CUSTOMER, "")):
            reply = await world.call("GET", "attachment", number=number, id=wanted)
            assert reply.status == 404
        world.ctx.media.bodies.clear()
        gone = await world.call("GET", "attachment", number=CUSTOMER, id="a1")
        assert gone.status == 404


async def test_texts_tell_nobodys_name() -> None:
    async with running() as world:
        assert ("POST", "name") not in world.routes
        assert "names" not in told(await world.call("GET", "setup"))["features"]
        await world.text("Hi")
        await world.quiet()
        (message,) = world.ctx.events
        assert message.sender_name is None


async def test_the_log_tells_what_passed_between_phone_network_and_hub() -> None:
    async with running() as world:
        message_id = await world.text("Hi")
        await world.send("t1", "Hello")
        phone = await world.quiet()
        lines = {(line.direction, line.text) for line in phone.log}
        assert ("on_phone", "The customer texts +1 202-555-0100") in lines
        assert ("to_hub", f"text {message_id}") in lines
        assert ("from_hub", "send, attempt 1: accepted as out-t1") in lines
        assert ("to_hub", "receipt “delivered” of out-t1") in lines
        sent = next(line for line in phone.log if line.direction == "from_hub")
        assert json.loads(sent.body)["wire"][0]["text"] == "Hello"
