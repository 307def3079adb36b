"""What becomes of a send when its news come early, late, or from two sides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from hub.flow.record import Outcome, Record
from hub.plugin import MediaRef
from hub.rules import commands as c
from hub.rules import news, updates
from hub.rules.content import Content
from hub.rules.states import Refusal
from hub.store import tables as t
from tests.record import machine
from tests.record.test_batches import Workbench

AT = machine.START
ANN = c.AddressOf(scheme="phone", value="+15550100001")
SENT = 7
"""The transmission under test."""


class Bench(Workbench):
    """A database on which commands are carried out one by one."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.run(machine.prepare)
        self._record = Record(machine.Counter(10_000))

    def do(self, command: c.Command) -> Outcome:
        """Carry out one command; what came of it."""
        (outcome,) = self.run(lambda one: self._record.apply(one, [command]).outcomes)
        return outcome

    def row(self, table: sa.Table, id_: int) -> Any:
        return self.run(
            lambda connection: connection.execute(sa.select(table).where(table.c.id == id_)).one()
        )

    def sending(self, id_: int = SENT) -> None:
        """A message that is being sent, under the lease ``token``."""
        message = c.SendMessage(
            organisation_id=1,
            at=AT,
            entry_id=100 + id_,
            transmission_id=id_,
            thread_id=None,
            contact_id=None,
            channel_id="sms",
            grouping="texts",
            address=ANN,
            own_address="",
            content=Content(text="Hello"),
            preview="Hello",
            wire="[]",
            by_member_id=11,
            due_at=AT,
            deadline=AT + 1_000,
        )
        assert self.do(message) == 100 + id_
        self.start(id_)

    def start(self, id_: int = SENT) -> None:
        own = t.transmissions
        lease = sa.update(own).where(own.c.id == id_).values(lease_token="token")
        self.run(lambda connection: connection.execute(lease))
        self.do(c.StartSending(organisation_id=1, at=AT, transmission_id=id_, token="token"))


@pytest.fixture
def bench(database_url: str) -> Iterator[Bench]:
    bench = Bench(database_url)
    yield bench
    bench.close()


def unknown() -> c.SendUnknown:
    return c.SendUnknown(
        organisation_id=1, at=AT, transmission_id=SENT, token="token", detail="?", due_at=AT
    )


def receipt(status: str, external_id: str | None = "SM1", **more: Any) -> c.ReceiveReceipt:
    known: dict[str, Any] = {"organisation_id": 1, "at": AT, "channel_id": "sms"}
    return c.ReceiveReceipt(status=status, external_id=external_id, **known | more)


def accepted(*ids: str, status: str = "queued") -> c.SendAccepted:
    return c.SendAccepted(
        organisation_id=1,
        at=AT,
        transmission_id=SENT,
        token="token",
        external_ids=ids or ("SM1",),
        status=status,
    )


@pytest.mark.feature("OPER-03", "THRD-03")
def test_a_receipt_that_names_our_message_tells_what_became_of_it(bench: Bench) -> None:
    bench.sending()
    bench.do(unknown())
    bench.do(receipt("delivered"))  # names the provider's id alone, which nobody knows yet
    assert bench.row(t.transmissions, SENT).status == "unknown"
    bench.do(receipt("sent", transmission_id=SENT))
    assert bench.row(t.transmissions, SENT).status == "delivered"
    assert bench.row(t.entries, 100 + SENT).status == "delivered"
    bench.do(receipt("read"))  # the provider's id is known now
    assert bench.row(t.transmissions, SENT).status == "read"


def test_a_receipt_names_messages_of_its_own_channel_only(bench: Bench) -> None:
    bench.sending()
    bench.do(receipt("delivered", transmission_id=SENT, channel_id="chat"))
    bench.do(receipt("delivered", None, transmission_id=SENT, channel_id="chat"))
    assert bench.row(t.transmissions, SENT).status == "sending"


@pytest.mark.feature("THRD-03")
def test_the_receipt_of_one_part_is_none_of_the_others(bench: Bench) -> None:
    bench.sending()
    bench.do(receipt("delivered", "SM1", transmission_id=SENT))
    bench.do(accepted("SM1", "SM2"))
    transmission = bench.row(t.transmissions, SENT)
    assert json.loads(transmission.parts) == {"SM1": "delivered", "SM2": "queued"}
    assert transmission.status == "queued"


@pytest.mark.feature("OPER-03")
def test_that_an_earlier_attempt_came_to_nothing_says_nothing_of_this_one(bench: Bench) -> None:
    def absent(attempt: int) -> Outcome:
        return bench.do(
            c.SendAbsent(organisation_id=1, at=AT, transmission_id=SENT, attempt=attempt)
        )

    bench.sending()
    bench.do(unknown())
    assert absent(1) == 100 + SENT
    bench.start()
    bench.do(unknown())
    assert isinstance(absent(1), Refusal)  # another process asked about the first attempt
    assert bench.row(t.transmissions, SENT).status == "unknown"


def test_a_file_that_is_there_stays(bench: Bench) -> None:
    """Two processes fetch it, and one of them fails."""
    names: dict[str, Any] = {"organisation_id": 1, "at": AT}
    bench.do(
        c.ReceiveMessage(
            entry_id=200,
            channel_id="sms",
            grouping="texts",
            external_id="MM1",
            sender=(ANN,),
            sender_name=None,
            own_address="",
            content=Content(),
            preview="Attachment",
            media=((300, MediaRef(url="https://example.com/a")),),
            **names,
        )
    )
    fetched = c.MediaFetched(
        attachment_id=300, name="a.png", content_type="image/png", size=3, sha256="0" * 64,
        width=1, height=1, **names,
    )  # fmt: skip
    bench.do(fetched)
    position = bench.row(t.organisations, 1).position
    bench.do(fetched)
    bench.do(c.MediaFailed(attachment_id=300, reason="gone", due_at=AT, **names))
    assert bench.row(t.attachments, 300).state == "ready"
    assert bench.row(t.organisations, 1).position == position


@pytest.mark.feature("THRD-04")
def test_opens_told_before_the_send_was_accepted_are_counted_once(bench: Bench) -> None:
    def opened(key: str) -> c.ReceiveNews:
        return c.ReceiveNews(
            organisation_id=1, at=AT, channel_id="sms", external_id="SM1", key=key,
            news=news.Open(at=AT),
        )  # fmt: skip

    bench.sending()
    assert bench.do(opened("first")) is None, "it waits"
    bench.do(accepted())
    for key in ("first", "second", "second"):
        assert bench.do(opened(key)) == 100 + SENT
    told = updates.decode(bench.row(t.entries, 100 + SENT).updates)
    assert told.opens == updates.Times(count=2, first_at=AT, last_at=AT)


@pytest.mark.feature("THRD-04")
def test_opens_told_before_a_receipt_names_the_message_are_counted(bench: Bench) -> None:
    bench.sending()
    open_ = news.Open(at=AT)
    bench.do(
        c.ReceiveNews(
            organisation_id=1, at=AT, channel_id="sms", external_id="SM1", key="k", news=open_
        )
    )
    bench.do(receipt("sent", transmission_id=SENT))
    bench.do(accepted())
    told = updates.decode(bench.row(t.entries, 100 + SENT).updates)
    assert told.opens == updates.Times(count=1, first_at=AT, last_at=AT)
