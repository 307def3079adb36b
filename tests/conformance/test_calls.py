"""A channel that makes calls and sends nothing else is checked by cases of calls."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from hub.conformance.cases import Cases, read_cases
from hub.conformance.mutants.mutant import FOLDER, REFERENCE
from hub.conformance.mutants.reference import API, MAX_LENGTH, USER, Reference
from hub.conformance.run import Result
from hub.plugin import (
    Accepted,
    ComposeFacts,
    ComposeRules,
    Context,
    Outbound,
    Permanent,
    Temporary,
    Unsupported,
    hookimpl,
)

DIGITS = frozenset("+0123456789")
RING = {"ref": "t-7", "ring": "+12025550100", "call": "ann-500"}
MESSAGE = {
    "id": "t-7",
    "address": {"scheme": "reference:user", "value": "ann-500"},
    "own_address": "desk-1",
    "deadline": "2100-01-01T00:00:00Z",
    "kind": "call",
    "member_address": {"scheme": "phone", "value": "+12025550100"},
}


class Dials(Reference):
    INFO = replace(Reference.INFO, can=replace(Reference.INFO.can, calls=True), group="calls")

    @hookimpl
    def compose_rules(self, ctx: Context, facts: ComposeFacts) -> ComposeRules:
        return ComposeRules(max_length=MAX_LENGTH)

    @hookimpl
    async def send(self, ctx: Context, message: Outbound) -> Accepted:
        if message.kind != "call" or message.member_address is None:
            raise Unsupported(f"there is no {message.kind} here")
        if ctx.clock.now() >= message.deadline:
            raise Temporary("the deadline has passed")
        self.check_numbers(message)
        wanted = {
            "ref": message.id,
            "ring": message.member_address.value,
            "call": message.address.value,
        }
        response = await self.ask(ctx, "POST", f"{API}/calls", wanted)
        if response.status != 201:
            self.refuse(ctx, response)
        return Accepted(external_id=self.external_id(response))

    def check_numbers(self, message: Outbound) -> None:
        member = "" if message.member_address is None else message.member_address.value
        if not USER.fullmatch(message.address.value) or not DIGITS.issuperset(member):
            raise Permanent("bad_address", "that is no number")


class TrustsMembers(Dials):
    """The member's number goes out as it is."""

    def check_numbers(self, message: Outbound) -> None:
        if not USER.fullmatch(message.address.value):
            raise Permanent("bad_address", "that is no number")


@pytest.fixture
def cases(tmp_path: Path) -> Cases:
    """The reference's, with a call in place of what is sent."""
    folder = tmp_path / "cases"
    shutil.copytree(FOLDER, folder)
    shutil.rmtree(folder / "send")
    case = folder / "send" / "ring"
    case.mkdir(parents=True)
    headers = {"Authorization": "Bearer key-of-the-reference-channel"}
    exchange = {
        "request": {"method": "POST", "url": f"{API}/calls", "headers": headers, "json": RING},
        "response": {"status": 201, "json": {"id": "call-88001"}},
    }
    (case / "exchange.jsonl").write_text(json.dumps(exchange))
    (case / "message.json").write_text(json.dumps(MESSAGE))
    (case / "expect.json").write_text('{"accepted": {"external_id": "call-88001"}}')
    return read_cases(folder, Dials.INFO.can)


def results(cls: type, cases: Cases) -> dict[str, Result]:
    suite = replace(REFERENCE, cls=cls).suite(cases)
    return {result.id: result for result in suite.results()}


@pytest.mark.feature("CONF-02", "VOIC-05")
def test_calls_are_sent_as_they_were_recorded(cases: Cases) -> None:
    found = results(Dials, cases)
    wanted = ("SND-01", "SND-02", "SND-04", "SND-06", "SND-08", "SND-12", "SND-13", "CON-01",
              "CON-02", "CON-05", "RTY-01", "RTY-03", "RTY-04", "SEC-04")  # fmt: skip
    assert {id_: found[id_].verdict for id_ in wanted} == dict.fromkeys(wanted, "pass"), [
        found[id_] for id_ in wanted
    ]
    for id_ in ("RND-04", "RND-06"):
        assert (found[id_].verdict, found[id_].reason) == ("n/a", "it makes calls alone")


@pytest.mark.feature("CONF-02", "VOIC-05")
def test_the_number_of_a_member_carries_no_commands_either(cases: Cases) -> None:
    suite = replace(REFERENCE, cls=TrustsMembers).suite(cases)
    (result,) = suite.results(["SND-13"])
    assert (result.verdict, result.code) == ("fail", "injected")
