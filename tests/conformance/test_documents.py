"""Cases of a channel whose deliveries are signed with a key that is nobody's secret here: what the
hub would fetch to check them lies beside the cases."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from msgspec import Struct

from hub.conformance.cases import CasesError, read_cases
from hub.conformance.run import Result, Suite
from hub.conformance.subject import Subject
from hub.plugin import (
    Capabilities,
    Context,
    Delivery,
    Info,
    IngestResult,
    Item,
    Malformed,
    Message,
    Rendered,
    Surface,
    hookimpl,
)
from hub.plugin.kit.recorded import NOW
from hub.plugin.types import Address, Verification

TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"
URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem"
SIGN = """
from pathlib import Path
from hub.plugin.kit import signing

URL = {url!r}

def sign(delivery, settings):
    key = (Path(__file__).parent / "own.key").read_text()
    return signing.sns(delivery, key, certificate_url=URL)

def forge(delivery, settings):
    key = (Path(__file__).parent / "other.key").read_text()
    return signing.sns(delivery, key, certificate_url=URL)
"""


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing in it is secret."""

    topic: str


class Topic:
    """Takes what a topic publishes."""

    INFO: ClassVar[Info] = Info(
        name="topic",
        role="channel",
        api="1.0",
        settings=Settings,
        can=Capabilities(inbound=frozenset({"http"}), verifies="signature"),
        emits=frozenset({"message"}),
        label="Topic",
        address_scheme="topic:from",
    )

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def prove(self, ctx: Context, delivery: Delivery) -> Verification:
        """By the certificate."""
        return ctx.verify.sns(topics=[self.settings.topic])

    @hookimpl
    async def ingest(self, ctx: Context, delivery: Delivery) -> IngestResult:
        proof = self.prove(ctx, delivery)
        told = delivery.json()
        if not isinstance(told, dict) or "Message" not in told:
            raise Malformed("it says nothing")
        sender = (Address(scheme="topic:from", value="somebody"),)
        said = Message(external_id=told["MessageId"], sender=sender, text=told["Message"])
        return IngestResult(verification=proof, events=(said,))

    @hookimpl
    def render(self, ctx: Context, item: Item, surface: Surface) -> Rendered:
        return Rendered(preview=item.text)


class TakesAnySignature(Topic):
    """It looks at the topic, and at nothing else."""

    def prove(self, ctx: Context, delivery: Delivery) -> Verification:
        return Verification.custom("it says that it is of our topic")


def private(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cases signed by a certificate of our own."""
    made = tmp_path_factory.mktemp("cases")
    own, other = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(own.public_key())
        .serial_number(7)
        .not_valid_before(NOW - timedelta(days=60))
        .not_valid_after(NOW + timedelta(days=60))
        .sign(own, hashes.SHA256())
    )
    files: dict[str, str | bytes] = {
        "conformance.toml": f'[settings.valid]\ntopic = "{TOPIC}"\n',
        "provenance.toml": '[defaults]\nprovider = "Amazon SNS"\n',
        "sign.py": SIGN.format(url=URL),
        "own.key": private(own),
        "other.key": private(other),
        "documents.json": json.dumps({URL: "documents/own.pem"}),
        "documents/own.pem": certificate.public_bytes(serialization.Encoding.PEM),
        "ingest/text/expect.json": json.dumps({"events": [{"type": "message", "text": "Hello"}]}),
    }
    body = {
        "Type": "Notification",
        "MessageId": "in-1",
        "TopicArn": TOPIC,
        "Message": "Hello",
        "Timestamp": NOW.isoformat(),
    }
    head = "POST /hooks/main/topic HTTP/1.1\nContent-Type: text/plain\n\n"
    files["ingest/text/request.http"] = head + json.dumps(body)
    for path, content in files.items():
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    return made


def results(cls: type[Topic], folder: Path, *only: str) -> dict[str, Result]:
    suite = Suite(subject=Subject("x:Y", cls), cases=read_cases(folder, cls.INFO.can))
    return {result.id: result for result in suite.results(only)}


def test_a_certificate_beside_the_cases_verifies_them(folder: Path) -> None:
    told = results(Topic, folder, "ING-01", "SIG-01", "SIG-02", "SIG-03", "SIG-09", "SIG-12")
    assert {id_: (r.verdict, r.got or r.reason) for id_, r in told.items()} == dict.fromkeys(
        told, ("pass", "")
    )


@pytest.mark.parametrize(
    ("check", "code"),
    [("SIG-01", "taken"), ("SIG-02", "changed_taken"), ("SIG-03", "other_key_taken")],
)
def test_a_signature_in_the_body_is_one_to_be_checked(folder: Path, check: str, code: str) -> None:
    assert results(TakesAnySignature, folder, check)[check].code == code


def copied(folder: Path, to: Path, **files: str | None) -> Path:
    shutil.copytree(folder, to)
    for name, text in files.items():
        path = to / name.replace("__", "/").replace("_", ".")
        path.unlink() if text is None else path.write_text(text)
    return to


def test_what_is_not_there_cannot_be_had(folder: Path, tmp_path: Path) -> None:
    without = copied(folder, tmp_path / "cases", documents_json=None)
    (told,) = results(Topic, without, "ING-01").values()
    assert (told.verdict, URL in told.got) == ("fail", True)


def test_without_a_secret_there_has_to_be_a_forger(folder: Path, tmp_path: Path) -> None:
    honest = SIGN.format(url=URL).partition("def forge")[0]
    without = copied(folder, tmp_path / "cases", sign_py=honest)
    (told,) = results(Topic, without, "SIG-03").values()
    assert (told.verdict, "forge" in told.reason) == ("needs case", True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "documents.json: "),
        (json.dumps({URL: "none.pem"}), f"{URL}: none.pem"),
    ],
)
def test_what_is_wrong_with_the_documents_is_told(
    folder: Path, tmp_path: Path, text: str, said: str
) -> None:
    spoilt = copied(folder, tmp_path / "cases", documents_json=text)
    with pytest.raises(CasesError) as error:
        read_cases(spoilt, Topic.INFO.can)
    assert said in str(error.value)
