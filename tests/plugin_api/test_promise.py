"""The plugin API is what was written down, and changes only as its version allows."""

from __future__ import annotations

import hashlib
import json

import pytest

from hub.plugin import API_VERSION
from tests.plugin_api.promise import (
    COMMAND,
    SNAPSHOT,
    differences,
    facts,
    frozen,
    mistakes,
)

DECLARED = {
    "1.0": "c19f044bfca802d20eae688f7fbb32fd49ef4dea5ffef09d0f159620f7d837f0",
    "1.1": "5390a29e5c88c7d9404dc3c7a04d82d501c8f09641d40488eb9efb6763773cd9",
}
"""Each version that was declared, and the digest of its facts, which nobody changes."""

FIRM = {
    "API_VERSION": "'1.2'",
    "Message": "struct",
    "Message.text": "field str = ''",
    "Message.id": "field str, required",
    "Tone": "one of",
    "Tone: gray": "member",
    "Http.get": "async function -> str",
    "Http.get(url)": "argument str, required",
    "hook send": "async function -> Accepted",
    "hook send(message)": "argument Outbound, required",
    "Draft": "provisional struct",
    "Draft.text": "provisional field str, required",
}


def test_the_api_is_what_was_written_down() -> None:
    before, now = json.loads(SNAPSHOT.read_text(encoding="utf-8")), facts()
    assert mistakes(before, now) == []
    changed = differences(before, now)
    assert not changed, (
        "hub.plugin is not what plugins were promised:\n  "
        + "\n  ".join(changed)
        + f"\nIf that is meant, say so in CHANGELOG.md, then {COMMAND} and look at the difference."
    )


@pytest.mark.feature("PLUG-07")
@pytest.mark.parametrize("version", DECLARED)
def test_what_was_promised_with_a_version_still_holds(version: str) -> None:
    assert mistakes(frozen()[version], facts()) == []


def test_what_was_declared_is_kept_as_it_was() -> None:
    kept = {
        version: hashlib.sha256(SNAPSHOT.with_name(f"api-{version}.json").read_bytes()).hexdigest()
        for version in frozen()
    }
    assert kept == DECLARED, (
        "the facts of a version that was declared never change; those of a new one, which "
        f"{COMMAND} has written, are entered here"
    )
    assert API_VERSION in DECLARED


def test_the_facts_hold_what_a_plugin_relies_on() -> None:
    known = facts()
    assert known["Message.external_id"] == "field str, required"
    assert known["Message.sender"] == "field tuple[Address, ...] = ()"
    assert known["Tone: gray"] == known["Capabilities.inbound: poll"] == "member"
    assert known["FailureReason: opted_out"] == known["Event: Receipt"] == "member"
    assert known["Permanent"] == "error, a kind of HookError"
    assert known["Permanent.__init__(reason)"] == "argument FailureReason, required"
    assert known["hook send"] == "async function -> Accepted"
    assert known["hook send(message)"] == "argument Outbound, required"
    assert known["Verify.hmac(prefix)"] == "argument str, by name = ''"
    assert known["Context.kv"] == "attribute Kv"
    assert known["Draft.text"].startswith("provisional ")


def _changed(**changes: str | None) -> dict[str, str]:
    places = {place: FIRM.get(place) for place in FIRM} | {
        place.replace("__", " "): what for place, what in changes.items()
    }
    return {place: what for place, what in places.items() if what is not None}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"Message.text": None}, "Message.text (field str = '') is gone"),
        ({"Tone: gray": None}, "Tone: gray (member) is gone"),
        ({"hook send": None}, "hook send (async function -> Accepted) is gone"),
        ({"Message.text": "field int = 0"}, "Message.text was \"field str = ''\""),
        ({"hook send": "function -> Accepted"}, "hook send was 'async function -> Accepted'"),
        ({"Message.size": "field int, required"}, "Message.size is new and has no default"),
        ({"Http.get(kind)": "argument str, required"}, "Http.get(kind) is new and has no default"),
        ({"hook send(how)": "argument str = ''"}, "arguments of a hook never change"),
    ],
)
@pytest.mark.parametrize("version", ["'1.2'", "'1.3'"])
def test_what_would_break_a_plugin_waits_for_the_next_major_version(
    change: dict[str, str | None], told: str, version: str
) -> None:
    now = _changed(**change, API_VERSION=version)
    assert told in "\n".join(mistakes(FIRM, now))
    assert "waits for 2.0" in "\n".join(mistakes(FIRM, now))
    assert mistakes(FIRM, now | {"API_VERSION": "'2.0'"}) == []


@pytest.mark.parametrize(
    "place", ["Message.size", "Tone: pink", "Http.post", "hook poll", "Http.get(limit)", "Reply"]
)
def test_what_is_added_needs_a_new_minor_version(place: str) -> None:
    now = _changed(**{place: "field int = 0"})
    (told,) = mistakes(FIRM, now)
    assert 'set API_VERSION in hub/plugin/types.py to "1.3"' in told
    assert place in told
    assert mistakes(FIRM, now | {"API_VERSION": "'1.3'"}) == []


def test_what_is_provisional_may_change_and_become_firm() -> None:
    assert mistakes(FIRM, _changed(**{"Draft": None, "Draft.text": None})) == []
    assert mistakes(FIRM, _changed(**{"Draft.text": "field str, required"})) == []


def test_below_one_everything_may_change_but_not_by_itself() -> None:
    before = FIRM | {"API_VERSION": "'0.9'"}
    now = {place: what for place, what in before.items() if place != "Message.text"}
    assert mistakes(before, now) == []
    assert differences(before, now) == ["- Message.text: field str = ''"]
