"""What goes by itself while customers opt out and in, members write, and nights begin and end:
nobody is woken, nothing is forgotten, and nothing goes to who has opted out meanwhile."""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from msgspec import Struct

from tests.consent.test_words import says, write
from tests.hubs import Client, HubProcess, wait_for
from tests.patience import PATIENCE
from tests.web.asking import check_problem

EXAMPLES = int(os.environ.get("HUB_EXAMPLES", "1"))
STOPPED, STARTED, HELP = "You get no more messages.", "You get messages.", "Ask us anything."
_numbers = itertools.count(7000)


class Answer(Struct):
    """What the hub writes by itself. ``held``: it waits for the morning."""

    text: str
    state: Literal["held", "gone", "failed"]


class Nights(RuleBasedStateMachine):
    """A customer and the hub, and beside it what should have become of what it has to say. The
    network answers English words itself, so the customer speaks Spanish."""

    hub: HubProcess
    ana: Client

    def __init__(self) -> None:
        super().__init__()
        self.number = f"+1202555{next(_numbers)}"  # from New York
        self.night = self.helped = False
        self.state: str | None = None
        self.answers: list[Answer] = []
        self.written: list[str] = []
        self.thread = says(self.ana, self.number, "Hello")

    def teardown(self) -> None:
        self.night_ends()
        self.morning_comes()
        self.what_is_told_is_so()
        assert all(one.state != "held" for one in self.answers), "nothing waits for ever"

    # ------------------------------------------------------------ the customer

    @rule()
    def stops(self) -> None:
        self.says("Parar")
        if self.state != "out":
            self.answers.append(Answer(STOPPED, "gone"))  # by law, at once
        self.state = "out"

    @rule()
    def starts(self) -> None:
        self.says("Alta")
        if self.state != "in":
            self.answers.append(Answer(STARTED, self.by_itself))
        self.state = "in"

    @rule()
    def asks_for_help(self) -> None:
        self.says("Ayuda")
        if not self.helped and self.state != "out":
            self.answers.append(Answer(HELP, self.by_itself))
            self.helped = True  # once an hour

    def says(self, word: str) -> None:
        def heard() -> int:
            return sum(one["text"] == word for one in self.entries())

        before = heard()
        self.ana.text(self.number, word, channel="texts")
        wait_for(lambda: heard() > before, what=word)

    @property
    def by_itself(self) -> Literal["held", "gone"]:
        return "held" if self.night else "gone"

    # ------------------------------------------------------------ the team

    @rule()
    def a_person_writes(self) -> None:
        text = f"A person writes {len(self.written)}"
        answer = write(self.ana, self.thread, text)
        if self.state == "out":
            assert check_problem(answer, 422)["code"] == "opted_out"
        else:
            assert answer.is_success, answer.text
            self.written.append(text)

    # ------------------------------------------------------------ the clock

    @rule()
    def night_begins(self) -> None:
        now = datetime.now(ZoneInfo("America/New_York"))
        hours = {
            "on": True,
            "start": f"{now - timedelta(hours=2):%H:%M}",
            "end": f"{now + timedelta(hours=2):%H:%M}",
        }
        self.ana.patch("settings", {"quiet_hours": hours})
        self.night = True

    @rule()
    def night_ends(self) -> None:
        self.ana.patch("settings", {"quiet_hours": {}})
        self.night = False

    @rule()
    def morning_comes(self) -> None:
        """The moment until which everything is held; the night may have been made longer."""
        path = self.hub.folder / "data" / "hub.db"
        with contextlib.closing(sqlite3.connect(path, timeout=PATIENCE)) as database, database:
            database.execute("UPDATE transmissions SET due_at = 1 WHERE status = 'scheduled'")
        for step in ("pause", "resume"):  # it looks anew
            self.ana.post(f"channels/texts/{step}")
        for one in self.answers:
            if one.state == "held" and not self.night:
                one.state = "failed" if self.state == "out" else "gone"

    # ------------------------------------------------------------ what is so

    @invariant()
    def what_is_told_is_so(self) -> None:
        wanted = [(one.text, one.state) for one in self.answers]
        wait_for(lambda: self.told() == wanted, what=f"{wanted}")
        wait_for(lambda: not self.night or min(self.due(), default=2) > 1, what="another moment")
        entries = self.entries()
        for text in self.written:
            (one,) = [each for each in entries if each["text"] == text]
            assert one["status"] != "scheduled", "a person's message is not held"

    def entries(self) -> list[dict[str, Any]]:
        return self.ana.entries(self.thread["id"], limit=200)

    def told(self) -> list[tuple[str, str]]:
        own = [
            one
            for one in self.entries()
            if (one["kind"], one["author"]["kind"]) == ("message", "system")
        ]
        own.sort(key=lambda one: int(one["id"]))
        words = {"scheduled": "held", "sent": "gone", "delivered": "gone", "failed": "failed"}
        return [(one["text"], words.get(one["status"]) or one["status"]) for one in own]

    def due(self) -> list[int]:
        path = self.hub.folder / "data" / "hub.db"
        with contextlib.closing(sqlite3.connect(path, timeout=PATIENCE)) as database:
            statement = "SELECT due_at FROM transmissions WHERE status = 'scheduled'"
            return [at for (at,) in database.execute(statement)]


@pytest.fixture
def machine(hub: HubProcess, ana: Client) -> Iterator[type[Nights]]:
    before = ana.get("settings")["consent"]
    answers = {"stop_answer": STOPPED, "start_answer": STARTED, "help_answer": HELP}
    ana.patch("settings", {"consent": before | answers})
    yield type("OnThis", (Nights,), {"hub": hub, "ana": ana})
    ana.patch("settings", {"quiet_hours": {}, "consent": before})
    ana.post("channels/texts/resume")


@pytest.mark.feature("AUTO-03")
@pytest.mark.feature("CONT-03")
def test_nobody_is_woken_and_nothing_is_forgotten(machine: type[Nights]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=6 * EXAMPLES, stateful_step_count=14, deadline=None),
    )


@pytest.mark.feature("AUTO-03")
@pytest.mark.feature("CONT-03")
def test_who_opts_out_in_the_night_gets_nothing_in_the_morning(machine: type[Nights]) -> None:
    for changes_their_mind in (False, True):
        customer = machine()
        customer.night_begins()
        customer.asks_for_help()
        customer.stops()
        if changes_their_mind:
            customer.starts()
        customer.teardown()
        assert customer.answers[0].state == ("gone" if changes_their_mind else "failed")
