"""What alerts of what, whom, and when not."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from msgspec import ValidationError, convert
from msgspec.structs import replace

from hub.rules import alerts, calls, content, updates
from hub.rules.alerts import AlertChoices, AlertKind, Hearer, OwnQuietHours
from hub.rules.content import Content
from hub.rules.rights import CHANNELS, VIEW
from hub.rules.states import Entry

NOW = 1_800_000_000_000


def entry(**change: Any) -> Entry:
    held = Entry(
        id=1,
        organisation_id=1,
        thread_id=2,
        seq=1,
        kind="message",
        grouping="texts",
        direction="in",
        author_kind="contact",
        author_id=None,
        content=content.encode(Content(text="Hello")),
        preview="Hello",
        occurred_at=NOW,
        sort_at=NOW,
        created_at=NOW,
    )
    return replace(held, **change)


def call(outcome: str | None, **change: Any) -> Entry:
    held = entry(kind="call", grouping="calls", **change)
    return updates.with_call(held, calls.Call(outcome=outcome))


def assigned(to: str, by: int | None = 8) -> Entry:
    said = Content(text="Assigned", event={"type": "assigned", "assignee_id": to})
    return entry(
        kind="system",
        grouping="system",
        direction="internal",
        author_id=by,
        content=content.encode(said),
    )


def note(*mentioned: int) -> Entry:
    said = Content(text="Look", mentions=dict.fromkeys(mentioned, "Somebody"))
    return entry(kind="note", direction="internal", content=content.encode(said))


@pytest.mark.feature("ALRT-01")
@pytest.mark.parametrize(
    ("one", "new", "kind"),
    [
        (entry(), True, "text"),
        (entry(), False, None),
        (entry(grouping="emails"), True, "email"),
        (entry(occurred_at=NOW - alerts.LATE_MS - 1), True, None),
        (call(None), True, "call"),
        (call("missed"), False, None),
        (call("voicemail"), True, "voicemail"),
        (call("voicemail"), False, "voicemail"),
        (entry(direction="out", status="pending"), True, None),
        (entry(direction="out", status="failed"), False, "sending"),
        (entry(direction="out", status="unknown"), False, "sending"),
        (note(), True, None),
        (note(7), True, "mention"),
        (note(7), False, "mention"),
        (assigned("7"), True, "assignment"),
        (entry(kind="system", direction="internal"), True, None),
    ],
)
def test_what_an_entry_alerts_of(one: Entry, new: bool, kind: str | None) -> None:
    assert alerts.kind_of(one, NOW, new=new) == kind


@pytest.mark.feature("ALRT-01")
def test_what_is_told_later_is_an_alert_once() -> None:
    assert alerts.became(call(None), call("voicemail"))
    assert not alerts.became(call("voicemail"), call("voicemail"))
    assert not alerts.became(call(None), call("missed"))
    sent = entry(direction="out", status="sent")
    failed = entry(direction="out", status="failed")
    assert alerts.became(sent, failed)
    assert not alerts.became(failed, replace(failed, status_reason="Another reason"))
    assert not alerts.became(sent, replace(sent, status="delivered"))
    assert alerts.became(note(), note(7))
    assert not alerts.became(note(7), note(7))
    assert not alerts.became(note(7, 9), note(9))


def test_quiet_hours_are_in_a_zone_that_there_is() -> None:
    for zone in ("Mars", "../etc/passwd", "", "\0"):
        with pytest.raises(ValidationError):
            convert({"quiet": {"on": True, "zone": zone}}, AlertChoices)


def test_choices_are_kept_as_they_are() -> None:
    hours = OwnQuietHours(on=True, zone="Europe/Berlin")
    for choices in (AlertChoices(), AlertChoices(off=("call",), sound=False, quiet=hours)):
        assert alerts.decode(alerts.encode(choices)) == choices
    assert alerts.decode("{}") == AlertChoices()


EVERYBODY = Hearer(7, frozenset({VIEW}), AlertChoices())
MENDER = Hearer(7, frozenset({VIEW, CHANNELS}), AlertChoices())
OWN = Hearer(7, frozenset({VIEW}), AlertChoices(whose="own"))
DEAF = Hearer(7, frozenset({VIEW, CHANNELS}), AlertChoices(off=get_args(AlertKind)))


@pytest.mark.feature("ALRT-03")
@pytest.mark.parametrize(
    ("kind", "one", "assignee", "hearer", "concerned"),
    [
        ("text", entry(), 8, EVERYBODY, True),
        ("text", entry(), 8, OWN, False),
        ("text", entry(), 7, OWN, True),
        ("text", entry(), None, OWN, True),
        ("assignment", assigned("7"), 7, OWN, True),
        ("assignment", assigned("7", by=7), 7, OWN, False),
        ("assignment", assigned("8"), 8, EVERYBODY, False),
        ("mention", note(7), 8, OWN, True),
        ("mention", note(8), 7, EVERYBODY, False),
        ("mention", replace(note(7), author_id=7), None, EVERYBODY, False),
        ("sending", entry(direction="out", author_id=8), None, EVERYBODY, False),
        ("sending", entry(direction="out", author_id=7), 8, EVERYBODY, True),
        ("sending", entry(direction="out", author_id=8), 7, EVERYBODY, True),
        ("sending", entry(direction="out", author_id=8), 8, MENDER, True),
    ],
)
def test_whom_an_alert_concerns(
    kind: AlertKind, one: Entry, assignee: int | None, hearer: Hearer, concerned: bool
) -> None:
    assert alerts.concerns(kind, one, assignee, hearer) is concerned
    assert not alerts.concerns(kind, one, assignee, DEAF)


@pytest.mark.feature("ALRT-03")
def test_quiet_hours_go_by_the_clocks_of_who_wants_them() -> None:
    night = {"on": True, "start": "22:00", "end": "07:00"}
    istanbul = convert({"quiet": {**night, "zone": "Europe/Istanbul"}}, AlertChoices)
    utc = convert({"quiet": night}, AlertChoices)
    at_four_utc = 1_800_000_000_000 // 86_400_000 * 86_400_000 + 4 * 3_600_000 + 30 * 60_000
    assert alerts.hushed(utc, at_four_utc)
    assert not alerts.hushed(istanbul, at_four_utc)
    assert alerts.hushed(istanbul, at_four_utc - 3_600_000)
    assert not alerts.hushed(AlertChoices(), at_four_utc)


@pytest.mark.feature("ALRT-03")
def test_which_channels_are_in_trouble() -> None:
    states = ("ok", "degraded", "needs_attention", "off")
    assert [alerts.in_trouble(one, paused=False) for one in states] == [False, False, True, True]
    assert not any(alerts.in_trouble(one, paused=True) for one in states)
