"""The texts that a provider approves beforehand, as members see them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from hub.plugin import Delivery
from hub.plugin.kit import signing
from tests.host.unruly import PLUGINS
from tests.hubs import Client, HubProcess
from tests.inlets.conftest import configured
from tests.plugin_kit.test_public_keys import key_set, private
from tests.standins.courier import Courier
from tests.web.asking import check_problem
from tests.web.conftest import add_members

KEY = rsa.generate_private_key(65537, 2048)
APPROVED = {
    "name": "reminder",
    "language": "en",
    "body": "See you on {{1}}",
    "parameters": ["day"],
    "state": "approved",
}
PATH = "channels/post/templates"


@pytest.fixture
def hub(tmp_path: Path, courier: Courier) -> Iterator[HubProcess]:
    config = configured(courier, "courier-sns", tmp_path)
    config += configured(courier, "courier-fetch", tmp_path, id_="none")
    environ = {"PYTHONPATH": str(PLUGINS)}
    with HubProcess(tmp_path / "hub", config=config, environ=environ) as process:
        yield process


def provider(courier: Courier, *templates: dict[str, object]) -> None:
    courier.files["/templates"] = json.dumps(templates).encode()


def names(ana: Client) -> list[str]:
    return [one["name"] for one in ana.get(PATH)["items"]]


def test_they_are_read_asked_for_once_and_anew_when_one_has_changed(
    hub: HubProcess, courier: Courier
) -> None:
    pending = {**APPROVED, "name": "offer", "state": "pending"}
    provider(courier, APPROVED, pending)
    courier.files["/keys"] = key_set(first=KEY)
    ana = hub.client()
    assert names(ana) == ["reminder", "offer"]
    assert ana.get("channels/none/templates") == {"items": []}
    provider(courier, APPROVED)
    assert names(ana) == ["reminder", "offer"]
    changed = Delivery(body=b'{"template": "offer"}', received_at=datetime.now(UTC))
    signed = signing.jwt(changed, private(KEY), "RS256", key_id="first", body_hash="payload_hash")
    told = httpx2.post(
        f"{hub.base_url}/hooks/main/post", content=signed.body, headers=dict(signed.headers)
    )
    assert told.status_code == 200, told.text
    assert names(ana) == ["reminder"]
    assert len([path for path, _ in courier.asked if path == "/templates"]) == 2


@pytest.mark.feature("PLUG-04")
def test_a_provider_that_cannot_say_and_who_may_not_ask(hub: HubProcess, courier: Courier) -> None:
    add_members(hub, {"viewer@example.com": ("main", ["messages.view"])})
    provider(courier, APPROVED)
    ana = hub.client()
    with contextlib.closing(hub.client("viewer@example.com")) as viewer:
        check_problem(viewer.call("GET", PATH), 403)
    check_problem(ana.call("GET", "channels/other/templates"), 404)
    courier.status["/templates"] = 500
    problem = check_problem(ana.call("GET", PATH), 503)
    assert problem["detail"] == ("Courier cannot say which templates there are: answered 500")
    courier.status.clear()
    provider(courier, {**APPROVED, "state": "no such state"})
    problem = check_problem(ana.call("GET", PATH), 502)
    assert problem["code"] == "channel_failed"
    provider(courier, APPROVED)
    assert names(ana) == ["reminder"]
