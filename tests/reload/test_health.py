"""How a channel is: seen by staff, and right again by itself once the channel is."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx2
import pytest

import hub.app.hub
from hub.app.hub import running
from hub.app.reload import Reloader
from hub.config import read
from hub.flow.host import Channel, Limits, channel, loops
from tests.host.unruly import ENVIRON, PLUGINS, TOKEN, delivery, leaks
from tests.hubs import Client, HubProcess, wait_for

CONFIG = """\
[[channels]]
id = "odd"
plugin = "unruly"
[channels.settings]
token = {{ env = "UNRULY_TOKEN" }}
folder = "{folder}"
"""


def seen(client: Client) -> tuple[str, str | None]:
    """The state and its reason."""
    (one,) = client.get("channels")
    return one["state"], one["reason"]


@contextlib.contextmanager
def served(folder: Path, check_seconds: float) -> Iterator[HubProcess]:
    environ = {**ENVIRON, "HUB_CHECK_SECONDS": str(check_seconds)}
    with HubProcess(folder, config=CONFIG.format(folder=folder), environ=environ) as process:
        yield process


@pytest.mark.feature("PLUG-04")
def test_a_channel_is_asked_again_and_again_how_it_is(tmp_path: Path) -> None:
    with served(tmp_path, 0.1) as process, contextlib.closing(process.client()) as ana:

        def becomes(state: str, reason: str | None) -> bool:
            return wait_for(lambda: seen(ana) == (state, reason), what=f"{state}, {reason}")

        assert becomes("needs_attention", "*** expires")
        (tmp_path / "health-temporary").touch()
        assert becomes("transient", "could not be checked: the provider is away")
        (tmp_path / "health-temporary").rename(tmp_path / "health-refused")
        assert becomes("needs_attention", "*** was revoked")
        assert httpx2.get(f"{process.base_url}/readyz").json()["channels"] == {
            "main/odd": "needs_attention"
        }
        (tmp_path / "health-refused").rename(tmp_path / "well")
        assert becomes("ok", None)
        assert not leaks(process.output)


@pytest.mark.feature("PLUG-04")
@pytest.mark.parametrize(
    ("word", "state"), [("startup-raises", "degraded"), ("startup-refused", "needs_attention")]
)
def test_a_channel_that_could_not_start_tries_again(tmp_path: Path, word: str, state: str) -> None:
    (tmp_path / word).touch()
    (tmp_path / "well").touch()
    with served(tmp_path, 1) as process, contextlib.closing(process.client()) as ana:
        shown, reason = seen(ana)
        assert shown == state
        assert "start" in (reason or "")
        assert not leaks(reason or "")
        (tmp_path / word).unlink()
        wait_for(lambda: seen(ana) == ("ok", None), what="a channel that has started")


@pytest.mark.feature("PLUG-04", "PERM-06")
def test_who_may_manage_channels_can_have_one_checked_now(tmp_path: Path) -> None:
    with served(tmp_path, 3600) as process, contextlib.closing(process.client()) as ana:
        assert seen(ana) == ("ok", None)
        checked = ana.post("channels/odd/check")
        assert (checked["state"], checked["reason"]) == ("needs_attention", "*** expires")
        assert seen(ana) == ("needs_attention", "*** expires")
        (tmp_path / "well").touch()
        assert ana.post("channels/odd/check")["state"] == "ok"
        assert ana.call("POST", "channels/absent/check").status_code == 404
        said = {"id": "1", "do": "notice", "text": "Register the sender", "from": "+15550100002"}
        answer = httpx2.post(
            f"{process.base_url}/hooks/main/odd",
            json={**said, "state": "degraded"},
            headers={"X-Token": TOKEN},
        )
        assert answer.status_code == 200
        assert ana.post("channels/odd/check")["state"] == "degraded", "the provider's word stays"

        process.run("user", "add", "ben@example.com", "--password-stdin", input_="battery-horse\n")
        with contextlib.closing(process.client("ben@example.com", "battery-horse")) as ben:
            refused = ben.call("POST", "channels/odd/check")
            assert (refused.status_code, refused.json()["code"]) == (403, "channels.manage")
            assert seen(ben) == ("degraded", "Register the sender")


@pytest.mark.feature("PLUG-04")
def test_a_channel_that_could_not_be_loaded_says_what_to_do_when_asked(tmp_path: Path) -> None:
    config = CONFIG.format(folder=tmp_path).replace('"unruly"', '"unruly-stillborn"')
    with (
        HubProcess(tmp_path / "hub", config=config, environ=ENVIRON) as process,
        contextlib.closing(process.client()) as ana,
    ):
        assert seen(ana)[0] == "needs_attention"
        for what in ("check", "pause", "resume"):
            refused = ana.call("POST", f"channels/odd/{what}")
            assert (refused.status_code, refused.json()["code"]) == (409, "channel_not_running")
            assert "hub reload" in refused.json()["detail"]


@pytest.mark.feature("PLUG-04")
async def test_a_channel_that_was_given_up_comes_back_by_reload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(PLUGINS))
    monkeypatch.setattr(hub.app.hub, "Limits", lambda: Limits(ingest=0.2))
    monkeypatch.setattr(loops, "GRACE", 0.1)
    monkeypatch.setattr(channel, "REST", 0.0)
    path = tmp_path / "hub.toml"
    path.write_text(CONFIG.format(folder=tmp_path), encoding="utf-8")
    reread = partial(read, path, {**ENVIRON, "HUB_DATA": str(tmp_path / "data")})
    async with running(reread().config, {}) as served_here:

        def odd() -> Channel:
            (one,) = served_here.channels
            return one

        until = time.monotonic() + 60
        while not odd().lost:
            assert time.monotonic() < until
            await served_here.intake.take(odd(), delivery("block"))
        assert odd().health.state == "off"
        outcome = await Reloader(served_here, reread).reload()
        assert outcome.lines == ('channel "odd" of main started again',)
        assert odd().health.state == "ok"
        assert (await served_here.intake.take(odd(), delivery(id="in-2"))).state == "done"
        (tmp_path / "go").touch()
