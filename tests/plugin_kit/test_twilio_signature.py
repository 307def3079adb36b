"""Twilio's signature: as Twilio's own packages have it, and never a crash."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from hub.plugin import Secret, Unverified
from hub.plugin.kit.verify import Replayed, Verifier
from hub.plugin.types import Delivery, Verification
from tests import recorded
from tests.plugin_kit.deliveries import FixedClock, delivery, form

TOKEN = "12345"
URL = "https://hub.example/hooks/main/sms?a=1&b="
SETTINGS = "X-Twilio-Webhooks-Signature-Settings"
FIELDS = [("To", "+15550002"), ("Body", "It's é\n"), ("FromCity", ""), ("From", "+15550001")]


def check(given: Delivery, *tokens: str, **shared: str) -> Verification:
    verifier = Verifier(given, FixedClock())
    keys = {name: Secret(value) for name, value in shared.items()}
    proof = verifier.twilio(tokens=[Secret(t) for t in tokens or (TOKEN,)], shared_keys=keys)
    assert verifier.proof is proof
    return proof


def refused(given: Delivery, *tokens: str, **shared: str) -> bool:
    verifier = Verifier(given, FixedClock())
    keys = {name: Secret(value) for name, value in shared.items()}
    with pytest.raises(Unverified):
        verifier.twilio(tokens=[Secret(t) for t in tokens or (TOKEN,)], shared_keys=keys)
    return verifier.proof is None


def sign(url: str, fields: list[tuple[str, str]], token: str = TOKEN, hash_: str = "sha1") -> str:
    text = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), hash_)).decode()


def signed(fields: list[tuple[str, str]] = FIELDS, url: str = URL, **rest: str) -> Delivery:
    return form(fields, {"X-Twilio-Signature": sign(url, fields, **rest)}, url=url)


def test_the_vectors_of_twilios_own_packages() -> None:
    vectors = recorded.load("twilio/signature_vectors.json")
    assert len(vectors) > 10
    for vector in vectors:
        headers = {"X-Twilio-Signature": vector["signature"]}
        if vector["body"] is None:
            given = form([(n, v) for n, v in vector["params"]], headers, url=vector["url"])
        else:
            headers["Content-Type"] = "application/json"
            given = delivery(vector["body"].encode(), headers, url=vector["url"])
        if vector["valid"]:
            assert check(given, vector["token"]).method == "twilio", vector["name"]
        else:
            assert refused(given, vector["token"]), vector["name"]


name = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
host = st.sampled_from(["hub.example", "hub.example:8443", "hub.example:443", "xn--e1a.example"])
query = st.lists(st.tuples(name, st.text(st.characters(codec="utf-8"), max_size=5)), max_size=3)


@given(
    st.sampled_from(["https", "http"]),
    host,
    query,
    st.dictionaries(name, st.text(st.characters(codec="utf-8"), max_size=12), max_size=6),
    st.sampled_from(["HMAC_SHA1", "HMAC_SHA256"]),
    st.booleans(),
)
def test_equal_to_the_official_validator(scheme, host, query, fields, algorithm, tamper) -> None:
    query = [(n, v) for n, v in query if n != "bodySHA256"]
    url = f"{scheme}://{host}/hooks/main/sms" + (f"?{urlencode(query)}" if query else "")
    official = RequestValidator(TOKEN)
    signature = official.compute_signature(url, fields, algorithm)
    sent = dict(fields) | ({"Body": fields.get("Body", "") + "!"} if tamper else {})
    headers = {"X-Twilio-Signature": signature, SETTINGS: f"key=k1,algorithm={algorithm}"}
    given = form(list(sent.items()), headers, url=url)

    wanted = official.validate(url, sent, signature, algorithm)
    assert wanted is not tamper
    if wanted:
        check(given, TOKEN, k1=TOKEN)
    else:
        assert refused(given, TOKEN, k1=TOKEN)


def test_every_part_of_what_is_signed_counts() -> None:
    good = signed()
    signature = good.header("X-Twilio-Signature")
    assert signature
    headers = {"X-Twilio-Signature": signature}
    check(good)
    for position in range(len(good.body)):
        changed = bytearray(good.body)
        changed[position] ^= 1
        assert refused(delivery(bytes(changed), list(good.headers), url=URL))
    for url in (URL + "c", URL.replace("sms", "smt"), URL.replace("https", "http"), "", "x"):
        assert refused(form(FIELDS, headers, url=url))
    assert refused(form(FIELDS[:-1], headers, url=URL))
    assert refused(good, "54321")


def test_several_tokens_while_one_is_replaced() -> None:
    assert check(signed(token="new"), "new", "old").detail == "auth token 1"
    assert check(signed(token="old"), "new", "old").detail == "auth token 2"
    assert refused(signed(token="oldest"), "new", "old")


def test_an_empty_token_is_none() -> None:
    assert refused(signed(token=""), "")
    assert check(signed(), "", TOKEN)
    empty = {SETTINGS: "key=k1,algorithm=HMAC_SHA256"}
    headers = {"X-Twilio-Signature": sign(URL, FIELDS, "", "sha256")}
    assert refused(form(FIELDS, headers | empty, url=URL), k1="")


def test_a_shared_key_is_named_and_only_that_one_counts() -> None:
    headers = {
        "X-Twilio-Signature": sign(URL, FIELDS, "shared", "sha256"),
        SETTINGS: "key=webhooks_1,algorithm=HMAC_SHA256",
    }
    given = form(FIELDS, headers, url=URL)
    assert check(given, TOKEN, webhooks_1="shared").detail == "shared key webhooks_1"
    assert refused(given, TOKEN, webhooks_2="shared")
    assert refused(given, "shared")
    assert refused(form(FIELDS, headers | {SETTINGS: "algorithm=HMAC_SHA256"}, url=URL), k="shared")
    # The auth token signs by SHA-1 alone, and a shared key by SHA-256 alone.
    legacy = {"X-Twilio-Signature": sign(URL, FIELDS, "shared")}
    assert refused(form(FIELDS, legacy, url=URL), TOKEN, webhooks_1="shared")


@pytest.mark.parametrize("settings", ["", "key=k1", "algorithm=", "key=k1, algorithm=hmac_sha1"])
def test_settings_that_name_no_other_scheme_are_the_old_one(settings: str) -> None:
    given = form(FIELDS, {"X-Twilio-Signature": sign(URL, FIELDS), SETTINGS: settings}, url=URL)
    check(given)


@pytest.mark.parametrize("algorithm", ["HMAC_SHA512", "none", "é", "HMAC_SHA256;x"])
def test_an_unknown_algorithm_is_refused(algorithm: str) -> None:
    headers = {"X-Twilio-Signature": sign(URL, FIELDS), SETTINGS: f"key=k,algorithm={algorithm}"}
    assert refused(form(FIELDS, headers, url=URL), k=TOKEN)


@pytest.mark.parametrize(
    ("configured", "signed_over"),
    [
        ("https://hub.example/x", "https://hub.example:443/x"),
        ("https://hub.example:443/x", "https://hub.example/x"),
        ("http://hub.example/x", "http://hub.example:80/x"),
        ("https://hub.example:8443/x", "https://hub.example/x"),
        ("https://[2001:db8::1]/x", "https://[2001:db8::1]:443/x"),
        ("https://u:p@hub.example:8443/x", "https://u:p@hub.example/x"),
        ("https://hub.example/x?q=it's", "https://hub.example/x?q=it%27s"),
        ("https://hub.example/x#ct=2000&rt=1", "https://hub.example/x"),
        ("https://hub.example?q=1", "https://hub.example:443?q=1"),
    ],
)
def test_the_urls_twilio_may_have_signed(configured: str, signed_over: str) -> None:
    headers = {"X-Twilio-Signature": sign(signed_over, FIELDS)}
    check(form(FIELDS, headers, url=configured))
    assert refused(form(FIELDS, headers, url=configured.replace("/x", "/y").replace("q=", "r=")))


def test_fields_added_after_signing_may_be_missing_from_what_is_signed() -> None:
    added = [("CallToken", "abc"), ("StirVerstat", "TN-Validation-Passed-A")]
    headers = {"X-Twilio-Signature": sign(URL, FIELDS)}
    proof = check(form(FIELDS + added, headers, url=URL))
    assert proof.detail == "auth token 1, without CallToken and StirVerstat"
    assert check(signed(FIELDS + added)).detail == "auth token 1"
    assert refused(form([*FIELDS, ("Other", "x")], headers, url=URL))


def test_a_query_is_the_whole_of_a_get() -> None:
    headers = {"X-Twilio-Signature": sign(URL, [])}
    check(delivery(headers=headers, url=URL, method="GET"))
    assert refused(delivery(headers=headers, url=URL + "&c=1", method="GET"))


def test_a_signed_post_cannot_be_passed_on_without_its_body() -> None:
    body = b'{"a": 1}'
    url = f"{URL}&bodySHA256={hashlib.sha256(body).hexdigest()}"
    json = {"X-Twilio-Signature": sign(url, []), "Content-Type": "application/json"}
    check(delivery(body, json, url=url))
    assert refused(delivery(body + b" ", json, url=url))
    assert refused(delivery(b"", json, url=url))
    assert refused(delivery(b"", json | {"Content-Type": ""}, url=url))
    assert refused(delivery(b"", json, url=url, method="GET"))
    form_type = {"Content-Type": "application/x-www-form-urlencoded"}
    assert refused(delivery(b"", json | form_type, url=url))
    assert refused(delivery(body, json, url=url + "&bodySHA256=0"))


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("X-Twilio-Signature", "")],
        [("X-Twilio-Signature", "ï¿½")],
        [("X-Twilio-Signature", "\udcff")],
        [("X-Twilio-Signature", "A" * 1_000_000)],
        [("X-Twilio-Signature", sign(URL, FIELDS)), ("x-twilio-signature", sign(URL, FIELDS))],
        [("X-Twilio-Signature", sign(URL, FIELDS)), (SETTINGS, ""), (SETTINGS, "")],
        [("X-Twilio-Signature", sign(URL, FIELDS)), (SETTINGS, "é")],
    ],
)
def test_strange_headers_are_unverified(headers: list[tuple[str, str]]) -> None:
    kind = ("Content-Type", "application/x-www-form-urlencoded")
    assert refused(delivery(urlencode(FIELDS).encode(), [kind, *headers], url=URL))


@given(st.binary(max_size=60), st.text(max_size=60), st.text(max_size=40), st.text(max_size=30))
def test_nothing_that_can_be_sent_crashes_it(body, url, signature, settings) -> None:
    headers = {
        "X-Twilio-Signature": signature,
        SETTINGS: settings,
        "Content-Type": "application/x-www-form-urlencoded",
    }
    assert refused(delivery(body, headers, url=url), TOKEN, k=TOKEN)


@given(st.text(max_size=60))
def test_no_url_crashes_it(url: str) -> None:
    json = {"X-Twilio-Signature": "x", "Content-Type": "application/json"}
    assert refused(delivery(b"{}", json, url=url + "?bodySHA256=é\ud800"))


def test_the_order_of_the_fields_does_not_matter() -> None:
    given = form(FIELDS[::-1], {"X-Twilio-Signature": sign(URL, FIELDS)}, url=URL)
    check(given)


def test_a_stored_proof_is_given_back() -> None:
    proof = check(signed())
    again = Replayed(proof)
    assert again.twilio(tokens=[Secret("another by now")]) is proof
    assert again.hmac(keys=[], header="x") is proof
    assert again.token(keys=[], header="x") is proof
    assert again.basic(username="u", passwords=[]) is proof
    assert again.standard_webhooks(secrets=[]) is proof
    assert again.proof is proof
