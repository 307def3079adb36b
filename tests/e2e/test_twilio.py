"""Texts by Twilio from end to end: a real hub, Twilio's stand-in, recorded webhooks."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx2
import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from hub.store import tables as t
from tests import books, recorded
from tests.e2e.conftest import RECORDED_TO
from tests.hubs import Client, wait_for
from tests.patience import PATIENCE
from tests.standins.hub import TwilioHub
from tests.standins.twilio import ACCOUNT, API, NUMBER, STORE, Answer, Refuse, Stored, TwilioStandIn

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
RECORDINGS = ("sms_inbound_botbuilder", "sms_inbound_us_geo", "sms_inbound_with_addons")
HANGS, BABBLES = "+15005550007", "+15005550201"
AT_ONCE = 5.0
"""Seconds for what has to be there within one: the machine may be busy."""


# ---- helpers


def thread_with(client: Client, phone: str) -> dict[str, Any]:
    """The conversation with a number, as its page shows it; waits for it."""

    def look() -> dict[str, Any] | None:
        for thread in client.threads(limit=200):
            detail = client.get(f"threads/{thread['id']}")
            if any(one["value"] == phone for one in detail["details"]["addresses"]):
                return detail
        return None

    return wait_for(look, what=f"a conversation with {phone}", limit=AT_ONCE)


def write(client: Client, phone: str, body: str, **more: Any) -> dict[str, Any]:
    """A new message to a number: the entry."""
    return client.post("messages", {"channel_id": "sms", "to": phone, "body": body, **more})


def entry(client: Client, made: dict[str, Any]) -> dict[str, Any]:
    """An entry as it is now."""
    (found,) = [one for one in client.entries(made["thread_id"]) if one["id"] == made["id"]]
    return found


def until(
    client: Client, made: dict[str, Any], status: str, limit: float = PATIENCE
) -> dict[str, Any]:
    """The entry, once it has a status."""

    def look() -> dict[str, Any] | None:
        now = entry(client, made)
        return now if now["status"] == status else None

    return wait_for(look, what=f"{made['id']} to be {status}", limit=limit)


def sent_to(twilio: TwilioStandIn, phone: str) -> list[Stored]:
    return [stored for stored in twilio.sent if stored.resource["to"] == phone]


def asked_for(twilio: TwilioStandIn, phone: str) -> int:
    """How often Twilio was asked to send to a number."""
    return sum(
        request.method == "POST" and dict(request.form).get("To") == phone
        for request in list(twilio.requests)
    )


def metric(hub: TwilioHub, name: str, **labels: str) -> float:
    text = httpx2.get(f"{hub.base_url}/metrics").text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return 0.0


def stored(database: str, table: sa.Table) -> int:
    count = sa.select(sa.func.count()).select_from(table)
    return asyncio.run(books.read(database, lambda connection: connection.scalar(count))) or 0


def recording(name: str) -> bytes:
    """A recorded webhook, of the account that the channel is of."""
    body = recorded.path(f"twilio/{name}.form").read_bytes()
    fields = [
        (key, ACCOUNT if key == "AccountSid" else value)
        for key, value in parse_qsl(body.decode(), keep_blank_values=True)
    ]
    return urlencode(fields).encode()


# ---- a text comes in, the answer goes out


@pytest.mark.feature("ROUT-01")
@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recorded_text_is_in_the_inbox(
    hub: TwilioHub, twilio: TwilioStandIn, client: Client, name: str
) -> None:
    body = recording(name)
    fields = dict(parse_qsl(body.decode()))
    answer = twilio.post(hub.hook, body)
    assert (answer.status_code, answer.headers["content-type"][:8]) == (200, "text/xml")
    thread = thread_with(client, fields["From"])
    assert (thread["status"], thread["unread"]) == ("open", 1)
    (only,) = client.entries(thread["id"])
    assert (only["direction"], only["blocks"][0]["text"]) == ("in", fields["Body"])


@pytest.mark.feature("THRD-03")
def test_the_answer_goes_out_as_twilio_wants_it_and_its_receipts_come_back(
    hub: TwilioHub, twilio: TwilioStandIn, client: Client, phone: str
) -> None:
    assert twilio.inbound(hub.hook, phone, RECORDED_TO, "Hello, it's me").is_success
    thread = thread_with(client, phone)
    assert thread["needs_response"]
    reply = {"channel_id": "sms", "contact_id": thread["contact"]["id"], "body": "Hé & +1 😀"}
    made = client.post(f"threads/{thread['id']}/messages", reply)
    assert made["status"] == "pending"
    until(client, made, "queued")
    (message,) = sent_to(twilio, phone)
    assert (message.body, message.resource["from"]) == ("Hé & +1 😀", RECORDED_TO)
    for status in ("sent", "delivered"):
        answer = twilio.callback(message.sid, status)
        assert answer is not None
        assert answer.status_code == 200
        until(client, made, status)
    assert not client.get(f"threads/{thread['id']}")["needs_response"]
    assert asked_for(twilio, phone) == 1


@pytest.mark.feature("ROUT-06")
def test_a_text_delivered_again_is_one_entry(
    hub: TwilioHub, twilio: TwilioStandIn, client: Client, phone: str
) -> None:
    for _ in range(3):
        assert twilio.inbound(hub.hook, phone, body="Once", MessageSid="SM" + "7" * 32).is_success
    thread = thread_with(client, phone)
    assert thread["unread"] == len(client.entries(thread["id"])) == 1


# ---- receipts


@pytest.mark.feature("THRD-03")
def test_statuses_backwards_and_doubled_end_right(
    twilio: TwilioStandIn, client: Client, phone: str
) -> None:
    made = write(client, phone, "Receipts")
    until(client, made, "queued")
    (message,) = sent_to(twilio, phone)
    for status in ("delivered", "sent", "queued", "delivered", "undelivered"):
        assert twilio.callback(message.sid, status) is not None
        assert entry(client, made)["status"] == "delivered"


@pytest.mark.feature("THRD-03")
def test_a_failure_after_sent_is_told_with_its_reason(
    twilio: TwilioStandIn, client: Client, phone: str
) -> None:
    made = write(client, phone, "Fails late")
    until(client, made, "queued")
    (message,) = sent_to(twilio, phone)
    twilio.callback(message.sid, "sent")
    twilio.callback(message.sid, "undelivered", 30005)
    failed = until(client, made, "failed")
    assert failed["status_reason"] == "The number is unknown or no longer in use"


@pytest.mark.feature("THRD-03")
@pytest.mark.parametrize("names_us", [True, False], ids=["by our id", "by Twilio's id"])
def test_a_receipt_that_outruns_the_answer_is_not_lost(
    hub: TwilioHub, twilio: TwilioStandIn, client: Client, phone: str, names_us: bool
) -> None:
    def report(message: Stored) -> None:
        """Before the request that made the message is answered."""
        if message.resource["to"] == phone:
            if not names_us:
                message.status_callback = hub.hook
            answer = twilio.callback(message.sid, "delivered")
            assert answer is not None
            assert answer.status_code == 200

    twilio.made = report
    try:
        made = write(client, phone, "Outrun")
        until(client, made, "delivered")
    finally:
        twilio.made = lambda _: None
    assert asked_for(twilio, phone) == 1


# ---- consent


def test_whoever_twilio_says_has_opted_out_is_not_written_to_again(
    twilio: TwilioStandIn, client: Client, phone: str
) -> None:
    twilio.moods[phone] = Refuse(400, 21610)
    made = write(client, phone, "Are you there?")
    failed = until(client, made, "failed")
    assert failed["status_reason"] == "The recipient has opted out (STOP)"
    (consent,) = thread_with(client, phone)["consents"]
    assert (consent["state"], consent["value"]) == ("out", phone)
    again = client.call("POST", "messages", {"channel_id": "sms", "to": phone, "body": "Hello?"})
    assert (again.status_code, again.json()["code"]) == (422, "opted_out")
    assert asked_for(twilio, phone) == 1


@pytest.mark.feature("COMP-08")
def test_a_number_without_its_country_code_is_of_our_country(client: Client) -> None:
    def told(to: str) -> Any:
        return client.call("POST", "messages/preview", {"channel_id": "sms", "to": to})

    here = {"value": "+12025550188", "display": "+1 202-555-0188"}
    for typed in ("(202) 555-0188", "202-555-0188", "1 202 555 0188", "+1 202 555 0188"):
        assert told(typed).json()["to"] == here, typed
    assert told("+44 20 7946 0958").json()["to"]["value"] == "+442079460958"


def test_stop_and_start(hub: TwilioHub, twilio: TwilioStandIn, client: Client, phone: str) -> None:
    twilio.inbound(hub.hook, phone, body="Stop ", OptOutType="STOP")
    thread = thread_with(client, phone)
    assert (thread["needs_response"], thread["unread"]) == (False, 1)
    assert [one["state"] for one in thread["consents"]] == ["out"]
    _, line = client.entries(thread["id"])
    assert line["kind"] == "system"
    (mode,) = [mode for mode in thread["compose"] if mode["channel_id"] == "sms"]
    assert not mode["can_send"]
    reply = {"channel_id": "sms", "contact_id": thread["contact"]["id"], "body": "Sorry!"}
    refused = client.call("POST", f"threads/{thread['id']}/messages", reply)
    assert (refused.status_code, refused.json()["code"]) == (422, "opted_out")
    twilio.inbound(hub.hook, phone, body="START")
    assert [one["state"] for one in thread_with(client, phone)["consents"]] == ["in"]
    assert len(client.entries(thread["id"])) == 4
    until(client, client.post(f"threads/{thread['id']}/messages", reply), "queued")


# ---- files


def test_a_picture_that_came_in_is_fetched_and_shown(
    hub: TwilioHub, twilio: TwilioStandIn, client: Client, phone: str
) -> None:
    twilio.inbound(hub.hook, phone, media=[("image/jpeg", PNG)])
    thread = thread_with(client, phone)

    def fetched() -> dict[str, Any] | None:
        (only,) = client.entries(thread["id"])
        (file,) = only["attachments"]
        return file if file["state"] == "ready" else None

    file = wait_for(fetched, what="the picture")
    assert (file["content_type"], file["width"], file["inline"]) == ("image/png", 1, True)
    shown = client.http.get(client.path(f"attachments/{file['id']}"))
    assert (shown.content, shown.headers["content-type"]) == (PNG, "image/png")
    asked = [one for one in list(twilio.requests) if "/Media/" in one.path or one.host == STORE]
    assert {(one.host, one.user) for one in asked} == {(API, ACCOUNT), (STORE, None)}


def test_a_picture_that_goes_out_is_offered_to_twilio(
    twilio: TwilioStandIn, client: Client, phone: str
) -> None:
    upload = {"file": ("front door.png", PNG, "application/octet-stream")}
    answer = client.http.post(client.path("attachments"), files=upload)
    assert answer.is_success, answer.text
    message = {
        "channel_id": "sms",
        "to": phone,
        "body": "",
        "attachment_ids": [answer.json()["id"]],
    }
    made = client.post("messages", message, key=phone)
    until(client, made, "queued")
    (message_sent,) = sent_to(twilio, phone)
    (url,) = message_sent.media_urls
    (got,) = twilio.fetch(message_sent.sid)
    looked = httpx2.head(url)
    for fetched in (got, looked):
        assert fetched.status_code == 200
        assert fetched.headers["content-type"] == "image/png"
        assert fetched.headers["content-length"] == str(len(PNG))
        assert "front door.png" in fetched.headers["content-disposition"]
    assert got.content == PNG
    assert httpx2.get(url[:-1] + ("0" if url[-1] != "0" else "1")).status_code == 404
    # A client that has not heard of the success asks again: the file was sent by itself.
    assert client.post("messages", message, key=phone)["id"] == made["id"]


# ---- what goes wrong


@pytest.mark.feature("OPER-03")
def test_a_busy_provider_is_asked_again_later(
    twilio: TwilioStandIn, client: Client, phone: str
) -> None:
    failing = phone[:-4] + "9" + phone[-3:]
    twilio.moods[phone] = Refuse(429, 20429, {"Retry-After": "2"})
    twilio.moods[failing] = Refuse(500, 20500)
    began = time.monotonic()  # before the first attempt, however late that is seen
    made = {number: write(client, number, "Patience") for number in (phone, failing)}
    for number in made:
        wait_for(lambda number=number: asked_for(twilio, number), what="the first attempt")
    for number, one in made.items():
        assert entry(client, one)["status"] == "pending"
        del twilio.moods[number]
    until(client, made[phone], "queued")
    assert time.monotonic() - began >= 2
    until(client, made[failing], "queued")
    assert [asked_for(twilio, number) for number in made] == [2, 2]


@pytest.mark.feature("OPER-03")
def test_refused_credentials_pause_the_channel_until_somebody_resumes_it(
    twilio: TwilioStandIn, client: Client, phone: str
) -> None:
    def channel() -> dict[str, Any]:
        (found,) = [one for one in client.get("channels") if one["id"] == "sms"]
        return found

    twilio.moods[phone] = Refuse(401, 20003)
    made = write(client, phone, "Who are we?")
    wait_for(lambda: channel()["paused"], what="the channel's pause")
    assert channel()["state"] == "needs_attention"
    assert channel()["reason"] == "Twilio refuses the credentials"
    later = write(client, phone, "Still waiting")
    del twilio.moods[phone]
    assert [entry(client, one)["status"] for one in (made, later)] == ["pending", "pending"]
    assert asked_for(twilio, phone) == 1
    client.post("channels/sms/resume")
    assert (channel()["state"], channel()["paused"]) == ("ok", False)
    for one in (made, later):
        until(client, one, "queued")
    assert [one.body for one in sent_to(twilio, phone)] == ["Who are we?", "Still waiting"]


@pytest.mark.feature("THRD-12")
def test_a_message_is_canceled_until_it_is_picked_up(
    twilio: TwilioStandIn, client: Client, phone: str
) -> None:
    client.post("channels/sms/pause")
    made, kept = (write(client, phone, body) for body in ("Never mind", "This one"))
    assert client.post(f"entries/{made['id']}/cancel")["status"] == "canceled"
    client.post("channels/sms/resume")
    until(client, kept, "queued")
    assert [one.body for one in sent_to(twilio, phone)] == ["This one"]
    late = client.call("POST", f"entries/{kept['id']}/cancel")
    assert (late.status_code, late.json()["code"]) == (409, "too_late")


@pytest.mark.feature("THRD-12")
def test_a_failed_message_is_tried_again(twilio: TwilioStandIn, client: Client, phone: str) -> None:
    twilio.moods[phone] = Refuse(400, 21211)
    made = write(client, phone, "Hello")
    assert until(client, made, "failed")["status_reason"] == "It is no valid phone number"
    del twilio.moods[phone]
    client.post(f"entries/{made['id']}/retry")
    until(client, made, "queued")
    assert len(sent_to(twilio, phone)) == 1


@pytest.fixture(scope="package", autouse=True)
def unanswered(hub: TwilioHub) -> dict[str, dict[str, Any]]:
    """Two messages that Twilio made without telling: once it never answered, once its answer made
    no sense. Asked for first, because the first takes its time to be given up."""
    client = hub.client()
    made = {phone: write(client, phone, "Did you get this?") for phone in (HANGS, BABBLES)}
    client.close()
    return made


@pytest.mark.feature("OPER-03")
def test_what_nobody_knows_is_asked_after_a_pause(
    twilio: TwilioStandIn, client: Client, database: str, phone: str
) -> None:
    """A channel that sends nothing at the moment when it would be asked is asked when it does."""
    own = t.transmissions.c

    def due() -> int:
        statement = sa.select(own.due_at).where(own.entry_id == int(made["id"]))
        return asyncio.run(books.read(database, lambda one: one.execute(statement).scalar_one()))

    def come() -> None:
        """Let the time come at which it is asked."""
        statement = sa.update(own.id.table).where(own.entry_id == int(made["id"])).values(due_at=1)
        asyncio.run(books.write(database, lambda one: one.execute(statement)))

    twilio.moods[phone] = Answer(b"<html>Welcome</html>")
    made = write(client, phone, "Is it there?")
    until(client, made, "unknown")
    client.post("channels/sms/pause")
    come()
    wait_for(lambda: due() > 1, what="that it is put off")
    assert due() < (time.time() + 3600) * 1000, "not for ever"
    assert entry(client, made)["status"] == "unknown"
    client.post("channels/sms/resume")
    come()
    until(client, made, "queued", limit=60)
    assert len(sent_to(twilio, phone)) == 1


# ---- who posts what


def test_what_is_not_signed_by_twilio_is_refused_and_counted(
    hub: TwilioHub, twilio: TwilioStandIn, database: str, phone: str
) -> None:
    refused = {"channel": "sms", "state": "refused"}
    counted = metric(hub, "hub_deliveries_total", **refused)
    kept, entries = stored(database, t.deliveries), stored(database, t.entries)
    fields = [("MessageSid", "SM" + "8" * 32), ("From", phone), ("To", NUMBER), ("Body", "Hi")]
    assert httpx2.post(hub.hook, data=dict(fields)).status_code == 403
    assert twilio.post(hub.hook, fields, signature="bm90IHRoZSBvbmU=").status_code == 403
    assert metric(hub, "hub_deliveries_total", **refused) == counted + 2
    assert (stored(database, t.deliveries), stored(database, t.entries)) == (kept, entries)


@pytest.mark.feature("ROUT-07")
def test_what_is_twilios_but_not_understood_is_kept(
    hub: TwilioHub, twilio: TwilioStandIn, database: str
) -> None:
    entries = stored(database, t.entries)
    fields = [("MessageSid", "SM" + "9" * 32), ("To", NUMBER), ("Body", "From nobody")]
    assert twilio.post(hub.hook, fields).status_code == 200
    assert metric(hub, "hub_deliveries_total", channel="sms", state="quarantined") == 1
    replayed = hub.run("replay")
    assert replayed.returncode == 1
    line, summary = replayed.stdout.splitlines()
    assert "sms: quarantined -> quarantined (From is missing" in line
    assert summary == "0 of 1 understood."
    assert stored(database, t.entries) == entries


# ---- what Twilio did not tell


@pytest.mark.feature("OPER-03")
def test_what_nobody_knows_is_asked_and_not_sent_again(
    hub: TwilioHub,
    twilio: TwilioStandIn,
    client: Client,
    unanswered: dict[str, dict[str, Any]],
) -> None:
    for phone, made in unanswered.items():
        until(client, made, "queued", limit=60)
        (message,) = sent_to(twilio, phone)
        assert asked_for(twilio, phone) == 1
        twilio.callback(message.sid, "delivered")
        until(client, made, "delivered")
    assert metric(hub, "hub_sends_total", channel="sms", outcome="SendUnknown") >= 2
