"""Where browsers may be reached, how often they are told of the same, and how long it is tried."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.rules import pushes
from hub.rules.pushes import APART, Subscription
from hub.rules.states import Refusal

NOW = 1_800_000_000_000
TIMES = st.integers(NOW - 10 * APART, NOW + 10 * APART)


@given(st.none() | TIMES, st.none() | TIMES)
def test_nobody_is_told_of_the_same_twice_in_a_short_time(
    tried: int | None, waits: int | None
) -> None:
    due = pushes.due_at(NOW, tried, waits)
    assert due >= NOW
    assert tried is None or due - tried >= APART
    assert waits is None or due >= waits
    assert due in {NOW, (tried or 0) + APART, waits}


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        (None, None),
        ("7", 7_000),
        (" 0 ", 0),
        (formatdate((NOW + 90_000) / 1000, usegmt=True), 90_000),
        (formatdate((NOW - 90_000) / 1000, usegmt=True), 0),
        ("soon", None),
        ("-3", None),
        ("9" * 400, 2 * pushes.GIVE_UP),
        ("", None),
    ],
)
def test_how_long_a_service_asks_to_wait(said: str | None, wait: int | None) -> None:
    assert pushes.retry_after(said, NOW) == wait


@given(st.binary(max_size=200))
def test_base64url_comes_back(data: bytes) -> None:
    assert pushes.decoded(pushes.encoded(data)) == data
    assert pushes.decoded(pushes.encoded(data) + "==") == data


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=40))
def test_whatever_is_given_is_taken_or_refused(endpoint: str, p256dh: str, auth: str) -> None:
    for address in (endpoint, f"https://{endpoint}"):
        with pytest.raises(Refusal):
            pushes.check(Subscription(endpoint=address, p256dh=p256dh, auth=auth))


def test_a_topic_tells_nothing_and_is_as_short_as_it_has_to_be() -> None:
    names = {pushes.topic(org, about) for org in (1, 2) for about in ("7", "8", "channel:sms")}
    assert len(names) == 6
    assert {len(name) for name in names} == {32}
