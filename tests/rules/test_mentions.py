"""Who is mentioned in a note."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.rules.mentions import mentioned

PEOPLE = [(1, "Ana Ruiz"), (2, "Ana Ruiz Lopez"), (3, "Ömer Şahin"), (4, "Ben"), (5, "Ben")]


@pytest.mark.feature("THRD-05")
@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Ask @Ana Ruiz, she knows", (1,)),
        ("@ana ruiz lopez", (2,)),
        ("@Ana Ruiz Lopez and @Ana Ruiz", (2, 1)),
        ("(@ömer şahin)", (3,)),
        ("@Ana\nRuiz", (1,)),
        ("@Ben?", (4, 5)),
        ("@Ben @Ben", (4, 5)),
        ("@Benedict", ()),
        ("mail ana@Ben", ()),
        ("Ana Ruiz", ()),
        ("@ Ana Ruiz", ()),
        ("", ()),
    ],
)
def test_a_whole_name_after_an_at_sign_mentions(text: str, wanted: tuple[int, ...]) -> None:
    assert mentioned(text, PEOPLE) == wanted


@pytest.mark.feature("THRD-05")
@given(st.text(), st.lists(st.tuples(st.integers(), st.text(max_size=5)), max_size=5))
def test_whatever_is_written_only_people_are_mentioned_each_once(
    text: str, people: list[tuple[int, str]]
) -> None:
    found = mentioned(text, people)
    assert set(found) <= {id_ for id_, name in people if name.strip()}
    assert len(found) == len(set(found))
    for id_, name in people:
        if name.split():
            assert id_ in mentioned(f"{text} @{name.strip()} ", [(id_, name)])
