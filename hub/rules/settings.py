"""The settings of an organisation: a section for each area, every field with a default that does.

They are kept as JSON and replaced a section at a time. What a section may hold is said by its types
and by ``__post_init__``, so that whatever is wrong is told with the field's name.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

Clock = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""A time of day, ``HH:MM``."""
Closing = Annotated[str, Meta(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
"""The same; ``24:00`` is the end of the day."""
Language = Literal["de", "en", "es", "fr", "it", "nl", "pt"]
Word = Annotated[str, Meta(min_length=1, max_length=40)]
Words = Annotated[tuple[Word, ...], Meta(max_length=50)]
Answer = Annotated[str, Meta(max_length=480)]


class Span(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From ``opens`` until ``closes`` on one day; what goes on past midnight is two of them."""

    opens: Clock
    closes: Closing

    def __post_init__(self) -> None:
        if self.closes <= self.opens:
            raise ValueError(
                f"closes ({self.closes}) must be later than opens ({self.opens}); hours past "
                "midnight belong to the next day"
            )


Day = Annotated[tuple[Span, ...], Meta(max_length=10)]
ALL_DAY: Day = (Span(opens="00:00", closes="24:00"),)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Holiday(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A day on which nobody is there."""

    date: dt.date
    name: Annotated[str, Meta(max_length=100)] = ""


class Hours(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When somebody is there, in the organisation's time zone: around the clock unless it is said
    otherwise. A day without spans is closed."""

    monday: Day = ALL_DAY
    tuesday: Day = ALL_DAY
    wednesday: Day = ALL_DAY
    thursday: Day = ALL_DAY
    friday: Day = ALL_DAY
    saturday: Day = ALL_DAY
    sunday: Day = ALL_DAY
    holidays: Annotated[tuple[Holiday, ...], Meta(max_length=500)] = ()

    def __post_init__(self) -> None:
        for name in DAYS:
            spans = sorted(self.of(name), key=lambda span: span.opens)
            for one, following in itertools.pairwise(spans):
                if following.opens < one.closes:
                    raise ValueError(
                        f"{name}: {one.opens}-{one.closes} and {following.opens}-"
                        f"{following.closes} overlap"
                    )
        dates = [holiday.date for holiday in self.holidays]
        if twice := next((date for date in dates if dates.count(date) > 1), None):
            raise ValueError(f"holidays: {twice} stands there twice")

    def of(self, day: str) -> Day:
        """The spans of a weekday, by its English name."""
        return getattr(self, day)


class QuietHours(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When nothing goes out by itself, in the contact's time zone where that is known, else in the
    organisation's. From ``start`` until ``end``, which may be the next day."""

    on: bool = False
    start: Clock = "21:00"
    end: Clock = "08:00"

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise ValueError("start and end are the same; switch quiet hours off instead")


class Consent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a message means that is nothing but one word. ``languages``: whose usual words count;
    STOP, START and HELP always do. ``yes_opts_in``: YES too, of who has opted out. The answers are
    sent where the provider does not answer by itself; an empty one is not."""

    languages: Annotated[tuple[Language, ...], Meta(max_length=7)] = ("en",)
    stop_words: Words = ()
    start_words: Words = ()
    help_words: Words = ()
    yes_opts_in: bool = False
    stop_answer: Answer = (
        "You have opted out and will get no more messages from this number. "
        "Reply START to opt in again."
    )
    start_answer: Answer = "You have opted in again. Reply STOP to opt out."
    help_answer: Answer = "Reply STOP to get no more messages from this number."


class SignIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How members sign in. ``require_two_factor``: who has no second factor sets one up first, and
    can do nothing else here until then; API tokens go on."""

    require_two_factor: bool = False


class Approvals(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose messages wait for somebody's approval, whatever the rights behind them: those of
    programs with a token (``api``), of automations, of assistants."""

    sources: Annotated[
        tuple[Literal["api", "automation", "assistant"], ...], Meta(max_length=3)
    ] = ()


class Targets(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How soon who needs a response is to have one: within so many ``minutes`` in which somebody is
    there (``hours``)."""

    on: bool = False
    minutes: Annotated[int, Meta(ge=1, le=20_160)] = 60


AssignmentMode = Literal["off", "round_robin", "least_busy"]
MemberId = Annotated[str, Meta(pattern=r"^[0-9]{1,19}$")]


class ChannelAssignment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How conversations of one channel are assigned by themselves, and to whom; as of
    ``Assignment``."""

    channel_id: Annotated[str, Meta(min_length=1, max_length=100)]
    mode: AssignmentMode = "off"
    members: Annotated[tuple[MemberId, ...], Meta(max_length=500)] | None = None


class Assignment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a conversation that is nobody's is assigned by itself when its contact writes or calls:
    in turn, or to whom the fewest open ones are assigned. ``members``: who takes part of those who
    may answer on the channel; ``None``: all of them. ``channels`` go their own way."""

    mode: AssignmentMode = "off"
    members: Annotated[tuple[MemberId, ...], Meta(max_length=500)] | None = None
    channels: Annotated[tuple[ChannelAssignment, ...], Meta(max_length=500)] = ()

    def __post_init__(self) -> None:
        ids = [one.channel_id for one in self.channels]
        if twice := next((id_ for id_ in ids if ids.count(id_) > 1), None):
            raise ValueError(f'channels: "{twice}" stands there twice')

    def of(self, channel_id: str) -> Assignment | ChannelAssignment:
        """What holds for a channel."""
        return next((one for one in self.channels if one.channel_id == channel_id), self)


class Letters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands below everything that goes out as a letter, below the member's own signature."""

    signature: Annotated[str, Meta(max_length=2_000)] = ""


class Settings(Struct, frozen=True, kw_only=True):
    """All of them."""

    hours: Hours = Hours()
    quiet_hours: QuietHours = QuietHours()
    consent: Consent = Consent()
    approvals: Approvals = Approvals()
    sign_in: SignIn = SignIn()
    targets: Targets = Targets()
    assignment: Assignment = Assignment()
    letters: Letters = Letters()


class SettingsPatch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sections that are to be replaced, each as a whole: a field of it that is not given is as
    it was at first."""

    hours: Hours | UnsetType = UNSET
    quiet_hours: QuietHours | UnsetType = UNSET
    consent: Consent | UnsetType = UNSET
    approvals: Approvals | UnsetType = UNSET
    sign_in: SignIn | UnsetType = UNSET
    targets: Targets | UnsetType = UNSET
    assignment: Assignment | UnsetType = UNSET
    letters: Letters | UnsetType = UNSET


def decode(text: str) -> Settings:
    """As they are stored."""
    return msgspec.json.decode(text, type=Settings)


def encode(settings: Settings) -> str:
    """As they are stored; what nobody has changed is left out, and follows the defaults."""
    sections = {
        name: section
        for name in Settings.__struct_fields__
        if (section := getattr(settings, name)) != getattr(Settings(), name)
    }
    return msgspec.json.encode(sections).decode()


def version(settings: Settings) -> str:
    """What names these settings and no others: equal ones are of one version."""
    return hashlib.blake2b(msgspec.json.encode(settings), digest_size=12).hexdigest()


def replaced(settings: Settings, patch: SettingsPatch) -> Settings:
    """``settings`` with the sections that are given."""
    given = {
        name: section
        for name in SettingsPatch.__struct_fields__
        if (section := getattr(patch, name)) is not UNSET
    }
    return msgspec.structs.replace(settings, **given)
