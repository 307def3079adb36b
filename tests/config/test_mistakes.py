"""Every mistake in ``hub.toml`` is named with its line and key, all of them at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.config import ConfigErrors, load, read


def mistakes(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    """What is wrong with a file, a line each, without the folder that it lies in."""
    path = folder / "hub.toml"
    path.write_text(text)
    with pytest.raises(ConfigErrors) as caught:
        load(path, environ or {})
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def test_three_mistakes_make_three_lines(tmp_path: Path) -> None:
    text = """\
[hub]
prot = 8000

[[organisations]]
slug = "main"
time_zone = "Europe/Lodnon"

[[channels]]
id = "sms-support"
organisation = "mian"
plugin = "sms-twilio"
"""
    assert mistakes(tmp_path, text) == [
        'hub.toml:2: [hub]: prot: unknown key; did you mean "port"?',
        (
            'hub.toml:6: organisation "main": time_zone: no time zone has this name; '
            'did you mean "Europe/London"?'
        ),
        (
            'hub.toml:10: channel "sms-support": organisation: no [[organisations]] has this slug; '
            'did you mean "main"?'
        ),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chanels = []", 'hub.toml:1: chanels: unknown key; did you mean "channels"?'),
        ("\n[channels]\nid = 'a'", "hub.toml:2: expected tables in double brackets: [[channels]]"),
        ("channels = [1]", "hub.toml:1: channel 1: expected a table: [[channels]]"),
        ("hub = 5", "hub.toml:1: [hub]: expected a table: [hub]"),
        ("[hub]\nport = '8000'", "hub.toml:2: [hub]: port: expected int, got str"),
        ("[hub]\nport = 70000", "hub.toml:2: [hub]: port: expected int <= 65535"),
        ("hub.port = true", "hub.toml:1: [hub]: port: expected int, got bool"),
        ("[hub]\nhost = {}", "hub.toml:2: [hub]: host: expected str, got table"),
        (
            "[hub]\nsecret_key = 'short'",
            "hub.toml:2: [hub]: secret_key: expected at least 32 characters",
        ),
        (
            f"[hub]\nsecret_key = '{'k' * 32}'\naccepted_secret_keys = ['{'a' * 32}', 'short']",
            "hub.toml:3: [hub]: accepted_secret_keys[1]: expected at least 32 characters",
        ),
        (
            f"[hub]\naccepted_secret_keys = ['{'a' * 32}']",
            "hub.toml:2: [hub]: accepted_secret_keys: is of use only beside a secret_key",
        ),
        (
            "[hub]\npublic_url = 'hub.example.com'",
            (
                "hub.toml:2: [hub]: public_url: expected https:// and a host, "
                "as in https://hub.example.com"
            ),
        ),
        (
            "[hub]\npublic_url = 'https://example.com/hub'",
            (
                "hub.toml:2: [hub]: public_url: expected https:// and a host, "
                "as in https://hub.example.com"
            ),
        ),
        (
            "[hub]\nredis = 'localhost:6379'",
            (
                "hub.toml:2: [hub]: redis: expected redis://host:6379/0, rediss://… or "
                "unix:///path/to/socket"
            ),
        ),
        (
            "[hub]\ndatabase = 'mysql://localhost/hub'",
            (
                "hub.toml:2: [hub]: database: expected sqlite:///path/to/hub.db or "
                "postgresql://user:password@host/database"
            ),
        ),
        (
            "[hub]\ndatabase = 'postgresql://localhost'",
            (
                "hub.toml:2: [hub]: database: names no database: "
                "postgresql://user:password@host/database"
            ),
        ),
        (
            "[hub]\ndatabase = 'sqlite:///:memory:'",
            (
                "hub.toml:2: [hub]: database: expected sqlite:///path/to/hub.db or "
                "postgresql://user:password@host/database"
            ),
        ),
        ("notices = 5", "hub.toml:1: [notices]: expected a table: [notices]"),
        ("[notices]\nfrom = 'a@b.example'", "hub.toml:1: [notices]: host: missing"),
        (
            "[notices]\nhost = 'mail'\nfrom = 'nobody'",
            "hub.toml:3: [notices]: from: expected an address: Name <name@example.com>",
        ),
        (
            "[notices]\nhost = 'mail'\nfrom = 'a@b.example'\nusername = 'hub'",
            "hub.toml:1: [notices]: password: missing: a login needs username and password",
        ),
        (
            "[notices]\nhost = 'mail'\nfrom = 'a@b.example'\ntls = 'ssl'",
            "hub.toml:4: [notices]: tls: expected one of starttls, tls, none",
        ),
        (
            "[notices]\ntexts = 'sms'",
            "hub.toml:2: [notices]: texts: expected tables in double brackets: [[notices.texts]]",
        ),
        (
            "[[notices.texts]]\nfrom = '+1'",
            "hub.toml:1: [[notices.texts]] 1: channel: missing",
        ),
        (
            "[[channels]]\nid = 'sms'\nplugin = 'p'\n[[notices.texts]]\nchannel = 'sm'",
            (
                "hub.toml:5: [[notices.texts]] 1: channel: main has no channel with this id; "
                'did you mean "sms"?'
            ),
        ),
        (
            (
                "[[channels]]\nid = 'sms'\nplugin = 'p'\nenabled = false\n"
                "[[notices.texts]]\nchannel = 'sms'"
            ),
            "hub.toml:6: [[notices.texts]] 1: channel: the channel is switched off",
        ),
        (
            (
                "[[channels]]\nid = 'sms'\nplugin = 'p'\n"
                "[[notices.texts]]\nchannel = 'sms'\n[[notices.texts]]\nchannel = 'sms'"
            ),
            "hub.toml:6: [[notices.texts]] 2: main has one already",
        ),
        (
            (
                "[[organisations]]\nslug = 'a'\n[[organisations]]\nslug = 'b'\n"
                "[[notices.texts]]\nchannel = 'c'"
            ),
            "hub.toml:5: [[notices.texts]] 1: organisation: missing; known: a, b",
        ),
        (
            "[[organisations]]\nslug = 'North East'",
            (
                'hub.toml:2: organisation "North East": slug: expected lower-case letters and '
                "digits, with single hyphens between them, at most 63"
            ),
        ),
        ("[[organisations]]\nname = 'North'", "hub.toml:1: organisation 1: slug: missing"),
        (
            "[[organisations]]\nslug = 'a'\n[[organisations]]\nslug = 'a'",
            'hub.toml:4: organisation "a": slug: already used by the organisation on line 1',
        ),
        (
            "[[organisations]]\nslug = 'a'\ntime_zone = '../etc/passwd'",
            'hub.toml:3: organisation "a": time_zone: no time zone has this name',
        ),
        ("[[channels]]\nid = 'a'", 'hub.toml:1: channel "a": plugin: missing'),
        (
            "[[channels]]\nid = 'a'\nplugin = 'p'\nsettings = 5",
            'hub.toml:4: channel "a": settings: expected table, got int',
        ),
        (
            (
                "[[organisations]]\nslug = 'a'\n[[organisations]]\nslug = 'b'\n"
                "[[channels]]\nid = 'c'\nplugin = 'p'"
            ),
            'hub.toml:5: channel "c": organisation: missing; known: a, b',
        ),
        (
            "[[channels]]\nid = 'a'\nplugin = 'p'\n[[assistants]]\nid = 'a'\nplugin = 'p'",
            'hub.toml:5: assistant "a": id: already used in this organisation on line 1',
        ),
        ("[hub]\nport = 1\nport = 2", "hub.toml:3: not valid TOML: Cannot overwrite a value"),
        ("[hub\n", "hub.toml:1: not valid TOML: Expected ']' at the end of a table declaration"),
        ("[hub]\nhost = ", "hub.toml:2: not valid TOML: Invalid value"),
    ],
)
def test_each_kind_of_mistake(tmp_path: Path, text: str, expected: str) -> None:
    assert mistakes(tmp_path, text) == [expected]


def test_the_same_id_may_be_used_in_two_organisations(tmp_path: Path) -> None:
    path = tmp_path / "hub.toml"
    path.write_text("""
organisations = [{ slug = "a" }, { slug = "b" }]
channels = [
    { id = "sms", plugin = "p", organisation = "a" },
    { id = "sms", plugin = "p", organisation = "b" },
]
""")
    config = load(path, {})
    assert [(channel.organisation, channel.id) for channel in config.channels] == [
        ("a", "sms"),
        ("b", "sms"),
    ]


def test_one_mistake_in_a_section_hides_no_other_and_makes_no_new_one(tmp_path: Path) -> None:
    text = """\
[hub]
prot = 1
public_url = "nowhere"

[[organisations]]
slug = "main"
nmae = "Main"
time_zone = "Mars/Olympus"

[[channels]]
id = "sms"
plugin = "p"
enbled = true
"""
    assert mistakes(tmp_path, text) == [
        'hub.toml:2: [hub]: prot: unknown key; did you mean "port"?',
        (
            "hub.toml:3: [hub]: public_url: expected https:// and a host, "
            "as in https://hub.example.com"
        ),
        'hub.toml:7: organisation "main": nmae: unknown key; did you mean "name"?',
        'hub.toml:8: organisation "main": time_zone: no time zone has this name',
        'hub.toml:13: channel "sms": enbled: unknown key; did you mean "enabled"?',
    ]
    sections = read(tmp_path / "hub.toml", {}).config
    assert [organisation.slug for organisation in sections.organisations] == ["main"]
    assert [channel.id for channel in sections.channels] == ["sms"]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match=r"nothing\.toml: cannot be read: No such file"):
        load(tmp_path / "nothing.toml", {})


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "hub.toml"
    path.write_bytes(b"[hub]\n# \xff\n")
    with pytest.raises(ConfigErrors, match=r"hub\.toml:2: not UTF-8 text"):
        load(path, {})


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HUB_PORT": "eighty"}, "environment: HUB_PORT: expected int, got str"),
        ({"HUB_PORT": "-1"}, "environment: HUB_PORT: expected int >= 0"),
        (
            {"HUB_DATABASE_URL": "postgresql://me:hunter/2@host/hub"},
            (
                "environment: HUB_DATABASE_URL: cannot be read as a URL; "
                "a password's special characters are written as %2F, %3A and the like"
            ),
        ),
        (
            {"HUB_REDIS_URL": "http://:hunter2@host"},
            (
                "environment: HUB_REDIS_URL: expected redis://host:6379/0, rediss://… or "
                "unix:///path/to/socket"
            ),
        ),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable_and_prints_no_value(
    tmp_path: Path, environ: dict[str, str], expected: str
) -> None:
    assert mistakes(tmp_path, "", environ) == [expected]
