"""Random histories of a few conversations, and what the database holds after them.

A history is carried out twice. First one command at a time: each step is turned into a command
by looking at what is there. Then the very same commands again, on an empty database, in batches.
The ids that the hub makes come from a counter, so every row must be the same, ids and all.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st
from msgspec import structs
from pyroaring import BitMap
from sqlalchemy import Connection

from hub.flow.record import Record
from hub.plugin import MediaRef
from hub.rules import approvals, calls, news, sight, updates
from hub.rules import commands as c
from hub.rules import content as contents
from hub.rules.content import Content, one_line
from hub.rules.settings import Assignment, ChannelAssignment, Settings
from hub.rules.threads import NOWHERE
from hub.store import people
from hub.store import tables as t
from hub.store.ids import Ids
from tests import books

ORGANISATIONS = (1, 2)
CHANNELS = ("sms", "chat")
PHONES = ("+15550100001", "+15550100002", "+15550100003")
OWN = ("+15550109999", "+15550108888")
PLACES = (
    *CHANNELS,
    *(sight.number(channel, own) for channel, own in itertools.product(CHANNELS, OWN)),
)
START = 1_800_000_000_000
TEXTS = (
    "",
    "Invoice for the new bicycle",
    "invoices: 12, 13 and 14",
    "The bicycle, for Zoë's sister — new!",
    "e-mail ZOE@example.com for the invoice",
    "私は東京都に住む 🙂🙂",
    "Ça coûte 12 € \x00 or 1\u0301 4711",
    "FOR THE new 'invoice' AND NOT \"bicycle\" OR *",
    "новая квитанция، رقم ١٢",
)
NAMES = (None, "Zoë Bicycle", "Ana", "O'Neill & Søn 東京", "100% \\_new")
STATUSES = ("queued", "sent", "delivered", "read", "failed")

Step = dict[str, Any]
"""A command in the making: its kind and the choices that were drawn for it."""


def _at() -> st.SearchStrategy[int]:
    return st.integers(0, 3_600_000)


def _pick() -> st.SearchStrategy[int]:
    """Which of the things made so far; modulo their number."""
    return st.integers(0, 1_000)


_org = st.sampled_from(ORGANISATIONS)
_channel = st.sampled_from(CHANNELS)
_phone = st.sampled_from(PHONES)
_own = st.sampled_from(OWN)
_says = st.sampled_from(TEXTS)


def _step(kind: str, **choices: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.fixed_dictionaries({"kind": st.just(kind), "at": _at(), **choices})


_named = st.builds("in{}".format, st.integers(0, 12)) | st.builds(
    "out{}".format, st.integers(100, 108)
)
_when = st.integers(START, START + 9)
_news = st.one_of(
    st.builds(news.Edit, at=_when, text=_says, html=st.none()),
    st.builds(news.Deletion, at=_when),
    st.builds(
        news.Reaction,
        at=_when,
        scheme=st.just("phone"),
        value=_phone,
        emoji=st.sampled_from(["👍", "❤️", None]),
    ),
    st.builds(news.Open, at=_when),
    st.builds(news.Click, at=_when, url=st.sampled_from(["https://a.example", "b"])),
)
_ref = MediaRef(url="https://example.com/a.wav")
_of_calls = st.one_of(
    st.builds(
        news.CallEnd,
        at=_when,
        outcome=st.sampled_from(["answered", "missed", "voicemail"]),
        duration=st.none() | st.integers(0, 99).map(float),
    ),
    st.builds(
        news.Said, at=_when, number=st.integers(1, 3), speaker=st.just("customer"), text=_says
    ),
    st.builds(news.Recorded, at=_when, attachment_id=st.just(0), media=st.just(_ref)),
    st.builds(
        news.Transcribed, at=_when, turns=st.tuples(st.tuples(st.none(), st.just("a"), _says))
    ),
    st.builds(
        news.VoicemailLeft,
        at=_when,
        attachment_id=st.just(0),
        media=st.none() | st.just(_ref),
        text=st.none() | _says,
    ),
    st.builds(
        news.CallReport,
        at=_when,
        summary=_says,
        facts=st.just({"Address": "1 Way"}),
        follow_up=st.sampled_from([None, "Call back"]),
        handed_over=st.booleans(),
    ),
)
_callers = st.sampled_from(NAMES)
"""News of a message; few times, so that some happen at the same moment."""

writing = st.one_of(
    _step(
        "receive",
        org=_org,
        channel=_channel,
        phone=_phone,
        own=_own,
        external=_named,
        occurred=st.none() | st.integers(-7_200_000, 7_200_000),
        asks=st.booleans(),
        echo=st.booleans(),
        files=st.integers(0, 2),
        says=_says,
        name=st.sampled_from(NAMES),
    ),
    _step("send", org=_org, channel=_channel, phone=_phone, own=_own,
          key=st.integers(0, 6), says=_says),
    _step("reply", pick=_pick(), channel=_channel, own=_own, wrong=st.booleans(), says=_says),
    _step("note", pick=_pick(), says=_says),
)  # fmt: skip
"""The steps that bring words into a conversation."""

steps = st.one_of(
    writing,
    _step("assign", pick=_pick(), to=st.sampled_from([None, 11, 12, 13])),
    _step("status", pick=_pick(), status=st.sampled_from(["open", "closed"])),
    _step("needs", pick=_pick(), needs=st.booleans()),
    _step("read", pick=_pick()),
    _step("unread", pick=_pick(), places=st.none() | st.frozensets(st.sampled_from(PLACES))),
    _step("call", org=_org, channel=_channel, phone=_phone, external=st.integers(0, 12),
          direction=st.sampled_from(["in", "out"]), withheld=st.booleans(), name=_callers),
    _step("news", org=_org, channel=_channel, of=_named, about=_news | _of_calls,
          key=st.integers(0, 20)),
    _step("consent", org=_org, channel=_channel, phone=_phone,
          state=st.sampled_from(["in", "out"])),
    _step("identity", org=_org, channel=_channel, phone=_phone, to=_phone),
    _step("lease", pick=_pick(), token=st.integers(0, 3)),
    _step("start", pick=_pick(), token=st.integers(0, 3)),
    _step("accept", pick=_pick(), token=st.integers(0, 3), external=st.integers(100, 108),
          status=st.sampled_from(STATUSES[:3]), parts=st.integers(1, 2)),
    _step("fail", pick=_pick(), token=st.integers(0, 3),
          reason=st.sampled_from(["bad_address", "opted_out"])),
    _step("defer", pick=_pick(), token=st.integers(0, 3)),
    _step("unknown", pick=_pick(), token=st.integers(0, 3) | st.none()),
    _step("absent", pick=_pick()),
    _step("receipt", org=_org, channel=_channel, of=_named,
          status=st.sampled_from(STATUSES)),
    _step("cancel", pick=_pick()),
    _step("retry", pick=_pick()),
    _step("resolve", pick=_pick(), outcome=st.sampled_from(["sent", "failed"])),
    _step("media", pick=_pick(), fails=st.booleans()),
    _step("settle", pick=_pick()),
    _step("give_up", pick=_pick()),
    _step("promise", pick=_pick(), done=st.booleans()),
    _step("move", pick=_pick(), to=st.none() | _pick()),
    _step("dial", pick=_pick(), channel=_channel),
)  # fmt: skip

histories = st.lists(steps, min_size=1, max_size=40)

_one = st.just(1)
_chat = st.just("chat")
identities = st.lists(
    st.one_of(
        _step("receive", org=_one, channel=_chat, phone=_phone, own=_own,
              external=st.builds("in{}".format, st.integers(0, 30)), occurred=st.none(),
              asks=st.booleans(), echo=st.booleans(), files=st.just(0), says=_says,
              name=st.sampled_from(NAMES)),
        _step("identity", org=_one, channel=_chat, phone=_phone, to=_phone),
        _step("consent", org=_one, channel=_chat, phone=_phone,
              state=st.sampled_from(["in", "out"])),
        _step("send", org=_one, channel=_chat, phone=_phone, own=_own,
              key=st.integers(0, 6), says=_says),
    ),
    min_size=3,
    max_size=15,
)  # fmt: skip
"""People whose addresses change, and who write and are written to meanwhile."""

_many = st.builds("+155501{:05}".format, st.integers(0, 7))
_comes = _step("receive", org=_one, channel=_channel, phone=_many, own=_own,
      external=st.builds("in{}".format, st.integers(0, 60)), occurred=st.none(),
      asks=st.just(True), echo=st.just(False), files=st.just(0), says=_says,
      name=st.none())  # fmt: skip
newcomers = st.lists(
    st.one_of(
        _comes,
        _comes,
        _step("call", org=_one, channel=_channel, phone=_many, external=st.integers(0, 60),
              direction=st.just("in"), withheld=st.just(False), name=_callers),
        _step("assign", pick=_pick(), to=st.sampled_from([None, 11, 12])),
        _step("status", pick=_pick(), status=st.sampled_from(["open", "closed"])),
    ),
    min_size=4,
    max_size=25,
)  # fmt: skip
"""Many who write and call, and conversations that are given to somebody else or nobody."""

_waits = st.integers(0, 3)
"""Which of what has waited for approval; few, so that many decide on the same."""
_who = st.sampled_from([11, 12, 13])
_written = _step("receive", org=_one, channel=_chat, phone=_phone, own=_own,
      external=st.builds("in{}".format, st.integers(0, 30)), occurred=st.none(),
      asks=st.booleans(), echo=st.just(False), files=st.just(0), says=_says,
      name=st.none())  # fmt: skip
_proposed = _step("propose", pick=st.integers(0, 2), own=_own, by=_who, says=_says,
      key=st.none() | st.integers(0, 3))  # fmt: skip
_meanwhile = st.lists(
    st.one_of(
        _written,
        _proposed,
        _step("approve", pick=_waits, by=_who, says=st.none() | _says),
        _step("reject", pick=_waits, by=_who),
        _step("withdraw", pick=_waits, by=_who),
        _step("hold", pick=_waits),
        _step("rule", who=st.sampled_from([11, 12]), may=st.booleans()),
        _step("leave", who=st.sampled_from([11, 12]), gone=st.booleans()),
        _step("consent", org=_one, channel=_chat, phone=_phone,
              state=st.sampled_from(["in", "out"])),
        _step("reply", pick=st.integers(0, 2), channel=_chat, own=_own, wrong=st.just(False),
              says=_says),
        _step("status", pick=_pick(), status=st.sampled_from(["open", "closed"])),
        _step("cancel", pick=_pick()),
        _step("retry", pick=_pick()),
        _step("lease", pick=_waits, token=st.just(0)),
        _step("start", pick=_waits, token=st.just(0)),
        _step("accept", pick=_waits, token=st.just(0), external=st.integers(100, 108),
              status=st.sampled_from(STATUSES[:3]), parts=st.just(1)),
        _step("fail", pick=_waits, token=st.just(0),
              reason=st.sampled_from(["bad_address", "opted_out"])),
    ),
    max_size=25,
)  # fmt: skip
proposals = st.builds(
    lambda *steps: [*steps[:-1], *steps[-1]], _written, _proposed, _proposed, _meanwhile
)
"""Messages that wait for approval, and all that may happen to them meanwhile."""

_MINE: dict[str, Any] = {"org": 1, "channel": "chat", "phone": PHONES[0], "own": OWN[0]}
_beside = st.one_of(
    _step("receive", external=st.builds("in{}".format, st.integers(0, 12)), occurred=st.none(),
          asks=st.booleans(), echo=st.booleans(), files=st.just(0), says=_says, name=st.none(),
          **{name: st.just(value) for name, value in _MINE.items()}),
    _step("note", pick=st.just(0), says=_says),
    _step("needs", pick=st.just(0), needs=st.booleans()),
    _step("assign", pick=st.just(0), to=st.sampled_from([None, 11])),
    _step("read", pick=_pick()),
    _step("receipt", org=st.just(1), channel=st.just("chat"),
          of=st.sampled_from(["out100", "out101", "out102"]), status=st.sampled_from(STATUSES)),
    _step("news", org=st.just(1), channel=st.just("chat"),
          of=st.sampled_from(["out100", "out101", "out102"]), about=_news, key=st.integers(0, 9)),
)  # fmt: skip


@st.composite
def echoed(draw: st.DrawFn) -> list[Step]:
    """Messages that go out, each step after the one before, and echoes of them: before the sending
    is accepted, after it, or of messages that are none of ours."""
    sends = draw(st.integers(1, 2))
    left: list[list[Step]] = []
    for number in range(sends):
        parts = draw(st.integers(1, 2))
        told = {"pick": number, "token": number}
        left.append(
            [
                {"kind": "send", **_MINE, "key": number, "says": f"Message {number}"},
                {"kind": "lease", **told},
                {"kind": "start", **told},
                {"kind": "accept", **told, "external": 100 + 2 * number, "status": "queued",
                 "parts": parts},
            ]
        )  # fmt: skip
    echo = {"kind": "receive", **_MINE, "occurred": None, "asks": True, "echo": True,
            "says": "Message", "name": None}  # fmt: skip
    ids = draw(st.lists(st.integers(100, 104), max_size=5))
    left.append(
        [{**echo, "external": f"out{id_}", "files": draw(st.integers(0, 1))} for id_ in ids]
    )
    left.append(draw(st.lists(_beside, max_size=6)))
    history = [left[0].pop(0)]
    while any(left):
        rest = draw(st.sampled_from([number for number, steps in enumerate(left) if steps]))
        history.append(left[rest].pop(0))
    return [{"at": 0, **step} for step in history]


class Counter(Ids):
    """Ids 1, 2, 3, … so that two runs make the same."""

    def __init__(self, start: int) -> None:
        super().__init__(0)
        self._count = itertools.count(start)

    def new(self) -> int:
        return next(self._count)


Work = c.Command | Callable[[Connection], None]
"""A command, or a step of the outbox that is no command (taking a lease)."""


def prepare(connection: Connection) -> None:
    """An empty database with two organisations and three members, one of them gone."""
    books.unguard(connection)
    for table in t.metadata.sorted_tables:
        connection.execute(sa.delete(table))
    forget_words(connection)
    organisations = [
        {"id": org, "slug": f"o{org}", "name": "O", "time_zone": "UTC", "created_at": 0}
        for org in ORGANISATIONS
    ]
    connection.execute(sa.insert(t.organisations), organisations)
    roles = [
        {
            "id": id_,
            "organisation_id": 1,
            "name": name,
            "capabilities": '["messages.view","messages.send_gated","messages.approve"]',
            "created_at": 0,
        }
        for id_, name in ((11, "Ana's"), (12, "Ben's"), (13, "Cy's"))
    ]
    connection.execute(sa.insert(t.roles), roles)
    for id_, name, gone in ((11, "Ana", None), (12, "Ben", None), (13, "Cy", 5)):
        user = {
            "id": id_,
            "email": f"{name}@example.com",
            "name": name,
            "password_hash": "",
            "must_change_password": False,
            "created_at": 0,
        }
        connection.execute(sa.insert(t.users), [user])
        member = {
            "id": id_,
            "organisation_id": 1,
            "user_id": id_,
            "role_id": id_,
            "created_at": 0,
            "deactivated_at": gone,
        }
        connection.execute(sa.insert(t.members), [member])


def assign_automatically(connection: Connection) -> None:
    """Two members are there for what nobody has; one of them sees a single number of a channel."""
    own = sa.update(t.members).where(t.members.c.id != 13)
    connection.execute(own.values(available=True))
    places = ["chat", sight.number("sms", OWN[0])]
    limited = sa.update(t.roles).where(t.roles.c.id == 12)
    connection.execute(limited.values(channel_ids=json.dumps(places)))
    ways = Assignment(
        mode="round_robin", channels=(ChannelAssignment(channel_id="chat", mode="least_busy"),)
    )
    people.set_settings(connection, 1, Settings(assignment=ways))


def forget_words(connection: Connection) -> None:
    """Empty the search as well."""
    on_sqlite = connection.dialect.name == "sqlite"
    emptied = (
        "INSERT INTO search_entries (search_entries) VALUES ('delete-all')"
        if on_sqlite
        else "DELETE FROM search_entries"
    )
    for statement in (emptied, "DELETE FROM search_contacts"):
        connection.execute(sa.text(statement))


def let_roles_see(connection: Connection, *of_roles: frozenset[str]) -> None:
    """Let these be what roles of both organisations see, and nothing else."""
    connection.execute(sa.delete(t.roles))
    for number, (org, places) in enumerate(itertools.product(ORGANISATIONS, of_roles)):
        row = {
            "id": number,
            "organisation_id": org,
            "name": str(number),
            "capabilities": "[]",
            "created_at": 0,
            "channel_ids": sight.text_of(places),
        }
        connection.execute(sa.insert(t.roles), [row])


def dump(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, but for counts that have come down to nothing. The same set may be
    written in several ways."""
    return {
        table.name: [
            (*row[:-1], list(BitMap.deserialize(row.numbers)))
            if table in (t.thread_sets, t.sight_sets)
            else tuple(row)
            for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))
            if not (table.name.endswith("_counts") and row.n == 0)
        ]
        for table in t.metadata.sorted_tables
    }


def one_at_a_time(
    connection: Connection,
    history: Sequence[Step],
    between: Callable[[Connection, int], None] = lambda _connection, _number: None,
) -> list[Work]:
    """Carry a history out a step at a time; the work it came to. ``between``: what happens besides
    before each."""
    record = Record(Counter(10_000))
    author = Author(connection)
    done: list[Work] = []
    for number, step in enumerate(history):
        between(connection, number)
        work = author.work(START + number * 4_000_000 + step["at"], step)
        if work is None:
            continue
        carry_out(connection, record, [work])
        done.append(work)
    return done


def in_batches(connection: Connection, work: Sequence[Work], cuts: Sequence[int]) -> None:
    """Carry the same work out in batches."""
    record = Record(Counter(10_000))
    edges = [0, *sorted({cut % (len(work) + 1) for cut in cuts}), len(work)]
    for first, last in itertools.pairwise(edges):
        carry_out(connection, record, work[first:last])


def carry_out(connection: Connection, record: Record, work: Sequence[Work]) -> None:
    """As the writer does: commands that stand together go together."""
    for are_functions, group in itertools.groupby(work, key=lambda one: not is_command(one)):
        if are_functions:
            for function in group:
                function(connection)  # type: ignore[operator]
        else:
            record.apply(connection, list(group))  # type: ignore[arg-type]


def is_command(work: Work) -> bool:
    return isinstance(work, c.Command)


class Author:
    """Turns steps into work, upon what is there."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ids = itertools.count(1_000)

    def work(self, at: int, step: Step) -> Work | None:
        """The work of a step; ``None`` where there is nothing yet that it could be about."""
        return getattr(self, f"_{step['kind']}")(at, step)

    def _id(self) -> int:
        return next(self._ids)

    def _picked(self, table: sa.Table, step: Step) -> Any:
        rows = self._connection.execute(sa.select(table).order_by(table.c.id)).all()
        return rows[step["pick"] % len(rows)] if rows else None

    # ---------------------------------------------------------------- what arrives

    def _receive(self, at: int, step: Step) -> Work:
        return c.ReceiveMessage(
            organisation_id=step["org"],
            at=at,
            entry_id=self._id(),
            channel_id=step["channel"],
            grouping="texts",
            external_id=self._of(step),
            sender=(c.AddressOf(scheme="phone", value=step["phone"]),),
            sender_name=step["name"],
            own_address=step["own"],
            content=Content(text=step["says"], subject="Bicycle" if at % 5 == 0 else None),
            preview=one_line(step["says"]),
            media=tuple(
                (self._id(), MediaRef(url="https://example.com/a.png"))
                for _ in range(step["files"])
            ),
            occurred_at=None if step["occurred"] is None else at + step["occurred"],
            asks=step["asks"],
            echo=step["echo"],
            threads=step["channel"] == "chat",
            assigns=not step["echo"] and at % 4 > 0,
        )

    def _of(self, step: Step) -> str:
        """Only an echo has the id of a message that goes out."""
        external: str = step["external"]
        return external if step["echo"] else external.replace("out1", "in1")

    def _receipt(self, at: int, step: Step) -> Work:
        return c.ReceiveReceipt(
            organisation_id=step["org"],
            at=at,
            channel_id=step["channel"],
            status=step["status"],
            external_id=step["of"],
            reason="opted_out" if step["status"] == "failed" and at % 2 else None,
        )

    def _news(self, at: int, step: Step) -> Work:
        return c.ReceiveNews(
            organisation_id=step["org"],
            at=at,
            channel_id=step["channel"],
            external_id=step["of"],
            key=f"news{step['key']}",
            news=self._with_file(step["about"]),
        )

    def _with_file(self, told: news.News) -> news.News:
        if isinstance(told, news.Recorded | news.VoicemailLeft):
            return structs.replace(told, attachment_id=self._id())
        return told

    def _call(self, at: int, step: Step) -> Work:
        caller = c.AddressOf(scheme="phone", value=step["phone"])
        return c.ReceiveCall(
            organisation_id=step["org"],
            at=at,
            entry_id=self._id(),
            channel_id=step["channel"],
            external_id=f"in{step['external']}",
            direction=step["direction"],
            caller=() if step["withheld"] else (caller,),
            caller_name=step["name"],
            own_address=OWN[at % 2],
            assigns=step["direction"] == "in" and at % 4 > 0,
        )

    def _consent(self, at: int, step: Step) -> Work:
        return c.ChangeConsent(
            organisation_id=step["org"],
            at=at,
            entry_id=self._id(),
            channel_id=step["channel"],
            address=c.AddressOf(scheme="phone", value=step["phone"]),
            own_address="",
            state=step["state"],
            how="said so",
        )

    def _identity(self, at: int, step: Step) -> Work:
        old, new = (c.AddressOf(scheme="phone", value=step[name]) for name in ("phone", "to"))
        return c.ChangeIdentity(
            organisation_id=step["org"], at=at, channel_id=step["channel"], old=old, new=new
        )

    def _media(self, at: int, step: Step) -> Work | None:
        file = self._picked(t.attachments, step)
        if file is None:
            return None
        names = {"organisation_id": file.organisation_id, "at": at, "attachment_id": file.id}
        if step["fails"]:
            return c.MediaFailed(reason="gone", due_at=None if at % 2 else at + 5, **names)
        return c.MediaFetched(
            name="a.png", content_type="image/png", size=3, sha256="0" * 64, width=1, height=1,
            **names,
        )  # fmt: skip

    # ---------------------------------------------------------------- what members do

    def _send(self, at: int, step: Step) -> Work:
        return self._message(
            at,
            organisation_id=step["org"],
            thread_id=None,
            contact_id=None,
            channel_id=step["channel"],
            address=c.AddressOf(scheme="phone", value=step["phone"]),
            own_address=step["own"],
            idempotency_key=f"key{step['key']}",
            request=step["phone"],
            content=Content(text=step["says"]),
        )

    def _reply(self, at: int, step: Step) -> Work | None:
        thread = self._picked(t.threads, step)
        if thread is None:
            return None
        address = self._connection.execute(
            sa.select(t.addresses).where(t.addresses.c.contact_id == thread.contact_id)
        ).first()
        if address is None:
            return None  # a withheld number
        return self._message(
            at,
            organisation_id=thread.organisation_id,
            thread_id=thread.id,
            contact_id=1 if step["wrong"] else thread.contact_id,
            channel_id=step["channel"],
            address=c.AddressOf(scheme="phone", value=address.value),
            own_address=step["own"],
            content=Content(text=step["says"]),
        )

    # ---------------------------------------------------------------- approvals

    def _propose(self, at: int, step: Step) -> Work | None:
        work = self._reply(at, {**step, "channel": "chat", "wrong": False})
        if not isinstance(work, c.SendMessage):
            return None
        key = None if step["key"] is None else f"gated{step['key']}"
        return structs.replace(
            work,
            by_member_id=step["by"],
            proposal=approvals.encode(approvals.Proposal(text=step["says"], due_at=at)),
            idempotency_key=key,
            request=hashlib.sha256(f"{work.thread_id}/{step['says']}".encode()).hexdigest(),
        )

    def _waiting(self, step: Step) -> Any:
        """Something that waits, or has waited, with its entry; its ``id`` is the entry's."""
        joined = (
            sa.select(t.entries, t.approvals.c.state, t.threads.c.contact_id)
            .join(t.approvals, t.approvals.c.entry_id == t.entries.c.id)
            .join(t.threads, t.threads.c.id == t.entries.c.thread_id)
            .order_by(t.entries.c.id)
        )
        rows = self._connection.execute(joined).all()
        return rows[step["pick"] % len(rows)] if rows else None

    def _upon_waiting(
        self, at: int, step: Step, kind: Callable[..., c.Command], **more: Any
    ) -> Work | None:
        entry = self._waiting(step)
        if entry is None:
            return None
        if "by" in step:
            more["by_member_id"] = step["by"]
        return kind(organisation_id=1, at=at, entry_id=entry.id, **more)

    def _approve(self, at: int, step: Step) -> Work | None:
        entry = self._waiting(step)
        if entry is None:
            return None
        says = contents.decode(entry.content).text if step["says"] is None else step["says"]
        message = self._message(
            at,
            organisation_id=1,
            thread_id=entry.thread_id,
            contact_id=entry.contact_id,
            channel_id=entry.channel_id,
            address=c.AddressOf(scheme=entry.scheme, value=entry.address),
            own_address=entry.own_address,
            content=Content(text=says),
        )
        return self._upon_waiting(at, step, c.ApproveMessage, message=message)

    def _reject(self, at: int, step: Step) -> Work | None:
        return self._upon_waiting(at, step, c.RejectMessage, reason="No")

    def _withdraw(self, at: int, step: Step) -> Work | None:
        return self._upon_waiting(at, step, c.WithdrawMessage)

    def _hold(self, at: int, step: Step) -> Work | None:
        return self._upon_waiting(at, step, c.HoldMessage, problem="window_closed", detail="Late")

    def _rule(self, at: int, step: Step) -> Work:
        names = ["messages.view"] + (["messages.approve"] if step["may"] else [])

        def change(connection: Connection) -> None:
            mine = t.roles.c.id == step["who"]
            values = {"capabilities": json.dumps(names)}
            connection.execute(sa.update(t.roles).where(mine).values(**values))

        return change

    def _leave(self, at: int, step: Step) -> Work:
        def change(connection: Connection) -> None:
            mine = t.members.c.id == step["who"]
            gone = at if step["gone"] else None
            connection.execute(sa.update(t.members).where(mine).values(deactivated_at=gone))

        return change

    def _message(self, at: int, **names: Any) -> Work:
        return c.SendMessage(
            at=at,
            entry_id=self._id(),
            transmission_id=self._id(),
            grouping="texts",
            preview="out",
            wire="[]",
            by_member_id=11,
            due_at=at if at % 3 else at + 1_000,
            deadline=at + 10_000_000,
            **names,
        )

    def _note(self, at: int, step: Step) -> Work | None:
        thread = self._picked(t.threads, step)
        if thread is None:
            return None
        return c.AddNote(
            organisation_id=thread.organisation_id,
            at=at,
            entry_id=self._id(),
            thread_id=thread.id,
            content=Content(text=step["says"]),
            preview=one_line(step["says"]),
            by_member_id=12,
        )

    def _change(self, at: int, step: Step, **change: Any) -> Work | None:
        thread = self._picked(t.threads, step)
        if thread is None:
            return None
        return c.ChangeThread(
            organisation_id=thread.organisation_id,
            at=at,
            entry_ids=(self._id(), self._id(), self._id()),
            thread_id=thread.id,
            by_member_id=11,
            **change,
        )

    def _assign(self, at: int, step: Step) -> Work | None:
        return self._change(at, step, assign=True, assignee_id=step["to"])

    def _status(self, at: int, step: Step) -> Work | None:
        return self._change(at, step, status=step["status"])

    def _needs(self, at: int, step: Step) -> Work | None:
        return self._change(at, step, needs_response=step["needs"])

    def _read(self, at: int, step: Step) -> Work | None:
        entry = self._picked(t.entries, step)
        if entry is None:
            return None
        return c.ReadThread(
            organisation_id=entry.organisation_id,
            at=at,
            thread_id=entry.thread_id,
            up_to=entry.id,
        )

    def _unread(self, at: int, step: Step) -> Work | None:
        thread = self._picked(t.threads, step)
        if thread is None:
            return None
        return c.UnreadThread(
            organisation_id=thread.organisation_id,
            at=at,
            thread_id=thread.id,
            places=step.get("places"),
        )

    def _cancel(self, at: int, step: Step) -> Work | None:
        return self._upon_entry(at, step, c.CancelEntry)

    def _retry(self, at: int, step: Step) -> Work | None:
        return self._upon_entry(at, step, c.RetryEntry, deadline=at + 10_000_000)

    def _resolve(self, at: int, step: Step) -> Work | None:
        return self._upon_entry(at, step, c.ResolveEntry, outcome=step["outcome"])

    def _upon_entry(
        self, at: int, step: Step, kind: Callable[..., c.Command], **more: Any
    ) -> Work | None:
        entry = self._picked(t.entries, step)
        if entry is None:
            return None
        return kind(organisation_id=entry.organisation_id, at=at, entry_id=entry.id, **more)

    def _upon_call(
        self, at: int, step: Step, kind: Callable[..., c.Command], **more: Any
    ) -> Work | None:
        """Mostly upon a call; now and then upon something else, which is refused."""
        rows = self._connection.execute(sa.select(t.entries).order_by(t.entries.c.id)).all()
        own = [row for row in rows if row.kind == "call" or at % 7 == 0]
        if not own:
            return None
        entry = own[step["pick"] % len(own)]
        return kind(
            organisation_id=entry.organisation_id,
            at=at,
            entry_id=entry.id,
            by_member_id=11,
            **more,
        )

    def _settle(self, at: int, step: Step) -> Work | None:
        return self._upon_call(at, step, c.ResolveCall)

    def _give_up(self, at: int, step: Step) -> Work | None:
        rows = self._connection.execute(sa.select(t.entries).order_by(t.entries.c.id)).all()
        own = [row for row in rows if row.kind == "call"]
        if not own:
            return None
        entry = own[step["pick"] % len(own)]
        return c.GiveUpCall(organisation_id=entry.organisation_id, at=at, entry_id=entry.id)

    def _promise(self, at: int, step: Step) -> Work | None:
        return self._upon_call(at, step, c.FollowUpCall, done=step["done"])

    def _move(self, at: int, step: Step) -> Work | None:
        contact = None if step["to"] is None else self._picked(t.contacts, {"pick": step["to"]})
        to = None if contact is None else contact.id
        return self._upon_call(at, step, c.ReassignCall, contact_id=to, reason="wrong person")

    def _dial(self, at: int, step: Step) -> Work | None:
        thread = self._picked(t.threads, step)
        address = (
            thread
            and self._connection.execute(
                sa.select(t.addresses).where(t.addresses.c.contact_id == thread.contact_id)
            ).first()
        )
        if not address:
            return None
        return c.PlaceCall(
            organisation_id=thread.organisation_id,
            at=at,
            entry_id=self._id(),
            transmission_id=self._id(),
            thread_id=thread.id,
            contact_id=thread.contact_id,
            channel_id=step["channel"],
            address=c.AddressOf(scheme="phone", value=address.value),
            own_address=OWN[0],
            member_address="+15550107777",
            by_member_id=11,
            deadline=at + 10_000_000,
        )

    # ---------------------------------------------------------------- the outbox

    def _lease(self, at: int, step: Step) -> Work | None:
        transmission = self._picked(t.transmissions, step)
        if transmission is None:
            return None

        def take(connection: Connection) -> None:
            own = t.transmissions.c
            connection.execute(
                sa.update(t.transmissions)
                .where(own.id == transmission.id, own.status.in_(("pending", "scheduled")))
                .values(lease_token=f"token{step['token']}", lease_until=at + 5_000_000)
            )

        return take

    def _upon_transmission(
        self, at: int, step: Step, kind: Callable[..., c.Command], **more: Any
    ) -> Work | None:
        transmission = self._picked(t.transmissions, step)
        if transmission is None:
            return None
        if "token" in step:
            token = step["token"]
            more["token"] = None if token is None else f"token{token}"
        return kind(
            organisation_id=transmission.organisation_id,
            at=at,
            transmission_id=transmission.id,
            **more,
        )

    def _start(self, at: int, step: Step) -> Work | None:
        return self._upon_transmission(at, step, c.StartSending)

    def _accept(self, at: int, step: Step) -> Work | None:
        ids = tuple(f"out{step['external'] + part}" for part in range(step["parts"]))
        return self._upon_transmission(
            at, step, c.SendAccepted, external_ids=ids, status=step["status"],
            threads=at % 2 == 0,
        )  # fmt: skip

    def _fail(self, at: int, step: Step) -> Work | None:
        return self._upon_transmission(
            at, step, c.SendFailed, reason=step["reason"], detail="no", provider_code="1"
        )

    def _defer(self, at: int, step: Step) -> Work | None:
        return self._upon_transmission(at, step, c.SendDeferred, due_at=at + 9, detail="busy")

    def _unknown(self, at: int, step: Step) -> Work | None:
        return self._upon_transmission(at, step, c.SendUnknown, detail="?", due_at=at + 9)

    def _absent(self, at: int, step: Step) -> Work | None:
        return self._upon_transmission(at, step, c.SendAbsent, attempt=1)


def check(connection: Connection) -> None:
    """What must be true whatever happened, counted anew from the entries."""
    _check_threads(connection)
    _check_journal(connection)


def _check_threads(connection: Connection) -> None:
    _check_updates(connection)
    entries = connection.execute(sa.select(t.entries).order_by(t.entries.c.seq)).all()
    transmissions = connection.execute(sa.select(t.transmissions)).all()
    gone = connection.scalars(
        sa.select(t.journal.c.thread_id).where(t.journal.c.type == "entry.removed")
    ).all()
    waited = {one.entry_id: one.state for one in connection.execute(sa.select(t.approvals))}
    contacts: set[int] = set()
    for thread in connection.execute(sa.select(t.threads)).all():
        own = [entry for entry in entries if entry.thread_id == thread.id]
        books.check_numbers(thread, own, gone.count(thread.id))
        inbound = [entry for entry in own if entry.direction == "in"]
        assert (thread.unread, thread.unresolved) == books.unread(thread, own)
        assert thread.has_inbound == bool(inbound)
        assert thread.active_at == max(entry.sort_at for entry in own)
        told = [entry for entry in own if entry.kind != "system"]
        if told:
            last = max(told, key=lambda entry: (entry.sort_at, entry.id))
            assert (thread.sort_at, thread.last_entry_id) == (last.sort_at, last.id)
            assert (thread.preview, thread.preview_status) == (last.preview, last.status)
        else:
            assert thread.sort_at in {thread.created_at, NOWHERE}
            assert thread.preview == ""
            assert thread.last_entry_id is None
        assert (thread.status == "outbound_only") <= (not inbound)
        assert thread.contact_id not in contacts
        contacts.add(thread.contact_id)
        _check_channels(connection, thread, own)
    for entry in entries:
        mine = [one.status for one in transmissions if one.entry_id == entry.id]
        assert {one.thread_id for one in transmissions if one.entry_id == entry.id} <= {
            entry.thread_id
        }
        if entry.author_kind == "elsewhere":
            assert not mine
            continue
        if entry.id in waited:
            assert (waited[entry.id] == "approved") == bool(mine)
            assert mine or entry.status == books.NOT_SENT[waited[entry.id]]
        else:
            assert (entry.status is None) == (not mine)
        if mine:
            (status,) = mine
            assert entry.status == ("pending" if status == "sending" else status)


def check_approvals(connection: Connection, history: Sequence[Step]) -> None:
    """Each is decided once at most, by somebody else who might, and sent only then."""
    decided = [
        (line.object_id, line.action, line.actor_id)
        for line in connection.execute(
            sa.select(t.audit).where(t.audit.c.action.startswith("approval."))
        )
    ]
    assert len({id_ for id_, _, _ in decided}) == len(decided)
    for one in connection.execute(sa.select(t.approvals)).all():
        made = [(action, by) for id_, action, by in decided if id_ == str(one.entry_id)]
        if one.state == "waiting":
            assert (made, one.decided_by) == ([], None)
            continue
        assert made == [(f"approval.{one.state}", one.decided_by)]
        assert (one.decided_by == one.member_id) == (one.state == "withdrawn")
        assert one.decided_by != 13 or one.state == "withdrawn"
        assert (one.reason is not None) == (one.state == "rejected")
        assert one.problem is None
        entry = connection.execute(sa.select(t.entries).where(t.entries.c.id == one.entry_id)).one()
        says = contents.decode(entry.content).text
        if one.original is not None:
            assert approvals.words_of(one.original).text != says


def check_assignees(connection: Connection) -> None:
    """By itself a conversation goes to who is there, and to whom a part of it is shown only by what
    came where they see it."""
    lines = connection.execute(
        sa.select(t.audit).where(
            t.audit.c.action == "thread.assignee", t.audit.c.actor_kind == "system"
        )
    ).all()
    came = connection.execute(sa.select(t.entries).where(t.entries.c.direction == "in")).all()
    for line in lines:
        assert line.organisation_id == 1, "nobody is there in the other one"
        assert line.after in {"11", "12"}
        (entry,) = [one for one in came if one.created_at == line.at and one.kind != "system"]
        assert line.after == "11" or entry.channel_id == "chat" or entry.own_address == OWN[0]


def check_echoes(connection: Connection, history: Sequence[Step]) -> None:
    """There is one entry for each message, whichever was told first."""
    told = {
        step["external"]
        for step in history
        if step["kind"] == "receive" and step["external"].startswith("out")
    }
    ours = {
        f"out{step['external'] + part}"
        for step in history
        if step["kind"] == "accept"
        for part in range(step["parts"])
    }
    elsewhere = connection.execute(
        sa.select(t.entries.c.id).where(
            t.entries.c.author_kind == "elsewhere", t.entries.c.external_id.startswith("out")
        )
    ).all()
    assert len(elsewhere) == len(told - ours)
    named = connection.execute(sa.select(t.external_ids)).all()
    assert {row.external_id for row in named if row.transmission_id is not None} >= ours
    entries = set(connection.scalars(sa.select(t.entries.c.id)))
    assert {row.entry_id for row in named} - {None} <= entries
    assert set(connection.scalars(sa.select(t.attachments.c.entry_id))) <= entries


def _check_updates(connection: Connection) -> None:
    """Whatever was told of a message that is there stands at its entry, whichever came first."""
    events, named = t.message_events.c, t.external_ids.c
    same = sa.and_(
        events.external_id == named.external_id,
        events.channel_id == named.channel_id,
        events.organisation_id == named.organisation_id,
    )
    rows = connection.execute(
        sa.select(events.news, named.entry_id).join(t.external_ids, same)
    ).all()
    known = set(connection.scalars(sa.select(named.entry_id)))
    for entry in connection.execute(sa.select(t.entries)).all():
        shown = updates.decode(entry.updates)
        told = [news.decode(row.news) for row in rows if row.entry_id == entry.id]
        if entry.id not in known:
            continue  # nobody can name it any more
        if entry.kind == "call":
            ends = [one.outcome for one in told if isinstance(one, news.CallEnd)]
            left = any(isinstance(one, news.VoicemailLeft) for one in told)
            call = shown.call or calls.Call()
            # Of a call whose end was never told it is known that it was answered, at the most.
            open_ended = call.outcome in {None, "unknown", "answered"}
            assert open_ended if not ends and not left else call.outcome not in {None, "unknown"}
            assert (call.outcome == "voicemail") == (left or "voicemail" in ends)
            continue
        assert (shown.deleted_at is not None) == any(isinstance(one, news.Deletion) for one in told)
        opens = sum(isinstance(one, news.Open) for one in told)
        assert (0 if shown.opens is None else shown.opens.count) == opens
        edits = [one for one in told if isinstance(one, news.Edit)]
        if edits:
            newest = max(edits, key=lambda one: (one.at, one.text))
            assert contents.decode(entry.content).text == newest.text


def _check_channels(connection: Connection, thread: Any, entries: Sequence[Any]) -> None:
    rows = connection.execute(
        sa.select(t.thread_channels).where(t.thread_channels.c.thread_id == thread.id)
    ).all()
    assert {row.channel_id for row in rows} == {
        entry.channel_id for entry in entries if entry.channel_id is not None
    }
    for row in rows:
        own = [entry for entry in entries if entry.channel_id == row.channel_id]
        assert (row.unread, row.unresolved) == books.unread(thread, own)
        assert row.sort_at == max(entry.sort_at for entry in own)


def _check_journal(connection: Connection) -> None:
    for org in ORGANISATIONS:
        positions = connection.scalars(
            sa.select(t.journal.c.position)
            .where(t.journal.c.organisation_id == org)
            .order_by(t.journal.c.position)
        ).all()
        assert list(positions) == list(range(1, len(positions) + 1))
        reached = connection.execute(
            sa.select(t.organisations.c.position).where(t.organisations.c.id == org)
        ).scalar()
        assert reached == len(positions)
