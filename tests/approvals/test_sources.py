"""Whoever writes: people, programs, automations and assistants go one way, and the organisation
says whose messages somebody has to approve."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from hub.app.hub import Hub
from hub.config import load
from hub.flow.compose import Wanted
from hub.flow.host import Channel
from hub.rules.approvals import Source, gated
from hub.rules.rights import SYSTEM, Actor
from hub.rules.settings import Approvals, QuietHours, SettingsPatch
from hub.rules.states import Refusal
from hub.store import tables as t
from hub.store.scope import Scope
from tests.approvals.conftest import APPROVE, CONFIG, GATED, OWN, SEND, VIEW
from tests.host.unruly import ENVIRON, PLUGINS, delivery
from tests.machinery.conftest import until

AUTOMATIC: tuple[Literal["automation", "assistant"], ...] = ("automation", "assistant")
ADMIN = {"HUB_ADMIN_EMAIL": "ana@example.com", "HUB_ADMIN_PASSWORD": "long enough passphrase 9"}
_numbers = itertools.count(1)


class House:
    """A hub that runs, without its web, and a customer in New York who has written."""

    def __init__(self, hub: Hub, folder: Path) -> None:
        self.hub = hub
        self.scope = Scope(hub.organisations["main"])
        self._outbound = folder / "outbound"

    async def customer(self) -> Any:
        """A customer who has not written before writes; the conversation."""
        number = next(_numbers)
        message = {
            "type": "message", "external_id": f"in {number}", "own_address": OWN, "text": "Hello",
            "sender": [{"scheme": "phone", "value": f"+1202555{number:04d}"}],
        }  # fmt: skip
        channel = self.hub.channels.get(self.scope.organisation_id, "odd")
        told = delivery("events", events=[message])
        assert (await self.hub.intake.take(cast("Channel", channel), told)).status == 200
        return (await self.rows(t.threads))[-1]

    async def write(self, thread: Any, source: Source, text: str, **more: Any) -> int:
        """Somebody writes to whom a conversation is with; the entry."""
        wanted = Wanted(
            scope=self.scope, member_id=None, channel_id="odd", thread_id=thread.id,
            contact_id=thread.contact_id, to=None, own_address=None, body=text, subject=None,
            attachment_ids=[], source=source, **more,
        )  # fmt: skip
        made = await self.hub.writer.carry_out(await self.hub.composer.compose(wanted))
        assert made is not None
        return made

    async def approve(self, entry_id: int) -> None:
        """The admin approves it."""
        (admin,) = await self.rows(t.members)
        await self.hub.approvals.approve(
            self.scope, admin.id, entry_id, Actor("member", admin.id), text=None, subject=None
        )

    async def may(self, capabilities: set[str], channels: list[str] | None) -> None:
        """What the admin may from now on."""
        row = {
            "id": 7_000 + next(_numbers), "organisation_id": self.scope.organisation_id,
            "name": f"Role {next(_numbers)}", "capabilities": json.dumps(sorted(capabilities)),
            "channel_ids": None if channels is None else json.dumps(channels), "created_at": 0,
        }  # fmt: skip

        def change(connection: Connection) -> None:
            connection.execute(sa.insert(t.roles), [row])
            connection.execute(sa.update(t.members).values(role_id=row["id"]))

        await self.hub.writer.execute(change)

    async def rule(self, **sections: Any) -> None:
        """The organisation's settings are these from now on."""
        patch = SettingsPatch(**sections)
        await self.hub.settings.change(self.scope.organisation_id, patch, SYSTEM)

    async def rows(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> list[Any]:
        statement = sa.select(table).where(*where).order_by(*table.primary_key.columns)
        return await self.hub.database.read(lambda one: list(one.execute(statement).all()))

    async def entry(self, id_: int) -> Any:
        (found,) = await self.rows(t.entries, t.entries.c.id == id_)
        return found

    async def thread(self, id_: int) -> Any:
        (found,) = await self.rows(t.threads, t.threads.c.id == id_)
        return found

    async def becomes(self, id_: int, status: str) -> None:
        async def is_so() -> bool:
            return (await self.entry(id_)).status == status

        await until(is_so)

    def times_sent(self, text: str) -> int:
        """How often the provider was given this, whatever it quotes below."""
        given = self._outbound.read_text("utf-8") if self._outbound.exists() else ""
        told = [json.loads(line)["wire"][0]["text"] for line in given.splitlines()]
        return [one.partition("\n\nOn ")[0] for one in told].count(text)


@pytest.fixture
async def house(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    """On each kind of database."""
    monkeypatch.syspath_prepend(str(PLUGINS))
    path = tmp_path / "hub.toml"
    path.write_text(CONFIG.format(folder=tmp_path), encoding="utf-8")
    environ = ENVIRON | ADMIN | {"HUB_DATABASE_URL": database_url}
    hub = Hub(load(path, environ), environ)
    async with contextlib.AsyncExitStack() as stack:
        await hub.start()
        stack.push_async_callback(hub.stop)
        stack.callback(hub.release)
        yield House(hub, tmp_path)


@pytest.mark.feature("APPR-01")
@pytest.mark.feature("ASGN-02")
async def test_what_goes_by_itself_waits_where_the_settings_ask_for_it(house: House) -> None:
    """Each by its own switch: one that waits says nothing about the other."""
    for source, other in (AUTOMATIC, AUTOMATIC[::-1]):
        thread = await house.customer()
        await house.rule(approvals=Approvals(sources=(source,)))
        waits = await house.write(thread, source, f"{source} waits")
        goes = await house.write(thread, other, f"{other} goes")
        await house.becomes(goes, "sent")
        entry = await house.entry(waits)
        assert (entry.status, entry.author_kind, entry.author_id) == (
            "pending_approval", source, None,
        )  # fmt: skip
        assert not await house.rows(t.transmissions, t.transmissions.c.entry_id == waits)
        needs = (await house.thread(thread.id)).needs_response
        assert needs is (other == "automation"), "an assistant answers, an automation does not"

        await house.approve(waits)
        await house.becomes(waits, "sent")
        assert (await house.entry(waits)).author_kind == source, "who approved has not written it"
        assert [house.times_sent(f"{source} waits"), house.times_sent(f"{other} goes")] == [1, 1]
        assert not (await house.thread(thread.id)).needs_response, "one of the two was an answer"
        with pytest.raises(Refusal, match="approved this already"):
            await house.approve(waits)


@pytest.mark.feature("AUTO-03")
@pytest.mark.feature("CONT-03")
async def test_in_quiet_hours_a_person_writes_and_what_goes_by_itself_is_held(house: House) -> None:
    """Also what somebody has approved in the night: it still is not theirs."""
    now = datetime.now(ZoneInfo("America/New_York"))
    start, end = (f"{now + timedelta(hours=hours):%H:%M}" for hours in (-2, 2))
    thread = await house.customer()
    await house.rule(
        quiet_hours=QuietHours(on=True, start=start, end=end),
        approvals=Approvals(sources=("assistant",)),
    )
    held = await house.write(thread, "automation", "In the morning")
    approved = await house.write(thread, "assistant", "When somebody has approved")
    assert (await house.entry(approved)).status == "pending_approval"
    await house.approve(approved)
    await house.becomes(held, "scheduled")
    await house.becomes(approved, "scheduled")
    by_person = await house.write(thread, "member", "Now", capabilities={VIEW, SEND})
    await house.becomes(by_person, "sent")
    due = [one.due_at for one in await house.rows(t.transmissions)]
    assert sum(at > now.timestamp() * 1000 + 3_600_000 for at in due) == 2
    assert (house.times_sent("In the morning"), house.times_sent("Now")) == (0, 1)


@pytest.mark.feature("CONT-03")
async def test_to_who_has_opted_out_nothing_goes_whoever_writes(house: House) -> None:
    thread = await house.customer()
    await house.rule(approvals=Approvals(sources=("assistant",)))
    waits = await house.write(thread, "assistant", "Before they opted out")
    channel = cast("Channel", house.hub.channels.get(house.scope.organisation_id, "odd"))
    (address,) = await house.rows(t.addresses, t.addresses.c.contact_id == thread.contact_id)
    out = {
        "type": "opt_out", "address": {"scheme": "phone", "value": address.value},
        "how": "said so", "own_address": OWN,
    }  # fmt: skip
    await house.hub.intake.take(channel, delivery("events", events=[out]))
    calls: list[Callable[[], Any]] = [
        lambda: house.approve(waits),
        lambda: house.write(thread, "automation", "After"),
        lambda: house.write(thread, "assistant", "After"),
    ]
    for call in calls:
        with pytest.raises(Refusal, match="opted out"):
            await call()
    assert (await house.entry(waits)).status == "pending_approval"


@pytest.mark.feature("APPR-02")
@pytest.mark.feature("PERM-03")
async def test_who_may_approve_is_asked_where_it_is_recorded(house: House) -> None:
    """A right that is withdrawn while somebody decides: the route has asked, and that is past."""
    await house.rule(approvals=Approvals(sources=("automation",)))
    waits = await house.write(await house.customer(), "automation", "Once")
    for may, channels, refused in (
        ({VIEW, SEND}, None, "no longer approve"),
        ({VIEW, SEND, APPROVE}, ["plain"], "no such message"),
    ):
        await house.may(may, channels)
        with pytest.raises(Refusal, match=refused):
            await house.approve(waits)
    assert (await house.entry(waits)).status == "pending_approval"
    await house.may({VIEW, APPROVE}, ["odd"])
    await house.approve(waits)
    await house.becomes(waits, "sent")


@pytest.mark.feature("APPR-01")
@pytest.mark.parametrize("source", ["member", "api"])
def test_rights_are_those_of_the_member_behind_it(source: Source) -> None:
    """Nobody is taken for an automation because nothing was said of what they may."""
    for may in ({VIEW}, set[str]()):
        with pytest.raises(Refusal, match="not send"):
            gated(source, may, ())
    assert gated(source, {GATED}, ())
    assert not gated(source, {GATED, SEND}, AUTOMATIC)
    assert gated(source, {SEND}, ("api",)) is (source == "api")
