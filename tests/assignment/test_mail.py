"""Who wants it gets a mail of what is assigned to them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from hub.store import tables as t
from tests.assignment.conftest import available
from tests.assignment.test_automatic import assignee, switch_on, text
from tests.audit.test_every_change import called
from tests.mailboxes import Taker
from tests.people.conftest import House, mailing_house
from tests.people.signing_in import mailed_to

CALLS = """\
[[channels]]
id = "calls"
organisation = "main"
plugin = "simulator-calls"
[channels.settings]
numbers = ["+12025550900"]
"""


@pytest.fixture(scope="module")
def mailing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Taker]]:
    with mailing_house(tmp_path_factory.mktemp("mailing"), CALLS) as made:
        yield made


def queued(house: House) -> list[sa.Row[tuple[object, ...]]]:
    return house.rows(t.notices)


@pytest.mark.feature("ALRT-04")
def test_an_assignment_by_somebody_else_is_mailed_once_without_what_was_written(
    mailing: tuple[House, Taker], phones: Iterator[str]
) -> None:
    house, taker = mailing
    one = house.add()
    phone = next(phones)
    thread = text(house, phone)
    assert (
        one.client.get("membership").items()
        >= {
            "available": False,
            "available_since": None,
            "assignment_mail": False,
            "mails": True,
        }.items()
    )
    path = f"threads/{thread['id']}"
    before = len(queued(house))
    house.ana.patch(path, {"assignee_id": one.member_id})
    house.ana.patch(path, {"assignee_id": None})
    assert len(queued(house)) == before, "who has not asked for it gets none"
    one.client.patch("membership", {"assignment_mail": True})
    for _ in range(2):  # the second changes nothing
        house.ana.patch(path, {"assignee_id": one.member_id})
    said = mailed_to(taker, one.email)
    assert f"/messages?conversation={thread['id']}" in said
    assert house.ana.me["name"] in said
    assert phone in said
    assert "Hello" not in said
    assert len(queued(house)) == before + 1
    one.client.patch(path, {"assignee_id": None})
    one.client.patch(path, {"assignee_id": one.member_id})
    assert len(queued(house)) == before + 1, "nobody is told what they do themselves"


@pytest.mark.feature("ALRT-04", "ASGN-03")
def test_an_automatic_assignment_is_mailed(
    mailing: tuple[House, Taker], phones: Iterator[str]
) -> None:
    house, taker = mailing
    one = house.add()
    one.client.patch("membership", {"assignment_mail": True})
    available(one)
    switch_on(house)
    assert assignee(text(house, next(phones))) == one.member_id
    assert "automatically" in mailed_to(taker, one.email)


@pytest.mark.feature("ALRT-04", "PERM-03")
def test_who_does_not_see_the_conversation_is_mailed_nothing(
    mailing: tuple[House, Taker], phones: Iterator[str]
) -> None:
    house, _ = mailing
    one = house.add()
    one.client.patch("membership", {"assignment_mail": True})
    made = house.ana.post("roles", {"name": f"Workshop {one.member_id}",
                                    "capabilities": ["messages.view", "messages.send"],
                                    "channels": ["workshop"]})  # fmt: skip
    house.ana.patch(f"members/{one.member_id}", {"role_id": made["id"]})
    before = len(queued(house))
    thread = text(house, next(phones))
    path = f"threads/{thread['id']}"
    house.ana.patch(path, {"assignee_id": one.member_id})
    assert len(queued(house)) == before
    number = {"channel_id": "front", "address": "+12025550100"}
    house.ana.patch(f"roles/{made['id']}", {"channels": [], "own_addresses": [number]})
    house.ana.patch(path, {"assignee_id": None})
    house.ana.patch(path, {"assignee_id": one.member_id})
    assert len(queued(house)) == before + 1, "they see what comes at that number"


@pytest.mark.feature("ALRT-04", "PERM-03")
def test_the_mail_names_the_customer_by_an_address_that_its_reader_sees(
    mailing: tuple[House, Taker], phones: Iterator[str]
) -> None:
    """Somebody texted from one number and called from another; a role for either sees one."""
    house, taker = mailing
    texted, rang = next(phones), next(phones)
    thread = text(house, texted)
    contact = {"contact_id": thread["contact"]["id"]}
    house.ana.post(f"entries/{called(house.ana, rang)}/reassign", contact)
    for channel, own, foreign in (("front", texted, rang), ("calls", rang, texted)):
        one = house.add()
        one.client.patch("membership", {"assignment_mail": True})
        made = house.ana.post("roles", {"name": f"Only {channel} {one.member_id}",
                                        "capabilities": ["messages.view", "messages.send"],
                                        "channels": [channel]})  # fmt: skip
        house.ana.patch(f"members/{one.member_id}", {"role_id": made["id"]})
        house.ana.patch(f"threads/{thread['id']}", {"assignee_id": one.member_id})
        said = mailed_to(taker, one.email)
        assert own in said
        assert foreign not in said
        assert foreign[2:] not in "".join(filter(str.isdigit, said))
