"""A plugin's settings are checked against the plugin's own Struct, field by field."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct, field

from hub.config import ConfigError, convert_settings, load, read
from hub.plugin import Secret


class Region(Enum):
    EUROPE = "eu"
    AMERICA = "us"


class Relay(Struct, forbid_unknown_fields=True):
    host: str
    port: int = 25


class Email(Struct, tag="email"):
    address: str


class Phone(Struct, tag="phone"):
    number: str


class Settings(Struct, forbid_unknown_fields=True, kw_only=True):
    account: str
    auth_token: Secret | None = None
    old_tokens: list[Secret] = []
    from_number: Annotated[str, Meta(pattern=r"^\+\d+$")] | None = None
    region: Region = Region.EUROPE
    mode: Literal["live", "test"] = "live"
    timeout: float = 10.0
    verify: bool = True
    numbers: Annotated[list[str], Meta(max_length=2)] = []
    pair: tuple[str, int] | None = None
    labels: dict[str, int] = {}
    relays: list[Relay] = []
    relay: Relay | None = None
    via: Email | Phone | None = None
    renamed: int = field(default=0, name="re-named")

    def __post_init__(self) -> None:
        if self.mode == "test" and self.verify:
            raise ValueError('mode "test" needs verify = false')


def convert(**raw: Any) -> Settings:
    settings = convert_settings(Settings, {"account": "AC1", **raw})
    assert isinstance(settings, Settings), settings
    return settings


def mistakes(**raw: Any) -> list[str]:
    errors = convert_settings(Settings, {"account": "AC1", **raw})
    assert isinstance(errors, list)
    return [f"{error.key}: {error.message}" for error in errors]


def test_everything_in_its_place() -> None:
    settings = convert(
        auth_token="s3cret",
        old_tokens=["a", "b"],
        from_number="+15005550006",
        region="us",
        timeout=5,
        numbers=["1", "2"],
        pair=["a", 1],
        labels={"vip": 1},
        relays=[{"host": "a"}, {"host": "b", "port": 587}],
        relay={"host": "c"},
        via={"type": "phone", "number": "1"},
        **{"re-named": 3},
    )
    assert settings.auth_token == Secret("s3cret")
    assert settings.old_tokens == [Secret("a"), Secret("b")]
    assert settings.region is Region.AMERICA
    assert settings.timeout == 5.0
    assert settings.pair == ("a", 1)
    assert settings.relays == [Relay(host="a"), Relay(host="b", port=587)]
    assert settings.via == Phone(number="1")
    assert settings.renamed == 3


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"from_number": 5}, "settings.from_number: expected str, got int"),
        (
            {"from_number": "5"},
            r"settings.from_number: expected str matching regex '^\\+\\d+$'",
        ),
        ({"auth_token": 12345}, "settings.auth_token: expected str, got int"),
        ({"old_tokens": ["a", 5]}, "settings.old_tokens[1]: expected str, got int"),
        ({"old_tokens": "a"}, "settings.old_tokens: expected array, got str"),
        ({"region": "ue"}, "settings.region: expected one of eu, us"),
        (
            {"mode": "liv"},
            'settings.mode: expected one of live, test; did you mean "live"?',
        ),
        ({"verify": "yes"}, "settings.verify: expected bool, got str"),
        ({"numbers": ["1", "2", "3"]}, "settings.numbers: expected array of length <= 2"),
        ({"pair": ["a"]}, "settings.pair: expected 2 values, got 1"),
        ({"pair": ["a", "b"]}, "settings.pair[1]: expected int, got str"),
        ({"labels": {"vip": "1"}}, "settings.labels.vip: expected int, got str"),
        ({"labels": []}, "settings.labels: expected table, got array"),
        ({"relays": [{"port": 1}]}, "settings.relays[0].host: missing"),
        (
            {"relay": {"host": "a", "prt": 1}},
            'settings.relay.prt: unknown key; did you mean "port"?',
        ),
        ({"relay": "a"}, "settings.relay: expected table, got str"),
        (
            {"via": {"type": "phone", "number": 1}},
            "settings.via.number: expected str, got int",
        ),
        ({"renamed": 1}, 'settings.renamed: unknown key; did you mean "re-named"?'),
        ({"mode": "test"}, 'settings: mode "test" needs verify = false'),
        (
            {"zzz": 1},
            (
                "settings.zzz: unknown key; known keys: account, auth_token, from_number, labels, "
                "mode, numbers, old_tokens, pair, re-named, region, relay, relays, timeout, "
                "verify, via"
            ),
        ),
    ],
)
def test_each_kind_of_mistake(raw: dict[str, Any], expected: str) -> None:
    assert mistakes(**raw) == [expected]


def test_all_mistakes_are_named_at_once() -> None:
    errors = convert_settings(
        Settings, {"auth_tokn": "x", "from_number": 5, "relays": [{}, {"host": 1, "port": "p"}]}
    )
    assert isinstance(errors, list)
    assert [f"{error.key}: {error.message}" for error in errors] == [
        'settings.auth_tokn: unknown key; did you mean "auth_token"?',
        "settings.from_number: expected str, got int",
        "settings.relays[0].host: missing",
        "settings.relays[1].host: expected str, got int",
        "settings.relays[1].port: expected int, got str",
        "settings.account: missing",
    ]


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["host", "port", "type", "x"]), inner, max_size=3)
    ),
)


@given(st.dictionaries(st.sampled_from(Settings.__struct_encode_fields__), _anything, max_size=4))
def test_whatever_is_written_there_are_settings_or_mistakes(raw: dict[str, Any]) -> None:
    found = convert_settings(Settings, raw)
    assert isinstance(found, Settings) or found


FILE = """\
[[channels]]
id = "sms-support"
plugin = "sms-twilio"
[channels.settings]
account = "AC1"
auth_token = { env = "TOKEN" }
from_number = 15005550006
timeout = { env = "TIMEOUT" }
mode = { env = "MODE" }
"""


def in_file(folder: Path, text: str, environ: dict[str, str]) -> Settings | list[ConfigError]:
    path = folder / "hub.toml"
    path.write_text(text)
    (channel,) = read(path, environ).config.channels
    return convert_settings(Settings, channel.settings, channel.origin)


def test_a_mistake_names_file_line_channel_and_key(tmp_path: Path) -> None:
    environ = {"TOKEN": "s3cret", "TIMEOUT": "2.5", "MODE": "s3cret"}
    errors = in_file(tmp_path, FILE, environ)
    assert isinstance(errors, list)
    assert [str(error).replace(f"{tmp_path}/", "") for error in errors] == [
        'hub.toml:7: channel "sms-support": settings.from_number: expected str, got int',
        'hub.toml:9: channel "sms-support": settings.mode: expected one of live, test',
    ]
    assert "s3cret" not in str(errors)


def test_text_from_the_environment_serves_as_a_number_or_a_switch(tmp_path: Path) -> None:
    text = FILE.replace("15005550006", '"+15005550006"') + 'verify = { env = "VERIFY" }\n'
    environ = {"TOKEN": "12345", "TIMEOUT": "2.5", "MODE": "test", "VERIFY": "false"}
    settings = in_file(tmp_path, text, environ)
    assert isinstance(settings, Settings), settings
    assert settings.auth_token == Secret("12345")
    assert settings.timeout == 2.5
    assert settings.verify is False


def test_what_loading_told_of_is_not_told_again(tmp_path: Path) -> None:
    settings = in_file(
        tmp_path,
        'channels = [{id = "a", plugin = "p", settings = FILE}]'.replace(
            "FILE", '{ account = "AC1", auth_token = { env = "NOT_SET" } }'
        ),
        {},
    )
    assert settings == []


def test_a_channel_that_is_switched_off_is_checked_without_its_secrets(tmp_path: Path) -> None:
    path = tmp_path / "hub.toml"
    path.write_text(FILE.replace("[channels.settings]", "enabled = false\n[channels.settings]"))
    (channel,) = load(path, {}).channels
    errors = convert_settings(Settings, channel.settings, channel.origin)
    assert isinstance(errors, list)
    assert [error.key for error in errors] == ["settings.from_number"]
