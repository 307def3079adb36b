"""From the configuration to a channel: what keeps a plugin from running is said in words, and a
plugin that cannot run keeps nothing else from it."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

import hub
from hub.config import ChannelConfig, Origin
from hub.flow.host import Channel, FailedChannel, check_channel, installed
from hub.flow.host.loader import PluginClass, find
from hub.plugin import API_VERSION
from tests.host.conftest import Load
from tests.host.unruly import TOKEN, delivery, leaks

REFUSED = {
    "nowhere-to-be-found": 'plugin "nowhere-to-be-found" is not installed; installed: of-',
    "unruly-missing": "cannot be imported: AttributeError: ",
    "unruly-unimportable": "cannot be imported: SystemExit: the vendor's client wants a licence",
    "unruly-stillborn": "the constructor raised ValueError: no account has the token ***",
    "unruly-quitter": "the constructor raised SystemExit: 1",
    "unruly-misspelt": "send overrides a hook without @hookimpl, which drops it",
    "unruly-poller": "uses poll, which this version of the hub does not call yet",
}
OTHER_VERSIONS = {
    "unruly-older": f"INFO.api is 0.8, this hub has {API_VERSION}",
    "of-tomorrow": f"hub-of-tomorrow needs channel-hub <3,>=2, this is {hub.__version__}",
    "rangeless": "hub-rangeless does not say which versions of channel-hub it works with: ",
}


@pytest.mark.feature("PLUG-01", "PLUG-04")
@pytest.mark.parametrize("plugin", REFUSED)
async def test_a_plugin_that_cannot_run_says_why(load: Load, plugin: str) -> None:
    failed = load(plugin)
    assert isinstance(failed, FailedChannel)
    assert failed.problems[0].startswith(REFUSED[plugin]), failed.problems
    assert not leaks(str(failed))


@pytest.mark.feature("PLUG-07")
@pytest.mark.parametrize("plugin", OTHER_VERSIONS)
async def test_a_plugin_for_another_version_is_refused_before_it_is_used(
    load: Load, plugin: str
) -> None:
    failed = load(plugin)
    assert isinstance(failed, FailedChannel)
    assert failed.problems[0].startswith(OTHER_VERSIONS[plugin]), failed.problems


def test_a_package_for_another_hub_is_not_even_imported() -> None:
    (point,) = entry_points(group="hub.plugins", name="of-tomorrow")
    with pytest.raises(SystemExit):
        point.load()


@pytest.mark.feature("PLUG-02")
async def test_one_plugin_is_on_several_times_with_its_own_settings(load: Load) -> None:
    one, two = load(id_="one"), load(id_="two", token="another", own="+15550100077")
    assert isinstance(one, Channel)
    assert isinstance(two, Channel)
    assert one.own_addresses() != two.own_addresses()
    assert (await one.ingest(delivery())).error is None
    refused = await two.ingest(delivery())  # signed for the other one
    assert type(refused.error).__name__ == "Unverified"


@pytest.mark.feature("PLUG-02", "PLUG-03")
def test_a_check_names_the_place_and_no_secret() -> None:
    lines = {("channels", 0, "plugin"): 7}
    config = ChannelConfig(
        id="odd",
        organisation="main",
        plugin="unruly-stillborn",
        enabled=True,
        name=None,
        settings={"token": TOKEN},
        origin=Origin(path="hub.toml", where='channel "odd"', base=("channels", 0), lines=lines),
    )
    (problem,) = check_channel(config)
    assert "the constructor raised ValueError: no account has the token ***" in problem
    assert problem.startswith('hub.toml: channel "odd": ')
    assert not leaks(problem)


@pytest.mark.feature("PLUG-01")
def test_what_is_installed_is_found_by_entry_point_and_not_imported() -> None:
    found = {plugin.name: plugin for plugin in installed()}
    assert {"simulator", "sms-twilio", "unruly", "unruly-unimportable"} <= set(found)
    assert found["unruly"].package == "hub-unruly"
    assert found["unruly"].version == "1.0"


def test_only_what_comes_with_the_hub_is_read_where_it_arrives() -> None:
    found = find("simulator")
    assert isinstance(found, PluginClass)
    assert found.bundled
    stranger = find("unruly")
    assert isinstance(stranger, PluginClass)
    assert not stranger.bundled, "it could hold up the whole hub"
