"""Proofs by public keys: ECDSA as SendGrid's, Amazon SNS, JSON Web Tokens."""

from __future__ import annotations

import base64
import hmac
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt as tokens
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm
from msgspec.structs import replace

from hub.plugin import Delivery, Secret, Unverified
from hub.plugin.kit import signing, sns_signature
from hub.plugin.kit.verify import Missing, Verifier
from tests.plugin_kit.deliveries import NOW, FixedClock, delivery

# pytest puts aside what the hub says of warnings.
pytestmark = pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")

PRIVATE = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
PUBLIC = serialization.PublicFormat.SubjectPublicKeyInfo


def private(key: Any) -> str:
    return key.private_bytes(*PRIVATE, serialization.NoEncryption()).decode()


def public(key: Any) -> str:
    return key.public_key().public_bytes(serialization.Encoding.PEM, PUBLIC).decode()


def shown(key: Any) -> str:
    """As SendGrid shows it."""
    der = key.public_key().public_bytes(serialization.Encoding.DER, PUBLIC)
    return base64.b64encode(der).decode()


CURVE, OTHER_CURVE = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
RSA, OTHER_RSA = (rsa.generate_private_key(65537, 2048) for _ in range(2))


def refused(call: Callable[[], object], why: str | None = None) -> bool:
    with pytest.raises(Unverified, match=why):
        call()
    return True


# ---------------------------------------------------------------------- ECDSA

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
STAMP = "X-Twilio-Email-Event-Webhook-Timestamp"
EVENTS = b'[{"email":"a@example.com","event":"delivered","sg_event_id":"1"}]\r\n'


def sendgrid(body: bytes = EVENTS, at: datetime = NOW) -> Delivery:
    return signing.ecdsa(
        delivery(body), private(CURVE), header=SIGNATURE, timestamp_header=STAMP, at=at
    )


def by_curve(one: Delivery, *keys: str, **rest: Any) -> str:
    verifier = Verifier(one, FixedClock())
    keys = keys or (shown(CURVE),)
    rest = {"header": SIGNATURE, "timestamp_header": STAMP, **rest}
    proof = verifier.ecdsa(keys=keys, **rest)
    assert verifier.proof == proof
    return proof.detail


# From the tests of the package sendgrid, whose key and post they are.
SENDGRID_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+"
    "2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
)
SENDGRID_SIGNATURE = (
    "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZU"
    "AiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
)
SENDGRID_STAMP = "1600112502"
SENDGRID_BODY = (
    json.dumps(
        [
            {
                "email": "hello@world.com",
                "event": "dropped",
                "reason": "Bounced Address",
                "sg_event_id": "ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",
                "sg_message_id": (
                    "LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0"
                ),
                "smtp-id": "<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>",
                "timestamp": 1600112492,
            }
        ],
        sort_keys=True,
        separators=(",", ":"),
    )
    + "\r\n"
).encode()


def test_a_post_that_sendgrid_has_signed() -> None:
    headers = {SIGNATURE: SENDGRID_SIGNATURE, STAMP: SENDGRID_STAMP}
    at = FixedClock(datetime.fromtimestamp(int(SENDGRID_STAMP), UTC))

    def check(body: bytes) -> object:
        verifier = Verifier(delivery(body, headers), at)
        return verifier.ecdsa(keys=[SENDGRID_KEY], header=SIGNATURE, timestamp_header=STAMP)

    assert check(SENDGRID_BODY)
    assert refused(lambda: check(SENDGRID_BODY.rstrip()), "does not match")


def test_ecdsa_takes_keys_as_they_are_shown_and_in_pem_and_several_of_them() -> None:
    assert by_curve(sendgrid()) == f"{SIGNATURE}, key 1"
    assert by_curve(sendgrid(), public(CURVE)).endswith("key 1")
    assert by_curve(sendgrid(), shown(OTHER_CURVE), "", public(CURVE)).endswith("key 2")
    plain = signing.ecdsa(delivery(EVENTS), private(CURVE), header="X-Sig")
    assert by_curve(plain, header="X-Sig", timestamp_header=None)


def test_ecdsa_refuses_what_is_not_signed_so() -> None:
    assert refused(lambda: by_curve(sendgrid(), shown(OTHER_CURVE)), "does not match")
    assert refused(lambda: by_curve(replace(sendgrid(), body=EVENTS + b" ")), "does not match")
    without = replace(sendgrid(), headers=())
    assert refused(lambda: by_curve(without), "missing")
    moved = dict(sendgrid().headers) | {STAMP: str(int(NOW.timestamp()) + 1)}
    assert refused(lambda: by_curve(delivery(EVENTS, moved)), "does not match")
    for bad in ("", "none", "AAAA", "!", "é"):
        headers = dict(sendgrid().headers) | {SIGNATURE: bad}
        assert refused(lambda h=headers: by_curve(delivery(EVENTS, h)))
    assert refused(lambda: by_curve(sendgrid(), " "), "no key")
    assert refused(lambda: by_curve(sendgrid(), "not a key"), "no public key")
    assert refused(lambda: by_curve(sendgrid(), public(RSA)), "elliptic")


@pytest.mark.parametrize(("off", "good"), [(-300, True), (300, True), (-301, False), (301, False)])
def test_ecdsa_window(off: int, good: bool) -> None:
    one = sendgrid(at=NOW + timedelta(seconds=off))
    if good:
        assert by_curve(one)
    else:
        assert refused(lambda: by_curve(one), "too far")
    assert by_curve(one, tolerance=None)


# ---------------------------------------------------------------------- SNS

TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"
CERTIFICATE_URL = (
    "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-"
    "0123456789abcdef0123456789abcdef.pem"
)


def certificate(key: Any = RSA, days: int = 30) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW - timedelta(days=60))
        .not_valid_after(NOW + timedelta(days=days))
        .sign(RSA, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def message(**facts: Any) -> Delivery:
    told = {
        "Type": "Notification",
        "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e",
        "TopicArn": TOPIC,
        "Message": '{"notificationType": "Delivery"} ünï',
        "Timestamp": NOW.isoformat().replace("+00:00", ".123Z"),
        **facts,
    }
    return delivery(json.dumps({name: v for name, v in told.items() if v is not None}).encode())


def sns(version: str = "1", url: str = CERTIFICATE_URL, key: Any = RSA, **facts: Any) -> Delivery:
    return signing.sns(message(**facts), private(key), certificate_url=url, version=version)


def by_sns(one: Delivery, pem: bytes | None = None, topics: tuple[str, ...] = (TOPIC,)) -> str:
    documents = {CERTIFICATE_URL: certificate() if pem is None else pem}
    return Verifier(one, FixedClock(), documents).sns(topics=topics).detail


@pytest.mark.parametrize("version", ["1", "2"])
def test_sns_messages_of_every_type(version: str) -> None:
    assert by_sns(sns(version)) == f"{TOPIC}, version {version}"
    assert by_sns(sns(version, Subject="Hello\nthere"))
    asked = {"Token": "2336412f37", "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?x=1"}
    for kind in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
        assert by_sns(sns(version, Type=kind, **asked))


def changed(one: Delivery, **facts: Any) -> Delivery:
    told = json.loads(one.body) | facts
    return replace(
        one, body=json.dumps({name: v for name, v in told.items() if v is not None}).encode()
    )


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"Message": "another"}, "does not match"),
        ({"MessageId": "another"}, "does not match"),
        ({"Subject": "added"}, "does not match"),
        ({"SignatureVersion": "2"}, "does not match"),
        ({"SignatureVersion": "3"}, "unknown"),
        ({"SignatureVersion": "none"}, "unknown"),
        ({"SignatureVersion": None}, "missing"),
        ({"Signature": ""}, "does not match"),
        ({"Signature": "!"}, "not base64"),
        ({"Signature": None}, "missing"),
        ({"Signature": 5}, "missing"),
        ({"Type": "Other"}, "unknown"),
        ({"TopicArn": f"{TOPIC}2"}, "topic"),
        ({"Timestamp": (NOW - timedelta(hours=2)).isoformat()}, "too far"),
        ({"Timestamp": (NOW + timedelta(hours=2)).isoformat()}, "too far"),
        ({"Timestamp": "2026-11-20T12:00:00"}, "no zone"),
        ({"Timestamp": "yesterday"}, "no time"),
    ],
)
def test_sns_refuses_what_is_not_signed_so(facts: dict[str, Any], why: str) -> None:
    assert refused(lambda: by_sns(changed(sns(Subject=None), **facts)), why)


def test_sns_of_another_key_topic_or_time() -> None:
    assert refused(lambda: by_sns(sns(key=OTHER_RSA)), "does not match")
    assert refused(lambda: by_sns(sns(), certificate(OTHER_RSA)), "does not match")
    assert refused(lambda: by_sns(sns(), certificate(days=-1)), "not good at this time")
    assert refused(lambda: by_sns(sns(), certificate(CURVE)), "not of an RSA key")
    assert refused(lambda: by_sns(sns(), b"no certificate"), "is none")
    assert refused(lambda: by_sns(sns(), topics=()), "topic")
    assert refused(lambda: by_sns(sns(), topics=("",)), "topic")
    for body in (b"", b"[]", b"[" * 100_000, b"\xff"):
        assert refused(lambda body=body: by_sns(delivery(body)), "no message of SNS")


FORGED = [
    CERTIFICATE_URL.replace("https", "http"),
    CERTIFICATE_URL.replace("amazonaws.com", "amazonaws.com.evil.example"),
    CERTIFICATE_URL.replace("sns.", "evil.example/sns."),
    CERTIFICATE_URL.replace("sns.eu-west-1", "bucket.s3"),
    CERTIFICATE_URL.replace("sns.", "sns.evil@sns."),
    CERTIFICATE_URL.replace("amazonaws.com/", "amazonaws.com:444/"),
    CERTIFICATE_URL.replace("Simple", "../Simple"),
    CERTIFICATE_URL.replace(".pem", ".pem?x=1"),
    CERTIFICATE_URL + "\n",
    "https://[sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
    "",
]


@pytest.mark.parametrize("url", FORGED)
def test_sns_certificates_are_amazons(url: str) -> None:
    assert not sns_signature.is_amazons(url)
    one = sns(url=url)
    documents = {url: certificate()}
    with pytest.raises(Unverified, match="not Amazon's"):
        Verifier(one, FixedClock(), documents).sns(topics=[TOPIC])
    assert sns_signature.is_amazons(CERTIFICATE_URL.replace(".com/", ".com.cn/"))


def test_sns_says_which_certificate_it_misses() -> None:
    with pytest.raises(Missing) as missing:
        Verifier(sns(), FixedClock()).sns(topics=[TOPIC])
    assert (missing.value.url, missing.value.newer) == (CERTIFICATE_URL, False)
    other = changed(sns(), TopicArn="arn:aws:sns:eu-west-1:1:theirs")
    assert refused(lambda: Verifier(other, FixedClock()).sns(topics=[TOPIC])), "nothing is fetched"


# ---------------------------------------------------------------------- JSON Web Tokens

SHARED = Secret("a shared secret of thirty-two bytes")
BODY = b'{"id": 1}'
ALL = ("HS256", "RS256", "ES256")


def by_jwt(one: Delivery, **rest: Any) -> str:
    rest = {"keys": [SHARED], "algorithms": ALL, **rest}
    return Verifier(one, FixedClock(), rest.pop("documents", None)).jwt(**rest).detail


def token(key: str | None = None, algorithm: Any = "HS256", **rest: Any) -> Delivery:
    key = SHARED.reveal() if key is None else key
    return signing.jwt(delivery(BODY), key, algorithm, **rest)


def test_tokens_of_each_kind_of_key() -> None:
    assert by_jwt(token()) == "Authorization, HS256, key 1"
    assert by_jwt(token(), keys=[Secret("old"), Secret(""), SHARED]).endswith("key 3")
    assert by_jwt(token(private(RSA), "RS256"), keys=[Secret(public(RSA))]).endswith("RS256, key 1")
    assert by_jwt(token(private(CURVE), "ES256"), keys=[Secret(public(CURVE))])
    assert by_jwt(token(header="X-Token", prefix=""), header="X-Token", prefix="")
    short = Secret("short")
    assert by_jwt(token("short"), keys=[short])


def test_tokens_that_are_not_right() -> None:
    assert refused(lambda: by_jwt(token(), keys=[Secret("another")]), "does not match")
    assert refused(lambda: by_jwt(token(), keys=[Secret("")]), "no key")
    assert refused(lambda: by_jwt(token(), keys=[]), "no key")
    assert refused(lambda: by_jwt(token(), algorithms=["RS256"]), "not allowed")
    assert refused(lambda: by_jwt(delivery(BODY)), "missing")
    for text in ("", "Bearer ", "Bearer a.b.c", "Bearer a", "Basic a.b.c", "Bearer é"):
        one = delivery(BODY, {"Authorization": text})
        assert refused(lambda one=one: by_jwt(one))


def test_a_token_without_a_signature_is_none() -> None:
    told = {"iat": int(NOW.timestamp())}
    bare = tokens.encode(told, "", algorithm="none")
    one = delivery(BODY, {"Authorization": f"Bearer {bare}"})
    assert refused(lambda: by_jwt(one), "not allowed")
    assert refused(lambda: by_jwt(one, algorithms=["none"]), "not allowed")
    head, claims, _ = tokens.encode(told, SHARED.reveal(), algorithm="HS256").split(".")
    cut = delivery(BODY, {"Authorization": f"Bearer {head}.{claims}."})
    assert refused(lambda: by_jwt(cut), "does not match")


def test_a_public_key_is_no_shared_secret() -> None:
    """The oldest trick: sign with the public key, and say that it is an HMAC."""
    pem = public(RSA)

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    signed = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part({'iat': int(NOW.timestamp())})}"
    mac = hmac.digest(pem.encode(), signed.encode(), "sha256")
    forged = f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    one = delivery(BODY, {"Authorization": f"Bearer {forged}"})
    assert refused(lambda: by_jwt(one, keys=[Secret(pem)]), "does not match")


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"iat": 0}, None),
        ({"iat": -300}, None),
        ({"iat": -301}, "too long ago"),
        ({"iat": 61}, "future"),
        ({"iat": None, "exp": -60}, None),
        ({"iat": None, "exp": -61}, "any more"),
        ({"iat": None}, "does not say"),
        ({"nbf": 61}, "not good yet"),
        ({"iat": "now"}, "no time"),
        ({"exp": True}, "no time"),
    ],
)
def test_the_time_of_a_token(claims: dict[str, Any], why: str | None) -> None:
    now = int(NOW.timestamp())
    told = {
        name: value + now if isinstance(value, int) and value is not True else value
        for name, value in claims.items()
    }
    one = token(claims=told)
    if why is None:
        assert by_jwt(one)
    else:
        assert refused(lambda: by_jwt(one), why)


def test_who_it_is_for_and_from_and_what_body_it_is_for() -> None:
    one = token(claims={"aud": "hub", "iss": "them"}, body_hash="payload_hash")
    rest = {"audience": "hub", "issuer": "them", "body_hash": "payload_hash"}
    assert by_jwt(one, **rest)
    assert by_jwt(one), "what is not asked for is not looked at"
    assert refused(lambda: by_jwt(one, **rest | {"audience": "other"}), "Audience")
    assert refused(lambda: by_jwt(one, **rest | {"issuer": "other"}), "Issuer")
    assert refused(lambda: by_jwt(token(), audience="hub"), "Claim")
    assert refused(lambda: by_jwt(token(), body_hash="payload_hash"), "has no payload_hash")
    assert refused(lambda: by_jwt(replace(one, body=BODY + b" "), **rest), "body is not the one")


def key_set(**keys: Any) -> bytes:
    made = [
        json.loads(RSAAlgorithm.to_jwk(key.public_key())) | {"kid": name, "use": "sig"}
        for name, key in keys.items()
    ]
    return json.dumps({"keys": made}).encode()


def test_key_sets() -> None:
    one = token(private(RSA), "RS256", key_id="b")
    known = key_set(a=OTHER_RSA, b=RSA)
    assert by_jwt(one, keys=(), jwks=known.decode()).endswith("RS256, key b")
    url = "https://provider.example/keys"
    assert by_jwt(one, keys=(), jwks_url=url, documents={url: known})
    with pytest.raises(Missing) as missing:
        by_jwt(one, keys=(), jwks_url=url)
    assert not missing.value.newer
    with pytest.raises(Missing) as missing:  # a new key, perhaps
        by_jwt(one, keys=(), jwks_url=url, documents={url: key_set(a=OTHER_RSA)})
    assert missing.value.newer
    assert refused(lambda: by_jwt(one, keys=(), jwks=key_set(b=OTHER_RSA).decode()), "not match")
    assert refused(lambda: by_jwt(one, keys=(), jwks=key_set(a=OTHER_RSA).decode()), "not known")
    for bad in ("", "{}", '{"keys": []}', '{"keys": 5}', "[]", "[" * 50_000):
        assert refused(lambda bad=bad: by_jwt(one, keys=(), jwks=bad))


@given(st.text(max_size=60), st.binary(max_size=60))
def test_nothing_that_is_sent_crashes_it(text: str, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {text}", SIGNATURE: text, STAMP: text}
    one = delivery(body, headers)
    assert refused(lambda: by_jwt(one))
    assert refused(lambda: by_curve(one))
    assert refused(lambda: by_sns(one))


def test_a_hub_that_needs_no_public_keys_does_not_import_them() -> None:
    program = (
        "import sys, hub.plugin.kit.verify, hub.flow.host, hub.app.hub;"
        "print(sorted({'jwt', 'cryptography'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
