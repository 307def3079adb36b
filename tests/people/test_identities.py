"""Identities that a provider never should have signed, or did not: nobody is let in by them, the
log says why, and neither it nor the page tells more."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from hub.store import tables as t
from tests.hubs import HubProcess
from tests.patience import PATIENCE
from tests.people.conftest import CONFIG, House
from tests.standins.identities import Claims, Identities, new_key

SECRET = "a secret that the provider gave to the hub"
STRANGE = new_key()
"""A key that the provider does not have."""


@pytest.fixture(scope="module")
def abroad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Identities]]:
    folder = tmp_path_factory.mktemp("identities")
    identities = Identities()
    sections = "".join(
        f'[[sign_in]]\nid = "{name}"\nissuer = "{identities.base}/{name}"\nclient_id = "hub"\n'
        f'client_secret = "{SECRET}"\nlabel = "x"\norganisation = "main"\nrole = "User SMS"\n'
        'email_domains = ["example.com"]\n'
        for name in ("company", "liar")
    )
    try:
        with HubProcess(folder, config=CONFIG + sections) as hub:
            house = House(hub, f"sqlite:///{folder / 'data' / 'hub.db'}", hub.client(), [])
            yield house, identities
        assert "Traceback" not in hub.output
        assert SECRET not in hub.output
    finally:
        identities.close()


def sign_in(house: House, identities: Identities) -> tuple[str, str | None]:
    """Set out and come back; where the hub sends one, and the session's cookie."""
    with httpx2.Client(base_url=house.hub.base_url, timeout=PATIENCE) as browser:
        out = httpx2.URL(browser.get("/sign-in/company").headers["location"]).params
        identities.nonce = out["nonce"]
        came = {"code": "a-code", "state": out["state"]}
        back = browser.get("/sign-in/company/back", params=came)
        assert back.status_code == 303, back.text
        return back.headers["location"], browser.cookies.get("hub_session")


def refusals(house: House) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in house.hub.output.splitlines() if line[:1] == "{"]
    return [line for line in lines if line["event"] == "sign_in.failed"]


def plain(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def by_the_public_key(one: Identities, claims: Claims) -> str:
    """As if what everybody knows were a secret. The library that signs refuses to, so it is done by
    hand."""
    pem = one.keys["one"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    said = f"{plain({'alg': 'HS256', 'kid': 'one'})}.{plain(claims)}"
    signature = hmac.digest(pem, said.encode(), "sha256")
    return f"{said}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def strange(claims: Claims, **header: Any) -> str:
    return jwt.encode(claims, STRANGE, "RS256", headers={"kid": "one", **header})


def without(claims: Claims, name: str) -> Claims:
    return {key: value for key, value in claims.items() if key != name}


OWN_KEY = RSAAlgorithm.to_jwk(STRANGE.public_key(), as_dict=True)
Say = Callable[[Identities, Claims], str]
WRONG: dict[str, tuple[str, Say]] = {
    "for another client": ("Audience", lambda one, c: one.sign(c | {"aud": "other"})),
    "for nobody": ("aud", lambda one, c: one.sign(without(c, "aud"))),
    "for several": ("another client", lambda one, c: one.sign(c | {"aud": ["hub", "other"]})),
    "given to another client": ("another client", lambda one, c: one.sign(c | {"azp": "other"})),
    "of another issuer": ("issuer", lambda one, c: one.sign(c | {"iss": one.base})),
    "of no issuer": ("iss", lambda one, c: one.sign(without(c, "iss"))),
    "not signed": ("alg", lambda _, c: f"{plain({'alg': 'none', 'kid': 'one'})}.{plain(c)}."),
    "signed with a public key": ("alg", by_the_public_key),
    "signed with the client's secret": (
        "alg", lambda _, c: jwt.encode(c, SECRET, "HS256", headers={"kid": "one"}),
    ),
    "signed by somebody": ("ignature", lambda _, c: strange(c)),
    "that brings its own key": ("ignature", lambda _, c: strange(c, jwk=OWN_KEY)),
    "whose key is elsewhere": (
        "ignature", lambda one, c: strange(c, jku=f"{one.base}/elsewhere"),
    ),
    "of a key that there is not": (
        "a key that the provider does not have",
        lambda _, c: strange(c, kid="two"),
    ),
    "of another sign-in": ("another sign-in", lambda one, c: one.sign(c | {"nonce": "other"})),
    "of no sign-in": ("another sign-in", lambda one, c: one.sign(without(c, "nonce"))),
    "of long ago": ("expired", lambda one, c: one.sign(c | {"exp": c["iat"] - 61})),
    "for ever": ("exp", lambda one, c: one.sign(without(c, "exp"))),
    "of tomorrow": ("not yet", lambda one, c: one.sign(c | {"iat": c["iat"] + 86_400})),
    "to hold from tomorrow": ("not yet", lambda one, c: one.sign(c | {"nbf": c["iat"] + 86_400})),
    "of nobody": ("sub", lambda one, c: one.sign(without(c, "sub"))),
    "of a number": ("ubject", lambda one, c: one.sign(c | {"sub": 1})),
    "that is none": ("does not hold", lambda _one, _c: "nonsense"),
    "that is not there": ("does not hold", lambda _one, _c: ""),
    "whose claims are no object": ("does not hold", lambda one, _c: jwt.api_jws.encode(
        b"[1]", one.keys["one"], "RS256", headers={"kid": "one"}
    )),
}  # fmt: skip


@pytest.mark.parametrize("named", WRONG)
def test_it_is_refused(abroad: tuple[House, Identities], named: str) -> None:
    house, identities = abroad
    reason, say = WRONG[named]
    said: list[str] = []

    def says(claims: Claims) -> str:
        said.append(say(identities, claims))
        return said[-1]

    before = refusals(house)
    identities.says = says
    assert sign_in(house, identities) == ("/?refused=failed", None)
    assert len(said) == 1, "it was asked for"
    (line,) = refusals(house)[len(before) :]
    assert (line["provider"], line["code"]) == ("company", "failed")
    assert reason in line["reason"]
    for secret in (identities.nonce, SECRET, "nia@example.com", *said[0].split(".")):
        assert not secret or secret not in house.hub.output
    assert not [one for one in house.rows(t.users) if one.email == "nia@example.com"]


def test_a_provider_that_calls_itself_otherwise(abroad: tuple[House, Identities]) -> None:
    house, identities = abroad
    with httpx2.Client(base_url=house.hub.base_url, timeout=PATIENCE) as browser:
        answer = browser.get("/sign-in/liar")
    assert answer.headers["location"] == "/?refused=failed"
    assert refusals(house)[-1]["reason"] == f"the provider calls itself {identities.issuer}"


def test_keys_come_and_go(abroad: tuple[House, Identities]) -> None:
    """The one that is right is let in, with a key that is new as well; not with one that is gone.
    An identity that does not name its key is taken while there is no doubt."""
    house, identities = abroad
    former = identities.keys["one"]
    identities.says = identities.sign
    assert sign_in(house, identities)[0] == "/"
    identities.says = lambda claims: jwt.encode(claims, identities.keys["one"], "RS256")
    assert sign_in(house, identities)[0] == "/", "there is one key, so it need not be named"
    try:
        identities.keys = {"two": new_key()}
        asked = identities.asked.count("/jwks")
        identities.says = lambda claims: identities.sign(claims, "two")
        assert sign_in(house, identities)[0] == "/"
        assert identities.asked.count("/jwks") == asked + 1
        assert sign_in(house, identities)[0] == "/"
        assert identities.asked.count("/jwks") == asked + 1, "it is known by then"
        identities.says = lambda claims: jwt.encode(claims, former, "RS256", headers={"kid": "one"})
        assert sign_in(house, identities) == ("/?refused=failed", None)
        identities.keys["three"] = new_key()
        identities.says = lambda claims: identities.sign(claims, "three")
        assert sign_in(house, identities)[0] == "/"
        identities.says = lambda claims: jwt.encode(claims, identities.keys["three"], "RS256")
        assert sign_in(house, identities) == ("/?refused=failed", None), "two, and none is named"
        assert "a key that the provider does not have" in refusals(house)[-1]["reason"]
    finally:
        identities.keys = {"one": former}
