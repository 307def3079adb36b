"""From the configuration to a channel: what keeps a plugin from running is said in words, and a
plugin that cannot run keeps nothing else from it."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

import hub
from hub.config import ChannelConfig, Origin, read
from hub.flow.host import Channel, FailedChannel, check_channel, installed
from hub.flow.host.loader import PluginClass, find
from hub.plugin import API_VERSION
from tests.host.conftest import UNSET, Load
from tests.host.unruly import TOKEN, delivery, leaks

REFUSED = {
    "nowhere-to-be-found": 'plugin "nowhere-to-be-found" is not installed; installed: ',
    "unruly-missing": "cannot be imported: AttributeError: ",
    "unruly-unimportable": "cannot be imported: SystemExit: the vendor's client wants a licence",
    "unruly-stillborn": "the constructor raised ValueError: no account has the token ***",
    "unruly-quitter": "the constructor raised SystemExit: 1",
    "unruly-misspelt": "send overrides a hook without @hookimpl, which drops it",
    "unruly-twice": "send is implemented 2 times: send, send_again",
    "unruly-keyword": "send: 'message' is keyword-only, so it would never be passed",
    "unruly-hasty": "render has to be def, not async def",
    "unruly-stuck": "migrate_settings has to be a staticmethod: there is no instance yet",
    "unruly-contested": (
        'plugin "unruly-contested" is offered by several packages: hub-rival, hub-unruly; '
    ),
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


def configured(tmp_path: Path, text: str) -> ChannelConfig:
    path = tmp_path / "hub.toml"
    path.write_text(text)
    (one,) = read(path, {"UNRULY_TOKEN": TOKEN}).config.channels
    return one


@pytest.mark.feature("PLUG-02", "PLUG-03")
def test_settings_that_are_wrong_are_named_by_file_line_and_key(tmp_path: Path) -> None:
    text = """\
[[channels]]
id = "odd"
plugin = "unruly"
[channels.settings]
fold = "/tmp"
own = 5
"""
    assert [
        problem.partition("hub.toml")[2] for problem in check_channel(configured(tmp_path, text))
    ] == [
        ':5: channel "odd": settings.fold: unknown key; did you mean "folder"?',
        ':6: channel "odd": settings.own: expected str, got int',
        ':4: channel "odd": settings.token: missing',
    ]


@pytest.mark.feature("PLUG-02", "PLUG-07")
async def test_settings_of_an_older_plugin_api_are_taken_over(tmp_path: Path, load: Load) -> None:
    old = {"token": UNSET, "secret_token": TOKEN, "plugin_api": "0.8"}
    made = load("unruly-migrant", **old)
    assert isinstance(made, Channel), made
    new = load("unruly-migrant", id_="new", plugin_api="1.0")  # which it is of
    assert isinstance(new, Channel), new
    for do, told in {
        "raise": "migrate_settings raised ValueError: 0.8: what is ***",
        "exit": "migrate_settings raised SystemExit: 1",
        "nonsense": "migrate_settings returned NoneType, expected dict",
    }.items():
        failed = load("unruly-migrant", do=do, **old)
        assert isinstance(failed, FailedChannel)
        assert failed.problems == (told,)
    other = load("unruly", plugin_api="0.8")
    assert isinstance(other, FailedChannel)
    assert other.problems[0].startswith("the settings are of the plugin API 0.8, ")

    text = """\
[[channels]]
id = "odd"
plugin = "unruly-migrant"
api = "0.8"
[channels.settings]
secret_token = { env = "UNRULY_TOKEN" }
folder = 5
"""
    (problem,) = check_channel(configured(tmp_path, text))
    assert problem.endswith('hub.toml:7: channel "odd": settings.folder: expected str, got int'), (
        problem
    )
    (missing,) = check_channel(configured(tmp_path, text.replace("secret_token", "token")))
    assert "hub.toml:4: channel" in missing
    assert "migrate_settings raised KeyError: 'secret_token'" in missing
    assert not leaks(missing)


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
