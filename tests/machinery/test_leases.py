"""Leases: one holder at a time, by the caller's time."""

from __future__ import annotations

from functools import partial

from hub.store import leases
from tests.machinery.conftest import Rig


async def test_a_lease_is_held_by_one_until_it_runs_out(rig: Rig) -> None:
    def take(token: str, now: int) -> partial[bool]:
        return partial(leases.take, name="work", token=token, now=now, until=now + 100)

    assert await rig.write(take("a", 0))
    assert not await rig.write(take("b", 99))
    assert await rig.write(take("a", 50)), "its holder holds it longer"
    assert not await rig.write(take("b", 149))
    assert await rig.write(take("b", 150)), "it has run out"
    assert not await rig.write(partial(leases.renew, name="work", token="a", until=900)), "lost"
    assert await rig.write(partial(leases.renew, name="work", token="b", until=900))
    await rig.write(partial(leases.let_go, name="work", token="a"))
    assert not await rig.write(take("a", 160)), "who has lost it cannot let it go"
    await rig.write(partial(leases.let_go, name="work", token="b"))
    assert await rig.write(take("a", 160))
    await rig.write(leases.forget)
    assert await rig.write(take("b", 161))
    lease = await rig.database.read(lambda connection: leases.get(connection, "work"))
    assert lease == leases.Lease(token="b", until=261)
    assert lease is not None
    assert lease.bars("a", 260)
    assert not lease.bars("a", 261)
    assert not lease.bars("b", 260)
