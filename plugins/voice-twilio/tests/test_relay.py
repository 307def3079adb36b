"""A caller speaks with the channel's assistant: a real hub, Twilio's side of the WebSocket, and an
assistant that says what it has heard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from twilio.request_validator import RequestValidator
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests import recorded
from tests.hubs import Client, HubProcess, wait_for
from tests.patience import PATIENCE
from tests.services import free_port
from tests.standins.twilio import ACCOUNT, NUMBER, TOKEN
from tests.standins.twilio_voice import Line, TwilioVoiceStandIn

ASSISTANTS = Path(__file__).parent / "assistants"
STAFF = "+14155550111"
CONFIG = """
[hub]
public_url = "{public_url}"

[[organisations]]
slug = "main"
name = "Main"

[[assistants]]
id = "desk"
organisation = "main"
plugin = "night-desk"
[assistants.settings]
folder = "{folder}"

[[channels]]
id = "voice"
organisation = "main"
plugin = "voice-twilio"
assistant = "desk"
[channels.settings]
account_sid = "{account}"
auth_token = "{token}"
numbers = ["{number}"]
ring = ["{staff}"]
agent = {{ takes = "all", greeting = "Hello, this is the night desk." }}

[[channels]]
id = "alone"
organisation = "main"
plugin = "voice-twilio"
[channels.settings]
account_sid = "{account}"
auth_token = "{token}"
numbers = ["{number}"]
agent = {{ takes = "all" }}
"""


class Desk:
    """The hub, and Twilio beside it."""

    def __init__(self, hub: HubProcess, twilio: TwilioVoiceStandIn, folder: Path) -> None:
        self.hub, self.twilio, self.folder = hub, twilio, folder
        self.client: Client = hub.client()
        self._callers = count(1)

    def hook(self, channel: str = "voice") -> str:
        return f"{self.hub.base_url}/hooks/main/{channel}"

    def rings(self, channel: str = "voice") -> Line:
        phone = f"+1212555{next(self._callers):04}"
        return self.twilio.rings(self.hook(channel), from_=phone)

    @contextmanager
    def speaks(self, line: Line, **setup: str) -> Iterator[ClientConnection]:
        """Twilio opens the WebSocket and says whose call it is."""
        url = line.of("ConversationRelay", "url")
        headers = {"X-Twilio-Signature": RequestValidator(TOKEN).compute_signature(url, {})}
        with connect(url, additional_headers=headers) as socket:
            first = recorded.load("twilio/conversationrelay_ws_setup.json")
            said = {
                "accountSid": ACCOUNT,
                "callSid": line.sid,
                "from": line.fields["From"],
                "to": NUMBER,
            }
            socket.send(json.dumps({**first, **said, **setup}))
            yield socket

    def call(self, line: Line) -> dict[str, Any]:
        shown = f"+1 212-555-{line.fields['From'][-4:]}"
        thread = wait_for(lambda: self.client.thread_of(shown), what=f"the thread of {shown}")
        (entry,) = self.client.entries(thread["id"])
        return entry["call"]

    def lines(self, line: Line) -> list[tuple[str, str]]:
        return [(one["speaker"], one["text"]) for one in self.call(line)["lines"]]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    port = free_port()
    folder: Path = tmp_path_factory.mktemp("hub")
    config = CONFIG.format(
        public_url=f"http://127.0.0.1:{port}",
        folder=folder,
        account=ACCOUNT,
        token=TOKEN,
        number=NUMBER,
        staff=STAFF,
    )
    with TwilioVoiceStandIn(recorded.path("openapi/twilio_api_v2010.json")) as twilio:
        routes = ",".join(f"{host}={base}" for host, base in twilio.routes.items())
        environ = {"HUB_HTTP_ROUTES": routes, "PYTHONPATH": str(ASSISTANTS)}
        hub = HubProcess(folder, config=config, environ=environ)
        with hub.start(port=port):
            yield Desk(hub, twilio, folder)


def says(socket: ClientConnection, words: str, *, last: bool = True) -> None:
    frame = recorded.load("twilio/conversationrelay_ws_prompt.json")
    socket.send(json.dumps({**frame, "voicePrompt": words, "last": last}))


def hears(socket: ClientConnection) -> dict[str, Any]:
    return json.loads(socket.recv(timeout=PATIENCE))


@pytest.mark.feature("VOIC-04", "VOIC-01")
def test_a_conversation_with_the_assistant(desk: Desk) -> None:
    line = desk.rings()
    assert line.verbs == ["Connect"]
    assert line.of("ConversationRelay", "welcomeGreeting") == "Hello, this is the night desk."
    with desk.speaks(line) as socket:
        says(socket, "My boiler ", last=False)
        says(socket, "leaks")
        assert hears(socket) == {"type": "text", "token": "I hear you.", "last": False}
        answer = {"type": "text", "token": "You said: My boiler leaks", "last": True}
        assert hears(socket) == answer
        wait_for(lambda: len(desk.lines(line)) == 2, what="the words, while the call lasts")
        assert desk.call(line)["live"]
        for key in "12":
            dtmf = recorded.load("twilio/conversationrelay_ws_dtmf.json")
            socket.send(json.dumps({**dtmf, "digit": key}))
        assert hears(socket)["last"] is False
        assert hears(socket)["token"] == "You said: [12]"
    over = desk.twilio.goes_on(
        line, "Connect", SessionStatus="ended", SessionDuration="63", CallStatus="completed"
    )
    assert over.verbs == ["Hangup"]
    wait_for(lambda: desk.call(line)["summary"], what="the summary")
    call = desk.call(line)
    assert (call["outcome"], call["duration"], call["live"]) == ("answered", 63.0, False)
    assert call["summary"] == "Said 2 things: My boiler leaks"
    assert (call["follow_up"], call["due_at"]) == ("Call back", "2026-03-02T17:00:00Z")
    assert desk.lines(line) == [
        ("customer", "My boiler leaks"),
        ("assistant", "I hear you. You said: My boiler leaks"),
        ("customer", "[12]"),
        ("assistant", "I hear you. You said: [12]"),
    ]


@pytest.mark.feature("VOIC-04")
def test_who_asks_for_a_person_is_put_through(desk: Desk) -> None:
    line = desk.rings()
    with desk.speaks(line) as socket:
        says(socket, "I want a person")
        assert hears(socket)["token"] == "Certainly."
        end = hears(socket)
        assert end["type"] == "end"
        assert json.loads(end["handoffData"]) == {"reason": "asks for a person"}
    through = desk.twilio.goes_on(
        line, "Connect", SessionStatus="ended", HandoffData=end["handoffData"]
    )
    assert through.verbs == ["Say", "Dial"]
    assert [one.text for one in through.xml.iter("Number")] == [STAFF]
    assert desk.call(line)["outcome"] is None
    over = {"DialCallStatus": "completed", "DialCallDuration": "30", "DialBridged": "true"}
    desk.twilio.goes_on(through, "Dial", **over)
    assert desk.call(line)["outcome"] == "answered"


@pytest.mark.feature("VOIC-04")
@pytest.mark.parametrize("words", ["Please break", "Say nothing"])
def test_where_the_assistant_has_no_answer_a_person_has(desk: Desk, words: str) -> None:
    line = desk.rings()
    with desk.speaks(line) as socket:
        says(socket, words)
        assert hears(socket)["type"] == "end"
    through = desk.twilio.goes_on(
        line, "Connect", SessionStatus="ended", HandoffData='{"reason": "x"}'
    )
    assert "Dial" in through.verbs


def test_a_channel_without_an_assistant_puts_callers_through(desk: Desk) -> None:
    line = desk.rings("alone")
    assert line.verbs == ["Say", "Record", "Hangup"]


@pytest.mark.feature("VOIC-04")
def test_a_caller_who_cuts_in_is_listened_to(desk: Desk) -> None:
    line = desk.rings()
    with desk.speaks(line) as socket:
        says(socket, "Let me think")
        wait_for(lambda: desk.lines(line), what="the words")
        says(socket, "No, wait")
        assert hears(socket)["token"] == "I hear you."
        assert hears(socket)["token"] == "You said: No, wait"
        wait_for(lambda: len(desk.lines(line)) == 3, what="the answer")
        cut = recorded.load("twilio/conversationrelay_ws_interrupt.json")
        socket.send(json.dumps({**cut, "utteranceUntilInterrupt": "I hear"}))
        wait_for(lambda: desk.lines(line)[-1] == ("assistant", "I hear …"), what="what was heard")
    assert [speaker for speaker, _ in desk.lines(line)] == ["customer", "customer", "assistant"]


def test_what_means_nothing_is_passed_over(desk: Desk) -> None:
    line = desk.rings()
    with desk.speaks(line) as socket:
        error = recorded.load("twilio/conversationrelay_ws_error.json")
        odd = ["", "{", "[]", '{"type": "mood"}', '{"type": "prompt"}', json.dumps(error), "[" * 99]
        for message in (*odd, json.dumps({"type": "prompt", "voicePrompt": "  "}), b"\xff\xfe"):
            socket.send(message)
        says(socket, "Still there?")
        assert hears(socket)["type"] == "text"


def test_only_twilio_opens_it_and_for_this_account_alone(desk: Desk) -> None:
    line = desk.rings()
    url = line.of("ConversationRelay", "url")
    forged = RequestValidator("another").compute_signature(url, {})
    for headers in ({}, {"X-Twilio-Signature": forged}):
        with pytest.raises(InvalidStatus) as refused, connect(url, additional_headers=headers):
            pass
        assert refused.value.response.status_code == 403
    for wrong in ({"accountSid": "AC" + "0" * 32}, {"callSid": ""}, {"type": "prompt"}):
        with desk.speaks(line, **wrong) as socket, pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=PATIENCE)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
    assert desk.lines(line) == []
