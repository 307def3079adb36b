"""From end to end: a real hub, and a Meta that keeps its rules."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hubs import Client, HubProcess, wait_for
from tests.standins.meta import ACCOUNT, NUMBER, NUMBER_ID, SECRET, TOKEN, VERIFY, MetaStandIn

TEMPLATES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "templates.json").read_text(encoding="utf-8")
)
CONFIG = f"""
[[organisations]]
slug = "main"
[[channels]]
id = "whatsapp"
organisation = "main"
plugin = "whatsapp-cloud"
name = "WhatsApp"
[channels.settings]
phone_number_id = "{NUMBER_ID}"
number = "{NUMBER}"
business_account_id = "{ACCOUNT}"
access_token = {{ env = "META_TOKEN" }}
app_secret = {{ env = "META_SECRET" }}
verify_token = {{ env = "META_VERIFY" }}
"""


@pytest.fixture(scope="module")
def meta() -> Iterator[MetaStandIn]:
    with MetaStandIn(TEMPLATES) as meta:
        yield meta
        assert meta.problems == []


@pytest.fixture(scope="module")
def hub(meta: MetaStandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    environ = {
        "META_TOKEN": TOKEN,
        "META_SECRET": SECRET,
        "META_VERIFY": VERIFY,
        "HUB_HTTP_ROUTES": ",".join(f"{host}={url}" for host, url in meta.routes.items()),
    }
    folder = tmp_path_factory.mktemp("hub")
    with HubProcess(folder, config=CONFIG, environ=environ) as hub:
        yield hub


@pytest.fixture(scope="module")
def client(hub: HubProcess) -> Client:
    return hub.client()


@pytest.fixture(scope="module")
def hook(hub: HubProcess) -> str:
    return f"http://127.0.0.1:{hub.port}/hooks/main/whatsapp"


def text(body: str) -> dict[str, Any]:
    return {"type": "text", "text": {"body": body}}


def thread_with(client: Client, words: str) -> dict[str, Any]:
    def found() -> dict[str, Any] | None:
        told = ((one, json.dumps(client.entries(one["id"]))) for one in client.threads())
        return next((one for one, entries in told if words in entries), None)

    return wait_for(found, what=f"a conversation with {words!r}")


def now() -> int:
    return int(time.time())


def written_first(
    meta: MetaStandIn, client: Client, hook: str, to: str, body: str
) -> dict[str, Any]:
    """A conversation with somebody who has not written: the business has, on its phone."""
    echo = {"id": f"wamid.echo-{to}", "from": "15550100200", "to": to, "timestamp": str(now())}
    value = meta.value()["entry"][0]["changes"][0]["value"]
    value["message_echoes"] = [echo | text(body)]
    assert meta.post(hook, meta.delivery("smb_message_echoes", value)).status_code == 200
    return thread_with(client, body)


def modes(client: Client, thread: dict[str, Any]) -> dict[str, Any]:
    """How one may write to the contact of a conversation."""
    (mode,) = client.get(f"threads/{thread['id']}")["compose"]
    return mode


@pytest.mark.feature("ROUT-01", "ROUT-06")
def test_a_conversation(meta: MetaStandIn, hub: HubProcess, client: Client, hook: str) -> None:
    assert meta.ask(hook).text == "4711"
    assert meta.ask(hook, "nobody").status_code == 403
    unsigned = meta.value(messages=[{"id": "wamid.x", "from": "46701740605", **text("Forged")}])
    assert meta.post(hook, unsigned, "another secret").status_code == 403
    meta.media["880417"] = ("image/png", PNG)
    picture = {"type": "image", "image": {"id": "880417", "caption": "The leak"}}
    for content in (text("Is anybody there?"), picture):
        assert (
            meta.wrote(hook, "46701740605", content, user_id="SE.55", at=now()).status_code == 200
        )
    thread = thread_with(client, "The leak")

    def fetched() -> dict[str, Any] | None:
        files = [file for one in client.entries(thread["id"]) for file in one["attachments"]]
        return next((file for file in files if file["state"] == "ready"), None)

    assert wait_for(fetched, what="the picture")["content_type"] == "image/png"
    sent = client.post(
        f"threads/{thread['id']}/messages",
        {
            "channel_id": "whatsapp",
            "contact_id": thread["contact"]["id"],
            "body": "We are. Thursday at nine?",
        },
    )
    (taken,) = wait_for(lambda: meta.sent or None, what="the answer at Meta")
    assert (taken.to, taken.body["text"]["body"]) == ("+46701740605", "We are. Thursday at nine?")
    for status in ("read", "delivered", "sent"):  # in any order
        assert meta.became(hook, taken, status).status_code == 200

    def read() -> bool:
        (entry,) = [one for one in client.entries(thread["id"]) if one["id"] == sent["id"]]
        return entry["status"] == "read"

    wait_for(read, what="the receipt")
    quarantined = client.get("channels/whatsapp/deliveries", state="quarantined")["items"]
    assert quarantined == []


@pytest.mark.feature("COMP-06")
def test_the_server_keeps_the_window(meta: MetaStandIn, client: Client, hook: str) -> None:
    """Templates alone for who has not written, and free text as soon as they do."""
    thread = written_first(meta, client, hook, "46709998877", "We have called in vain")
    mode = modes(client, thread)
    assert (mode["can_send"], mode["may"], mode["templates"]) == (False, "template", True)
    assert "template" in mode["reason"]
    before = len(meta.sent)
    wanted = {"channel_id": "whatsapp", "contact_id": thread["contact"]["id"], "body": "Hello?"}
    path = f"threads/{thread['id']}/messages"
    refused = client.call("POST", path, wanted)
    assert (refused.status_code, refused.json()["code"]) == (422, "window_closed")
    stranger = {"channel_id": "whatsapp", "to": "+46701112233", "body": "Buy our roofs"}
    refused = client.call("POST", "messages", stranger)
    assert (refused.status_code, refused.json()["code"]) == (422, "window_closed")

    assert meta.wrote(hook, "46709998877", text("Back again"), at=now()).status_code == 200
    thread_with(client, "Back again")
    mode = modes(client, thread)
    assert (mode["can_send"], mode["may"]) == (True, "free")
    assert mode["until"] is not None
    assert client.call("POST", path, wanted).status_code == 201
    wait_for(lambda: len(meta.sent) > before, what="the text at Meta")
    assert [one.body["type"] for one in meta.sent[before:]] == ["text"]


@pytest.mark.feature("COMP-06")
def test_a_template_with_its_values_and_a_preview(
    meta: MetaStandIn, client: Client, hook: str
) -> None:
    thread = written_first(meta, client, hook, "46705551234", "We will write to you")
    listed = {
        (one["name"], one["language"]): one
        for one in client.get("channels/whatsapp/templates")["items"]
    }
    assert len(listed) == len(TEMPLATES)
    visit = listed["visit_tomorrow", "en"]
    assert [one["name"] for one in visit["parameters"]] == ["header", "1", "2", "button_2"]
    assert visit["parameters"][1]["example"] == "Ana"
    assert listed["sale", "en"]["reason"] == "INVALID_FORMAT"

    values = {"header": "4711", "1": "Siri", "2": "nine", "button_2": "4711"}
    wanted: dict[str, Any] = {
        "channel_id": "whatsapp",
        "contact_id": thread["contact"]["id"],
        "template": {"name": "visit_tomorrow", "language": "en"},
        "variables": values,
    }
    preview = client.post(f"threads/{thread['id']}/preview", wanted)
    assert preview["preview"] == "Hello Siri, we come at nine."
    path = f"threads/{thread['id']}/messages"
    for change, code in (
        ({"variables": {"1": "Siri"}}, "template_values"),
        ({"variables": {**values, "9": "x"}}, "template_values"),
        ({"template": {"name": "visit_tomorrow", "language": "xx"}}, "template_unknown"),
        ({"template": {"name": "sale", "language": "en"}}, "template_not_approved"),
    ):
        refused = client.call("POST", path, {**wanted, **change})
        assert (refused.status_code, refused.json()["code"]) == (422, code)
    before = len(meta.sent)
    sent = client.post(path, wanted)
    assert "Hello Siri, we come at nine." in json.dumps(sent)
    wait_for(lambda: len(meta.sent) > before, what="the template at Meta")
    (taken,) = meta.sent[before:]
    assert taken.body["template"]["name"] == "visit_tomorrow"
    assert meta.became(hook, taken, "delivered").status_code == 200

    def delivered() -> bool:
        (entry,) = [one for one in client.entries(thread["id"]) if one["id"] == sent["id"]]
        return entry["status"] == "delivered"

    wait_for(delivered, what="the receipt of the template")


@pytest.mark.feature("COMP-06")
def test_a_template_that_meta_withdraws_is_withdrawn_here(
    meta: MetaStandIn, client: Client, hook: str
) -> None:
    def state() -> str:
        items = client.get("channels/whatsapp/templates")["items"]
        return next(one["state"] for one in items if one["name"] == "plain")

    assert state() == "approved"
    (plain,) = [one for one in meta.templates if one["name"] == "plain"]
    meta.templates = [one | {"status": "PAUSED"} if one is plain else one for one in TEMPLATES]
    told = {"event": "PAUSED", "message_template_name": "plain", "reason": "NONE"}
    posted = meta.post(hook, meta.delivery("message_template_status_update", told))
    assert posted.status_code == 200
    wait_for(lambda: state() == "paused", what="the new state")
    meta.templates = TEMPLATES


def test_a_reply_and_what_it_answers(meta: MetaStandIn, client: Client, hook: str) -> None:
    meta.wrote(hook, "46705559999", text("Which day?"), name="Ek", at=now())
    thread = thread_with(client, "Which day?")
    (asked,) = client.entries(thread["id"])
    before = len(meta.sent)
    wanted = {
        "channel_id": "whatsapp",
        "contact_id": thread["contact"]["id"],
        "body": "Thursday",
        "reply_to": asked["id"],
    }
    client.post(f"threads/{thread['id']}/messages", wanted)
    wait_for(lambda: len(meta.sent) > before, what="the reply at Meta")
    taken = meta.sent[before]
    assert taken.body["context"]["message_id"].startswith("wamid.")
    answer = text("Good") | {"context": {"from": "15550100200", "id": taken.id}}
    assert meta.wrote(hook, "46705559999", answer, at=now()).status_code == 200

    def answered() -> bool:
        answers = [one["answers"] for one in client.entries(thread["id"]) if one["text"] == "Good"]
        return bool(answers and answers[0] and answers[0]["text"] == "Thursday")

    wait_for(answered, what="what it answers")
    reaction = {"type": "reaction", "reaction": {"message_id": taken.id, "emoji": "👍"}}
    assert meta.wrote(hook, "46705559999", reaction, at=now()).status_code == 200

    def reacted() -> bool:
        return "👍" in json.dumps(client.entries(thread["id"]), ensure_ascii=False)

    wait_for(reacted, what="the reaction")


@pytest.mark.feature("LIST-01")
def test_who_changes_the_number_stays_one_person(
    meta: MetaStandIn, client: Client, hook: str
) -> None:
    meta.wrote(hook, "553187654321", text("Oi from the old one"), name="Caio", at=now())
    meta.wrote(hook, "5531987654321", text("Oi with the nine"), name="Caio", at=now())
    thread = thread_with(client, "Oi with the nine")
    assert "Oi from the old one" in json.dumps(client.entries(thread["id"]))
    system = {"type": "user_changed_number", "wa_id": "5531911112222", "body": "changed"}
    assert meta.wrote(hook, "553187654321", {"type": "system", "system": system}).status_code == 200
    meta.wrote(hook, "5531911112222", text("Oi from the new one"), name="Caio", at=now())
    again = thread_with(client, "Oi from the new one")
    assert again["id"] == thread["id"]


def test_who_has_no_number_is_answered(meta: MetaStandIn, client: Client, hook: str) -> None:
    user = "CO.8841205573319907"
    meta.wrote(hook, "", text("From a user name"), name="Iris", user_id=user, at=now())
    thread = thread_with(client, "From a user name")
    mode = modes(client, thread)
    assert (mode["may"], [one["value"] for one in mode["to"]]) == ("free", [user])
    before = len(meta.sent)
    wanted = {"channel_id": "whatsapp", "contact_id": thread["contact"]["id"], "body": "Hello Iris"}
    client.post(f"threads/{thread['id']}/messages", wanted)
    wait_for(lambda: len(meta.sent) > before, what="the answer at Meta")
    assert meta.sent[before].body["recipient"] == user
    # Later the number is known, too: it is the same person.
    meta.wrote(hook, "573001234567", text("Now with a number"), name="Iris", user_id=user, at=now())
    assert thread_with(client, "Now with a number")["id"] == thread["id"]
    assert len(modes(client, thread)["to"]) == 2


def test_the_provider_is_looked_at(meta: MetaStandIn, hub: HubProcess) -> None:
    done = hub.run("check", "--providers")
    told = done.stdout + done.stderr
    assert "it belongs to the token's app" in told
    assert "callback URL" in told  # Meta does not say where it posts
    assert TOKEN not in told
    assert SECRET not in told


def test_what_the_business_writes_on_its_phone(
    meta: MetaStandIn, client: Client, hook: str
) -> None:
    thread = written_first(meta, client, hook, "4681230000", "Written on the phone")
    (entry,) = client.entries(thread["id"])
    assert (entry["direction"], entry["status"]) == ("out", "sent")


@pytest.mark.feature("LIST-03")
def test_it_looks_like_whatsapp(client: Client) -> None:
    (channel,) = client.get("channels")
    assert (channel["name"], channel["tone"], channel["group"]) == ("WhatsApp", "green", "texts")
    assert channel["icon"]["name"] == "message-circle"
    assert channel["verified"]


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f64540"
    "0000000049454e44ae426082"
)
