"""What ``hub.toml`` decides stands in the audit, whoever starts the hub and however often."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.host.unruly import ENVIRON, TOKEN
from tests.hubs import EMAIL, Client
from tests.reload.test_reload import ANOTHER, CONFIG, Reloading

ORGANISATION = '[[organisations]]\nslug = "main"\nname = "{}"\ntime_zone = "Europe/Berlin"\n\n'


def lines(ana: Client, area: str) -> list[dict[str, Any]]:
    """Lines of one area, the oldest first."""
    found = ana.get("audit", limit=100)["items"]
    return [one for one in reversed(found) if one["action"].startswith(area)]


@pytest.fixture
def hub(tmp_path: Path, database_url: str) -> Reloading:
    folder = tmp_path / "hub"
    config = ORGANISATION.format("Bakery") + CONFIG.format(folder=folder)
    return Reloading(folder, config=config, database_url=database_url, environ=ENVIRON)


@pytest.mark.feature("PERM-05")
def test_what_the_configuration_says_is_told_once_and_when_it_changes(hub: Reloading) -> None:
    with hub.start():
        ana = hub.client()
        (admin,) = lines(ana, "member.")
        assert admin["action"] == "member.added"
        assert admin["actor"]["kind"] == "system"
        assert admin["after"] == {"email": EMAIL, "role": "Admin"}
        odd, simulator = lines(ana, "channel.")
        assert (odd["object"]["id"], simulator["object"]["id"]) == ("odd", "simulator")
        assert odd["object"]["name"] == "odd"
        assert odd["actor"]["kind"] == "operator"
        assert odd["before"] is None
        assert odd["after"]["plugin"] == "unruly"
        assert odd["after"]["settings"]["own"] == "+15550100001"
        assert odd["after"]["settings"]["token"] == "***"
        assert "secrets" not in simulator["after"]
        assert lines(ana, "organisation.") == []
    with hub.start():
        ana = hub.client()
        assert len(lines(ana, "channel.")) == 2, "nothing was changed between two starts"
    hub.change('own = "+15550100001"', 'own = "+15550100003"')
    hub.change('name = "Bakery"', 'name = "The bakery"')
    with hub.start():
        ana = hub.client()
        own = lines(ana, "channel.")[-1]
        assert own["before"] == odd["after"]
        assert own["after"]["settings"]["own"] == "+15550100003"
        (name,) = lines(ana, "organisation.")
        assert (name["before"]["name"], name["after"]["name"]) == ("Bakery", "The bakery")

        hub.write(hub.config + ANOTHER)
        hub.reloaded()
        hub.reloaded()
        other = lines(ana, "channel.")[-1]
        assert (other["action"], other["object"]["id"]) == ("channel.configured", "other")
        hub.write(hub.config.replace(ANOTHER, ""))
        hub.reloaded()
        gone = lines(ana, "channel.")[-1]
        assert (gone["action"], gone["object"]["id"]) == ("channel.removed", "other")
        assert (gone["before"], gone["after"]) == (other["after"], None)
        hub.write(hub.config + ANOTHER)
        hub.reloaded()
        again = lines(ana, "channel.")
        assert again[-1]["before"] is None
        assert len(again) == 6

        # Another secret is a change as well, of which nothing else is told.
        hub.change('token = { env = "UNRULY_TOKEN" }\nfolder', 'token = "another one"\nfolder')
        hub.reloaded()
        changed = lines(ana, "channel.")[-1]
        assert changed["before"]["settings"] == changed["after"]["settings"]
        assert changed["before"]["secrets"] != changed["after"]["secrets"]
        told = str(ana.get("audit", limit=100))
        assert TOKEN not in told
        assert "another one" not in told
        assert hub.run("audit", "verify").returncode == 0


def test_a_channel_that_cannot_be_loaded_is_not_told_of(hub: Reloading) -> None:
    with hub.start():
        told = lines(hub.client(), "channel.")
    hub.change('plugin = "simulator"', 'plugin = "not_there"')
    with hub.start():
        assert lines(hub.client(), "channel.") == told
