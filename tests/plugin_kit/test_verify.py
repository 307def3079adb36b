"""The other proofs: HMAC, token, basic, Standard Webhooks."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.plugin import Secret, Unverified, Verification
from hub.plugin.kit.verify import Verifier, stored_proof
from tests.plugin_kit.deliveries import NOW, FixedClock, delivery

BODY = b'{"id": 1}'
KEY, OLD, EMPTY = Secret("key"), Secret("old"), Secret("")


def hexed(key: str, body: bytes = BODY, algorithm: str = "sha256") -> str:
    return hmac.new(key.encode(), body, algorithm).hexdigest()


def verifier(headers: dict[str, str] | list[tuple[str, str]], body: bytes = BODY) -> Verifier:
    return Verifier(delivery(body, headers), FixedClock())


def refused(call: Callable[[], object]) -> bool:
    with pytest.raises(Unverified):
        call()
    return True


def test_hmac_over_the_raw_body() -> None:
    good = verifier({"X-Sig": "sha256=" + hexed("key")})
    assert good.hmac(keys=[OLD, KEY], header="x-sig", prefix="sha256=").detail.endswith("key 2")
    assert good.proof
    assert refused(lambda: good.hmac(keys=[OLD], header="x-sig", prefix="sha256="))
    assert refused(lambda: good.hmac(keys=[KEY], header="x-sig"))
    reserialised = verifier({"X-Sig": hexed("key")}, b'{"id":1}')
    assert refused(lambda: reserialised.hmac(keys=[KEY], header="X-Sig"))


def test_hmac_that_stands_in_the_body() -> None:
    any_headers = verifier({})
    digest = hmac.digest(b"key", b"a time and a token", "sha256").hex()
    signed = b"a time and a token"
    found = any_headers.hmac(keys=[OLD, KEY], given=digest, signed=signed)
    assert found.detail == "the signature, sha256, key 2"
    for wrong in ("", digest[:-1], "ü" * 64, digest.replace(digest[0], "x")):
        assert refused(lambda wrong=wrong: any_headers.hmac(keys=[KEY], given=wrong, signed=signed))
    assert refused(lambda: any_headers.hmac(keys=[], given=digest, signed=signed))
    with pytest.raises(ValueError, match="one of them"):
        any_headers.hmac(keys=[KEY])
    with pytest.raises(ValueError, match="one of them"):
        any_headers.hmac(keys=[KEY], header="X-Sig", given=digest)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
def test_hmac_in_hex_of_either_case_and_in_base64(algorithm) -> None:
    digest = hmac.digest(b"key", b"signed", algorithm)
    upper = verifier({"X": digest.hex().upper()})
    assert upper.hmac(keys=[KEY], header="X", algorithm=algorithm, signed=b"signed")
    base = verifier({"X": base64.b64encode(digest).decode()})
    arguments = {"header": "X", "algorithm": algorithm, "encoding": "base64", "signed": b"signed"}
    assert base.hmac(keys=[KEY], **arguments)
    lower = verifier({"X": base64.b64encode(digest).decode().lower()})
    assert refused(lambda: lower.hmac(keys=[KEY], **arguments))


def test_token() -> None:
    good = verifier({"Authorization": "Bearer key"})
    assert good.token(keys=[OLD, KEY], header="Authorization", prefix="Bearer ")
    assert refused(lambda: good.token(keys=[OLD], header="Authorization", prefix="Bearer "))
    assert refused(lambda: good.token(keys=[KEY], header="Authorization"))
    assert refused(lambda: good.token(keys=[KEY], header="Authorization", prefix="Basic "))
    assert refused(lambda: verifier({"X": ""}).token(keys=[EMPTY], header="X"))
    assert refused(lambda: verifier({"X": "key"}).token(keys=[], header="X"))


@pytest.mark.parametrize(
    ("query", "fine"),
    [
        ("?token=key", True),
        ("?a=1&token=k%65y&b", True),
        ("?token=other", False),
        ("?token=", False),
        ("?token=%FF", False),
        ("?Token=key", False),
        ("?token=key&token=key", False),
        ("", False),
    ],
)
def test_token_in_the_address(query: str, fine: bool) -> None:
    posted = replace(delivery(BODY, {}), url=f"https://hub.example/hooks/main/x{query}")
    given = Verifier(posted, FixedClock())
    if fine:
        assert given.token(keys=[OLD, KEY], query="token").detail == "parameter token, key 2"
    else:
        assert refused(lambda: given.token(keys=[KEY, EMPTY], query="token"))


def test_a_token_stands_in_one_place() -> None:
    given = verifier({"X": "key"})
    with pytest.raises(ValueError, match="one of them"):
        given.token(keys=[KEY])
    with pytest.raises(ValueError, match="one of them"):
        given.token(keys=[KEY], header="X", query="token")


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("Basic " + base64.b64encode(b"user:key").decode(), True),
        ("basic  " + base64.b64encode("usér:key".encode()).decode(), False),
        ("basic " + base64.b64encode(b"user:key").decode(), True),
        ("Basic " + base64.b64encode(b"user:old").decode(), True),
        ("Basic " + base64.b64encode(b"user:").decode(), False),
        ("Basic " + base64.b64encode(b"user").decode(), False),
        ("Basic " + base64.b64encode(b"user\xff:key").decode(), False),
        ("Basic " + base64.b64encode(b"other:key").decode(), False),
        ("Basic not base64!", False),
        ("Bearer " + base64.b64encode(b"user:key").decode(), False),
        ("", False),
    ],
)
def test_basic(value: str, good: bool) -> None:
    given = verifier({"Authorization": value})
    passwords = [KEY, EMPTY, OLD]
    if good:
        assert given.basic(username="user", passwords=passwords).method == "basic"
    else:
        assert refused(lambda: given.basic(username="user", passwords=passwords))


def webhook(secret: bytes = b"s" * 24, at: int = int(NOW.timestamp()), prefix: str = "webhook-"):
    signed = f"msg_1.{at}.".encode() + BODY
    signature = base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()
    return {
        f"{prefix}id": "msg_1",
        f"{prefix}timestamp": str(at),
        f"{prefix}signature": f"v1a,xyz v1,AAAA v1,{signature}",
    }


WHSEC = Secret("whsec_" + base64.b64encode(b"s" * 24).decode())


@pytest.mark.parametrize("prefix", ["webhook-", "svix-"])
def test_standard_webhooks(prefix: str) -> None:
    given = verifier(webhook(prefix=prefix))
    assert given.standard_webhooks(secrets=[Secret("whsec_b2xk"), WHSEC]).detail == "secret 2"
    assert refused(lambda: given.standard_webhooks(secrets=[Secret("whsec_b2xk")]))
    for bad in ("whsec_", "", "whsec_!"):
        assert refused(lambda bad=bad: given.standard_webhooks(secrets=[Secret(bad)]))
    for name in webhook(prefix=prefix):
        headers = webhook(prefix=prefix)
        assert refused(
            lambda h=headers, n=name: verifier(h | {n: h[n] + "1"}).standard_webhooks(
                secrets=[WHSEC]
            )
        )
        del headers[name]
        assert refused(lambda h=headers: verifier(h).standard_webhooks(secrets=[WHSEC]))


@pytest.mark.parametrize(("off", "good"), [(0, True), (300, True), (-300, True), (301, False)])
def test_standard_webhooks_window(off: int, good: bool) -> None:
    given = verifier(webhook(at=int(NOW.timestamp()) + off))
    if good:
        assert given.standard_webhooks(secrets=[WHSEC])
    else:
        assert refused(lambda: given.standard_webhooks(secrets=[WHSEC]))
    assert given.standard_webhooks(secrets=[WHSEC], tolerance=301)


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_no_header_crashes_it(one: str, two: str, three: str) -> None:
    given = verifier(
        {"webhook-id": one, "webhook-timestamp": two, "webhook-signature": three, "X": one}
        | {"Authorization": f"Basic {two}"}
    )
    assert refused(lambda: given.standard_webhooks(secrets=[WHSEC]))
    assert refused(lambda: given.hmac(keys=[KEY], header="X"))
    assert refused(lambda: given.token(keys=[Secret("k" * 41)], header="X"))
    assert refused(lambda: given.basic(username="u", passwords=[KEY]))


def test_a_repeated_header_is_no_proof() -> None:
    twice = verifier([("X-Sig", hexed("key")), ("x-sig", hexed("key"))])
    assert refused(lambda: twice.hmac(keys=[KEY], header="X-Sig"))


def test_a_proof_is_not_made_by_hand() -> None:
    with pytest.raises(TypeError):
        Verification("hmac")
    again = stored_proof("hmac", "key 1")
    assert (again.method, again.detail) == ("hmac", "key 1")
