"""Alerts for browsers in which no page of the hub is open, as their push service gets them."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import sqlalchemy as sa

from hub.rules.pushes import APART, MOST_DEVICES, key_of
from hub.store import tables as t
from tests.hubs import wait_for
from tests.people.signing_in import signed_in, write
from tests.push.conftest import Pushed, shown
from tests.standins.push import HOST, Browser, unb64
from tests.stream.test_withdrawn import watching
from tests.web.asking import check_problem

Numbers = tuple[str, str]


@pytest.mark.feature("ALRT-03")
def test_what_is_written_is_told_to_who_wants_to_hear_of_it(
    pushed: Pushed, numbers: Numbers
) -> None:
    first, second = numbers
    ben = pushed.house.add()
    before = ben.client.http.get("/api/v1/me/push").json()
    assert before["on"] is False
    assert len(unb64(before["public_key"])) == 65
    browser = pushed.told(ben.client)
    assert ben.client.http.get("/api/v1/me/push").json() == {**before, "on": True}
    (session,) = [one for one in ben.client.http.get("/api/v1/sessions").json() if one["current"]]
    assert session["notifications"] is True

    thread = pushed.text(first, "Where is my parcel?")
    note = {
        "tag": thread,
        "title": f"New message from {shown(first)}",
        "body": "",
        "path": f"/messages?conversation={thread}&status=all",
        "organisation": "main",
    }
    assert pushed.service.wait(browser) == [note]
    (taken,) = pushed.service.taken(browser)
    claims, key = taken.shown_by()
    assert key == before["public_key"]
    assert claims["sub"].startswith("mailto:")
    assert claims["exp"] <= time.time() + 24 * 3600
    assert taken.headers["content-encoding"] == "aes128gcm"
    assert taken.headers["ttl"] == "3600"
    assert taken.headers["urgency"] == "high"
    assert len(unb64(taken.headers["topic"])) == 24
    assert b"parcel" not in taken.body

    # What was written is shown where that is wanted.
    ben.client.patch("membership", {"alerts": {"text": True}})
    other = pushed.text(second, "With its words 🙂")
    later = pushed.service.wait(browser, 2)[1]
    assert (later["tag"], later["body"]) == (other, "With its words 🙂")
    topics = {one.headers["topic"] for one in pushed.service.taken(browser)}
    assert len(topics) == 2


@pytest.mark.feature("ALRT-03", "PERM-03")
def test_nobody_is_told_what_they_may_not_see_or_do_not_want_to_hear(
    pushed: Pushed, numbers: Numbers
) -> None:
    first, second = numbers
    house = pushed.house
    wanted = {"name": "Front", "capabilities": ["messages.view"], "channels": ["front"]}
    house.ana.post("roles", wanted)
    _, limited = pushed.person("Front")
    own, of_own = pushed.person()
    own.client.patch("membership", {"alerts": {"whose": "own"}})
    still, of_still = pushed.person()
    still.client.patch("membership", {"alerts": {"off": ["text"]}})
    hushed, of_hushed = pushed.person()
    quiet = [
        {"on": True, "start": "00:00", "end": "12:00"},
        {"on": True, "start": "12:00", "end": "00:00"},
    ]
    hushed.client.patch("membership", {"alerts": {"quiet": quiet[time.gmtime().tm_hour // 12]}})
    gone, of_gone = pushed.person()
    house.ana.post(f"members/{gone.member_id}/deactivate")
    _, everything = pushed.person()

    thread = pushed.text(first, "For the workshop", channel="workshop")
    assert len(pushed.service.wait(everything)) == 1
    assert len(pushed.service.wait(of_own)) == 1, "nobody has it"
    house.ana.patch(f"threads/{thread}", {"assignee_id": still.member_id})
    assigned = f"Ana Admin assigned you a conversation with {shown(first)}"
    me = house.ana.me["user"]["name"] if "user" in house.ana.me else house.ana.me["name"]
    assigned = assigned.replace("Ana Admin", me)
    assert [one["title"] for one in pushed.service.wait(of_still)] == [assigned]
    pushed.text(second, "For the front")
    assert len(pushed.service.wait(everything, 2)) == 2
    assert [one["title"] for one in pushed.service.wait(limited)] == [
        f"New message from {shown(second)}"
    ]
    assert pushed.service.taken(of_hushed) == []
    assert pushed.service.taken(of_gone) == []
    assert len(pushed.service.taken(of_still)) == 1


@pytest.mark.feature("ALRT-03", "ALRT-01")
def test_who_looks_at_the_conversation_is_not_told(pushed: Pushed, numbers: Numbers) -> None:
    first, second = numbers
    person, browser = pushed.person()
    _, other = pushed.person()
    thread = pushed.text(first, "Hello")
    assert len(pushed.service.wait(browser)) == 1
    fresh = pushed.told(person.client, Browser())
    with watching(person.client) as socket:
        socket.send(json.dumps({"at": {"thread": thread, "typing": False}}))
        while json.loads(socket.recv(timeout=20)).get("type") != "presence":
            pass
        pushed.text(first, "Are you there?")
        pushed.text(second, "And I?")
        titles = [one["title"] for one in pushed.service.wait(fresh)]
        assert titles == [f"New message from {shown(second)}"]
    assert pushed.service.wait(other, 2)


@pytest.mark.feature("ALRT-03", "PERM-05")
def test_it_ends_with_the_session_and_when_it_is_switched_off(
    pushed: Pushed, numbers: Numbers
) -> None:
    first, _ = numbers
    ben, switched = pushed.person()
    phone = signed_in(pushed.house, ben.email)
    ended = pushed.told(phone)
    tablet = signed_in(pushed.house, ben.email)
    left = pushed.told(tablet)
    _, stays = pushed.person()
    listed = ben.client.http.get("/api/v1/sessions").json()
    assert [one["notifications"] for one in listed] == [True, True, True]
    assert ben.client.http.delete("/api/v1/me/push").status_code == 204
    assert ben.client.http.get("/api/v1/me/push").json()["on"] is False
    assert tablet.http.delete("/api/v1/session").is_success
    ben.client.http.post("/api/v1/sessions/end-others")
    assert [row.push for row in pushed.house.rows(t.sessions) if row.push] != []
    pushed.text(first, "Is anybody there?")
    assert len(pushed.service.wait(stays)) == 1
    for browser in (switched, ended, left):
        assert pushed.service.taken(browser) == []

    # A browser is one person's: of two who were given it, the last.
    ana, zoe = pushed.house.add(), pushed.house.add()
    shared = pushed.told(ana.client)
    pushed.told(zoe.client, shared)
    assert ana.client.http.get("/api/v1/me/push").json()["on"] is False
    assert zoe.client.http.get("/api/v1/me/push").json()["on"] is True


@pytest.mark.feature("ALRT-03")
def test_what_the_service_answers_is_heeded(pushed: Pushed, numbers: Numbers) -> None:
    first, second = numbers
    answers = pushed.service.answers
    gone, left = pushed.person()
    answers[left.place].append((410, {}))
    _, busy = pushed.person()
    answers[busy.place] += [(429, {"Retry-After": "1"}), (503, {})]
    refusing, refused = pushed.person()
    answers[refused.place].append((403, {}))
    pushed.text(first, "Once")
    assert len(pushed.service.wait(busy, 3)) == 3
    assert len({one["title"] for one in pushed.service.notes(busy)}) == 1
    wait_for(lambda: not gone.client.http.get("/api/v1/me/push").json()["on"])
    assert refusing.client.http.get("/api/v1/me/push").json()["on"] is True
    pushed.text(second, "Twice")
    assert len(pushed.service.wait(refused, 2)) == 2
    assert len(pushed.service.wait(busy, 4)) == 4
    assert len(pushed.service.taken(left)) == 1
    metrics = pushed.house.ana.http.get("/metrics").text
    for outcome in ("gone", "refused", "deferred", "sent"):
        assert f'hub_pushes_total{{outcome="{outcome}"}}' in metrics


@pytest.mark.feature("ALRT-03")
def test_of_one_conversation_there_is_one_push_at_a_time(pushed: Pushed, numbers: Numbers) -> None:
    first, second = numbers
    person, browser = pushed.person()
    person.client.patch("membership", {"alerts": {"text": True}})
    thread = pushed.text(first, "First")
    assert [one["body"] for one in pushed.service.wait(browser)] == ["First"]
    for text in ("Second", "Third"):
        pushed.text(first, text)
    pushed.text(second, "Somebody else")
    assert [one["body"] for one in pushed.service.wait(browser, 2)] == ["First", "Somebody else"]
    key = key_of(browser.subscription["endpoint"])
    rows = [row for row in pushed.house.rows(t.pushes) if row.push_key == key]
    (later,) = [row for row in rows if row.about == f"thread:{thread}"]
    assert (later.state, later.due_at - later.tried_at) == ("waiting", APART)


@pytest.mark.feature("ALRT-03", "PERM-03")
def test_who_manages_channels_is_told_of_one_in_trouble(pushed: Pushed, numbers: Numbers) -> None:
    ana = pushed.house.ana
    wanted = {"name": "Keepers", "capabilities": ["messages.view", "channels.manage"]}
    ana.post("roles", wanted)
    ana.post("roles", {**wanted, "name": "Keepers of the front", "channels": ["front"]})
    _, told = pushed.person("Keepers")
    talkative, words = pushed.person("Keepers")
    talkative.client.patch("membership", {"alerts": {"text": True}})
    off, silent = pushed.person("Keepers")
    off.client.patch("membership", {"alerts": {"off": ["channel"]}})
    deaf = [pushed.person("Keepers of the front")[1], pushed.person("User SMS")[1], silent]

    (pushed.odd / "well").unlink()
    assert ana.post("channels/odd/check")["state"] == "needs_attention"
    note = {
        "tag": "channel:odd",
        "title": "Unruly needs attention",
        "body": "",
        "path": "/settings/channels/odd",
        "organisation": "main",
    }
    assert pushed.service.wait(told) == [note]
    assert pushed.service.wait(words) == [{**note, "body": "*** expires"}]
    # Had the others been told of it, they would have been before they are told of what comes later.
    pushed.text(numbers[0], "Hello")
    for browser in deaf:
        (only,) = pushed.service.wait(browser)
        assert only["title"].startswith("New message")
    (pushed.odd / "well").touch()
    assert ana.post("channels/odd/check")["state"] == "ok"


@pytest.mark.feature("ALRT-03")
def test_a_hub_that_starts_anew_tells_what_is_fresh_and_nothing_twice(
    pushed: Pushed, numbers: Numbers
) -> None:
    first, second = numbers
    person, browser = pushed.person()
    key = person.client.http.get("/api/v1/me/push").json()["public_key"]
    pushed.text(first, "Before")
    assert len(pushed.service.wait(browser)) == 1
    port = pushed.house.hub.port
    pushed.house.hub.stop()
    pushed.house.hub.start(port=port)
    assert person.client.http.get("/api/v1/me/push").json()["public_key"] == key
    pushed.text(second, "After")
    titles = [one["title"] for one in pushed.service.wait(browser, 2)]
    assert titles == [f"New message from {shown(number)}" for number in (first, second)]


@pytest.mark.feature("ALRT-03")
def test_another_secret_key_changes_nothing_for_browsers(pushed: Pushed, numbers: Numbers) -> None:
    first, _ = numbers
    person, browser = pushed.person()
    key = person.client.http.get("/api/v1/me/push").json()["public_key"]
    before = {row.push for row in pushed.house.rows(t.sessions) if row.push}
    told = len(before)
    done = pushed.house.hub.run("keys", "replace")
    assert done.returncode == 0, done.stderr
    assert f"{told} addresses of browsers" in done.stdout
    assert "1 keys for push services" in done.stdout
    after = {row.push for row in pushed.house.rows(t.sessions) if row.push}
    assert len(after) == told
    assert not before & after
    pushed.text(first, "Still there?")
    assert len(pushed.service.wait(browser)) == 1
    assert pushed.service.taken(browser)[0].shown_by()[1] == key


@pytest.mark.feature("ALRT-03")
def test_where_a_browser_is_told_is_nobodys_to_read(pushed: Pushed, numbers: Numbers) -> None:
    first, _ = numbers
    person, browser = pushed.person()
    pushed.text(first, "Hello")
    assert len(pushed.service.wait(browser)) == 1
    given = browser.subscription
    kept = str([tuple(row) for table in (t.sessions, t.pushes, t.meta, t.audit)
                for row in pushed.house.rows(table)])  # fmt: skip
    said = person.client.http.get("/api/v1/sessions").text
    for secret in (browser.place, *given["keys"].values()):
        assert secret not in kept
        assert secret not in said
        assert secret not in pushed.house.hub.output


BAD: dict[str, tuple[str, Any]] = {
    "not https": ("endpoint", f"http://{HOST}/x"),
    "no address": ("endpoint", "here"),
    "no host": ("endpoint", "https:///x"),
    "a wrong port": ("endpoint", "https://push.example:99999/x"),
    "this machine": ("endpoint", "https://localhost/x"),
    "by its number": ("endpoint", "https://127.0.0.1/x"),
    "by one number": ("endpoint", "https://2130706433/x"),
    "by its other number": ("endpoint", "https://[::1]:8443/x"),
    "a cloud's metadata": ("endpoint", "https://169.254.169.254/latest"),
    "a private network": ("endpoint", "https://10.0.0.7/x"),
    "with a name": ("endpoint", "https://ana:secret@push.example/x"),
    "with a space": ("endpoint", "https://push.example/a b"),
    "too long": ("endpoint", f"https://{HOST}/{'x' * 2000}"),
    "a short point": ("p256dh", "BAAA"),
    "a compressed point": ("p256dh", "A" * 87),
    "beside the curve": ("p256dh", "B" + "A" * 86),
    "no base64url": ("p256dh", "ö" * 87),
    "a short secret": ("auth", "AAAA"),
    "a long secret": ("auth", "A" * 44),
}


def test_what_no_browser_gives_is_refused(pushed: Pushed) -> None:
    person = pushed.house.add()
    put = person.client.http.put
    for what, (field, value) in BAD.items():
        wanted = Browser().subscription
        (wanted if field == "endpoint" else wanted["keys"])[field] = value
        told = check_problem(put("/api/v1/me/push", json=wanted), 422)
        assert told["code"] == "bad_subscription", what
        assert [one["field"] for one in told["errors"]] == [field], what
    for wanted in ({}, {"endpoint": "x"}, {"endpoint": 1, "keys": {}}, {"endpoint": None}):
        check_problem(put("/api/v1/me/push", json=wanted), 400)
    assert person.client.http.get("/api/v1/me/push").json()["on"] is False

    # As a name that leads to this machine, or to nothing, it is taken, and never asked.
    wanted = Browser().subscription | {"endpoint": "https://nobody.invalid/x"}
    assert put("/api/v1/me/push", json=wanted).status_code == 204


def test_one_person_is_told_in_so_many_browsers(pushed: Pushed) -> None:
    person, _ = pushed.person()
    client = signed_in(pushed.house, person.email)
    (own,) = [one["id"] for one in client.http.get("/api/v1/sessions").json() if one["current"]]
    row = next(one for one in pushed.house.rows(t.sessions) if one.token_hash.startswith(own))
    others = [
        {
            **row._mapping,
            "token_hash": f"other {count}",
            "push": "",
            "push_key": f"{count}",
            "push_at": 1,
        }
        for count in range(MOST_DEVICES - 1)
    ]
    write(pushed.house, sa.insert(t.sessions).values(others))
    wanted = Browser().subscription
    told = check_problem(client.http.put("/api/v1/me/push", json=wanted), 409)
    assert told["code"] == "too_many_devices"
    pushed.told(person.client, Browser())  # another address of one that there is already
    person.client.http.delete("/api/v1/me/push")
    pushed.told(client)
    gone = sa.delete(t.sessions).where(t.sessions.c.token_hash.startswith("other "))
    write(pushed.house, gone)
