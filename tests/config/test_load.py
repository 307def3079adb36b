"""What ``hub.toml``, the environment and the command line say together."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.config import ConfigErrors, HubConfig, load, read


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configure(folder: Path, text: str, environ: dict[str, str] | None = None) -> HubConfig:
    path = folder / "hub.toml"
    path.write_text(text)
    return load(path, environ or {})


def test_without_a_file_the_defaults_apply(folder: Path) -> None:
    config = load(None, {})
    assert config.path is None
    assert config.hub.database == f"sqlite:///{folder}/data/hub.db"
    assert config.hub.data == folder / "data"
    assert config.hub.redis is None
    assert (config.hub.host, config.hub.port) == ("127.0.0.1", 8000)
    assert config.hub.public_url == "http://127.0.0.1:8000"
    assert [organisation.slug for organisation in config.organisations] == ["main"]
    assert [(c.id, c.plugin, c.enabled) for c in config.channels] == [
        (simulator, simulator, True)
        for simulator in ("simulator", "simulator-whatsapp", "simulator-calls", "simulator-email")
    ]


def test_a_file_in_the_working_directory_is_found(folder: Path) -> None:
    (folder / "hub.toml").write_text('hub.host = "0.0.0.0"')
    config = load(None, {})
    assert config.hub.host == "0.0.0.0"
    assert config.channels == ()


def test_relative_paths_are_taken_from_the_files_folder(folder: Path) -> None:
    etc = folder / "etc"
    etc.mkdir()
    config = configure(etc, 'hub.data = "state"')
    assert config.hub.data == etc / "state"
    assert config.hub.database == f"sqlite:///{etc}/state/hub.db"
    config = configure(etc, 'hub.database = "sqlite:///other.db"')
    assert config.hub.database == f"sqlite:///{etc}/other.db"


def test_paths_in_the_environment_are_taken_from_the_working_directory(folder: Path) -> None:
    etc = folder / "etc"
    etc.mkdir()
    config = configure(etc, 'hub.data = "state"', {"HUB_DATA": "elsewhere"})
    assert config.hub.data == folder / "elsewhere"
    assert config.hub.database == f"sqlite:///{folder}/elsewhere/hub.db"


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(folder: Path) -> None:
    path = folder / "hub.toml"
    path.write_text('[hub]\nport = 1\nredis = "redis://file"\npublic_url = "https://file.example"')
    environ = {
        "HUB_DATABASE_URL": "postgresql://me:secret@db.example/hub",
        "HUB_REDIS_URL": "redis://environment:6379/1",
        "HUB_PUBLIC_URL": "https://hub.example.com/",
        "HUB_PORT": "2",
    }
    hub = load(path, environ).hub
    assert hub.database == "postgresql+asyncpg://me:secret@db.example/hub"
    assert hub.redis == "redis://environment:6379/1"
    assert hub.public_url == "https://hub.example.com"
    assert hub.port == 2
    assert load(path, environ, port=0, host="::1").hub.port == 0


def test_an_empty_variable_counts_as_none(folder: Path) -> None:
    assert load(None, {"HUB_PORT": "", "HUB_DATABASE_URL": ""}).hub.port == 8000


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:81"),
        ("::", "http://127.0.0.1:81"),
        ("::1", "http://[::1]:81"),
        ("hub.local", "http://hub.local:81"),
    ],
)
def test_the_public_url_follows_host_and_port(folder: Path, host: str, url: str) -> None:
    assert load(None, {}, host=host, port=81).hub.public_url == url


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("postgres://host/hub", "postgresql+asyncpg://host/hub"),
        ("postgresql+asyncpg://host/hub", "postgresql+asyncpg://host/hub"),
        ("postgresql:///hub?host=/run", "postgresql+asyncpg:///hub?host=/run"),
        (
            "postgresql://host/hub?sslmode=require&timeout=5",
            "postgresql+asyncpg://host/hub?ssl=require&timeout=5",
        ),
        ("sqlite:////var/hub.db", "sqlite:////var/hub.db"),
    ],
)
def test_database_urls_as_people_write_them(folder: Path, given: str, meant: str) -> None:
    assert load(None, {"HUB_DATABASE_URL": given}).hub.database == meant


def test_values_from_the_environment_and_from_files(folder: Path) -> None:
    (folder / "token").write_text("from-a-file\n")
    config = configure(
        folder,
        """
[hub]
port = { env = "PORT" }
secret_key = { env = "KEY" }

[[channels]]
id = { env = "CHANNEL" }
plugin = "p"
[channels.settings]
token = { file = "token" }
more = [{ deep = { env = "PORT" } }]
""",
        {"PORT": "81", "KEY": "k" * 32, "CHANNEL": "sms"},
    )
    assert config.hub.port == 81
    assert config.hub.secret_key is not None
    assert config.hub.secret_key.reveal() == "k" * 32
    assert "k" * 32 not in repr(config)
    assert "from-a-file" not in repr(config)
    (channel,) = config.channels
    assert channel.id == "sms"
    assert channel.settings == {"token": "from-a-file", "more": [{"deep": "81"}]}


def test_every_value_that_cannot_be_had_is_named(folder: Path) -> None:
    (folder / "empty").write_text("\n")
    (folder / "binary").write_bytes(b"\xff")
    with pytest.raises(ConfigErrors) as caught:
        configure(
            folder,
            """\
[hub]
redis = { env = "NOT_SET" }
[[channels]]
id = "sms"
plugin = "p"
[channels.settings]
a = { env = "EMPTY" }
b = { file = "missing" }
c = [{ file = "empty" }, { file = "binary" }]
""",
            {"EMPTY": ""},
        )
    assert str(caught.value).replace(f"{folder}/", "").splitlines() == [
        "hub.toml:2: [hub]: redis: environment variable NOT_SET is not set",
        'hub.toml:7: channel "sms": settings.a: environment variable EMPTY is empty',
        'hub.toml:8: channel "sms": settings.b: cannot read missing: No such file or directory',
        'hub.toml:9: channel "sms": settings.c[0]: empty is empty',
        'hub.toml:9: channel "sms": settings.c[1]: cannot read binary: it is not UTF-8 text',
    ]


def test_a_channel_that_is_switched_off_needs_none_of_its_secrets(folder: Path) -> None:
    config = configure(
        folder,
        """
[[channels]]
id = "sms"
plugin = "p"
enabled = false
settings = { token = { env = "NOT_SET" }, kept = 1 }
""",
    )
    (channel,) = config.channels
    assert not channel.enabled
    assert channel.settings["kept"] == 1


def test_assistants_and_extensions_are_read_like_channels(folder: Path) -> None:
    config = configure(
        folder,
        """
[[organisations]]
slug = "north"
name = "North"
time_zone = "Europe/London"
[[assistants]]
id = "drafts"
plugin = "openai"
name = "Drafting"
[[extensions]]
id = "crm"
plugin = "crm"
""",
    )
    assert config.organisations[0].time_zone == "Europe/London"
    assert config.assistants[0].name == "Drafting"
    assert config.assistants[0].organisation == "north"
    assert config.extensions[0].plugin == "crm"


def test_reading_gives_what_can_be_used_beside_the_mistakes(folder: Path) -> None:
    (folder / "hub.toml").write_text("""
[[channels]]
id = "good"
plugin = "p"
[[channels]]
id = "bad id"
plugin = "p"
""")
    reading = read(None, {})
    assert len(reading.errors) == 1
    assert [channel.id for channel in reading.config.channels] == ["good"]


@pytest.mark.parametrize(
    ("tls", "port"), [("starttls", 587), ("tls", 465), ("none", 25), (None, 587)]
)
def test_the_mail_server(folder: Path, tls: str | None, port: int) -> None:
    assert load(None, {}).mail is None
    text = '[notices]\nhost = "mail"\nfrom = "Hub <hub@example.com>"\n'
    text += f'tls = "{tls}"\n' if tls else ""
    mail = configure(folder, text).mail
    assert mail is not None
    assert (mail.host, mail.port, mail.sender) == ("mail", port, "Hub <hub@example.com>")
    assert (mail.username, mail.password) == (None, None)
    login = 'port = 2525\nusername = "hub"\npassword = { env = "P" }'
    mail = configure(folder, f"{text}\n{login}", {"P": "right horse"}).mail
    assert mail is not None
    assert mail.port == 2525
    assert mail.password is not None
    assert mail.password.reveal() == "right horse"
    assert "right horse" not in repr(mail)
