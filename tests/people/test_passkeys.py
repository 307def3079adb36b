"""Passkeys: besides the password, and instead of it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyotp.totp import TOTP

from hub.edge.party import relying_party
from hub.edge.passkeys import LARGEST
from hub.rules.sign_in import BY_ADDRESS, CODES, MOST_PASSKEYS
from hub.store import tables as t
from tests.hubs import PASSWORD, Client
from tests.people.authenticator import Authenticator, encoded
from tests.people.conftest import House, mailing_house
from tests.people.signing_in import (
    ask,
    enrol,
    forget_last_code,
    mailed_to,
    sign_in,
    signed_in,
    write,
)
from tests.stream.test_withdrawn import to_the_end, watching
from tests.web.asking import check_problem


@pytest.fixture
def device(house: House) -> Authenticator:
    return device_of(house)


@pytest.fixture(autouse=True)
def no_tries(house: House) -> None:
    """All tests are one network address."""
    write(house, sa.delete(t.attempts))


def device_of(house: House, **options: Any) -> Authenticator:
    origin = ask(house, "/session/ways", method="GET").json()["passkey_origin"]
    return Authenticator(origin, **options)


def own(client: Client, path: str, body: Any = None, method: str = "POST") -> httpx2.Response:
    return client.http.request(method, f"/api/v1/me/{path}", json={} if body is None else body)


def asked(client: Client) -> dict[str, Any]:
    answer = own(client, "passkeys")
    assert answer.status_code == 200, answer.text
    return answer.json()


def add(client: Client, device: Authenticator, name: str = "Laptop") -> dict[str, Any]:
    """A passkey made and confirmed: what the hub says of it."""
    begun = asked(client)
    answer = confirm(client, begun, device.make(begun["options"]), name)
    assert answer.status_code == 200, answer.text
    return answer.json()


def confirm(
    client: Client, begun: dict[str, Any], credential: Any, name: str = "Laptop"
) -> httpx2.Response:
    wanted = {"ticket": begun["ticket"], "credential": credential, "name": name}
    return own(client, "passkeys/confirm", wanted)


def alone(house: House, device: Authenticator, **wrong: Any) -> httpx2.Response:
    """A try to sign in with a passkey and nothing else."""
    begun = ask(house, "/session/passkey").json()
    return use(house, begun["ticket"], device.sign(begun["options"], **wrong))


def use(house: House, ticket: str, credential: Any, to: str = "/session/passkey/use") -> Any:
    return ask(house, to, {"ticket": ticket, "credential": credential})


def ticket_of(house: House, email: str) -> dict[str, Any]:
    answer = sign_in(house, email)
    assert answer.status_code == 202, answer.text
    return answer.json()


def besides(house: House, ticket: str, device: Authenticator, **wrong: Any) -> httpx2.Response:
    """A try with a passkey after the password."""
    answer = ask(house, "/session/second/passkey", {"ticket": ticket})
    assert answer.status_code == 200, answer.text
    signed = device.sign(answer.json()["options"], **wrong)
    return use(house, ticket, signed, "/session/second/passkey/use")


def begun_with(answer: httpx2.Response, house: House) -> list[str]:
    """How the session that an answer opens says that it was begun."""
    listed = ask(house, "/sessions", method="GET", cookies=dict(answer.cookies)).json()
    return next(one["begun_with"] for one in listed if one["current"])


def wrong(answer: httpx2.Response) -> bool:
    """It was refused as everything is that is wrong with a passkey."""
    assert "hub_session" not in answer.cookies
    return check_problem(answer, 401)["code"] == "wrong_passkey"


@pytest.mark.feature("PERM-04")
def test_a_passkey_signs_in_besides_the_password_and_instead_of_it(
    house: House, device: Authenticator
) -> None:
    ben = house.add()
    elsewhere = signed_in(house, ben.email)
    before = ben.client.http.cookies["hub_session"]
    with watching(elsewhere) as socket:
        added = add(ben.client, device, "  My \n laptop ")
        to_the_end(socket)
    assert added["passkey"]["name"] == "My laptop"
    assert len(set(added["recovery_codes"])) == 10
    assert ben.client.http.cookies["hub_session"] != before
    check_problem(elsewhere.http.get("/api/v1/me"), 401)
    assert ben.client.http.get("/api/v1/me").json()["second_factor"] is True
    assert house.audited("passkey.added", ben.member_id)

    step = ticket_of(house, ben.email)
    assert step["methods"] == ["passkey", "recovery_code"]
    second = besides(house, step["ticket"], device)
    assert second.json()["email"] == ben.email
    assert begun_with(second, house) == ["password", "passkey"]
    instead = alone(house, device)
    assert instead.json()["email"] == ben.email
    assert begun_with(instead, house) == ["passkey"]
    held = own(ben.client, "second-factor", method="GET").json()
    assert held["totp_since"] is None
    assert held["passkeys"][0]["used_at"] is not None
    assert (held["passkeys"][0]["host"], held["passkeys"][0]["usable"]) == ("localhost", True)

    ticket = ticket_of(house, ben.email)["ticket"]
    code = {"ticket": ticket, "code": added["recovery_codes"][0]}
    recovered = ask(house, "/session/second", code)
    assert begun_with(recovered, house) == ["password", "recovery_code"]
    assert begun_with(sign_in(house, "ana@example.com"), house) == ["password"]


def test_codes_and_passkeys_are_had_together(house: House, device: Authenticator) -> None:
    ben = house.add()
    secret, codes = enrol(ben.client)
    assert add(ben.client, device)["recovery_codes"] == [], "those from before are good still"
    step = ticket_of(house, ben.email)
    assert step["methods"] == ["passkey", "code"]
    forget_last_code(house)
    by_app = ask(house, "/session/second", {"ticket": step["ticket"], "code": TOTP(secret).now()})
    assert begun_with(by_app, house) == ["password", "code"]
    assert besides(house, ticket_of(house, ben.email)["ticket"], device).status_code == 200
    assert own(ben.client, "totp/remove").status_code == 204
    assert house.audited("totp.removed", ben.member_id)
    assert own(ben.client, "second-factor", method="GET").json()["recovery_codes"] == 10
    assert ticket_of(house, ben.email)["methods"] == ["passkey", "recovery_code"]
    check_problem(own(ben.client, "totp/remove"), 404)

    enrolled = own(ben.client, "totp").json()
    code = TOTP(enrolled["secret"]).now()
    assert own(ben.client, "totp/confirm", {"code": code}).json()["recovery_codes"] == []
    step = ticket_of(house, ben.email)
    assert (
        ask(house, "/session/second", {"ticket": step["ticket"], "code": codes[0]}).status_code
        == 200
    )


def test_what_a_device_says_wrong_makes_no_passkey(house: House, device: Authenticator) -> None:
    ben, cleo = house.add(), house.add()
    for mistake in (
        {"origin": "https://hub.example.com"},
        {"origin": device.origin + ".evil.example"},
        {"rp_id": "hub.example.com"},
        {"challenge": encoded(b"x" * 64)},
        {"kind": "webauthn.get"},
        {"present": False},
    ):
        begun = asked(ben.client)
        refused = confirm(ben.client, begun, device.make(begun["options"], **mistake))
        assert check_problem(refused, 422)["code"] == "bad_passkey", mistake
    begun = asked(ben.client)
    made = device.make(begun["options"])
    assert check_problem(confirm(cleo.client, begun, made), 409)["code"] == "no_enrolment"
    assert check_problem(confirm(ben.client, begun, made), 409)["code"] == "no_enrolment", "once"
    begun = asked(ben.client)
    made = device.make(begun["options"])
    other = signed_in(house, ben.email)
    assert check_problem(confirm(other, begun, made), 409)["code"] == "no_enrolment", "not here"
    begun = asked(ben.client)
    write(house, sa.update(t.sign_in_steps).values(expires_at=1))
    late = confirm(ben.client, begun, device.make(begun["options"]))
    assert check_problem(late, 409)["code"] == "no_enrolment"
    for name in ("", " \n", "x" * 61):
        begun = asked(ben.client)
        refused = check_problem(
            confirm(ben.client, begun, device.make(begun["options"]), name), 422
        )
        assert refused["errors"][0]["field"] == "name"
    assert own(ben.client, "second-factor", method="GET").json()["passkeys"] == []
    assert sign_in(house, ben.email).status_code == 200


def test_a_passkey_is_one_persons_and_one_passkey(house: House, device: Authenticator) -> None:
    ben, cleo = house.add(), house.add()
    begun = asked(ben.client)
    made = device.make(begun["options"])
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: confirm(ben.client, begun, made), range(4)))
    assert [answer.status_code for answer in done].count(200) == 1
    (right,) = [answer for answer in done if answer.status_code == 200]
    ben.client.http.cookies = right.cookies
    again = asked(cleo.client)
    taken = json.loads(json.dumps(made))
    taken["response"]["clientDataJSON"] = device._client_data("webauthn.create", again["options"])
    assert check_problem(confirm(cleo.client, again, taken), 409)["code"] == "passkey_there"
    assert asked(ben.client)["options"]["excludeCredentials"][0]["id"] == made["id"]


@pytest.mark.feature("PERM-04")
def test_what_is_wrong_with_a_passkey_signs_nobody_in(house: House, device: Authenticator) -> None:
    ben, cleo = house.add(), house.add()
    add(ben.client, device)
    theirs = device_of(house)
    add(cleo.client, theirs)
    step = ticket_of(house, ben.email)["ticket"]
    stranger = ec.generate_private_key(ec.SECP256R1())
    for mistake in (
        {"origin": "https://hub.example.com"},
        {"rp_id": "hub.example.com"},
        {"challenge": encoded(b"x" * 64)},
        {"kind": "webauthn.create"},
        {"present": False},
        {"private": stranger},
        {"user": theirs.keys[0].user},
    ):
        assert wrong(alone(house, device, **mistake)), mistake
        assert wrong(besides(house, step, device, **mistake)), mistake
    assert wrong(alone(house, device, user=b"")), "by itself it says whose it is"
    assert wrong(besides(house, step, device, key=theirs.keys[0])), "another user's"
    unknown = device_of(house)
    begun = asked(house.ana)
    unknown.make(begun["options"])
    assert wrong(alone(house, unknown))
    write(house, sa.update(t.users).where(t.users.c.email == cleo.email).values(deactivated_at=1))
    assert wrong(alone(house, theirs)), "as if there were no such user"
    assert besides(house, step, device).status_code == 200


def test_a_challenge_is_answered_once_and_soon_and_where_it_was_asked(
    house: House, device: Authenticator
) -> None:
    ben = house.add()
    add(ben.client, device)
    begun = ask(house, "/session/passkey").json()
    signed = device.sign(begun["options"])
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: use(house, begun["ticket"], signed), range(4)))
    assert sorted(answer.status_code for answer in done) == [200, 401, 401, 401]
    fresh = ask(house, "/session/passkey").json()
    assert wrong(use(house, fresh["ticket"], signed)), "what was signed for another"
    old = ask(house, "/session/passkey").json()
    write(house, sa.update(t.sign_in_steps).values(expires_at=1))
    late = check_problem(use(house, old["ticket"], device.sign(old["options"])), 401)
    assert late["code"] == "bad_ticket"

    step = ticket_of(house, ben.email)["ticket"]
    other = ask(house, "/session/passkey").json()
    crossed = device.sign(other["options"])
    assert check_problem(use(house, step, crossed), 401)["code"] == "bad_ticket"
    assert wrong(use(house, step, crossed, "/session/second/passkey/use")), "nothing was asked"
    first = ask(house, "/session/second/passkey", {"ticket": step}).json()
    newer = ask(house, "/session/second/passkey", {"ticket": step}).json()
    second = "/session/second/passkey/use"
    assert wrong(use(house, step, device.sign(first["options"]), second)), "asked anew since"
    assert wrong(use(house, step, device.sign(newer["options"]), second)), "and tried"
    assert besides(house, step, device).status_code == 200
    gone = check_problem(ask(house, "/session/second/passkey", {"ticket": step}), 401)
    assert gone["code"] == "bad_ticket"


@pytest.mark.feature("PERM-04")
def test_a_counter_that_goes_back_is_refused_and_told(tmp_path: Path) -> None:
    with mailing_house(tmp_path) as (house, taker):
        device = device_of(house)
        ben = house.add()
        add(ben.client, device)
        assert alone(house, device, count=7).status_code == 200
        for count in (7, 6, 0):
            assert wrong(alone(house, device, count=count))
        step = ticket_of(house, ben.email)["ticket"]
        assert wrong(besides(house, step, device, count=3))
        lines = house.audited("passkey.refused", ben.member_id)
        assert len(lines) == 4
        assert "copy" in lines[0].after
        mailed_to(taker, ben.email)
        assert "may have been copied" in mailed_to(taker, ben.email, number=2)
        stranger = ec.generate_private_key(ec.SECP256R1())
        assert wrong(alone(house, device, count=1, private=stranger))
        assert len(house.audited("passkey.refused", ben.member_id)) == 4, "only who signs is told"
        assert alone(house, device, count=8).status_code == 200


def test_a_device_that_does_not_count_or_does_not_look_who_holds_it(house: House) -> None:
    ben = house.add()
    device = device_of(house, counts=False, verifies=False)
    add(ben.client, device)
    assert wrong(alone(house, device)), "who holds it is not known: it is no two factors"
    for _ in range(2):
        assert besides(house, ticket_of(house, ben.email)["ticket"], device).status_code == 200


def test_tries_are_limited_as_other_ways_are(house: House, device: Authenticator) -> None:
    ben = house.add()
    add(ben.client, device)
    step = ticket_of(house, ben.email)["ticket"]
    write(house, sa.delete(t.attempts))
    signed = {"ticket": step, "credential": {}}
    statuses = [
        ask(house, "/session/second/passkey/use", signed).status_code for _ in range(CODES.most + 2)
    ]
    assert statuses == [401] * CODES.most + [429] * 2
    write(house, sa.delete(t.attempts))
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda n: use(house, f"{n}", {}).status_code, range(BY_ADDRESS.most + 5))
        )
    assert answers.count(429) == 5
    assert sign_in(house, ben.email).status_code == 429, "one address, whatever the way"
    write(house, sa.delete(t.attempts))
    for _ in range(3):
        assert alone(house, device).status_code == 200
    assert all(row.count == 0 for row in house.rows(t.attempts)), "what was right does not count"


def test_they_are_renamed_and_removed(house: House, device: Authenticator) -> None:
    ben, cleo = house.add(), house.add()
    first = add(ben.client, device)["passkey"]
    phone = device_of(house)
    second = add(ben.client, phone, "Phone")["passkey"]
    path = f"passkeys/{first['id']}"
    renamed = own(ben.client, path, {"name": "Work laptop"}, "PATCH")
    assert renamed.json()["name"] == "Work laptop"
    (line,) = house.audited("passkey.renamed", ben.member_id)
    assert json.loads(line.after) == {"from": "Laptop", "to": "Work laptop"}
    check_problem(own(ben.client, path, {"name": " "}, "PATCH"), 422)
    for id_ in (first["id"], "0", "x", "totp", "9" * 30):
        check_problem(own(cleo.client, f"passkeys/{id_}", {"name": "Mine"}, "PATCH"), 404)
        check_problem(own(cleo.client, f"passkeys/{id_}/remove"), 404)

    elsewhere = alone(house, phone)
    step = ticket_of(house, ben.email)["ticket"]
    assert own(ben.client, f"{path}/remove").status_code == 204
    check_problem(ask(house, "/me", method="GET", cookies=dict(elsewhere.cookies)), 401)
    check_problem(ask(house, "/session/second/passkey", {"ticket": step}), 401)
    assert wrong(alone(house, device))
    (line,) = house.audited("passkey.removed", ben.member_id)
    assert json.loads(line.after) == {"name": "Work laptop"}
    assert ben.client.http.get("/api/v1/me").json()["second_factor"] is True
    assert own(ben.client, f"passkeys/{second['id']}/remove").status_code == 204
    assert sign_in(house, ben.email).status_code == 200, "the password is enough"
    assert house.audited("second_factor.removed", ben.member_id)
    assert own(ben.client, "second-factor", method="GET").json()["recovery_codes"] == 0


def test_a_page_left_open_does_not_change_them(house: House, device: Authenticator) -> None:
    ben = house.add()
    made = add(ben.client, device)["passkey"]
    users = sa.select(t.users.c.id).where(t.users.c.email == ben.email)
    write(house, sa.update(t.sessions).where(t.sessions.c.user_id.in_(users)).values(created_at=1))
    for path in ("passkeys", f"passkeys/{made['id']}/remove", "totp/remove"):
        assert check_problem(own(ben.client, path), 403)["code"] == "password_needed"
        wrong = own(ben.client, path, {"password": "wrong"})
        assert check_problem(wrong, 422)["code"] == "wrong_password"
    assert own(ben.client, "passkeys", {"password": PASSWORD}).status_code == 200
    removed = own(ben.client, f"passkeys/{made['id']}/remove", {"password": PASSWORD})
    assert removed.status_code == 204


@pytest.mark.feature("PERM-04")
def test_the_last_one_does_not_go_unnoticed_where_one_is_asked_for(
    house: House, device: Authenticator
) -> None:
    boss, ben = house.add("Admin", org="branch"), house.add(org="branch")
    enrol(boss.client)
    boss.client.patch("settings", {"sign_in": {"require_two_factor": True}})
    try:
        check_problem(ben.client.http.get(ben.client.path("threads")), 403)
        made = add(ben.client, device)["passkey"]
        assert ben.client.get("threads")["items"] == [], "a passkey is a second factor"
        enrol(ben.client)
        assert own(ben.client, "totp/remove").status_code == 204, "one is left"
        path = f"passkeys/{made['id']}/remove"
        for way in (path, "second-factor/remove"):
            refused = check_problem(own(ben.client, way), 409)
            assert refused["code"] == "last_factor"
            assert "branch" in refused["detail"].lower()
        assert ben.client.get("threads")["items"] == []
        assert own(ben.client, path, {"last": True}).status_code == 204
        refused = check_problem(ben.client.http.get(ben.client.path("threads")), 403)
        assert refused["code"] == "second_factor_needed"
    finally:
        boss.client.patch("settings", {"sign_in": {}})


def test_who_has_lost_them_is_helped(house: House, device: Authenticator) -> None:
    ben = house.add()
    add(ben.client, device)
    path = f"members/{ben.member_id}/second-factor/reset"
    assert house.ana.call("POST", path).status_code == 204
    assert wrong(alone(house, device))
    assert sign_in(house, ben.email).status_code == 200
    cleo = house.add()
    add(cleo.client, device_of(house))
    assert house.hub.run("user", "reset", cleo.email, "--second-factor").returncode == 0
    assert sign_in(house, cleo.email).status_code == 200


def test_a_passkey_for_another_address_is_shown_and_not_asked_for(
    house: House, device: Authenticator
) -> None:
    ben = house.add()
    add(ben.client, device)
    write(house, sa.update(t.passkeys).values(rp_id="old.example.com"))
    (held,) = own(ben.client, "second-factor", method="GET").json()["passkeys"]
    assert (held["host"], held["usable"]) == ("old.example.com", False)
    assert wrong(alone(house, device))
    step = ticket_of(house, ben.email)
    assert step["methods"] == ["recovery_code"]
    none = ask(house, "/session/second/passkey", {"ticket": step["ticket"]})
    assert check_problem(none, 409)["code"] == "no_passkey"
    assert asked(ben.client)["options"]["excludeCredentials"] == []


def test_so_many_and_no_more(house: House, device: Authenticator) -> None:
    ben = house.add()
    begun = asked(ben.client)
    add(ben.client, device)
    (row,) = [
        one for one in house.rows(t.passkeys) if one.credential_id == encoded(device.keys[0].id)
    ]
    more = [
        {**row._mapping, "id": n + 1, "credential_id": f"c{n}-{row.id}"}
        for n in range(MOST_PASSKEYS - 1)
    ]
    write(house, sa.insert(t.passkeys).values(more))
    assert check_problem(own(ben.client, "passkeys"), 409)["code"] == "too_many_passkeys"
    write(house, sa.delete(t.passkeys).where(t.passkeys.c.id < MOST_PASSKEYS))
    assert confirm(ben.client, begun, {}).status_code == 409, "given up by adding another"


def test_nobody_is_told_who_has_one(house: House, device: Authenticator) -> None:
    one, other = (ask(house, "/session/passkey") for _ in range(2))
    assert one.json().keys() == other.json().keys()
    options = one.json()["options"]
    assert options["allowCredentials"] == []
    assert options["userVerification"] == "required"
    assert options["rpId"] == "localhost"
    ben = house.add()
    assert ben.email not in one.text
    elsewhere = ask(house, "/session/passkey", headers={"Origin": "https://evil.example"})
    check_problem(elsewhere, 403)


def test_a_token_has_none(house: House) -> None:
    ben = house.add()
    _, script = house.token(ben.client, "messages.view")
    for path in ("passkeys", "passkeys/confirm", "passkeys/1/remove", "totp/remove"):
        assert check_problem(own(script, path, {}), 403)["code"] == "in_person"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30) | st.binary().map(encoded),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(where=st.sampled_from(["id", "rawId", "type", "response"]), what=_json, data=st.data())
def test_nonsense_is_refused(
    house: House, device: Authenticator, where: str, what: Any, data: Any
) -> None:
    write(house, sa.delete(t.attempts))
    if not device.keys:
        add(house.add().client, device)
    begun = ask(house, "/session/passkey").json()
    signed = device.sign(begun["options"])
    inner = data.draw(st.sampled_from([None, *signed["response"]]))
    if inner is None:
        signed[where] = what
    else:
        signed["response"][inner] = what
    assert use(house, begun["ticket"], signed).status_code in (200, 401)
    begun = asked(house.ana)
    made = device.make(begun["options"])
    inner = data.draw(st.sampled_from([None, *made["response"]]))
    if inner in (None, "transports"):
        made[where] = what
    else:
        made["response"][inner] = what
    refused = confirm(house.ana, begun, made)
    if refused.status_code == 200:  # what was changed was of no matter
        id_ = refused.json()["passkey"]["id"]
        assert own(house.ana, f"passkeys/{id_}/remove").status_code == 204
    else:
        assert refused.status_code == 422, refused.text


def test_enormous_and_deep_answers_are_refused(house: House, device: Authenticator) -> None:
    ben = house.add()
    for raw in (b"\x81" * 12_000, b"\xa1" * 12_000, b"\x9f" * 12_000, b"\xc0" * 12_000):
        begun = asked(ben.client)
        made = device.make(begun["options"])
        made["response"]["attestationObject"] = encoded(raw)
        assert confirm(ben.client, begun, made).status_code == 422
    begun = asked(ben.client)
    made = device.make(begun["options"])
    made["response"]["attestationObject"] += "A" * LARGEST
    assert confirm(ben.client, begun, made).status_code == 422
    deep: Any = {}
    for _ in range(500):
        deep = {"x": deep}
    begun = ask(house, "/session/passkey").json()
    assert use(house, begun["ticket"], deep).status_code == 401


@pytest.mark.parametrize(
    ("url", "id_", "origin"),
    [
        ("https://hub.example.com", "hub.example.com", "https://hub.example.com"),
        ("https://Hub.Example.com:443", "hub.example.com", "https://hub.example.com"),
        ("https://hub.example.com:8443", "hub.example.com", "https://hub.example.com:8443"),
        ("https://bücher.example", "xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("http://127.0.0.1:8000", "localhost", "http://localhost:8000"),
        ("http://[::1]:8000", "localhost", "http://localhost:8000"),
        ("http://localhost:80", "localhost", "http://localhost"),
        ("http://hub.localhost:8000", "hub.localhost", "http://hub.localhost:8000"),
    ],
)
def test_for_whom_they_sign(url: str, id_: str, origin: str) -> None:
    party = relying_party(url)
    assert party is not None
    assert (party.id, party.origin) == (id_, origin)


@pytest.mark.parametrize(
    "url",
    ["http://hub.example.com", "http://10.0.0.1:8000", "https://10.0.0.1", "https://[fd00::1]"],
)
def test_where_there_can_be_none(url: str) -> None:
    assert relying_party(url) is None


def test_a_hub_without_a_name_says_that_there_are_none(tmp_path: Path) -> None:
    from tests.hubs import HubProcess

    environ = {"HUB_PUBLIC_URL": "http://10.0.0.1"}
    with HubProcess(tmp_path, environ=environ) as hub:
        house = House(hub, "", hub.client(), [])
        assert ask(house, "/session/ways", method="GET").json()["passkey_origin"] is None
        assert check_problem(ask(house, "/session/passkey"), 409)["code"] == "no_passkeys_here"
        refused = check_problem(own(house.ana, "passkeys"), 409)
        assert "public_url" in refused["detail"]
