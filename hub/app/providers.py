"""``hub check --providers``: whether each provider knows the hub as the hub knows the provider."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy.exc import DBAPIError

from hub.app.commands import run_on
from hub.app.hub import Hub
from hub.config import ChannelConfig, HubConfig
from hub.flow.host import FailedChannel
from hub.plugin import Finding, Info
from hub.plugin.kit.addresses import is_public
from hub.store.database import Database
from hub.store.migrate import is_set_up

MARKS = {"ok": "ok", "wrong": "WRONG", "unknown": "?"}


class ProvidersReport(Struct, frozen=True):
    """What was found out about each channel, by its name."""

    channels: tuple[tuple[str, tuple[Finding, ...]], ...]

    @property
    def wrong(self) -> bool:
        """Whether there is anything to change."""
        return any(one.state == "wrong" for _, findings in self.channels for one in findings)

    def __str__(self) -> str:
        return "\n".join(self._lines()) or "There is no channel to ask about."

    def _lines(self) -> Iterator[str]:
        for name, findings in self.channels:
            yield name
            for one in findings:
                detail = f": {one.detail}" if one.detail else ""
                yield f"  {MARKS[one.state]:<6}{one.about}{detail}"
                if one.advice:
                    yield f"        {one.advice}"


def check_providers(config: HubConfig) -> ProvidersReport:
    """Ask about every channel that is switched on, whether or not a hub is running. What channels
    keep in the hub's database, such as tokens, is used; where there is none, none is made."""
    with TemporaryDirectory(prefix="hub-check-") as folder:
        section = config.hub
        if not asyncio.run(_has_run(section.database)):
            section = replace(section, data=Path(folder), database=f"sqlite:///{folder}/hub.db")
        elif not section.data.exists():
            section = replace(section, data=Path(folder))
        return run_on(replace(config, hub=section), _ask)


async def _has_run(url: str) -> bool:
    """Whether a hub has ever opened this database."""
    database = Database(url)
    if database.path is not None:
        return database.path.exists()
    try:
        return await database.read(is_set_up)
    except (DBAPIError, OSError):
        return True  # what is wrong with it is said when it is opened
    finally:
        await database.close()


async def _ask(hub: Hub) -> ProvidersReport:
    configs = [channel for channel in hub.config.channels if channel.enabled]
    findings = await asyncio.gather(*(_findings(hub, channel) for channel in configs))
    several = len({channel.organisation for channel in configs}) > 1
    return ProvidersReport(
        tuple(
            (_name(channel, several=several), found)
            for channel, found in zip(configs, findings, strict=True)
        )
    )


def _name(channel: ChannelConfig, *, several: bool) -> str:
    of = f" of {channel.organisation}" if several else ""
    return f"{channel.id}{of} ({channel.plugin})"


async def _findings(hub: Hub, config: ChannelConfig) -> tuple[Finding, ...]:
    channel = hub.load(config)
    if isinstance(channel, FailedChannel):
        detail = "; ".join(channel.problems)
        return (Finding(about="plugin", state="wrong", detail=detail),)
    try:
        return (*public_address(channel.info, hub.public_url), *await channel.check())
    finally:
        await channel.shutdown()


def public_address(info: Info, public_url: str) -> Iterator[Finding]:
    """Whether a provider could reach the hub at all, as far as its address tells."""
    if not info.real or "http" not in info.can.inbound:
        return
    parts = urlsplit(public_url)
    advice = "Set [hub] public_url to the address by which the world reaches this hub."
    if not _from_outside(parts.hostname or ""):
        detail = f"{public_url} is reached from this machine or network alone"
        yield Finding(about="public address", state="wrong", detail=detail, advice=advice)
    elif parts.scheme != "https":
        detail = f"{public_url} is not encrypted"
        yield Finding(about="public address", state="wrong", detail=detail, advice=advice)


def _from_outside(host: str) -> bool:
    try:
        return is_public(str(ip_address(host)))
    except ValueError:
        return "." in host and not host.endswith((".local", ".localhost", ".internal", ".lan"))
