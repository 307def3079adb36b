"""Members who take turns, at a hub on either database."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.people.conftest import House, Person, house

__all__ = ["house"]

SECTIONS = ("assignment", "targets", "hours")
_numbers = itertools.count(6000)


@pytest.fixture
def phones() -> Iterator[str]:
    """Numbers of customers that nobody has used yet."""
    return (f"+1202555{number}" for number in _numbers)


@pytest.fixture(autouse=True)
def as_at_first(request: pytest.FixtureRequest) -> Iterator[None]:
    """Nothing is set before a test of a hub and after it, and nobody is available."""
    if not {"house", "mailing"} & set(request.fixturenames):
        yield
        return
    name = "house" if "house" in request.fixturenames else "mailing"
    found = request.getfixturevalue(name)
    house: House = found if name == "house" else found[0]

    def clear() -> None:
        house.ana.patch("settings", {section: {} for section in SECTIONS})
        for one in house.ana.get("members"):
            if one["available"]:
                house.ana.patch(f"members/{one['id']}", {"available": False})

    clear()
    yield
    clear()


def available(*people: Person) -> None:
    """They say that they are."""
    for one in people:
        one.client.patch("membership", {"available": True})
