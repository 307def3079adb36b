"""Whoever opts out, whenever and however: nothing is begun after that is committed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from msgspec.structs import replace
from sqlalchemy import event

from hub.flow.record import Record
from hub.rules import commands as c
from hub.rules.content import Content
from hub.rules.states import Refusal
from hub.store import tables as t
from tests.record.machine import Counter

ORG, CHANNEL = 1, "texts"
PHONE = c.AddressOf(scheme="phone", value="+15550100001")
OWN = ("+15550109999", "+15550108888")
_own = st.sampled_from(OWN)
_anywhere = st.sampled_from(("", *OWN))
_state = st.sampled_from(("in", "out"))
_late = st.sampled_from((0, 0, 0, 3, 12))


class Consents(RuleBasedStateMachine):
    """The record, and beside it what people have said, in the order in which it was received."""

    engine: sa.Engine

    def __init__(self) -> None:
        super().__init__()
        self.connection = self.engine.connect()
        self.transaction = self.connection.begin()
        self.record = Record(Counter(1_000_000))
        self.ids = itertools.count(1)
        self.now = 1_800_000_000_000
        self.said: list[tuple[int, int, str, str]] = []  # received, order, own, state
        self.last_message: list[c.Command] = []
        self.external = itertools.count()
        self.connection.execute(
            sa.insert(t.organisations),
            [{"id": ORG, "slug": "main", "name": "M", "time_zone": "UTC", "created_at": 0}],
        )
        self.connection.execute(
            sa.insert(t.users),
            [
                {
                    "id": 7,
                    "email": "a",
                    "name": "Ana",
                    "password_hash": "",
                    "must_change_password": False,
                    "created_at": 0,
                }
            ],
        )
        self.connection.execute(
            sa.insert(t.members),
            [{"id": 7, "organisation_id": ORG, "user_id": 7, "role_id": 1, "created_at": 0}],
        )
        self.do(self.received("Hello"))

    def teardown(self) -> None:
        self.transaction.rollback()
        self.connection.close()

    def do(self, *commands: c.Command) -> list[Any]:
        return self.record.apply(self.connection, commands).outcomes

    def tick(self) -> int:
        self.now += 1
        return self.now

    def received(self, text: str, at: int | None = None, own: str = OWN[0]) -> c.ReceiveMessage:
        return c.ReceiveMessage(
            organisation_id=ORG,
            at=at or self.tick(),
            entry_id=next(self.ids),
            channel_id=CHANNEL,
            grouping="texts",
            external_id=f"in{next(self.external)}",
            sender=(PHONE,),
            sender_name=None,
            own_address=own,
            content=Content(text=text),
            preview=text,
        )

    def choice(self, own: str, state: str, at: int, **more: Any) -> c.ChangeConsent:
        return c.ChangeConsent(
            organisation_id=ORG,
            at=at,
            entry_id=next(self.ids),
            channel_id=CHANNEL,
            address=PHONE,
            own_address=own,
            state=state,
            **{"how": "said so", **more},
        )

    def sent(self, own: str, *, confirms: bool = False) -> c.SendMessage:
        at = self.now
        return c.SendMessage(
            organisation_id=ORG,
            at=at,
            entry_id=next(self.ids),
            transmission_id=next(self.ids),
            thread_id=None,
            contact_id=None,
            channel_id=CHANNEL,
            grouping="texts",
            address=PHONE,
            own_address=own,
            content=Content(text="Hi"),
            preview="Hi",
            wire="[]",
            author_kind="system",
            due_at=at,
            deadline=at + 1_000_000,
            confirms=confirms,
        )

    def note(self, own: str, state: str, at: int) -> None:
        self.said.append((at, len(self.said), own, state))

    def holds(self, own: str) -> str | None:
        """What was received last counts; of two at once that of the same scope that came last, and
        of different ones the opt-out."""
        of_own = max((one for one in self.said if one[2] == own), default=None)
        of_all = max((one for one in self.said if one[2] == ""), default=None)
        known = [one for one in (of_own, of_all) if one is not None]
        last = max(known, key=lambda one: (one[0], one[3] == "out"), default=None)
        return None if last is None else last[3]

    # ------------------------------------------------------------ what people do

    @rule(own=_own, to=_anywhere, state=_state, late=_late, answers=st.booleans())
    def customer_says(self, own: str, to: str, state: str, late: int, answers: bool) -> None:
        """A word in a message, which may be read long after it was received."""
        at = self.tick() - late
        message = self.received("STOP" if state == "out" else "START", at, own)
        answer = self.sent(own, confirms=state == "out") if answers else None
        said_in = (message.external_id, message.entry_id)
        self.last_message = [message, self.choice(to, state, at, said_in=said_in, answer=answer)]
        self.do(*self.last_message)
        self.note(to, state, at)

    @rule()
    def the_provider_delivers_it_again(self) -> None:
        if not self.last_message:
            return
        at, entry = self.tick(), next(self.ids)
        message, choice = self.last_message
        assert isinstance(message, c.ReceiveMessage)
        assert isinstance(choice, c.ChangeConsent)
        before = self.table(t.consent_events)
        self.do(
            replace(message, at=at, entry_id=entry),
            replace(choice, at=at, said_in=(message.external_id, entry)),
        )
        assert self.table(t.consent_events) == before, "it was said once"

    @rule(own=_anywhere, state=_state, late=_late)
    def provider_or_link_says(self, own: str, state: str, late: int) -> None:
        at = self.tick() - late
        self.do(self.choice(own, state, at))
        self.note(own, state, at)

    @rule(state=_state, reason=st.booleans())
    def member_says(self, state: str, reason: bool) -> None:
        at, how = self.tick(), "they rang us" if reason else ""
        (outcome,) = self.do(self.choice("", state, at, how=how, by_member_id=7))
        if isinstance(outcome, Refusal):
            assert (outcome.code, state, reason) == ("reason_needed", "in", False)
        else:
            self.note("", state, at)

    @rule(own=_own)
    def somebody_writes(self, own: str) -> None:
        self.tick()
        (outcome,) = self.do(self.sent(own))
        assert isinstance(outcome, Refusal) == (self.holds(own) == "out")

    # ------------------------------------------------------------ the outbox

    @rule(fails=st.booleans())
    def the_outbox_goes_on(self, fails: bool) -> None:
        """One step with the first that waits: it is begun, or not any more."""
        self.tick()
        waiting = self.connection.execute(
            sa.select(t.transmissions)
            .where(t.transmissions.c.status == "pending")
            .order_by(t.transmissions.c.id)
        ).first()
        if waiting is None:
            return
        token = {"lease_token": "token", "lease_until": self.now + 1_000}
        self.connection.execute(
            sa.update(t.transmissions).where(t.transmissions.c.id == waiting.id).values(**token)
        )
        step: dict[str, Any] = {
            "organisation_id": ORG,
            "at": self.now,
            "transmission_id": waiting.id,
            "token": "token",
        }
        (started,) = self.do(c.StartSending(**step))
        out = self.holds(waiting.own_address) == "out"
        assert bool(started) == (waiting.confirms or not out)
        if not started:
            row = self.one(t.transmissions, waiting.id)
            assert (row.status, row.reason) == ("failed", "opted_out")
            return
        if fails:
            was_out = self.holds(waiting.own_address) == "out"
            failed = {"reason": "opted_out", "detail": "no", "provider_code": None}
            self.do(c.SendFailed(**step, **failed))
            if not was_out:
                self.note(waiting.own_address, "out", self.now)
        else:
            ids = (f"out{waiting.id}",)
            self.do(c.SendAccepted(**step, external_ids=ids, status="sent"))

    def table(self, table: sa.Table) -> list[Any]:
        return [*self.connection.execute(sa.select(table).order_by(*table.primary_key.columns))]

    def one(self, table: sa.Table, id_: int) -> Any:
        return self.connection.execute(sa.select(table).where(table.c.id == id_)).one()

    # ------------------------------------------------------------ what is always so

    @invariant()
    def what_was_received_last_holds(self) -> None:
        for own in OWN:
            (outcome,) = self._tried(self.sent(own))
            assert isinstance(outcome, Refusal) == (self.holds(own) == "out")

    def _tried(self, command: c.Command) -> list[Any]:
        with self.connection.begin_nested() as nested:
            outcomes = self.do(command)
            nested.rollback()
        return outcomes

    @invariant()
    def history_tells_every_change(self) -> None:
        """Each row that holds came from an event of the history, and each event is audited."""
        events = self.table(t.consent_events)
        for row in self.table(t.consents):
            told = [one for one in events if one.own_address in {"", row.own_address}]
            assert row.state in {one.state for one in told}
        lines = [one for one in self.table(t.audit) if one.action.startswith("consent.")]
        assert [one.action for one in lines] == [f"consent.{one.state}" for one in events]
        shown = [one for one in self.table(t.entries) if one.kind == "system"]
        assert len(shown) <= len(events)

    @invariant()
    def nobody_is_confirmed_to_twice(self) -> None:
        """A confirmation for each time that somebody did opt out, and no more."""
        confirmed = [one for one in self.table(t.transmissions) if one.confirms]
        outs = [one for one in self.table(t.consent_events) if one.state == "out"]
        assert len(confirmed) <= len(outs)


@pytest.fixture
def machine(tmp_path: Path, migrated_sqlite: Path) -> Iterator[type[Consents]]:
    path = tmp_path / "hub.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    engine = sa.create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", lambda raw, _: setattr(raw, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    yield type("OnThis", (Consents,), {"engine": engine})
    engine.dispose()


@pytest.mark.feature("CONT-03")
def test_in_any_order_nothing_is_begun_after_an_opt_out(machine: type[Consents]) -> None:
    run_state_machine_as_test(
        machine, settings=settings(max_examples=60, stateful_step_count=25, deadline=None)
    )
