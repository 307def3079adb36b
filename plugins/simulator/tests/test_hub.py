"""From end to end: a real hub with the simulators, driven as their pages drive them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.hubs import Client, HubProcess, wait_for

CONFIG = """
[[organisations]]
slug = "main"
name = "Main"

[[channels]]
id = "simulator-whatsapp"
plugin = "simulator-whatsapp"
[channels.settings]
receipt_pause = 0.0

[[channels]]
id = "simulator-calls"
plugin = "simulator-calls"

[[channels]]
id = "simulator-email"
plugin = "simulator-email"
[channels.settings]
receipt_pause = 0.0
"""
MAYA = "+12025550142"
OWN = "+12025550100"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with HubProcess(tmp_path_factory.mktemp("hub"), config=CONFIG) as hub:
        yield hub


@pytest.fixture(scope="module")
def ana(hub: HubProcess) -> Client:
    return hub.client()


def act(client: Client, channel: str, path: str, **wanted: Any) -> Any:
    """Something that is done on a simulator's page."""
    answer = client.http.post(f"/hooks/main/{channel}/{path}", json=wanted)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


@pytest.mark.feature("OPER-01", "COMP-06")
def test_whatsapp_from_a_template_to_a_reaction(ana: Client) -> None:
    channel = "simulator-whatsapp"
    wanted = {"channel_id": channel, "to": MAYA, "body": "Hello?"}
    refused = ana.call("POST", "messages", wanted)
    assert refused.status_code in (409, 422), refused.text
    listed = ana.get(f"channels/{channel}/templates")["items"]
    assert {"approved", "pending", "rejected"} == {each["state"] for each in listed}

    ana.text(MAYA, "Is Thursday still fine?", channel=channel)
    thread = wait_for(lambda: next(iter(ana.threads()), None), what="the conversation")
    (asked,) = ana.entries(thread["id"])
    contact = {"channel_id": channel, "contact_id": thread["contact"]["id"]}
    answer = {**contact, "body": "It is.", "reply_to": asked["id"]}
    ana.post(f"threads/{thread['id']}/messages", answer)

    def arrived(words: str) -> dict[str, Any] | None:
        messages = ana.phone(MAYA, channel=channel)["messages"]
        return next((each for each in messages if words in each["text"]), None)

    shown = wait_for(lambda: arrived("It is."), what="the answer on the phone")
    assert shown["quoted"].startswith("in-")
    act(ana, channel, "reactions", number=MAYA, message=shown["id"], emoji="👍")
    act(ana, channel, "seen", number=MAYA, messages=[shown["id"]])
    wait_for(lambda: "👍" in str(ana.entries(thread["id"])), what="the reaction")

    filled = {"name": "Maya", "day": "Thursday", "time": "9:30"}
    template = {"name": "appointment_reminder", "language": "en_US"}
    ana.post(
        f"threads/{thread['id']}/messages",
        {**contact, "body": "", "template": template, "variables": filled},
    )
    reminder = wait_for(lambda: arrived("Hi Maya, we are coming on Thursday"), what="the template")
    label = reminder["content"]["buttons"][0]
    act(
        ana,
        channel,
        "texts",
        number=MAYA,
        own_number=OWN,
        content={"what": "pressed", "label": label},
        reply_to=reminder["id"],
    )
    wait_for(
        lambda: [one for one in ana.entries(thread["id"]) if one.get("text") == label],
        what="the pressed button",
    )


@pytest.mark.feature("OPER-01", "VOIC-01", "VOIC-02", "VOIC-04", "VOIC-05")
def test_calls_from_a_voicemail_to_calling_back(ana: Client) -> None:
    channel, number = "simulator-calls", "+12025550187"
    caller = {"number": number, "own_number": OWN}
    call = act(ana, channel, "calls", **caller)["id"]
    act(ana, channel, "call", number=number, call=call, act="voicemail", said="It leaks again")

    def thread_with(words: str) -> dict[str, Any] | None:
        found = (one for one in ana.threads() if words in str(ana.entries(one["id"])))
        return next(found, None)

    thread = wait_for(lambda: thread_with("It leaks again"), what="the voicemail")
    (entry,) = ana.entries(thread["id"])
    assert (entry["call"]["outcome"], entry["call"]["unresolved"]) == ("voicemail", True)
    wait_for(
        lambda: "audio/wav" in str(ana.entries(thread["id"])), what="the sound of the voicemail"
    )
    ana.post(f"entries/{entry['id']}/resolve", {"outcome": "resolved"})

    report = act(ana, channel, "calls", **caller)["id"]
    act(ana, channel, "call", number=number, call=report, act="agent", said="The boiler is cold")
    wait_for(lambda: "Call the customer back" in str(ana.entries(thread["id"])), what="the report")

    ana.http.patch("/api/v1/me", json={"phone": "+12025550177"}).raise_for_status()
    wanted = {"channel_id": channel, "contact_id": thread["contact"]["id"]}
    placed = ana.post(f"threads/{thread['id']}/calls", wanted)

    def rings() -> dict[str, Any] | None:
        messages = ana.phone(number, channel=channel)["messages"]
        return next((each for each in messages if each["author"] == "business"), None)

    ringing = wait_for(rings, what="the phone to ring")
    assert ringing["content"]["member"] == "+12025550177"
    act(ana, channel, "call", number=number, call=ringing["id"], act="answer")
    act(ana, channel, "call", number=number, call=ringing["id"], act="hang_up", said="Fine")
    wait_for(
        lambda: ana.get(f"entries/{placed['id']}")["call"]["outcome"] == "answered",
        what="the end of the call",
    )


@pytest.mark.feature("OPER-01", "THRD-04")
def test_mail_from_a_question_to_a_click(ana: Client) -> None:
    channel, address, own = "simulator-email", "maya@example.com", "hello@business.example"
    asks = {"what": "mail", "subject": "The dripping tap"}
    wanted = {"number": address, "own_number": own, "text": "Can you come?", "content": asks}
    asked = act(ana, channel, "texts", **wanted)["id"]

    def thread_with(words: str) -> dict[str, Any] | None:
        found = (one for one in ana.threads() if words in str(ana.entries(one["id"])))
        return next(found, None)

    thread = wait_for(lambda: thread_with("Can you come?"), what="the mail")
    (entry,) = ana.entries(thread["id"])
    assert entry["subject"] == "The dripping tap"
    body = "Yes: https://business.example/dates"
    contact = {"channel_id": channel, "contact_id": thread["contact"]["id"]}
    answer = {**contact, "body": body, "reply_to": entry["id"]}
    ana.post(f"threads/{thread['id']}/messages", answer)

    def answered() -> dict[str, Any] | None:
        messages = ana.phone(address, channel=channel)["messages"]
        return next((each for each in messages if each["author"] == "business"), None)

    mail = wait_for(answered, what="the answer in the mailbox")
    assert mail["quoted"] == asked
    assert mail["content"]["subject"] == "Re: The dripping tap"
    assert mail["content"]["earlier"] == [asked]
    link = {"number": address, "message": mail["id"], "url": "https://business.example/dates"}
    act(ana, channel, "mail", **link, act="open")
    act(ana, channel, "mail", **link, act="click")

    def engaged() -> dict[str, Any] | None:
        (out,) = [one for one in ana.entries(thread["id"]) if one.get("direction") == "out"]
        told = out["engagement"] or {}
        return told if told.get("opened") and told.get("clicked") else None

    assert wait_for(engaged, what="what became of the mail")["clicked_url"] == link["url"]


@pytest.mark.feature("OPER-01")
def test_the_conversation_has_the_name_that_the_customer_goes_by(ana: Client) -> None:
    number, address = "+12025550123", "zoe@example.com"
    wanted = {"number": number, "own_number": OWN}

    def shown(words: str) -> list[str]:
        """How the conversations with these words in them are named."""
        with_words = [one for one in ana.threads() if words in str(ana.entries(one["id"]))]
        return [one["contact"]["display"] for one in with_words]

    ana.text(number, "Who is this?", channel="simulator-whatsapp")
    wait_for(lambda: shown("Who is this?") == ["+1 202-555-0123"], what="a bare number")
    act(ana, "simulator-calls", "name", number=number, name=" Zoë Winter ")
    withheld = act(ana, "simulator-calls", "calls", **wanted, withheld=True)["id"]
    said = {"number": number, "act": "voicemail"}
    act(ana, "simulator-calls", "call", **said, call=withheld, said="I do not say who I am")
    wait_for(lambda: shown("I do not say who I am"), what="the voicemail of somebody unknown")
    assert shown("Who is this?") == ["+1 202-555-0123"]
    assert "Zoë Winter" not in shown("I do not say who I am")
    call = act(ana, "simulator-calls", "calls", **wanted)["id"]
    act(ana, "simulator-calls", "call", **said, call=call, said="It is me")
    wait_for(lambda: shown("It is me") == ["Zoë Winter"], what="the caller's name")
    assert shown("Who is this?") == ["Zoë Winter"]

    act(ana, "simulator-email", "name", number=address, name="Zoë Winter, Acme")
    mail = {"number": address, "own_number": "hello@business.example", "text": "By mail, too"}
    act(ana, "simulator-email", "texts", **mail)
    wait_for(lambda: shown("By mail, too") == ["Zoë Winter, Acme"], what="the name in From")
