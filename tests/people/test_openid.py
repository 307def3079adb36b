"""Signing in with a provider, by OpenID Connect: a real one, on this machine."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from hatch_build import system_node, wheel_node
from hub.store import tables as t
from tests.hubs import PASSWORD, Client, HubProcess, wait_for
from tests.patience import PATIENCE
from tests.people.conftest import CONFIG, House
from tests.people.signing_in import enrol, sign_in
from tests.services import free_port
from tests.web.asking import check_problem

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "standins" / "openid_provider.mjs"
SECRET = "a secret of the tests: 100% + more"


class Provider:
    """The provider, and people who sign in with it."""

    def __init__(self, port: int, redirect: str) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self._command = [
            str(system_node() or wheel_node()), str(SCRIPT), str(port), redirect,
            str(ROOT / "webui"),
        ]  # fmt: skip
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Run it, with keys that it makes anew."""
        self.stop()
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=sys.stderr, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        wait_for(self._answers, what="the provider")

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"{self.issuer}/jwks").status_code == 200
        except httpx2.HTTPError:
            return False

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


class Traveller:
    """A browser: cookies for each of the two sites, and no redirect followed by itself."""

    def __init__(self, house: House) -> None:
        house.clients.append(cast("Client", self))
        self.hub = httpx2.Client(base_url=house.hub.base_url, timeout=PATIENCE)
        self.provider = httpx2.Client(timeout=PATIENCE)

    def close(self) -> None:
        """Let go of connections."""
        self.hub.close()
        self.provider.close()

    def leave(self) -> str:
        """Set out; where the hub sends one."""
        answer = self.hub.get("/sign-in/company")
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def prove(self, address: str, account: str) -> str:
        """Sign in at the provider, and consent; where it sends one back to."""
        answer = self.provider.get(address)
        for _ in range(12):
            if answer.status_code in {302, 303}:
                address = str(answer.url.join(answer.headers["location"]))
                if "/back?" in address:
                    return address
                answer = self.provider.get(address)
                continue
            assert answer.status_code == 200, answer.text
            form = re.search(r'action="([^"]+)"', answer.text)
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
            assert form, answer.text
            assert prompt, answer.text
            data = {"prompt": prompt[1], "login": account, "password": "any"}
            answer = self.provider.post(str(answer.url.join(form[1])), data=data)
        raise AssertionError("the provider goes round in circles")

    def come_back(self, address: str) -> str:
        """Give the hub what the provider has said; where it sends one."""
        parts = urlsplit(address)
        answer = self.hub.get(parts.path, params=dict(parse_qsl(parts.query)))
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def sign_in(self, email: str, *, sub: str = "1", verified: bool = True) -> str:
        """All of it."""
        return self.come_back(self.prove(self.leave(), account(email, sub=sub, verified=verified)))

    @property
    def me(self) -> httpx2.Response:
        return self.hub.get("/api/v1/me")


def account(email: str, *, sub: str = "1", verified: bool = True) -> str:
    """What somebody is called at the provider."""
    told = {"n": sub, "email": email, "email_verified": verified, "name": "Nia Provided"}
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def abroad(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[House, Provider]]:
    """A hub that knows a provider."""
    folder = tmp_path_factory.mktemp("openid")
    url = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        url = server.url(server.hub_database())
    here = f"http://127.0.0.1:{free_port()}"
    provider = Provider(free_port(), f"{here}/sign-in/company/back")
    section = f"""
[[sign_in]]
id = "company"
issuer = "{provider.issuer}"
client_id = "hub"
client_secret = "{SECRET}"
label = "Sign in with the company"
email_domains = ["example.com"]
organisation = "main"
role = "User SMS"
"""
    try:
        provider.start()
        environ = {"HUB_PUBLIC_URL": here}
        with HubProcess(folder, config=CONFIG + section, database_url=url, environ=environ) as hub:
            house = House(hub, url or f"sqlite:///{folder / 'data' / 'hub.db'}", hub.client(), [])
            yield house, provider
            for client in house.clients:
                client.close()
        assert "Traceback" not in hub.output
        assert SECRET not in hub.output
    finally:
        provider.stop()


def test_who_is_new_becomes_a_member(abroad: tuple[House, Provider]) -> None:
    house, _ = abroad
    traveller = Traveller(house)
    ways = traveller.hub.get("/api/v1/session/ways").json()
    assert ways["providers"] == [{"id": "company", "label": "Sign in with the company"}]
    assert traveller.sign_in("nia@example.com") == "/"
    me = traveller.me.json()
    assert (me["name"], me["email"]) == ("Nia Provided", "nia@example.com")
    assert [one["role"] for one in me["organisations"]] == ["User SMS"]
    assert Traveller(house).sign_in("nia@example.com") == "/", "and is known the next time"
    assert len([one for one in house.rows(t.users) if one.email == "nia@example.com"]) == 1


def test_who_has_an_account_is_found_by_a_verified_email_alone(
    abroad: tuple[House, Provider],
) -> None:
    house, _ = abroad
    ben = house.add("Approver")
    assert Traveller(house).sign_in(ben.email, verified=False) == "/?refused=unverified"
    traveller = Traveller(house)
    assert traveller.sign_in(ben.email) == "/"
    assert traveller.me.json()["organisations"][0]["role"] == "Approver"
    assert house.audited("provider.linked", ben.member_id)
    other = Traveller(house)
    assert other.sign_in(ben.email, sub="2") == "/?refused=other_person", "the email was given on"
    assert other.me.status_code == 401
    enrol(ben.client)
    assert sign_in(house, ben.email, PASSWORD).status_code == 202
    location = Traveller(house).sign_in(ben.email)
    assert re.fullmatch(r"/#second=[\w-]{40,}&code", location), "a provider is no second factor"


def test_who_is_not_let_in(abroad: tuple[House, Provider]) -> None:
    house, _ = abroad
    for email, code in (("eve@elsewhere.example", "domain"), ("eve@notexample.com", "domain")):
        traveller = Traveller(house)
        assert traveller.sign_in(email) == f"/?refused={code}"
        assert traveller.me.status_code == 401
    assert Traveller(house).hub.get("/sign-in/unknown").status_code == 404


def test_what_comes_back_is_taken_once_and_where_it_set_out(
    abroad: tuple[House, Provider],
) -> None:
    house, _ = abroad
    eve, victim = Traveller(house), Traveller(house)
    address = eve.prove(eve.leave(), account("eve@example.com"))
    assert victim.come_back(address) == "/?refused=late", "a victim is not signed in as Eve"
    assert eve.come_back(address) == "/?refused=late", "and nobody is by it any more"
    assert victim.me.status_code == 401
    address = eve.prove(eve.leave(), account("eve@example.com"))
    assert eve.come_back(address.replace("iss=http", "iss=https")) == "/?refused=failed"
    address = eve.prove(eve.leave(), account("eve@example.com"))
    code = dict(parse_qsl(urlsplit(address).query))["code"]
    assert eve.come_back(address) == "/"
    check_problem(Traveller(house).me, 401)
    again = eve.leave()
    state = dict(parse_qsl(urlsplit(again).query))["state"]
    stolen = f"/sign-in/company/back?code={code}&state={state}"
    assert eve.come_back(stolen) == "/?refused=failed", "a code counts once"
    for query in ("", "?state=x", "?code=x", "?error=access_denied&state=x"):
        assert eve.come_back(f"/sign-in/company/back{query}") == "/?refused=late"
    state = dict(parse_qsl(urlsplit(eve.leave()).query))["state"]
    assert eve.come_back(f"/sign-in/company/back?error=no&state={state}") == "/?refused=refused"


def test_the_provider_changes_its_keys_or_is_away(abroad: tuple[House, Provider]) -> None:
    house, provider = abroad
    assert Traveller(house).sign_in("kim@example.com") == "/"
    provider.start()
    assert Traveller(house).sign_in("kim@example.com") == "/"
    address = Traveller(house)
    set_out = address.leave()
    back = address.prove(set_out, account("kim@example.com"))
    provider.stop()
    assert address.come_back(back) == "/?refused=failed"
    assert sign_in(house, "ana@example.com").status_code == 200
    provider.start()
