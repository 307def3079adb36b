"""Receipts in any order, and what may become of a message."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.rules import sending, statuses
from hub.rules.states import Refusal, Transmission

REPORTED = ("queued", "sent", "delivered", "read", "failed")
NOW = 1_800_000_000_000


def transmission(status: str = "pending", **more: object) -> Transmission:
    """A message in some status."""
    made = Transmission(
        id=1,
        organisation_id=1,
        thread_id=1,
        entry_id=1,
        channel_id="sms",
        scheme="phone",
        address="+15550100001",
        own_address="+15550100000",
        wire="[]",
        status=status,
        due_at=NOW,
        deadline=NOW + 1000,
        status_at=NOW,
        created_at=NOW,
    )
    return replace(made, **more)


@pytest.mark.feature("THRD-03")
@given(st.lists(st.sampled_from(REPORTED), min_size=1, max_size=8), st.randoms())
def test_any_order_of_receipts_ends_the_same(reports: list[str], chance: random.Random) -> None:
    def after(order: list[str]) -> str:
        status = "sending"
        for report in order:
            before, status = status, statuses.advance(status, report)
            assert before == "sending" or statuses.advance(status, before) == status, "went back"
        return status

    shuffled = [*reports]
    chance.shuffle(shuffled)
    assert after(reports) == after(shuffled)


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(REPORTED)), max_size=8),
    st.randoms(),
)
def test_parts_end_the_same_in_any_order_and_a_lost_part_fails_the_whole(
    reports: list[tuple[str, str]], chance: random.Random
) -> None:
    def after(order: list[tuple[str, str]]) -> Transmission:
        one = transmission("sending", lease_token="t", lease_until=NOW + 5)
        one = sending.accepted(one, "t", NOW, ("a", "b", "c"), "queued")
        for part, report in order:
            one = sending.reported(one, part, report, NOW)
        return one

    shuffled = [*reports]
    chance.shuffle(shuffled)
    first, second = after(reports), after(shuffled)
    assert (first.status, first.parts) == (second.status, second.parts)
    reached = {
        part: max((r for p, r in [(part, "queued"), *reports] if p == part), key=_rank)
        for part in ("a", "b", "c")
    }
    if "failed" in reached.values():
        assert first.status == "failed"
    else:
        assert first.status == min(reached.values(), key=_rank)


def _rank(status: str) -> int:
    return ("queued", "sent", "failed", "delivered", "read").index(status)


@pytest.mark.parametrize("status", sorted(statuses.WAITING | {"canceled"}))
def test_a_receipt_says_nothing_of_what_was_never_handed_over(status: str) -> None:
    one = transmission(status)
    assert sending.reported(one, "x", "delivered", NOW) == one


def test_a_receipt_settles_an_unknown_outcome() -> None:
    one = sending.reported(transmission("unknown"), "x", "delivered", NOW)
    assert one.status == "delivered"


@pytest.mark.feature("OPER-03")
def test_who_comes_with_another_lease_is_late() -> None:
    one = transmission("sending", lease_token="mine", lease_until=NOW + 5)
    for step in (
        lambda: sending.accepted(one, "theirs", NOW, ("x",), "queued"),
        lambda: sending.failed(one, "theirs", NOW, "other", "", None),
        lambda: sending.deferred(one, "theirs", NOW, NOW, ""),
        lambda: sending.released(one, "theirs", NOW, NOW),
        lambda: sending.unknown(one, "theirs", NOW, "", NOW),
    ):
        with pytest.raises(Refusal) as refused:
            step()
        assert refused.value.code == "lease_lost"


@pytest.mark.feature("OPER-03")
def test_an_attempt_under_way_is_not_given_up() -> None:
    one = transmission("sending", lease_token="t", lease_until=NOW + 5)
    with pytest.raises(Refusal):
        sending.unknown(one, None, NOW, "", NOW)
    assert sending.unknown(one, None, NOW + 6, "", NOW).status == "unknown"


@pytest.mark.feature("THRD-12")
@pytest.mark.parametrize(
    ("status", "lease_until", "allowed"),
    [
        ("pending", None, True),
        ("pending", NOW - 1, True),
        ("pending", NOW + 1, False),
        ("scheduled", None, True),
        ("sending", NOW + 1, False),
        ("queued", None, False),
        ("failed", None, False),
        ("canceled", None, False),
    ],
)
def test_cancel_until_it_is_picked_up(status: str, lease_until: int | None, allowed: bool) -> None:
    one = transmission(status, lease_until=lease_until)
    if allowed:
        assert sending.canceled(one, NOW).status == "canceled"
        return
    with pytest.raises(Refusal) as refused:
        sending.canceled(one, NOW)
    assert refused.value.code == "too_late"


def test_backing_off_grows_with_chance_and_has_an_end() -> None:
    chance = random.Random(1)
    for attempts in range(1, 40):
        waits = [sending.backoff(attempts, chance) for _ in range(50)]
        whole = min(sending.BACKOFF_LONGEST_MS, sending.BACKOFF_FIRST_MS * 2 ** (attempts - 1))
        assert whole // 2 <= min(waits) < max(waits) <= whole


def test_trying_ends_at_the_deadline() -> None:
    one = transmission("sending", lease_token="t", lease_until=NOW + 5)
    assert sending.deferred(one, "t", NOW, NOW + 500, "busy").status == "pending"
    late = sending.deferred(one, "t", NOW, NOW + 1001, "busy")
    assert (late.status, late.reason) == ("failed", "other")
    assert "busy" in (late.detail or "")


def test_an_entry_shows_what_a_person_must_know_first() -> None:
    order = [
        "unknown", "failed", "pending", "scheduled",
        "queued", "sent", "delivered", "read", "canceled",
    ]  # fmt: skip
    for first, second in itertools.combinations(order, 2):
        assert statuses.of_entry([second, first]) == first
    assert statuses.of_entry(["sending", "read"]) == "pending"
