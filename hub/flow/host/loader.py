"""From ``hub.toml`` to channels: find the plugin, check it, give it its settings.

Installed is not enabled: only what the configuration names is imported. A channel that fails is
kept with the reason, and the hub starts without it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from msgspec import Struct

import hub
from hub.config import ChannelConfig, convert_settings
from hub.flow.host.channel import LIMITS, Channel, Limits
from hub.flow.host.context import ChannelContext, Services, secrets_in
from hub.plugin import Info
from hub.plugin.kit import checks
from hub.plugin.kit.http import PluginHttp

GROUP = "hub.plugins"
USED_HOOKS = frozenset(
    {
        "ingest", "send", "render", "normalise_address", "compose_rules", "own_addresses",
        "fetch_media", "reconcile", "startup", "shutdown", "health", "routes",
    }
)  # fmt: skip
"""The hooks this version calls. A plugin that lives by another one is refused, not half run."""
LIVES_BY = frozenset({"poll", "listen", "fetch", "answer", "templates"})


class FailedChannel(Struct, frozen=True, kw_only=True):
    """A channel that cannot run, and why."""

    organisation: str
    id: str
    plugin: str
    name: str
    problems: tuple[str, ...]


class InstalledPlugin(Struct, frozen=True, kw_only=True):
    """A plugin found on this machine."""

    name: str
    package: str
    version: str


def installed() -> list[InstalledPlugin]:
    """Every plugin that is installed, by name; none is imported."""
    return sorted(
        (
            InstalledPlugin(
                name=point.name,
                package=point.dist.metadata["Name"] if point.dist else "?",
                version=point.dist.version if point.dist else "?",
            )
            for point in entry_points(group=GROUP)
        ),
        key=lambda plugin: plugin.name,
    )


class PluginClass(Struct, frozen=True):
    """A plugin's class, checked."""

    cls: Any
    info: Info


def find(name: str) -> PluginClass | list[str]:
    """The class of a plugin, or everything that is wrong with it."""
    points = entry_points(group=GROUP, name=name)
    if not points:
        known = ", ".join(plugin.name for plugin in installed()) or "none"
        return [f'plugin "{name}" is not installed; installed: {known}']
    if len(points) > 1:
        packages = ", ".join(sorted(point.dist.metadata["Name"] for point in points if point.dist))
        return [f'plugin "{name}" is offered by several packages: {packages}; remove all but one']
    (point,) = points
    return _import(point)


def _import(point: EntryPoint) -> PluginClass | list[str]:
    if point.dist is not None and (problems := checks.check_package(point.dist, hub.__version__)):
        return problems
    try:
        cls = point.load()
    except Exception as error:  # noqa: BLE001 — whatever an import may raise
        return [f"cannot be imported: {type(error).__name__}: {error}"]
    if problems := checks.check_class(cls):
        return problems
    info = cast("Info", cls.INFO)
    unused = [hook for hook in sorted(LIVES_BY) if hook in vars(cls) and hook not in USED_HOOKS]
    if unused:
        return [f"uses {', '.join(unused)}, which this version of the hub does not call yet"]
    return PluginClass(cls, info)


def load_channel(
    config: ChannelConfig,
    organisation_id: int,
    services: Services,
    *,
    allowed_hosts: Collection[str] = (),
    routes: Mapping[str, str] | None = None,
    limits: Limits = LIMITS,
) -> Channel | FailedChannel:
    """One configured channel, ready to start; or why it cannot be."""
    name = config.name or config.plugin
    found = find(config.plugin)
    if isinstance(found, list):
        return _failed(config, name, found)
    info = found.info
    name = config.name or info.label
    if info.role != "channel":
        return _failed(config, name, [f'plugin "{info.name}" is an {info.role}, not a channel'])
    settings = convert_settings(info.settings, config.settings, config.origin)
    if isinstance(settings, list):
        return _failed(config, name, [str(error) for error in settings])
    try:
        manager = checks.load(found.cls, settings)
    except checks.LoadFailed as failed:
        return _failed(config, name, list(failed.problems))
    secrets = tuple(sorted(secrets_in(settings), key=len, reverse=True))
    context = ChannelContext(
        services,
        (organisation_id, config.id),
        config.organisation,
        partial(PluginHttp, allowed_hosts=allowed_hosts, routes=routes),
        secrets,
    )
    return Channel(
        organisation_id=organisation_id,
        organisation=config.organisation,
        id=config.id,
        name=name,
        info=info,
        manager=manager,
        context=context,
        secrets=secrets,
        limits=limits,
    )


def check_channel(config: ChannelConfig) -> list[str]:
    """Everything that is wrong with a configured channel, without starting it."""
    found = find(config.plugin)
    if isinstance(found, list):
        return [str(config.origin.error(("plugin",), problem)) for problem in found]
    settings = convert_settings(found.info.settings, config.settings, config.origin)
    if isinstance(settings, list):
        return [str(error) for error in settings]
    try:
        checks.load(found.cls, settings)
    except checks.LoadFailed as failed:
        return [str(config.origin.error((), problem)) for problem in failed.problems]
    return []


def _failed(config: ChannelConfig, name: str, problems: list[str]) -> FailedChannel:
    return FailedChannel(
        organisation=config.organisation,
        id=config.id,
        plugin=config.plugin,
        name=name,
        problems=tuple(problems) or ("its settings cannot be read",),
    )
