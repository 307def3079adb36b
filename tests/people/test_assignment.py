"""Who has which conversation, and what waits for a response: whatever happens in whatever order,
everybody's counts and lists are what a model of it says.

More than by default with ``HUB_EXAMPLES``, a factor.
"""

from __future__ import annotations

import itertools
import os
from typing import Any, Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from msgspec import Struct

from tests.hubs import Client, wait_for
from tests.people.conftest import House, Person
from tests.web.asking import check_problem

EXAMPLES = int(os.environ.get("HUB_EXAMPLES", "1"))
NAMES = ("ben", "cleo")
CHANNELS = ("front", "workshop")
_numbers = itertools.count(1)


class Thread(Struct):
    """What the model knows of a conversation."""

    id: str
    contact_id: str
    phone: str
    channel: str
    status: Literal["open", "closed"] = "open"
    needs_response: bool = True
    assignee: str | None = None


class Desk(RuleBasedStateMachine):
    """The hub, and beside it what each of its conversations should be."""

    house: House
    people: dict[str, Person]
    roles: dict[str, str]

    def __init__(self) -> None:
        super().__init__()
        self.ana: Client = self.house.ana
        self.threads: list[Thread] = []
        self.gone: set[str] = set()
        self.limited: set[str] = set()
        self.others = {
            one["id"] for one in self.ana.get("threads", status="all", limit=200)["items"]
        }
        assert len(self.others) < 190, "all of them are seen in one page"
        self.step = 0
        for channel in CHANNELS:
            self.somebody_new_writes(channel)

    def teardown(self) -> None:
        for name in NAMES:
            self.comes_back(name)
            self.is_limited(name, False)

    def at(self, which: int) -> Thread | None:
        return self.threads[which % len(self.threads)] if self.threads else None

    # ------------------------------------------------------------ customers

    @rule(channel=st.sampled_from(CHANNELS))
    def somebody_new_writes(self, channel: str) -> None:
        if len(self.threads) == 5:
            return
        phone = f"+1415555{next(_numbers):04d}"
        self.ana.text(phone, "Hello", channel=channel)
        row = wait_for(lambda: self.found(phone), what="the conversation")
        self.threads.append(Thread(row["id"], row["contact"]["id"], phone, channel))

    def found(self, phone: str) -> dict[str, Any] | None:
        digits = phone[1:]
        return next(
            (
                one
                for one in self.ana.threads()
                if "".join(filter(str.isdigit, one["contact"]["display"])) == digits
            ),
            None,
        )

    @rule(which=st.integers(0, 4))
    def writes_again(self, which: int) -> None:
        thread = self.at(which)
        if thread is None:
            return
        text = f"Once more {next(_numbers)}"
        self.ana.text(thread.phone, text, channel=thread.channel)
        wait_for(
            lambda: any(one["text"] == text for one in self.ana.entries(thread.id)),
            what=repr(text),
        )
        thread.status, thread.needs_response = "open", True

    # ------------------------------------------------------------ the team

    @rule(which=st.integers(0, 4), to=st.sampled_from((None, *NAMES)))
    def is_assigned(self, which: int, to: str | None) -> None:
        thread = self.at(which)
        if thread is None:
            return
        member_id = None if to is None else self.people[to].member_id
        answer = self.ana.call("PATCH", f"threads/{thread.id}", {"assignee_id": member_id})
        if to in self.gone:
            check_problem(answer, 422)
        else:
            assert answer.status_code == 200, answer.text
            thread.assignee = to

    @rule(which=st.integers(0, 4), by=st.sampled_from(NAMES))
    def takes_it(self, which: int, by: str) -> None:
        thread = self.at(which)
        if thread is None:
            return
        person = self.people[by]
        answer = person.client.call(
            "PATCH", f"threads/{thread.id}", {"assignee_id": person.member_id}
        )
        if by in self.gone or not self.sees(by, thread):
            check_problem(answer, 404)
        else:
            assert answer.status_code == 200, answer.text
            thread.assignee = by

    @rule(which=st.integers(0, 4), status=st.sampled_from(("open", "closed")))
    def is_closed_or_opened(self, which: int, status: Literal["open", "closed"]) -> None:
        thread = self.at(which)
        if thread is None:
            return
        self.ana.patch(f"threads/{thread.id}", {"status": status})
        if status == "closed":
            thread.needs_response = False
        thread.status = status

    @rule(which=st.integers(0, 4))
    def is_answered(self, which: int) -> None:
        thread = self.at(which)
        if thread is None:
            return
        wanted = {"channel_id": thread.channel, "contact_id": thread.contact_id, "body": "Here"}
        self.ana.post(f"threads/{thread.id}/messages", wanted)
        thread.needs_response = False

    @rule(which=st.integers(0, 4), needs=st.booleans())
    def is_marked(self, which: int, needs: bool) -> None:
        thread = self.at(which)
        if thread is None:
            return
        answer = self.ana.call("PATCH", f"threads/{thread.id}", {"needs_response": needs})
        assert answer.status_code == 200, answer.text
        thread.needs_response = needs

    # ------------------------------------------------------------ members and roles

    @rule(name=st.sampled_from(NAMES))
    def leaves(self, name: str) -> None:
        if name in self.gone:
            return
        self.ana.post(f"members/{self.people[name].member_id}/deactivate")
        self.gone.add(name)
        mine = [one for one in self.threads if one.assignee == name]
        for thread in mine:
            thread.assignee = None
        wait_for(
            lambda: not self.ana.threads(assignee=self.people[name].member_id),
            what="unassigned conversations",
        )

    @rule(name=st.sampled_from(NAMES))
    def comes_back(self, name: str) -> None:
        if name in self.gone:
            self.ana.post(f"members/{self.people[name].member_id}/reactivate")
            self.gone.discard(name)

    @rule(name=st.sampled_from(NAMES), limited=st.booleans())
    def is_limited(self, name: str, limited: bool) -> None:
        if name in self.gone:
            return
        wanted = {"role_id": self.roles["limited" if limited else "all"]}
        self.ana.patch(f"members/{self.people[name].member_id}", wanted)
        (self.limited.add if limited else self.limited.discard)(name)

    # ------------------------------------------------------------ what is so

    def sees(self, name: str, thread: Thread) -> bool:
        return name not in self.limited or thread.channel == "workshop"

    @invariant()
    def everybody_sees_the_same_in_lists_and_counts(self) -> None:
        self.step += 1
        for name in ("ana", *(one for one in NAMES if one not in self.gone)):
            client = self.ana if name == "ana" else self.people[name].client
            me = self.house.ana.me["name"] if name == "ana" else self.people[name].email
            rows = client.get("threads", status="all", limit=200)["items"]
            assert {one["id"]: shape(one) for one in rows if one["id"] not in self.others} == {
                one.id: self.wanted(one) for one in self.threads if self.sees(name, one)
            }
            told = client.get("threads/counts", status="all")
            by_filter = {
                "all": rows,
                "mine": [one for one in rows if shape(one)[2] == me],
                "unassigned": [one for one in rows if one["assignee"] is None],
                "needs_response": [one for one in rows if one["needs_response"]],
            }
            for by, held in by_filter.items():
                assert told["filter"][by] == len(held), (name, by)
            for status in ("all", "open", "closed"):
                held = [one for one in rows if status in ("all", one["status"])]
                assert told["status"][status] == len(held), (name, status)
            by = sorted(by_filter)[self.step % len(by_filter)]
            listed = client.get("threads", status="all", filter=by, limit=200)["items"]
            assert [one["id"] for one in listed] == [one["id"] for one in by_filter[by]], by

    def wanted(self, one: Thread) -> tuple[Any, ...]:
        return one.status, one.needs_response, one.assignee and self.people[one.assignee].email


def shape(row: dict[str, Any]) -> tuple[Any, ...]:
    """What a row says of its conversation."""
    who = row["assignee"]
    return row["status"], row["needs_response"], who and who["name"]


@pytest.mark.feature("ASGN-01")
@pytest.mark.feature("ASGN-02")
@pytest.mark.feature("PERM-05")
def test_lists_and_counts_are_what_a_model_says(
    house: House, request: pytest.FixtureRequest
) -> None:
    limited = house.ana.post(
        "roles",
        {"name": "Workshop alone", "capabilities": ["messages.view"], "channels": ["workshop"]},
    )
    roles = {"limited": limited["id"], "all": house.role_id("User SMS")}
    attributes = {
        "house": house,
        "people": {name: house.add() for name in NAMES},
        "roles": roles,
    }
    most = (6 if "sqlite" in request.node.name else 3) * EXAMPLES
    run_state_machine_as_test(
        type("OnThis", (Desk,), attributes),
        settings=settings(
            max_examples=most,
            stateful_step_count=30,
            deadline=None,
        ),
    )
