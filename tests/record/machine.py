"""Random histories of a few conversations, and what the database holds after them.

A history is carried out twice. First one command at a time: each step is turned into a command
by looking at what is there. Then the very same commands again, on an empty database, in batches.
The ids that the hub makes come from a counter, so every row must be the same, ids and all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st
from sqlalchemy import Connection

from hub.flow.record import Record
from hub.plugin import MediaRef
from hub.rules import commands as c
from hub.rules.content import Content, one_line
from hub.store import tables as t
from hub.store.ids import Ids

ORGANISATIONS = (1, 2)
CHANNELS = ("sms", "chat")
PHONES = ("+15550100001", "+15550100002", "+15550100003")
OWN = ("+15550109999", "+15550108888")
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


writing = st.one_of(
    _step(
        "receive",
        org=_org,
        channel=_channel,
        phone=_phone,
        own=_own,
        external=st.integers(0, 12),
        occurred=st.none() | st.integers(-7_200_000, 7_200_000),
        asks=st.booleans(),
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
    _step("unread", pick=_pick()),
    _step("consent", org=_org, channel=_channel, phone=_phone,
          state=st.sampled_from(["in", "out"])),
    _step("lease", pick=_pick(), token=st.integers(0, 3)),
    _step("start", pick=_pick(), token=st.integers(0, 3)),
    _step("accept", pick=_pick(), token=st.integers(0, 3), external=st.integers(100, 108),
          status=st.sampled_from(STATUSES[:3]), parts=st.integers(1, 2)),
    _step("fail", pick=_pick(), token=st.integers(0, 3),
          reason=st.sampled_from(["bad_address", "opted_out"])),
    _step("defer", pick=_pick(), token=st.integers(0, 3)),
    _step("unknown", pick=_pick(), token=st.integers(0, 3) | st.none()),
    _step("absent", pick=_pick()),
    _step("receipt", org=_org, channel=_channel, external=st.integers(100, 108),
          status=st.sampled_from(STATUSES)),
    _step("cancel", pick=_pick()),
    _step("retry", pick=_pick()),
    _step("resolve", pick=_pick(), outcome=st.sampled_from(["sent", "failed"])),
    _step("media", pick=_pick(), fails=st.booleans()),
)  # fmt: skip

histories = st.lists(steps, min_size=1, max_size=40)


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
    for table in t.metadata.sorted_tables:
        connection.execute(sa.delete(table))
    forget_words(connection)
    organisations = [
        {"id": org, "slug": f"o{org}", "name": "O", "time_zone": "UTC", "created_at": 0}
        for org in ORGANISATIONS
    ]
    connection.execute(sa.insert(t.organisations), organisations)
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
            "role_id": 1,
            "created_at": 0,
            "deactivated_at": gone,
        }
        connection.execute(sa.insert(t.members), [member])


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


def dump(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    return {
        table.name: [
            tuple(row)
            for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))
        ]
        for table in t.metadata.sorted_tables
    }


def one_at_a_time(connection: Connection, history: Sequence[Step]) -> list[Work]:
    """Carry a history out a step at a time; the work it came to."""
    record = Record(Counter(10_000))
    author = Author(connection)
    done: list[Work] = []
    for number, step in enumerate(history):
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
            external_id=f"in{step['external']}",
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
        )

    def _receipt(self, at: int, step: Step) -> Work:
        return c.ReceiveReceipt(
            organisation_id=step["org"],
            at=at,
            channel_id=step["channel"],
            status=step["status"],
            external_id=f"out{step['external']}",
            reason="opted_out" if step["status"] == "failed" and at % 2 else None,
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
        assert address is not None
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
        return c.UnreadThread(organisation_id=thread.organisation_id, at=at, thread_id=thread.id)

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
            at, step, c.SendAccepted, external_ids=ids, status=step["status"]
        )

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
    entries = connection.execute(sa.select(t.entries).order_by(t.entries.c.seq)).all()
    transmissions = connection.execute(sa.select(t.transmissions)).all()
    contacts: set[int] = set()
    for thread in connection.execute(sa.select(t.threads)).all():
        own = [entry for entry in entries if entry.thread_id == thread.id]
        assert [entry.seq for entry in own] == list(range(1, len(own) + 1))
        assert thread.seq == len(own)
        inbound = [entry for entry in own if entry.direction == "in"]
        assert thread.unread == sum(entry.seq > thread.read_through for entry in inbound)
        assert thread.has_inbound == bool(inbound)
        assert thread.active_at == max(entry.sort_at for entry in own)
        told = [entry for entry in own if entry.kind != "system"]
        last = max(told, key=lambda entry: (entry.sort_at, entry.id))
        assert (thread.sort_at, thread.last_entry_id) == (last.sort_at, last.id)
        assert (thread.preview, thread.preview_status) == (last.preview, last.status)
        assert (thread.status == "outbound_only") <= (not inbound)
        assert thread.contact_id not in contacts
        contacts.add(thread.contact_id)
        _check_channels(connection, thread, own)
    for entry in entries:
        mine = [one.status for one in transmissions if one.entry_id == entry.id]
        assert (entry.status is None) == (not mine)
        if mine:
            (status,) = mine
            assert entry.status == ("pending" if status == "sending" else status)


def _check_channels(connection: Connection, thread: Any, entries: Sequence[Any]) -> None:
    rows = connection.execute(
        sa.select(t.thread_channels).where(t.thread_channels.c.thread_id == thread.id)
    ).all()
    assert {row.channel_id for row in rows} == {
        entry.channel_id for entry in entries if entry.channel_id is not None
    }
    for row in rows:
        own = [entry for entry in entries if entry.channel_id == row.channel_id]
        assert row.unread == sum(
            entry.direction == "in" and entry.seq > thread.read_through for entry in own
        )
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
