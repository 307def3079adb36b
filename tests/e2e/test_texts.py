"""Texts that are no conversation: sent once or marked unknown, and never a thread of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hub.flow.host import now_ms
from hub.store import notices
from hub.store import tables as t
from hub.store.ids import Ids
from tests import books
from tests.e2e.test_twilio import asked_for, sent_to, stored
from tests.hubs import wait_for
from tests.standins.twilio import NUMBER, Answer, TwilioStandIn

pytestmark = pytest.mark.usefixtures("hub")
_ids = Ids(900)


def queue(database: str, phone: str, text: str = "Your code is 123456.") -> int:
    """A text to be sent, as a feature queues it."""
    id_ = _ids.new()

    def put(connection: notices.Connection) -> None:
        (organisation,) = books.rows(connection, t.organisations)
        notices.queue_text(
            connection,
            id_,
            organisation_id=organisation.id,
            recipient=phone,
            text=text,
            now=now_ms(),
        )

    asyncio.run(books.write(database, put))
    return id_


def ended(database: str, id_: int) -> Any:
    """The notice when nothing more is done about it."""

    def look() -> Any:
        rows = asyncio.run(books.read(database, lambda c: books.rows(c, t.notices)))
        (row,) = [row for row in rows if row.id == id_]
        return row if row.state in {"sent", "failed", "unknown"} else None

    return wait_for(look, what="the end of a text")


def test_a_text_goes_out_once_and_makes_no_conversation(
    database: str, twilio: TwilioStandIn, phone: str
) -> None:
    before = stored(database, t.threads), stored(database, t.entries), stored(database, t.contacts)
    row = ended(database, queue(database, phone))
    assert (row.state, row.attempts, row.reason) == ("sent", 1, None)
    (sent,) = sent_to(twilio, phone)
    assert sent.resource["body"] == "Your code is 123456."
    assert sent.resource["from"] == NUMBER
    assert asked_for(twilio, phone) == 1
    after = stored(database, t.threads), stored(database, t.entries), stored(database, t.contacts)
    assert after == before


def test_no_answer_is_unknown_and_not_repeated(
    database: str, twilio: TwilioStandIn, phone: str
) -> None:
    twilio.moods[phone] = Answer(b"<html>Welcome</html>")
    row = ended(database, queue(database, phone))
    assert (row.state, row.attempts) == ("unknown", 1)
    assert "did not answer" in row.reason
    assert asked_for(twilio, phone) == 1


def test_what_is_no_number_fails_at_once(database: str, twilio: TwilioStandIn) -> None:
    before = len(twilio.sent)
    row = ended(database, queue(database, "nobody at all"))
    assert row.state == "failed"
    assert row.reason
    assert len(twilio.sent) == before


def test_who_opted_out_is_texted_no_code(database: str, twilio: TwilioStandIn, phone: str) -> None:
    consent = {
        "channel_id": "sms", "scheme": "phone", "value": phone, "own_address": "", "state": "out",
        "how": "STOP", "at": now_ms(),
    }  # fmt: skip

    def stop(connection: notices.Connection) -> None:
        (organisation,) = books.rows(connection, t.organisations)
        connection.execute(t.consents.insert(), [{"organisation_id": organisation.id, **consent}])

    asyncio.run(books.write(database, stop))
    row = ended(database, queue(database, phone))
    assert (row.state, row.reason) == ("failed", "This number has opted out.")
    assert asked_for(twilio, phone) == 0
