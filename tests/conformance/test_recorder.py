"""One delivery made a case: what is replaced, what may stay, and when there is none."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub.conformance.cases import Cases
from hub.conformance.mutants.mutant import reference_cases
from hub.conformance.mutants.reference import SIGNED_AT, Reference
from hub.conformance.recording import CannotRecord, Recorded, Recorder
from hub.conformance.settings import settings_of
from hub.conformance.subject import Subject
from hub.plugin import Address, Delivery, IngestResult, Malformed, Message, hookimpl
from hub.plugin.kit.recorded import NOW
from hub.plugin.kit.verify import stored_proof
from hub.rules.redaction import looks_secret

CASES = reference_cases()
PROOF = stored_proof("hmac")
SIGNED = {SIGNED_AT: str(int(NOW.timestamp()))}


def recorder(cls: type = Reference, cases: Cases = CASES) -> Recorder:
    given = {"desk": "their-desk", "key": "the-key-of-theirs", "old_keys": ["an-old-key-of-theirs"]}
    return Recorder(Subject("x:Y", cls), cases, settings_of(cls.INFO.settings, given), looks_secret)  # type: ignore[attr-defined]


async def record(
    body: object, cls: type = Reference, headers: dict[str, str] | None = None, query: str = ""
) -> Recorded:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    delivery = Delivery(
        url=f"https://hub.acme.example/hooks/acme/desk-of-acme{query}",
        headers=tuple({"Content-Type": "application/json", **SIGNED, **(headers or {})}.items()),
        body=raw,
        received_at=NOW,
    )
    return await recorder(cls).record(delivery, PROOF)


def sent(case: Recorded) -> Any:
    return json.loads(case.request.partition(b"\n\n")[2])


MESSAGE = {"type": "message", "id": "in-410001", "from": "zoe-winter", "to": "their-desk"}
FRAME = (
    "/hooks/main/reference Content-Type application message profile events "
    "external_id scheme sender verified own_address example"
)
"""What stands in every case, whoever wrote."""
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


@settings(max_examples=60)
@example(text="refere", extra={})
@given(text=WORDS, extra=st.dictionaries(WORDS.filter(lambda key: len(key) < 3), WORDS, max_size=3))
async def test_no_word_of_anybody_is_left(text: str, extra: dict[str, str]) -> None:
    extra = {name: value for name, value in extra.items() if name not in MESSAGE}
    try:
        case = await record({**MESSAGE, "text": text, "profile": extra})
    except CannotRecord:
        return
    written = case.request.decode() + json.dumps(case.expect, ensure_ascii=False)
    for original in (text, *extra.values(), "zoe-winter", "in-410001", "their-desk", "acme"):
        # Shorter words may come again by chance; none are theirs by that.
        for word in re.findall(r"\w{6,}", original, re.ASCII):
            if re.search("[1-9A-Za-z]{6}", word) and word not in FRAME:
                assert word not in written


async def test_the_same_value_becomes_the_same_wherever_it_stands() -> None:
    one = recorder()

    async def again(**more: Any) -> Any:
        body = json.dumps({**MESSAGE, **more}).encode()
        headers = (("Content-Type", "application/json"),)
        url = "https://hub.acme.example/hooks/acme/desk"
        delivery = Delivery(url=url, headers=headers, body=body, received_at=NOW)
        return sent(await one.record(delivery, PROOF))

    first = await again(text="by zoe-winter of zoe-winter@example.org")
    second = await again(id="in-2", text="More")
    assert first["from"] == second["from"] != "zoe-winter"
    assert first["text"].count(first["from"]) == 1
    assert re.search(r"@\w+\.example$", first["text"])
    assert first["to"] == "desk-1"


async def test_times_types_and_states_stay_as_far_as_they_are_read() -> None:
    case = await record({**MESSAGE, "at": "2026-03-02T09:15:00Z", "born": "1980-04-05", "n": 7})
    body = sent(case)
    assert (body["type"], body["at"], body["n"]) == ("message", "2026-03-02T09:15:00Z", 7)
    assert body["born"] != "1980-04-05", "a time that means nothing to the channel may be private"
    receipt = await record({"type": "receipt", "id": "out-7", "status": "delivered"})
    assert sent(receipt)["status"] == "delivered"
    assert receipt.kind == "receipt_delivered"


async def test_only_headers_that_are_read_stay() -> None:
    headers = {"X-Customer": "zoe@example.org", "X-Reference-Signature": "abc", "Cookie": "x"}
    case = await record(MESSAGE, headers=headers)
    assert case.request.partition(b"\n\n")[0].decode().splitlines() == [
        "POST /hooks/main/reference HTTP/1.1",
        "Content-Type: application/json",
    ]


async def test_signs_that_are_nobodys_stay() -> None:
    case = await record({**MESSAGE, "text": "👍 ?!", "zip": "0000", "code": "1000"})
    body = sent(case)
    assert body["text"] == "👍 ?!"
    assert body["zip"] != "0000"
    assert body["code"] != "1000"


async def test_a_challenge_is_recorded_with_another_one() -> None:
    delivery = Delivery(
        url="https://hub.acme.example/hooks/acme/desk?challenge=secret-of-the-day-17",
        method="GET",
        headers=tuple(SIGNED.items()),
        received_at=NOW,
    )
    case = await recorder().record(delivery, PROOF)
    assert case.kind == "handshake"
    assert b"secret-of-the-day" not in case.request
    challenge = case.request.decode().split("challenge=")[1].split(" ")[0]
    assert case.expect["reply"]["body"] == challenge


class Breaking(Reference):
    """It breaks on what has no text."""

    @hookimpl
    async def ingest(self, ctx: Any, delivery: Delivery) -> IngestResult:
        raise KeyError(delivery.json()["id"])


async def test_what_the_channel_breaks_on_is_a_case_to_be_completed() -> None:
    case = await record(MESSAGE, Breaking)
    assert (case.kind, case.fault, case.expect) == (
        "not_understood",
        "KeyError",
        {"error": "malformed"},
    )
    assert b"zoe" not in case.request


class Counting(Reference):
    """It reads only numbers of one bank's, by their check digits."""

    @hookimpl
    async def ingest(self, ctx: Any, delivery: Delivery) -> IngestResult:
        account = str(delivery.json()["account"])
        if int(account) % 99_991 != 5_556 or len(account) != 9:
            raise Malformed("no such account")
        sender = (Address(scheme="reference:user", value=account),)
        return IngestResult(events=(Message(external_id="1", sender=sender),))


async def test_what_cannot_be_replaced_is_said_by_field_and_no_case() -> None:
    with pytest.raises(CannotRecord, match="account cannot be replaced without changing"):
        await record({"account": "555555552"}, Counting)


@pytest.mark.parametrize("body", [b"<xml/>", b'{"type": "mess', b"\xff"])
async def test_what_has_no_fields_is_no_case(body: bytes) -> None:
    with pytest.raises(CannotRecord, match="neither JSON nor a form"):
        await record(body)


async def test_an_address_that_names_somebody_is_no_case() -> None:
    delivery = Delivery(
        url="https://hub.acme.example/hooks/acme/desk/customers/4711-9932",
        headers=(("Content-Type", "application/json"),),
        body=json.dumps(MESSAGE).encode(),
        received_at=NOW,
    )
    with pytest.raises(CannotRecord, match="its address names something"):
        await recorder().record(delivery, PROOF)
