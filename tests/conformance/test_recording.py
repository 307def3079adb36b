"""``hub plugin record``: what a real hub has received becomes cases that conform, and nothing of
whoever wrote is in them."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from msgspec.structs import replace

from hub.conformance.cases import Cases, read_cases
from hub.conformance.command import suite_of
from hub.conformance.mutants.mutant import FOLDER
from hub.conformance.mutants.reference import Reference
from hub.conformance.report import report_on, story
from hub.conformance.settings import settings_of
from hub.conformance.subject import Subject, find
from hub.plugin import Delivery
from tests.forks import hubs
from tests.hubs import HubProcess
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
TWILIO = "hub_sms_twilio:TwilioSms"
ACCOUNT, TOKEN, OWN = "AC" + "7e" * 16, "the-auth-token-of-acme-plumbing", "+14155557788"
PHONE = "+12065554321"
SECRETS = {"desk": "front-desk", "key": "the-key-of-acme-plumbing"}
CONFIG = """\
[hub]
public_url = "http://127.0.0.1:{port}"

[[organisations]]
slug = "acme"

[[channels]]
id = "texts"
organisation = "acme"
plugin = "sms-twilio"
[channels.settings]
account_sid = "{account}"
auth_token = "{token}"
numbers = ["{own}"]

[[channels]]
id = "desk"
organisation = "acme"
plugin = "reference"
[channels.settings]
desk = "front-desk"
key = "the-key-of-acme-plumbing"
"""


class Recording:
    """A hub with two channels, and their packages."""

    def __init__(self, hub: HubProcess, folder: Path) -> None:
        self.hub = hub
        self.folder = folder
        self._twilio = read_cases(ROOT / "plugins/sms-twilio/cases", find(TWILIO).info.can)
        self._reference = read_cases(FOLDER, Reference.INFO.can)

    def text(self, **fields: str) -> str:
        """A webhook of Twilio's; the delivery's id."""
        given = {
            "ToCountry": "US", "SmsStatus": "received", "NumMedia": "0", "NumSegments": "1",
            "AccountSid": ACCOUNT, "ApiVersion": "2010-04-01", "From": PHONE, "To": OWN, **fields,
        }  # fmt: skip
        headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "Proxy/1.1"}
        settings = {"account_sid": ACCOUNT, "auth_token": TOKEN, "numbers": [OWN]}
        return self._post("texts", urlencode(given), headers, self._twilio, find(TWILIO), settings)

    def desk(self, body: Any) -> str:
        """A webhook of the reference channel's provider."""
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        subject = Subject("hub.conformance.mutants.reference:Reference", Reference)
        headers = {"Content-Type": "application/json", "X-Trace": "zoe.winter@example.org"}
        return self._post("desk", text, headers, self._reference, subject, SECRETS)

    def _post(
        self, channel: str, body: str, headers: Mapping[str, str], cases: Cases, subject: Subject,
        settings: Mapping[str, Any],
    ) -> str:  # fmt: skip
        url = f"{self.hub.base_url}/hooks/acme/{channel}"
        delivery = Delivery(
            url=url,
            headers=tuple(headers.items()),
            body=body.encode(),
            received_at=datetime.now(UTC),
        )
        assert cases.sign is not None
        signed = cases.sign(delivery, settings_of(subject.info.settings, settings))
        answer = httpx2.post(
            url, content=delivery.body, headers=dict(signed.headers), timeout=PATIENCE
        )
        assert answer.status_code == 200, answer.text
        return self.deliveries(channel)[0]["id"]

    def deliveries(self, channel: str) -> list[dict[str, Any]]:
        """What arrived, the newest first."""
        client = self.hub.client()
        client.org = "acme"
        return client.get(f"channels/{channel}/deliveries")["items"]

    def record(self, *arguments: str, package: str = "texts") -> subprocess.CompletedProcess[str]:
        """The command, in the folder of a channel's package."""
        config = ["--config", str(self.hub.folder / "hub.toml")]
        return hubs().run(
            ["plugin", "record", *arguments, *config],
            folder=self.folder / package,
            environ=self.hub.environ,
        )

    def cases(self, package: str = "texts") -> Path:
        """The cases of a package."""
        return self.folder / package / "cases"

    def written(self, package: str = "texts") -> dict[str, str]:
        """Everything of the cases by file."""
        folder = self.cases(package)
        return {
            path.relative_to(folder).as_posix(): path.read_text("utf-8")
            for path in sorted(folder.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        }


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    folder = tmp_path_factory.mktemp("recording")
    info = folder / "site" / "reference-1.0.dist-info"
    info.mkdir(parents=True)
    needs = "Requires-Dist: channel-hub>=0.1,<2\n"
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: ref\nVersion: 1.0\n{needs}")
    point = "reference = hub.conformance.mutants.reference:Reference"
    (info / "entry_points.txt").write_text(f"[hub.plugins]\n{point}\n")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    config = CONFIG.format(port=port, account=ACCOUNT, token=TOKEN, own=OWN)
    environ = {"PYTHONPATH": str(folder / "site")}
    hub = HubProcess(folder / "hub", config=config, environ=environ).start(port=port)
    with hub:
        yield hub


@pytest.fixture
def recording(running: HubProcess, tmp_path: Path) -> Recording:
    shutil.copytree(ROOT / "plugins/sms-twilio/cases", tmp_path / "texts" / "cases")
    shutil.copytree(FOLDER, tmp_path / "desk" / "cases")
    return Recording(running, tmp_path)


def nothing_of(personal: list[str], files: Mapping[str, str]) -> None:
    for name, text in files.items():
        for word in personal:
            assert not re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text), f"{word} is in {name}"


def conforms(subject: Subject, cases: Path) -> None:
    suite = replace(suite_of(subject, cases), mutations=20)
    results = suite.results()
    failed = [story(one, suite.subject.target, None) for one in results if one.counts]
    report = report_on(suite, results)
    only = [one for one in failed if "LOD-05" not in one]  # the reference is no package here
    assert only == [], "\n".join([report.line, *failed])


@pytest.mark.feature("CONF-01")
def test_texts_become_cases_without_anything_of_who_wrote(recording: Recording) -> None:
    before = recording.written()
    ids = [
        recording.text(
            MessageSid="SM" + "3c" * 16, SmsSid="SM" + "3c" * 16,
            Body="Ann Miller, 12 High St, 4pm?", ProfileName="Annie",
            FromCity="SPOKANE", FromZip="99201", FromState="WA",
        ),
        recording.text(
            MessageSid="MM" + "5d" * 16, SmsSid="MM" + "5d" * 16, Body="", NumMedia="1",
            MediaContentType0="image/jpeg",
            MediaUrl0=f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages/MM{'5d' * 16}"
            f"/Media/ME{'6e' * 16}",
        ),
        recording.text(MessageSid="SM" + "8f" * 16, Body="STOP", OptOutType="STOP"),
        recording.text(
            MessageSid="SM" + "9a" * 16, MessageStatus="undelivered", ErrorCode="30003", To=PHONE,
            From=OWN,
        ),
    ]  # fmt: skip
    done = recording.record("texts")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert set(ids) <= set(lines)
    after = recording.written()
    added = {name: text for name, text in after.items() if before.get(name) != text}
    assert set(before) <= set(after), "what was there stays"
    names = {name.split("/")[1] for name in added if name.startswith("ingest/")}
    assert names == {
        *("message_1", "message_with_files_1", "message_opt_out_1", "receipt_failed_1"),
    }
    nothing_of(
        [
            *(PHONE, PHONE[1:], OWN, OWN[1:], ACCOUNT, TOKEN, "SPOKANE", "99201", "WA", "Annie"),
            *(
                "Ann",
                "Miller",
                "High",
                "12 High",
                "acme",
                "3c" * 16,
                "5d" * 16,
                "6e" * 16,
                "9a" * 16,
            ),
            *(f"SM{'3c' * 16}", f"MM{'5d' * 16}", f"ME{'6e' * 16}"),
        ],
        added,
    )
    text = json.loads(after["ingest/message_1/expect.json"])
    (event,) = text["events"]
    assert re.fullmatch(r"\w{3} \w{6}, \d\d \w{4} \w\w, \d\w\w\?", event["text"]), "its shape"
    assert event["sender"][0]["value"].startswith("+1")
    picture = json.loads(after["ingest/message_with_files_1/expect.json"])["events"][0]
    assert picture["text"] == ""
    same = event["sender"][0]["value"]
    assert picture["sender"][0]["value"] == same, "who is the same stays the same"
    assert "X-Twilio-Signature" not in "".join(added.values())
    assert "[ingest.message_1]" in after["provenance.toml"]
    conforms(find(TWILIO), recording.cases())

    again = recording.record("texts")
    assert again.returncode == 0
    delivery = recording.text(MessageSid="SM" + "1d" * 16, Body="Another one, of the same kind")
    lines = recording.record("texts", "--last", "2").stdout.splitlines()
    assert lines[0].startswith(f"{delivery}: ")


@pytest.mark.feature("CONF-01")
def test_json_of_every_kind_becomes_cases(recording: Recording) -> None:
    message = {"type": "message", "id": "in-550017", "from": "zoe-winter", "to": "front-desk"}
    recording.desk({**message, "text": "Zoe 👍 grüßt", "at": "2026-05-04T08:00:00Z", "age": 41203,
                    "private": {"born": "1980-01-02", "email": "zoe@winter.example"}})  # fmt: skip
    recording.desk({"type": "receipt", "id": "out-990017", "status": "delivered"})
    recording.desk({"type": "stop", "from": "zoe-winter"})
    recording.desk({"type": "typing", "from": "zoe-winter"})
    some = ({**message, "id": f"in-5500{number}", "text": "Well"} for number in (18, 19))
    recording.desk({"type": "batch", "items": [*some]})
    recording.desk('{"type": "message", "id": "in-550020", "from": "zoe-winter", "text": ')
    done = recording.record("desk", "--organisation", "acme", package="desk")
    assert done.returncode in {0, 1}, done.stderr
    before = set(FOLDER.rglob("*"))
    added = {
        name: text
        for name, text in recording.written("desk").items()
        if FOLDER / name not in before or name == "provenance.toml"
    }
    names = {name.split("/")[1] for name in added if name.startswith("ingest/")}
    assert {"message_1", "message_2", "receipt_delivered_1", "opt_out_1", "ignored_1"} <= names
    nothing_of(
        [
            *("zoe-winter", "zoe", "Zoe", "grüßt", "winter", "41203", "1980", "born@", "acme"),
            *("in-550017", "550017", "in-550018", "out-990017", "front-desk", SECRETS["key"]),
        ],
        {name: text for name, text in added.items() if name != "provenance.toml"},
    )
    event = json.loads(added["ingest/message_2/expect.json"])["events"][0]
    assert event["own_address"] == "desk-1", "the settings of the cases in place of the channel's"
    assert "👍" in added["ingest/message_1/expect.json"] + added["ingest/message_2/expect.json"]
    assert "X-Trace" not in "".join(added.values())
    conforms(Subject("hub.conformance.mutants.reference:Reference", Reference),
             recording.cases("desk"))  # fmt: skip


def test_one_delivery_is_recorded_by_its_id(recording: Recording) -> None:
    id_ = recording.text(MessageSid="SM" + "ab" * 16, Body="Only this one")
    done = recording.record("texts", "--delivery", id_)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == f"{id_}: cases/ingest/message_1\n" or "cases/ingest" in done.stdout
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], 'there is no channel "nowhere"; there are: desk, texts'),
        (["texts", "--organisation", "main"], 'no channel "texts" in organisation "main"'),
        (["texts", "--delivery", "12"], "has received no delivery 12"),
        (["texts", "--cases", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_recorded_is_said(
    recording: Recording, arguments: list[str], said: str
) -> None:
    done = recording.record(*arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_package_here_it_says_where_to_go(recording: Recording, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    done = recording.record("texts", package="elsewhere")
    assert done.returncode == 1
    assert "run this in the folder of the plugin's package" in done.stderr
