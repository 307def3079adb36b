"""What becomes of a delivery: once it is verified, nothing loses it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.flow.host import channel as host_channel
from hub.flow.intake import INLINE_BODY, UnverifiedFull
from hub.plugin import Delivery
from hub.store import tables as t
from tests.flow.conftest import House
from tests.host.unruly import TOKEN, delivery, leaks

pytestmark = pytest.mark.feature("ROUT-07")


async def test_what_is_not_verified_is_refused_and_nothing_is_kept(house: House) -> None:
    taken = await house.take(token="guessed")
    assert (taken.state, taken.status) == ("refused", 403)
    assert await house.rows(t.deliveries) == []
    assert house.hub.intake.counts["odd", "refused"] == 1, "counted"


async def test_what_is_malformed_before_it_is_verified_is_refused(house: House) -> None:
    taken = await house.take(headers=(("X-Before", "malformed"),))
    assert (taken.state, taken.status) == ("refused", 400)
    assert await house.rows(t.deliveries) == []


async def test_what_is_understood_is_kept_with_its_events_and_its_proof(any_house: House) -> None:
    taken = await any_house.take()
    assert (taken.state, taken.status) == ("done", 200)
    row = await any_house.delivery()
    assert (row.state, row.reason, row.due_at) == ("done", None, None)
    assert json.loads(row.proof)[0] == "token"
    assert row.url == "http://localhost/hooks/main/odd?a=%20b"
    (entry,) = await any_house.rows(t.entries)
    assert entry.delivery_id == row.id


QUARANTINED = {
    "malformed": "it says nothing",
    "malformed-object": "an exception for a detail",
    "raise": "ingest: RuntimeError: a bug",
    "exit": "ingest: RuntimeError: raised SystemExit",
    "uncalled": "ingest: TypeError: raised Uncalled without calling its __init__",
    "leak": "ingest: RuntimeError: the token *** was refused",
    "unclaimed": "the plugin does not say that it emits events of the kind opt_out",
    "unknown": "the plugin does not say that it emits events of the kind draft",
}


async def works(house: House) -> None:
    """A delivery that is understood: faults are not in a row."""
    assert (await house.take()).state == "done"


async def test_what_fails_after_it_was_verified_is_quarantined_and_answered_200(
    any_house: House,
) -> None:
    for do, reason in QUARANTINED.items():
        taken = await any_house.take(do, id=do)
        assert (taken.state, taken.status) == ("quarantined", 200), do
        row = await any_house.delivery()
        assert (row.state, row.reason, row.due_at) == ("quarantined", reason, None)
        assert json.loads(row.body)["do"] == do, "as it came"
        assert json.loads(row.proof)[0] == "token"
        assert not leaks(row.reason)
        await works(any_house)
    assert await any_house.texts() == ["hello"]


NONSENSE = (
    "none", "text", "coroutine", "events-none", "events-of-none", "id-number", "html-text",
    "proof", "no-sender", "no-id", "no-address", "no-zone", "receipt-of-nothing",
    "receipt-out-of-range", "status", "reply-status", "reply-header", "reply-text",
)  # fmt: skip


async def test_nonsense_is_quarantined(any_house: House) -> None:
    for which in NONSENSE:
        taken = await any_house.take("nonsense", which=which)
        assert (taken.state, taken.status) == ("quarantined", 200), which
        assert (await any_house.delivery()).state == "quarantined"
        await works(any_house)


async def test_an_event_that_the_hub_does_not_take_yet_is_quarantined(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = house.channel.info
    house.channel.info = type(info)(
        **{name: getattr(info, name) for name in info.__struct_fields__ if name != "emits"},
        emits=info.emits | {"draft"},
    )
    taken = await house.take("unknown")
    assert (taken.state, taken.status) == ("quarantined", 200)
    reason = (await house.delivery()).reason
    assert reason == "the hub does not take in events of the kind draft yet"


@pytest.mark.feature("PLUG-03")
async def test_why_something_was_ignored_tells_no_secret(house: House) -> None:
    taken = await house.take("leak-ignored")
    assert (taken.state, taken.status) == ("ignored", 200)
    assert (await house.delivery()).reason == "not for ***"


# ---------------------------------------------------------------------- kept unverified


async def test_what_could_not_be_verified_is_kept_up_to_a_number(house: House) -> None:
    intake = house.intake(unverified_count=3)
    for _ in range(3):
        taken = await house.take(headers=(("X-Before", "raise"),), intake=intake)
        assert (taken.state, taken.status) == ("unverified", 200)
    with pytest.raises(UnverifiedFull):
        await house.take(headers=(("X-Before", "raise"),), intake=intake)
    rows = await house.rows(t.deliveries)
    assert [row.state for row in rows] == ["unverified"] * 3
    assert {row.proof for row in rows} == {None}
    assert (await house.take(intake=intake)).state == "done", "what is verified has no limit"


async def test_what_could_not_be_verified_is_kept_up_to_a_size(house: House) -> None:
    failed = house.hub.channels.failed(house.org, "stillborn")
    assert failed is not None
    intake = house.intake(unverified_bytes=100)

    async def keep(size: int) -> str:
        letter = Delivery(body=b"x" * size, received_at=delivery().received_at)
        return (await intake.keep_unread(failed, house.org, letter)).state

    assert await keep(60) == "unverified"
    with pytest.raises(UnverifiedFull):
        await keep(41)
    assert await keep(40) == "unverified"


async def test_events_without_a_proof_are_not_taken_in(house: House) -> None:
    """A plugin cannot forget the signature."""
    taken = await house.take(headers=(("X-Before", "forget"),))
    assert (taken.state, taken.status) == ("unverified", 200)
    assert await house.rows(t.entries) == []


async def test_while_a_plugin_is_left_alone_deliveries_wait_for_it(house: House) -> None:
    for number in range(host_channel.FAULTS):
        assert (await house.take("raise", id=f"in-{number}")).state == "quarantined"
    assert house.channel.health.state == "degraded"
    taken = await house.take()
    assert (taken.state, taken.status) == ("unverified", 200)
    row = (await house.rows(t.deliveries))[-1]
    assert row.due_at is not None, "it is read again without being asked"


# ---------------------------------------------------------------------- odd content


async def test_a_large_body_goes_to_the_blob_store(house: House) -> None:
    text = "x" * INLINE_BODY
    assert (await house.take(text=text)).state == "done"
    row = await house.delivery()
    assert row.body is None
    assert json.loads(await house.hub.blobs.get(row.body_blob))["text"] == text
    assert row.size > INLINE_BODY
    assert await house.texts() == [text]


async def test_a_body_that_just_fits_stays_in_its_row(house: House) -> None:
    taken = await house.take("malformed", body=b'{"do": "malformed"}'.ljust(INLINE_BODY))
    assert taken.state == "quarantined"
    row = await house.delivery()
    assert (row.body_blob, len(row.body)) == (None, INLINE_BODY)


ODD = ("\x00", "\ud83d", "\x1b[31m", "\u202e", "\ufffe", "\U0010ffff")


async def test_odd_characters_lose_no_message(any_house: House) -> None:
    for number, odd in enumerate(ODD, 1):
        told: dict[str, Any] = {"id": f"in{odd}{number}", "text": f"a{odd}b", "name": f"An{odd}a"}
        taken = await any_house.take(
            **told,
            reply_to=f"out{odd}1",
            facts={f"Pla{odd}ce": f"Ro{odd}me"},
            media=[{"provider_id": f"m{odd}1", "name": f"photo{odd}.jpg"}],
        )
        assert (taken.state, taken.reason) == ("done", None), ascii(odd)
        kept = json.loads((await any_house.delivery()).body)
        assert kept["text"] == f"a{odd}b", "the raw delivery is as it came"
        texts = await any_house.texts()
        assert len(texts) == number
        assert (texts[-1][0], texts[-1][-1]) == ("a", "b")
        texts[-1].encode()
        assert (await any_house.take(**told)).state == "done"
        assert len(await any_house.texts()) == number, "the same id is the same message"


async def test_odd_headers_are_kept(house: House) -> None:
    odd = (("X-Before", ""), ("x-twice", "1"), ("X-Twice", "2"), ("X-Long", "y" * 60_000))
    latin = (("X-Name", b"J\xfcrgen\xff".decode("latin-1")),)
    assert (await house.take(headers=(*odd, *latin))).state == "done"
    kept = json.loads((await house.delivery()).headers)
    assert kept == [["X-Token", TOKEN], *map(list, odd), *map(list, latin)]
