"""What Twilio's ConversationRelay says over its WebSocket, and what it is told.

Source: Twilio docs, voice/conversationrelay/websocket-messages. New kinds and fields appear without
notice, so whatever is not known is passed over.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, field

from hub.plugin.reading import Id


class Frame(Struct, frozen=True, kw_only=True, tag_field="type", rename="camel"):
    """A message of Twilio's."""


class Setup(Frame, frozen=True, kw_only=True, tag="setup"):
    """The first one: whose call it is."""

    call_sid: Id
    account_sid: str = ""
    from_: str = field(default="", name="from")
    to: str = ""
    direction: str = "inbound"


class Prompt(Frame, frozen=True, kw_only=True, tag="prompt"):
    """What the caller has said; ``last``: nothing of the sentence follows."""

    voice_prompt: str
    last: bool = True


class Interrupt(Frame, frozen=True, kw_only=True, tag="interrupt"):
    """The caller has cut in: what had been heard of the words by then."""

    utterance_until_interrupt: str = ""


class Dtmf(Frame, frozen=True, kw_only=True, tag="dtmf"):
    """The caller has pressed a key."""

    digit: str


class Error(Frame, frozen=True, kw_only=True, tag="error"):
    """Twilio did not understand what it was told."""

    description: str = ""


_decoder = msgspec.json.Decoder(Setup | Prompt | Interrupt | Dtmf | Error)


def read(message: str | bytes) -> Frame | None:
    """A message; ``None`` for what is none of these."""
    try:
        return _decoder.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def words(text: str, *, last: bool) -> str:
    """Have it said; ``last``: nothing of the answer follows."""
    return _text({"type": "text", "token": text, "last": last})


def end(handoff: dict[str, str] | None = None) -> str:
    """End the session; ``handoff`` comes back with the action of ``<Connect>``."""
    data = {} if handoff is None else {"handoffData": _text(handoff)}
    return _text({"type": "end", **data})


def _text(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode()
