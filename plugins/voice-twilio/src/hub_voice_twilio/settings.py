"""What ``[channels.settings]`` may say."""

from __future__ import annotations

from typing import Annotated, Literal

from hub_sms_twilio.account import Account
from msgspec import Meta, Struct

from hub.plugin import Secret
from hub_voice_twilio.hours import Hours

Number = Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{6,14}$")]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}$")]
Language = Annotated[str, Meta(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
Voice = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,80}$")]
Words = Annotated[str, Meta(max_length=1000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]
"""To be spoken. Short enough for TwiML that stands in a request, which may have 4,000, and without
what XML cannot hold."""
RingSeconds = Annotated[int, Meta(ge=5, le=600)]
MailSeconds = Annotated[int, Meta(ge=5, le=3600)]
Header = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,64}$")]


Takes = Literal["all", "closed", "unanswered"]
"""Which calls the assistant takes."""


class Agent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Twilio's ConversationRelay: the caller speaks with the assistant of the channel."""

    takes: Takes = "all"
    """Which calls: all of them, those outside opening hours, or those (these too) that no member
    has taken."""
    greeting: Words = ""
    """What it says first."""
    language: Language | None = None
    """Of both sides, ``de-AT``; without it the channel's."""
    voice: Voice | None = None
    """The voice's name, as Twilio lists them for ConversationRelay."""
    hints: Words = ""
    """Words that are to be heard right: names, products; commas between them."""
    transfer: Words = "One moment please, I am putting you through."
    """What is said before a member takes over."""


class Reports(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Any other voice agent: it posts what came of its calls to the channel's address with
    ``/agent``."""

    keys: Annotated[tuple[Secret, ...], Meta(min_length=1)]
    """The token, or the key of the HMAC; several while one is being replaced."""
    proof: Literal["token", "hmac"] = "token"
    """Whether the key itself stands in the header, or the HMAC-SHA256 of the body, in hex."""
    header: Header = "Authorization"
    prefix: Annotated[str, Meta(max_length=40)] = "Bearer "
    """What stands in the header before it."""


class Settings(Account, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One Twilio account, the numbers of it that are this channel, and what callers hear."""

    numbers: Annotated[tuple[Number, ...], Meta(min_length=1)]
    """Own numbers; the first calls where no other is asked for."""
    country: Country | None = None
    """Where a number written without ``+`` belongs (ISO 3166, ``US``); else the country of the
    first own number."""

    language: Language = "en-US"
    """In which the texts are spoken."""
    voice: Voice | None = None
    """The voice's name, as Twilio lists them for ``<Say>``; without it the account's."""
    greeting: Words = ""
    """What callers hear first, before anybody is rung."""

    ring: Annotated[tuple[Number, ...], Meta(max_length=10)] = ()
    """Phones of the staff; without any, callers go to the voicemail."""
    ring_order: Literal["at_once", "in_turn"] = "at_once"
    ring_seconds: RingSeconds = 20
    """How long they ring: all of them, or each."""
    accept_by_key: bool = False
    """Who picks up has to press a key, so that no mailbox takes a call."""

    hours: Hours | None = None
    """Without them it is always open."""
    closed: Words = "We are closed at the moment."
    """What callers hear outside opening hours."""

    voicemail: bool = True
    voicemail_greeting: Words = (
        "Nobody can take your call right now. Please leave a message after the tone."
    )
    voicemail_seconds: MailSeconds = 120
    """How long a message may be."""
    transcribe: bool = False
    """Have Twilio write messages down: in English only, of two minutes at the most."""
    unavailable: Words = "Nobody can take your call right now. Please call again later."
    """What callers hear where there is no voicemail."""

    record: bool = False
    """Record what is spoken with members."""
    record_announcement: Words = "This call is recorded."
    """Said to both sides of a call that is recorded."""

    agent: Agent | None = None
    reports: Reports | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.record and not self.record_announcement.strip():
            raise ValueError("record_announcement: who is recorded has to be told")
        if self.agent is not None and self.agent.takes == "unanswered" and not self.ring:
            raise ValueError('agent.takes: "unanswered" needs phones to ring; name them in ring')
        if not self.voicemail and not self.ring and self.agent is None and not self.unavailable:
            raise ValueError("ring, voicemail or agent: a caller has to reach something")
