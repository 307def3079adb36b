"""A message that one process is about to send is nobody else's for a while, and not for ever."""

from __future__ import annotations

from hub.rules import commands as c
from hub.rules.content import Content
from hub.store import outbox as store
from tests.machinery.conftest import Rig

NOW = 1_800_000_000_000


def message(rig: Rig) -> c.SendMessage:
    return c.SendMessage(
        organisation_id=1,
        at=NOW,
        entry_id=rig.ids.new(),
        transmission_id=rig.ids.new(),
        thread_id=None,
        contact_id=None,
        channel_id="sms",
        grouping="texts",
        address=c.AddressOf(scheme="phone", value="+12025550101"),
        own_address="+12025550100",
        content=Content(text="Hello"),
        preview="Hello",
        wire="[]",
        due_at=NOW,
        deadline=NOW + 60_000,
    )


async def test_what_is_leased_is_left_alone_until_the_lease_runs_out(rig: Rig) -> None:
    sent = message(rig)
    await rig.writer.carry_out(sent)

    async def lease(token: str, now: int) -> list[int]:
        taken = await rig.write(
            lambda connection: store.lease(
                connection,
                now=now,
                until=now + 1_000,
                token=token,
                limit=10,
                channels=[(1, "sms")],
            )
        )
        return [one.id for one in taken]

    assert await lease("first", NOW) == [sent.transmission_id]
    assert await lease("second", NOW + 999) == []
    assert await lease("second", NOW + 1_001) == [sent.transmission_id]
