"""From end to end: a real hub, mail in by webhook and fetch, an answer, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from tests import recorded
from tests.hubs import Client, HubProcess, wait_for
from tests.standins.resend import KEY, SECRET, Hang, Lose, Refuse, ResendStandIn

CONFIG = """
[[organisations]]
slug = "main"
name = "Main"
[[channels]]
id = "mail"
organisation = "main"
plugin = "email-resend"
[channels.settings]
api_key = { env = "RESEND_KEY" }
signing_secrets = [{ env = "RESEND_SECRET" }]
address = "help@example.com"
name = "Example Help"
"""
MAIL = (
    b"From: Zoe Winter <zoe@customer.example>\r\nTo: help@example.com\r\nSubject: The list\r\n"
    b"Date: Mon, 02 Mar 2026 09:29:40 +0000\r\nMessage-ID: <in-1@customer.example>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nIs Thursday fine?\r\n"
    b"--b\r\nContent-Type: text/csv; name=list.csv\r\nContent-Disposition: attachment\r\n\r\n"
    b"a,b\r\n--b--\r\n"
)


@pytest.fixture(scope="module")
def resend() -> Iterator[ResendStandIn]:
    with ResendStandIn(recorded.path("openapi/resend.json")) as resend:
        yield resend
        assert resend.spec_errors == []


@pytest.fixture(scope="module")
def hub(resend: ResendStandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    environ = {
        "RESEND_KEY": KEY,
        "RESEND_SECRET": SECRET,
        "HUB_HTTP_ROUTES": ",".join(f"{host}={url}" for host, url in resend.routes.items()),
    }
    with HubProcess(tmp_path_factory.mktemp("hub"), config=CONFIG, environ=environ) as hub:
        yield hub


@pytest.mark.feature("PLUG-02", "ROUT-01")
def test_a_mail_its_answer_and_what_became_of_it(hub: HubProcess, resend: ResendStandIn) -> None:
    hook = f"{hub.base_url}/hooks/main/mail"
    assert httpx2.post(hook, json={"type": "email.received"}).status_code == 403
    id_ = resend.inbound(hook, MAIL)
    resend.post(hook, "email.received", {"email_id": id_})  # Resend posts it again
    client = hub.client()
    thread = wait_for(lambda: next(iter(client.threads()), None), what="the conversation")

    def with_its_file() -> dict[str, Any] | None:
        (entry,) = client.entries(thread["id"])
        ready = [each for each in entry["attachments"] if each.get("state") == "ready"]
        return entry if ready or '"size": 3' in json.dumps(entry) else None

    entry = wait_for(with_its_file, what="the mail with its file")
    assert "Is Thursday fine?" in json.dumps(entry)
    assert [each["name"] for each in entry["attachments"]] == ["list.csv"]

    client.post(
        "messages",
        {
            "channel_id": "mail",
            "to": "zoe@customer.example",
            "subject": "Re: The list",
            "body": "It is.",
        },
    )
    sent = wait_for(lambda: next(iter(resend.emails.items()), None), what="the answer at Resend")
    assert sent[1]["text"] == "It is."
    assert resend.told(hook, "email.delivered", sent[0]).is_success
    assert resend.told(hook, "email.opened", sent[0]).is_success

    def told() -> bool:
        out = [one for one in client.entries(thread["id"]) if one.get("direction") == "out"]
        return any("delivered" in json.dumps(one) for one in out)

    wait_for(told, what="the receipt")


def asked_for(resend: ResendStandIn, to: str) -> list[str]:
    """The keys under which a mail to somebody was posted."""
    posts = [one for one in resend.requests if (one.method, one.path) == ("POST", "/emails")]
    return [one.headers["idempotency-key"] for one in posts if to in one.body.decode()]


def write(client: Client, to: str) -> Callable[[], str]:
    """Write to somebody; what asks what became of it."""
    wanted = {"channel_id": "mail", "to": to, "subject": "Hi", "body": "Hello"}
    id_ = client.post("messages", wanted)["id"]
    return lambda: client.get(f"entries/{id_}")["status"]


@pytest.mark.feature("ROUT-06", "PLUG-02")
def test_a_mail_whose_answer_was_lost_is_given_to_resend_again_which_sends_once(
    hub: HubProcess, resend: ResendStandIn
) -> None:
    taken, lost = "taken@customer.example", "lost@customer.example"
    resend.moods |= {taken: Lose(), lost: Refuse(502, page="<h1>Bad gateway</h1>")}
    client = hub.client()
    statuses = [write(client, to) for to in (taken, lost)]
    wait_for(lambda: statuses[0]() == "queued", what="Resend to tell that it has it")
    wait_for(lambda: len(asked_for(resend, lost)) > 1, what="another attempt")
    del resend.moods[lost]
    wait_for(lambda: statuses[1]() == "queued", what="the mail that never came there")
    for to in (taken, lost):
        assert len([one for one in resend.sent if one["to"] == [to]]) == 1
        assert len(asked_for(resend, to)) > 1
        assert len(set(asked_for(resend, to))) == 1
    assert not any(one.method == "GET" and one.path == "/emails" for one in resend.requests)


@pytest.mark.feature("ROUT-06", "PLUG-02")
def test_what_resend_refuses_when_it_is_given_it_again_stays_unknown(
    hub: HubProcess, resend: ResendStandIn
) -> None:
    to = "odd@customer.example"
    resend.moods[to] = Refuse(502, page="<h1>Bad gateway</h1>")
    status = write(hub.client(), to)
    wait_for(lambda: status() == "unknown", what="the outcome that nobody knows")
    resend.moods[to] = Refuse(422, "security_error")
    before = len(asked_for(resend, to))
    wait_for(lambda: len(asked_for(resend, to)) > before, what="another attempt")
    wait_for(lambda: status() == "unknown", what="the outcome that nobody knows still")


@pytest.mark.feature("ROUT-06", "PLUG-02")
def test_a_mail_that_was_on_its_way_when_the_hub_died_goes_out_once(
    hub: HubProcess, resend: ResendStandIn
) -> None:
    to = "killed@customer.example"
    resend.moods[to] = Hang()
    resend.taken.clear()
    write(hub.client(), to)
    assert resend.taken.wait(10)
    hub.kill()
    hub.start()
    client = hub.client()
    thread = wait_for(lambda: client.thread_of(to), what="the conversation")

    def sent() -> bool:
        return [one["status"] for one in client.entries(thread["id"])] == ["queued"]

    wait_for(sent, what="Resend to tell that it has it")
    assert len([one for one in resend.sent if one["to"] == [to]]) == 1
    assert len(asked_for(resend, to)) == 2
    assert len(set(asked_for(resend, to))) == 1


@pytest.mark.feature("PLUG-02")
def test_who_complains_gets_no_more_mail(hub: HubProcess, resend: ResendStandIn) -> None:
    hook = f"{hub.base_url}/hooks/main/mail"
    client = hub.client()
    wanted = {"channel_id": "mail", "to": "ada@customer.example", "subject": "Hi", "body": "Hello"}
    client.post("messages", wanted)
    wait_for(
        lambda: [id_ for id_, each in resend.emails.items() if each["to"] == [wanted["to"]]],
        what="the first mail",
    )
    (id_,) = [id_ for id_, each in resend.emails.items() if each["to"] == [wanted["to"]]]
    assert resend.told(hook, "email.complained", id_).is_success

    def refused() -> bool:
        answer = client.call("POST", "messages", wanted)
        return answer.status_code in {409, 422}

    wait_for(refused, what="the refusal to write to who has complained")
