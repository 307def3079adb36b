"""Anything that may happen to what waits, in any order, in a hub that sends: once, or not at all.

More than by default with ``HUB_EXAMPLES``, a factor.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from msgspec import Struct

from tests.approvals.conftest import APPROVE, GATED, SEND, VIEW, Queue
from tests.approvals.test_deciding import at_once
from tests.hubs import Client

_phones = itertools.count(1)
_texts = itertools.count(1)
EXAMPLES = int(os.environ.get("HUB_EXAMPLES", "1"))


class Message(Struct):
    """What the model knows of a message. ``ends``: how it ended, once it was approved."""

    id: str
    phone: str
    text: str
    state: Literal["waiting", "approved", "rejected", "withdrawn"] = "waiting"
    decided_by: str | None = None
    reason: str | None = None
    ends: Literal["pending", "sent", "failed"] = "pending"


class Waiting(RuleBasedStateMachine):
    """The hub's queue, and beside it what should have become of everything in it."""

    queue: Queue
    program: Client
    messages = Bundle("messages")

    def __init__(self) -> None:
        super().__init__()
        self.phones = [f"+1303555{next(_phones):04d}" for _ in range(2)]
        self.threads = {phone: self.queue.text(phone) for phone in self.phones}
        self.out: set[str] = set()
        self.paused = False
        self.ada_approves = True
        self.made: list[Message] = []

    def teardown(self) -> None:
        if self.paused:
            self.goes_on()
        for message in self.made:
            self.is_so(message)
        self.queue.rule("ada", {VIEW, SEND, APPROVE})

    # ------------------------------------------------------------ what people do

    @rule(target=messages, which=st.integers(0, 1), program=st.booleans())
    def submits(self, which: int, program: bool) -> Any:
        phone = self.phones[which]
        thread, text = self.threads[phone], f"Number {next(_texts)} to {phone}"
        by = self.program if program else self.queue.gil
        wanted = {"channel_id": "odd", "contact_id": thread["contact"]["id"], "body": text}
        answer = by.call("POST", f"threads/{thread['id']}/messages", wanted)
        if phone in self.out:
            assert (answer.status_code, answer.json()["code"]) == (422, "opted_out"), answer.text
            return None
        assert answer.json()["status"] == "pending_approval"
        message = Message(answer.json()["id"], phone, text)
        self.made.append(message)
        return message

    @rule(message=messages, ada=st.booleans(), edits=st.booleans())
    def approves(self, message: Message | None, ada: bool, edits: bool) -> None:
        if message is None:
            return
        by, name = (self.queue.ada, "Ada") if ada else (self.queue.ana, "Admin")
        said = {"text": f"Better: {message.text}"} if edits else {}
        answer = self.queue.decide("approve", {"id": message.id}, by=by, **said)
        got = (answer.status_code, answer.json().get("code"))
        if ada and not self.ada_approves:
            assert got[0] == 403
        elif message.state != "waiting":
            assert got == (409, "already_decided")
        elif message.phone in self.out:
            assert got == (422, "opted_out")
            shown = self.queue.gil.get(f"entries/{message.id}")
            assert "opted out" in shown["status_reason"], "its author is told, too"
        else:
            assert got == (200, None), answer.text
            message.text = said.get("text", message.text)
            self.was_approved(message, name)

    @rule(message=messages, ada=st.booleans())
    def rejects(self, message: Message | None, ada: bool) -> None:
        if message is None:
            return
        by, name = (self.queue.ada, "Ada") if ada else (self.queue.ana, "Admin")
        answer = self.queue.decide("reject", {"id": message.id}, by=by, reason="Too blunt")
        if ada and not self.ada_approves:
            assert answer.status_code == 403
        elif message.state != "waiting":
            assert answer.status_code == 409
        else:
            assert answer.status_code == 200
            message.state, message.decided_by, message.reason = "rejected", name, "Too blunt"
        self.is_so(message)

    @rule(message=messages, author=st.booleans())
    def withdraws(self, message: Message | None, author: bool) -> None:
        if message is None:
            return
        by = self.queue.gil if author else self.queue.ana
        answer = self.queue.decide("withdraw", {"id": message.id}, by=by)
        if not author:
            assert answer.status_code in (403, 409)
        elif message.state != "waiting":
            assert answer.status_code == 409
        else:
            assert answer.status_code == 200
            message.state, message.decided_by = "withdrawn", "Gil"
        self.is_so(message)

    @rule(message=messages, other=st.sampled_from(["approve", "reject"]))
    def two_decide_at_once(self, message: Message | None, other: str) -> None:
        if message is None:
            return
        said = {"reason": "No"} if other == "reject" else {}
        ways = ((self.queue.ana, "approve", {}), (self.queue.ada, other, said))
        first, second = at_once(self.queue, {"id": message.id}, *ways)
        right = [one.status_code for one in (first, second)].count(200)
        may_send = message.phone not in self.out
        possible = may_send or (other == "reject" and self.ada_approves)
        assert right == (message.state == "waiting" and possible)
        if second.status_code == 200 and other == "reject":
            message.state, message.decided_by, message.reason = "rejected", "Ada", "No"
        elif right:
            self.was_approved(message, "Admin" if first.status_code == 200 else "Ada")
        self.is_so(message)

    # ------------------------------------------------------------ what happens meanwhile

    @rule(which=st.integers(0, 1), state=st.sampled_from(["in", "out"]))
    def customer_says(self, which: int, state: str) -> None:
        phone = self.phones[which]
        self.queue.consent(phone, state)
        (self.out.add if state == "out" else self.out.discard)(phone)

    @rule(approves=st.booleans())
    def ada_is_given_another_role(self, approves: bool) -> None:
        self.queue.rule("ada", {VIEW, SEND, *([APPROVE] if approves else [])})
        self.ada_approves = approves

    @rule()
    def stops(self) -> None:
        self.queue.ana.post("channels/odd/pause")
        self.paused = True

    @rule()
    def goes_on(self) -> None:
        self.queue.ana.post("channels/odd/resume")
        self.paused = False
        for message in self.made:
            if message.state == "approved" and message.ends == "pending":
                self.has_gone(message)

    # ------------------------------------------------------------ what is so

    def was_approved(self, message: Message, name: str) -> None:
        message.state, message.decided_by = "approved", name
        if not self.paused:
            self.has_gone(message)

    def has_gone(self, message: Message) -> None:
        message.ends = "failed" if message.phone in self.out else "sent"
        self.queue.until(message.id, message.ends)
        self.is_so(message)

    def is_so(self, message: Message) -> None:
        shown = self.queue.gil.get(f"entries/{message.id}")
        assert (
            shown["status"]
            == {
                "waiting": "pending_approval",
                "rejected": "rejected",
                "withdrawn": "canceled",
                "approved": message.ends,
            }[message.state]
        )
        assert len(self.queue.sent(message.text)) == (message.ends == "sent")
        approval = shown["approval"]
        assert (approval["state"], approval["decided_by"]) == (message.state, message.decided_by)
        assert approval["reason"] == message.reason

    @invariant()
    def the_queue_is_what_waits(self) -> None:
        ids = {one.id for one in self.made}
        waiting = [one.id for one in self.made if one.state == "waiting"]
        assert [one for one in self.queue.queued() if one in ids] == waiting


@pytest.fixture
def machine(queue: Queue) -> Iterator[type[Waiting]]:
    program = queue.token("gil", {VIEW, GATED})
    yield type("OnThis", (Waiting,), {"queue": queue, "program": program})
    queue.ana.post("channels/odd/resume")


@pytest.mark.feature("APPR-01")
@pytest.mark.feature("APPR-02")
@pytest.mark.feature("APPR-03")
def test_whatever_happens_it_goes_out_once_or_not_at_all(
    machine: type[Waiting], request: pytest.FixtureRequest
) -> None:
    most = (10 if "sqlite" in request.node.name else 4) * EXAMPLES
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=most,
            stateful_step_count=16,
            deadline=None,
        ),
    )
