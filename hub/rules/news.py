"""What a provider tells of a message or call that is named by the provider's id."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from hub.plugin.types import MediaRef


class Told(Struct, frozen=True, kw_only=True, tag_field="kind"):
    """News of a message; ``at``: when it happened, in milliseconds."""

    at: int


class Edit(Told, frozen=True, kw_only=True, tag="edited"):
    """It reads otherwise now. ``html`` has been cleaned."""

    text: str
    html: str | None = None


class Deletion(Told, frozen=True, kw_only=True, tag="deleted"):
    """Its sender took it back."""


class Reaction(Told, frozen=True, kw_only=True, tag="reaction"):
    """``emoji`` of whoever is reached at ``scheme`` and ``value``; ``None``: no more."""

    scheme: str
    value: str
    display: str | None = None
    emoji: str | None


class Open(Told, frozen=True, kw_only=True, tag="opened"):
    """It was opened, perhaps by a machine."""


class Click(Told, frozen=True, kw_only=True, tag="clicked"):
    """A link in it was followed."""

    url: str


class CallEnd(Told, frozen=True, kw_only=True, tag="call_ended"):
    """The call is over; ``duration`` in seconds of talk."""

    outcome: str
    duration: float | None = None


class Said(Told, frozen=True, kw_only=True, tag="call_turn"):
    """The ``number``-th thing said while the call lasted."""

    number: int
    speaker: str
    text: str


class Recorded(Told, frozen=True, kw_only=True, tag="recording"):
    """A recording of the call lies at ``media``; it becomes the file ``attachment_id``."""

    attachment_id: int
    media: MediaRef


class Transcribed(Told, frozen=True, kw_only=True, tag="transcript"):
    """The call's words: (seconds from the start, speaker, words) each."""

    turns: tuple[tuple[float | None, str, str], ...]


class VoicemailLeft(Told, frozen=True, kw_only=True, tag="voicemail"):
    """The caller left a message: the sound (as ``Recorded``), its words, or both."""

    attachment_id: int
    media: MediaRef | None = None
    duration: float | None = None
    text: str | None = None


class CallReport(Told, frozen=True, kw_only=True, tag="call_outcome"):
    """What a provider's own agent says of the call it handled; ``due_at`` in milliseconds."""

    summary: str
    facts: dict[str, str]
    outcome: str | None = None
    follow_up: str | None = None
    due_at: int | None = None
    handed_over: bool = False


MessageNews = Edit | Deletion | Reaction | Open | Click
CallNews = CallEnd | Said | Recorded | Transcribed | VoicemailLeft | CallReport
News = MessageNews | CallNews

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[News] = msgspec.json.Decoder(News)


def encode(news: News) -> str:
    """As stored."""
    return _encoder.encode(news).decode()


def decode(text: str) -> News:
    """From the store."""
    return _decoder.decode(text)
