"""What Twilio is told to do with a call: TwiML, by Twilio's own builder, which escapes whatever
stands in it.

Sources: Twilio docs, voice/twiml (dial, number, record, connect, conversationrelay).
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from hub_sms_twilio.forms import NOTHING_TO_SAY
from twilio.twiml.voice_response import Connect, Dial, Gather, VoiceResponse

from hub.plugin import Context, Reply
from hub_voice_twilio.settings import Agent, Settings
from hub_voice_twilio.steps import address

RELAY = "relay"
"""Path of the channel's WebSocket."""
KEY_SECONDS = 10
SILENCE_SECONDS = 5
RECORDED = "record-from-answer-dual"
"""From when somebody picks up, each side on a channel of its own."""


def reply(response: VoiceResponse) -> Reply:
    """As Twilio takes it."""
    return Reply(content_type=NOTHING_TO_SAY.content_type, body=str(response).encode())


def ring(
    ctx: Context,
    settings: Settings,
    call: str,
    phones: tuple[str, ...],
    *,
    turn: int = 0,
    caller_id: str | None = None,
    welcome: str = "",
) -> Reply:
    """Ring ``phones``: all at once, or the one whose ``turn`` it is. ``caller_id``: what they see,
    where it is not the caller's number."""
    response = VoiceResponse()
    _say(response, settings, welcome)
    if settings.record and turn == 0:
        _say(response, settings, settings.record_announcement)
    dial = Dial(
        action=address(ctx, "rang", turn=turn + 1),
        timeout=settings.ring_seconds,
        answer_on_bridge=True,
        caller_id=caller_id,
        **_recorded(ctx, settings, call=call),
    )
    one = settings.ring_order == "in_turn"
    for phone in phones[turn : turn + 1] if one else phones:
        dial.number(phone, url=address(ctx, "accept") if settings.accept_by_key else None)
    response.append(dial)
    return reply(response)


def mailbox(ctx: Context, settings: Settings, call: str, *, closed: bool) -> Reply:
    """Take a message, or say that nobody is there."""
    response = VoiceResponse()
    if closed:
        _say(response, settings, settings.closed)
    if not settings.voicemail:
        if not (closed and settings.closed):
            _say(response, settings, settings.unavailable)
        response.hangup()
        return reply(response)
    _say(response, settings, settings.voicemail_greeting)
    words: dict[str, Any] = {}
    if settings.transcribe:
        words = {"transcribe": True, "transcribe_callback": address(ctx, "words", call=call)}
    response.record(
        action=address(ctx, "left"),
        max_length=settings.voicemail_seconds,
        timeout=SILENCE_SECONDS,
        finish_on_key="#",
        play_beep=True,
        recording_status_callback=address(ctx, "voicemail", call=call),
        recording_status_callback_event="completed absent",
        **words,
    )
    response.hangup()  # where nothing was said
    return reply(response)


def converse(ctx: Context, settings: Settings, agent: Agent) -> Reply:
    """Have the caller speak with the assistant."""
    response = VoiceResponse()
    line = Connect(action=address(ctx, "agent"))
    line.conversation_relay(
        url=_socket(ctx.public_url(RELAY)),
        language=agent.language or settings.language,
        voice=agent.voice,
        welcome_greeting=agent.greeting or None,
        hints=agent.hints or None,
        dtmf_detection=True,
    )
    response.append(line)
    return reply(response)


def accept(ctx: Context, settings: Settings) -> Reply:
    """Ask who has picked up for a key, so that a mailbox is hung up on."""
    response = VoiceResponse()
    gather = Gather(num_digits=1, timeout=KEY_SECONDS, action=address(ctx, "accepted"))
    _say(gather, settings, "Press any key to take the call.")
    response.append(gather)
    response.hangup()
    return reply(response)


def announce(settings: Settings) -> Reply:
    """Tell a contact who was called that it is recorded."""
    response = VoiceResponse()
    if settings.record:
        _say(response, settings, settings.record_announcement)
    return reply(response)


def place(ctx: Context, settings: Settings, *, to: str, own: str) -> VoiceResponse:
    """What a member hears who is making a call: the contact, at once or after a key."""
    if not settings.accept_by_key:
        return connect(ctx, settings, to=to, own=own)
    response = VoiceResponse()
    action = address(ctx, "call", to=to, own=own)
    gather = Gather(num_digits=1, timeout=KEY_SECONDS, action=action)
    _say(gather, settings, "Press any key to make the call.")
    response.append(gather)
    response.hangup()
    return response


def connect(ctx: Context, settings: Settings, *, to: str, own: str) -> VoiceResponse:
    """Call a contact ``to`` for a member, who hears it ring; the contact sees ``own``."""
    response = VoiceResponse()
    if settings.record:
        _say(response, settings, settings.record_announcement)
    dial = Dial(
        action=address(ctx, "reached"),
        answer_on_bridge=True,
        caller_id=own,
        **_recorded(ctx, settings),
    )
    dial.number(to, url=address(ctx, "announce") if settings.record else None)
    response.append(dial)
    return response


def over(settings: Settings, words: str = "") -> Reply:
    """Nothing more, but for some words."""
    response = VoiceResponse()
    _say(response, settings, words)
    response.hangup()
    return reply(response)


def _recorded(ctx: Context, settings: Settings, **more: str) -> dict[str, Any]:
    if not settings.record:
        return {}
    return {
        "record": RECORDED,
        "recording_status_callback": address(ctx, "recording", **more),
        "recording_status_callback_event": "completed absent",
    }


def _say(into: VoiceResponse | Gather, settings: Settings, words: str) -> None:
    if words.strip():
        into.say(words.strip(), language=settings.language, voice=settings.voice)


def _socket(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="wss" if parts.scheme == "https" else "ws"))
