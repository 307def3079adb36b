"""A folder of cases that is wrong is told so by file and key; what it expects to fail may fail."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.structs import replace

from hub.conformance.cases import Cases, CasesError, ExpectedFailure, digest_of, read_cases
from hub.conformance.check import Check, Failed
from hub.conformance.guard import Guard
from hub.conformance.mutants.mutant import FOLDER, REFERENCE, reference_cases
from hub.conformance.mutants.reference import Reference
from hub.conformance.mutants.wrong.ingest import StripsTexts
from hub.conformance.payload import Payload, renamed, vary
from hub.conformance.report import report_on, state_of, story
from hub.conformance.run import Suite
from hub.conformance.settings import with_other_secrets
from hub.conformance.stage import Stage
from hub.conformance.subject import Subject
from hub.plugin import Delivery, Secret
from hub.plugin.kit.recorded import NOW

CASES = reference_cases()


def break_file(name: str, text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    return write


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("spoil", "file", "said"),
    [
        (remove("conformance.toml"), "conformance.toml", "is missing"),
        (remove("provenance.toml"), "provenance.toml", "is missing"),
        (break_file("conformance.toml", "[settings"), "conformance.toml", "Expected"),
        (break_file("conformance.toml", "[settings]\nvalud = {}"), "conformance.toml", "valud"),
        (break_file("provenance.toml", ""), "provenance.toml", "defaults.provider"),
        (break_file("sign.py", "def signed(): ..."), "sign.py", "no function sign"),
        (break_file("sign.py", "1 / 0"), "sign.py", "ZeroDivisionError"),
        (remove("ingest/text/request.http"), "ingest/text/request.http", "is missing"),
        (break_file("ingest/text/request.http", "POST"), "ingest/text", "request.http: the first"),
        (break_file("ingest/text/request.http", "GET / HTTP/1.1\nX"), "ingest/text", "no header"),
        (break_file("ingest/text/expect.json", "["), "ingest/text", "expect.json: "),
        (break_file("ingest/text/expect.json", "{}"), "ingest/text", "says something"),
        (break_file("ingest/text/expect.json", '{"evnts": []}'), "ingest/text", "evnts"),
        (break_file("send/text/message.json", "{}"), "send/text", "message.json: "),
        (break_file("send/text/exchange.jsonl", '{"reqest": 1}'), "send/text", "exchange.jsonl:1"),
        (break_file("render/text/item.json", "{}"), "render/text", "item.json: "),
        (remove("media/picture/ref.json"), "media/picture/ref.json", "is missing"),
        (break_file("media/picture/ref.json", "["), "media/picture", "ref.json: "),
        (break_file("health/well/expect.json", '{"fetched": {}}'), "health/well", "fetched"),
        (remove("fetch/body/ref.json"), "fetch/body/ref.json", "is missing"),
        (remove("poll/missed/exchange.jsonl"), "poll/missed/exchange.jsonl", "is missing"),
        (break_file("poll/missed/cursor.json", "7"), "poll/missed", "cursor.json: "),
        (break_file("answer/rings/facts.json", "{}"), "answer/rings", "facts.json: "),
        (break_file("answer/rings/asked.jsonl", '{"tusk": 1}'), "answer/rings", "asked.jsonl:1"),
        (break_file("listen/one/expect.json", '{"reply": {}}'), "listen/one", "reply"),
    ],
)
def test_what_is_wrong_is_told_by_file(
    tmp_path: Path, spoil: Callable[[Path], None], file: str, said: str
) -> None:
    folder = tmp_path / "cases"
    shutil.copytree(FOLDER, folder)
    spoil(folder)
    with pytest.raises(CasesError) as error:
        read_cases(folder, Reference.INFO.can)
    (line,) = str(error.value).splitlines()
    assert line.startswith(f"{folder / file}: ")
    assert said in line


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "cases")
    assert digest_of(tmp_path / "cases") == CASES.digest
    (tmp_path / "cases/ingest/text/expect.json").write_text("{}")
    assert digest_of(tmp_path / "cases") != CASES.digest


def expecting(check: str, until: date) -> Cases:
    failure = ExpectedFailure(check=check, reason="a bug", link="https://bugs/1", until=until)
    return replace(CASES, conformance=replace(CASES.conformance, expected_failures=(failure,)))


def suite(cls: type, cases: Cases) -> Suite:
    subject = REFERENCE.suite(cases).subject
    subject = Subject(subject.target, cls, subject.distribution)
    return Suite(subject=subject, cases=cases, today=lambda: date(2026, 3, 1))


def test_an_expected_failure_makes_it_partial() -> None:
    (result,) = suite(StripsTexts, expecting("ING-13", date(2026, 3, 1))).results(["ING-13"])
    assert (result.verdict, result.counts, result.known) == (
        "fail",
        False,
        "a bug (https://bugs/1)",
    )
    passed = suite(Reference, CASES).results(["ING-01"])
    assert state_of([result, *passed]) == "partial"


def test_past_its_date_it_fails() -> None:
    (result,) = suite(StripsTexts, expecting("ING-13", date(2026, 2, 28))).results(["ING-13"])
    assert result.counts


def test_an_unexpected_pass_fails() -> None:
    (result,) = suite(Reference, expecting("ING-13", date(2026, 3, 1))).results(["ING-13"])
    assert (result.counts, result.code) == (True, "unexpected_pass")


async def _fails(_: object) -> None:
    raise Failed("odd", done="looked", expected="this", got="that")


def check_of(since: str) -> Check:
    return Check(id="ING-98", title="New", why="It is.", on="inbound", since=since, run=_fails)


def test_a_newer_check_is_shown_and_does_not_count() -> None:
    newer = suite(Reference, CASES).judge(check_of("1.1"))
    assert (newer.verdict, newer.provisional, newer.counts) == ("fail", True, False)
    assert "newer" in story(newer, "x:Y", None)
    assert suite(Reference, CASES).judge(check_of("1.0")).counts
    current = replace(CASES, conformance=replace(CASES.conformance, conformance="1.1"))
    assert suite(Reference, current).judge(check_of("1.1")).counts


def test_nothing_that_applies_is_a_failure() -> None:
    assert state_of([]) == "failed"


def test_old_cases_are_noted() -> None:
    old = replace(CASES, provenance={"defaults": {"recorded": date(2020, 1, 1)}})
    made = suite(Reference, old)
    (warning,) = report_on(made, made.results(["ING-01"]), ["ING-01"]).warnings
    assert "days ago" in warning


def test_what_goes_wrong_in_a_check_fails_it() -> None:
    async def breaks(_: object) -> None:
        raise ZeroDivisionError("here")

    result = suite(Reference, CASES).judge(replace(check_of("1.0"), run=breaks))
    assert (result.verdict, result.code) == ("fail", "broke")
    assert "ZeroDivisionError: here" in result.got


@pytest.mark.parametrize("text", ["+12125550142", "SM00ffAA", "in-410001", "a"])
def test_other_values_keep_their_shape(text: str) -> None:
    others = {vary(text, number) for number in range(5000, 5005)}
    assert len(others) == 5
    for other in others:
        assert [char.isdigit() for char in other] == [char.isdigit() for char in text]
        assert [char.isupper() for char in other] == [char.isupper() for char in text]


@pytest.mark.parametrize(
    ("name", "body", "other", "changed"),
    [
        ("in-41", {"id": "in-41"}, "ca-42", {"id": "ca-42"}),
        ("41", {"id": 41}, "1041", {"id": 1041}),
        ("700/41", {"chat": {"id": 700}, "id": 41}, "700/1041", {"chat": {"id": 700}, "id": 1041}),
        ("zoe:in-41", {"from": "zoe", "on": True}, "dee:in-41", {"from": "dee", "on": True}),
    ],
)
def test_an_id_is_changed_where_it_stands(
    name: str, body: dict[str, object], other: str, changed: dict[str, object]
) -> None:
    payload = Payload.of(Delivery(body=json.dumps(body).encode(), received_at=NOW))
    made = renamed(payload, name, 1000)
    assert made is not None
    assert (made[0], made[1].tree["body"]) == (other, changed)
    assert renamed(payload, "unheard-of", 1000) is None


def test_a_payload_is_made_again_as_it_was() -> None:
    for case in CASES.ingest:
        payload = Payload.of(case.delivery)
        assert Payload.of(payload.make()).tree == payload.tree


def test_a_role_without_checks_is_not_proven() -> None:
    class Helper(Reference):
        INFO = replace(Reference.INFO, role="assistant")

    (result,) = suite(Helper, CASES).results(["CLM-01"])
    assert result.got == "claimed, not proven: the role assistant"


def test_what_was_fetched_is_read_without_a_signature(tmp_path: Path) -> None:
    folder = tmp_path / "cases"
    shutil.copytree(FOLDER, folder)
    asked = folder / "ingest" / "text" / "request.http"
    asked.rename(asked.with_name("fetched.http"))
    cases = read_cases(folder, Reference.INFO.can)
    (case,) = [each for each in cases.ingest if each.name == "ingest/text"]
    assert case.delivery.source == "fetch"
    stage = Stage(Subject(cls=Reference, target="reference"), cases, "1", Guard(), 1)
    assert stage.signed(case.delivery) == case.delivery
    assert case in stage.with_events()
    assert case not in stage.posted()


def test_another_secret_of_standard_webhooks_is_one_as_well() -> None:
    mine = Secrets(one=Secret("whsec_YSBzZWNyZXQ="), two=Secret("whsec_not base64"), three="x")
    other = with_other_secrets(mine, "-other")
    assert base64.b64decode(other.one.reveal().removeprefix("whsec_"), validate=True)
    assert other.one.reveal() != mine.one.reveal()
    assert other.two.reveal() == "whsec_not base64-other"
    assert other.three == "x"
    assert not with_other_secrets(mine, "").one.reveal()


class Secrets(Struct):
    one: Secret
    two: Secret
    three: str
