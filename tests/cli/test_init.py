"""``hub init``, and what the command line does before it loads anything."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from hub.cli import main
from hub.cli.init import TEMPLATE
from hub.config import load

SIMULATORS = ["simulator", "simulator-whatsapp", "simulator-calls", "simulator-email"]


def test_the_template_is_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "hub.toml"
    assert main(["init", str(path)]) == 0
    config = load(path, {})
    assert [organisation.slug for organisation in config.organisations] == ["main"]
    assert [channel.plugin for channel in config.channels] == SIMULATORS


def test_every_line_that_is_commented_out_is_right_too(tmp_path: Path) -> None:
    lines = [
        line[2:] if line.startswith("# ") and ("=" in line or "# [" in line) else line
        for line in TEMPLATE.splitlines()
        if "may stand elsewhere" not in line
    ]
    path = tmp_path / "hub.toml"
    path.write_text("\n".join(lines))
    (tmp_path / "secret-key").write_text("k" * 32)
    (tmp_path / "former-secret-key").write_text("f" * 32)
    environ = {"HUB_DATABASE_URL": "postgresql://host/hub", "TWILIO_AUTH_TOKEN": "t"}
    environ["SMTP_PASSWORD"] = environ["SIGN_IN_SECRET"] = "p"
    config = load(path, environ)
    assert config.hub.public_url == "https://hub.example.com"
    assert config.hub.redis == "redis://localhost:6379/0"
    assert config.hub.secret_key is not None
    assert config.mail is not None
    assert (config.mail.host, config.mail.port) == ("smtp.example.com", 587)
    assert [channel.id for channel in config.channels] == [*SIMULATORS, "sms-support"]


def test_a_file_that_is_there_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "hub.toml"
    path.write_text("mine")
    assert main(["init", str(path)]) == 1
    assert path.read_text() == "mine"
    assert capsys.readouterr().err == f"hub: {path} is there already; it was left as it is\n"


def test_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nowhere" / "hub.toml"
    assert main(["init", str(path)]) == 1
    assert capsys.readouterr().err == f"hub: No such file or directory: {path}\n"


def test_when_the_disk_takes_no_more_nothing_half_written_stays(tmp_path: Path) -> None:
    def take_no_more() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    done = subprocess.run(
        [sys.executable, "-B", "-m", "hub.cli", "init"],
        cwd=tmp_path,
        preexec_fn=take_no_more,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "hub: File too large\n"
    assert list(tmp_path.iterdir()) == []


def test_help_loads_nothing_heavy() -> None:
    code = "import sys; from hub.cli import main; sys.argv = ['hub', '--help']; main()"
    watch = f"import atexit, sys; atexit.register(lambda: print(*sys.modules)); {code}"
    done = subprocess.run([sys.executable, "-c", watch], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "argparse" in loaded
    assert not loaded & {"asyncio", "litestar", "msgspec", "sqlalchemy", "tomllib"}


@pytest.mark.parametrize("port", ["-1", "65536", "http", "८०"])
def test_a_port_that_is_none(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["serve", f"--port={port}"])
    assert stop.value.code == 2
    assert "expected a number from 0 to 65535" in capsys.readouterr().err
