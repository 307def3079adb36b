"""Two writers on one PostgreSQL database never wait for each other in a circle."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec import structs

from hub.flow.record import Record
from hub.flow.writer import Writer
from hub.rules import commands as c
from hub.rules.content import Content
from hub.rules.news import CallEnd
from hub.store import tables as t
from hub.store.database import Database
from hub.store.ids import Ids
from tests import books
from tests.hubs import wait_for
from tests.record import machine

STRANGERS = 20
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


def phone(number: int) -> str:
    return f"+1202555{number:04}"


def message(number: int, entry_id: int) -> c.ReceiveMessage:
    return c.ReceiveMessage(
        organisation_id=1,
        at=machine.START,
        entry_id=entry_id,
        channel_id="sms",
        grouping="texts",
        external_id=f"MM{number}",
        sender=(c.AddressOf(scheme="phone", value=phone(number)),),
        sender_name=None,
        own_address="",
        content=Content(text="Hello"),
        preview="Hello",
    )


async def test_the_same_strangers_forwards_and_backwards(migrated_postgres_url: str) -> None:
    """A third transaction holds both up in the middle, where each has what the other wants next."""
    database = Database(migrated_postgres_url)
    engine = database.async_engine()
    async with engine.begin() as connection:
        await connection.run_sync(machine.prepare)
    writers = [Writer(database, Record(Ids(node)), lambda _: None) for node in (1, 2)]
    for writer in writers:
        await writer.start()
    forwards = [message(number, number) for number in range(1, STRANGERS + 1)]
    backwards = [message(number, 1_000 + number) for number in range(STRANGERS, 0, -1)]
    middle = {
        "id": 1,
        "organisation_id": 1,
        "contact_id": 1,
        "scheme": "phone",
        "value": phone(STRANGERS // 2),
        "verified": False,
        "created_at": 0,
    }
    async with engine.connect() as connection:
        await connection.execute(sa.insert(t.addresses), [middle])
        both = asyncio.gather(writers[0].record(*forwards), writers[1].record(*backwards))
        await asyncio.to_thread(
            wait_for, lambda: asyncio.run(number(migrated_postgres_url, WAITING)) == 2
        )
        await connection.rollback()
    await both
    for writer in writers:
        await writer.stop()
    await engine.dispose()
    await books.read(migrated_postgres_url, books.check)
    assert await number(migrated_postgres_url, DEADLOCKS) == 0


async def test_an_echo_and_the_answer_to_its_sending_at_the_same_moment(
    migrated_postgres_url: str,
) -> None:
    """Whichever is first, in whichever process: there is one entry for each message."""
    database = Database(migrated_postgres_url)
    engine = database.async_engine()
    writers = [Writer(database, Record(Ids(node)), lambda _: None) for node in (1, 2)]
    sends = [sent(number, 10_000 + 2 * number) for number in range(STRANGERS)]
    async with engine.begin() as connection:
        await connection.run_sync(machine.prepare)
        await connection.run_sync(lambda own: Record(Ids(3)).apply(own, sends))
        await connection.execute(
            sa.update(t.transmissions).values(lease_token="token", lease_until=1 << 60)
        )
        starts = [
            c.StartSending(
                organisation_id=1, at=machine.START, transmission_id=one.transmission_id,
                token="token",
            )
            for one in sends
        ]  # fmt: skip
        await connection.run_sync(lambda own: Record(Ids(4)).apply(own, starts))
    for writer in writers:
        await writer.start()
    told: list[Any] = []
    for number_, one in enumerate(sends):
        accepted = c.SendAccepted(
            organisation_id=1, at=machine.START, transmission_id=one.transmission_id,
            token="token", external_ids=(f"MM{number_}",), status="sent",
        )  # fmt: skip
        echo = structs.replace(message(number_, 20_000 + number_), echo=True)
        one_of, other = writers if number_ % 2 else writers[::-1]
        told += [one_of.record(accepted), other.record(echo)]
    await asyncio.gather(*told)
    for writer in writers:
        await writer.stop()
    await engine.dispose()
    kinds = "SELECT count(*) FROM entries WHERE author_kind = '{}'"
    assert await number(migrated_postgres_url, kinds.format("elsewhere")) == 0
    assert await number(migrated_postgres_url, kinds.format("member")) == STRANGERS
    named = "SELECT count(*) FROM external_ids WHERE transmission_id IS NOT NULL"
    assert await number(migrated_postgres_url, named) == STRANGERS


def sent(number: int, entry_id: int) -> c.SendMessage:
    return c.SendMessage(
        organisation_id=1,
        at=machine.START,
        entry_id=entry_id,
        transmission_id=entry_id + 1,
        thread_id=None,
        contact_id=None,
        channel_id="sms",
        grouping="texts",
        address=c.AddressOf(scheme="phone", value=phone(number)),
        own_address="",
        content=Content(text="Hello"),
        preview="Hello",
        wire="[]",
        by_member_id=11,
        due_at=machine.START,
        deadline=machine.START + 1,
    )


def call(number: int) -> c.ReceiveCall:
    return c.ReceiveCall(
        organisation_id=1,
        at=machine.START,
        entry_id=500 + number,
        channel_id="voice",
        external_id=f"CA{number}",
        direction="in",
        caller=(c.AddressOf(scheme="phone", value=phone(1)),),
        caller_name=None,
        own_address="",
    )


def told(number: int, outcome: str) -> c.ReceiveNews:
    return c.ReceiveNews(
        organisation_id=1,
        at=machine.START,
        channel_id="voice",
        external_id=f"CA{number}",
        key=outcome,
        news=CallEnd(at=machine.START, outcome=outcome),
    )


@pytest.mark.feature("VOIC-03")
async def test_calls_are_moved_while_more_is_told_of_them(migrated_postgres_url: str) -> None:
    """Whoever tells of a call knows only where it was when it began."""
    database = Database(migrated_postgres_url)
    engine = database.async_engine()
    async with engine.begin() as connection:
        await connection.run_sync(machine.prepare)
    writers = [Writer(database, Record(Ids(node)), lambda _: None) for node in (1, 2)]
    for writer in writers:
        await writer.start()
    await writers[0].record(*(message(number, number) for number in (1, 2, 3)))
    await writers[0].record(*(call(number) for number in range(STRANGERS)))
    contacts = await books.read(
        migrated_postgres_url, lambda one: one.scalars(sa.select(t.contacts.c.id)).all()
    )

    def moved(number: int, to: int) -> c.ReassignCall:
        return c.ReassignCall(
            organisation_id=1,
            at=machine.START,
            entry_id=500 + number,
            contact_id=contacts[to % len(contacts)],
            reason="",
            by_member_id=11,
        )

    work = [
        writers[turn % 2].carry_out(one)
        for turn, outcome in enumerate(("missed", "voicemail", "canceled"))
        for number in range(STRANGERS)
        for one in (told(number, outcome), moved(number, number + turn))
    ]
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    wrong = [one for one in outcomes if isinstance(one, BaseException)]
    assert {str(one) for one in wrong} <= {"The call is in this conversation already."}
    for writer in writers:
        await writer.stop()
    await engine.dispose()
    await books.read(migrated_postgres_url, books.check)
    threads = await books.read(migrated_postgres_url, lambda one: books.rows(one, t.threads))
    assert sum(thread.unresolved for thread in threads) == STRANGERS


async def number(url: str, statement: str) -> Any:
    return await books.read(url, lambda connection: connection.scalar(sa.text(statement)))
