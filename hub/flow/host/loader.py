"""From ``hub.toml`` to channels: find the plugin, check it, give it its settings.

Installed is not enabled: only what the configuration names is imported. A channel that fails is
kept with the reason, and the hub starts without it.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from importlib.metadata import Distribution, EntryPoint, entry_points, requires
from typing import Any, cast

import pluggy
from msgspec import Struct
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import hub
from hub.config import AssistantConfig, ChannelConfig, convert_settings
from hub.config.errors import Keys
from hub.config.references import UNRESOLVED
from hub.flow.host.channel import LIMITS, Channel, Limits
from hub.flow.host.context import ChannelContext, Services
from hub.plugin import Info
from hub.plugin.kit import checks
from hub.plugin.kit.answers import ANYTHING
from hub.plugin.kit.http import PluginHttp
from hub.plugin.kit.secrets import as_written, redact, secrets_in

GROUP = "hub.plugins"
EXTRA = "channels"
"""The extra of the hub's package with which the bundled plugins are installed."""


class FailedChannel(Struct, frozen=True, kw_only=True):
    """A channel, or an assistant (``role``), that cannot run, and why."""

    organisation: str
    id: str
    plugin: str
    name: str
    role: str = "channel"
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
    bundled: bool
    """Whether it comes with the hub."""
    version: str | None
    """Of the distribution that brings it."""


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
    except (Exception, SystemExit) as error:  # noqa: BLE001 — whatever an import may raise
        return [f"cannot be imported: {type(error).__name__}: {error}"]
    if problems := checks.check_class(cls):
        return [*problems]
    info = cast("Info", cls.INFO)
    if point.dist is None:
        return PluginClass(cls, info, bundled=False, version=None)
    return PluginClass(cls, info, bundled=_bundled(point.dist), version=point.dist.version)


def _bundled(distribution: Distribution) -> bool:
    """Whether the hub's own package names it as one that comes with it."""
    requirements = map(Requirement, requires(checks.PACKAGE) or [])
    return canonicalize_name(distribution.metadata["Name"]) in {
        canonicalize_name(requirement.name)
        for requirement in requirements
        if requirement.marker is not None and requirement.marker.evaluate({"extra": EXTRA})
    }


def load_channel(
    config: ChannelConfig | AssistantConfig,
    organisation_id: int,
    services: Services,
    *,
    allowed_hosts: Collection[str] = (),
    routes: Mapping[str, str] | None = None,
    limits: Limits = LIMITS,
) -> Channel | FailedChannel:
    """One configured channel or assistant, ready to start; or why it cannot be."""
    try:
        made = _make(config)
    except _Refused as refused:
        return FailedChannel(
            organisation=config.organisation,
            id=config.id,
            plugin=config.plugin,
            name=config.name or config.plugin,
            role=role_of(config),
            problems=refused.problems or ("its settings cannot be read",),
        )
    info = made.info
    context = ChannelContext(
        services,
        (organisation_id, config.id),
        config.organisation,
        partial(PluginHttp, allowed_hosts=allowed_hosts, routes=routes),
        made.secrets,
    )
    return Channel(
        organisation_id=organisation_id,
        organisation=config.organisation,
        id=config.id,
        name=config.name or info.label,
        info=info,
        manager=made.manager,
        context=context,
        secrets=made.secrets,
        limits=limits,
        # The tests hold these to what the suite asks of a reading: no network, no waiting, little
        # time. Another plugin's word for it is not enough, for it would hold up the whole hub.
        inline=made.bundled,
        version=made.version,
    )


def role_of(config: ChannelConfig | AssistantConfig) -> str:
    """What the plugin of a section has to be."""
    return "assistant" if isinstance(config, AssistantConfig) else "channel"


def check_channel(config: ChannelConfig | AssistantConfig) -> list[str]:
    """Everything that is wrong with a configured channel or assistant, without starting it."""
    try:
        _make(config)
    except _Refused as refused:
        if refused.keys is None:
            return list(refused.problems)
        return [str(config.origin.error(refused.keys, problem)) for problem in refused.problems]
    return []


class _Made(Struct, frozen=True):
    """A plugin with its settings."""

    info: Info
    manager: pluggy.PluginManager
    secrets: tuple[str, ...]
    bundled: bool
    version: str | None


class _Refused(Exception):
    """Why there is none. ``keys``: what in the configuration is to blame; ``None`` when the
    problems say so themselves."""

    def __init__(self, problems: Iterable[str], keys: Keys | None) -> None:
        self.problems = tuple(problems)
        self.keys = keys
        super().__init__(*self.problems)


def _migrated(found: PluginClass, config: ChannelConfig | AssistantConfig) -> dict[str, Any]:
    """The settings as the plugin wants them now. Raises ``_Refused``."""
    if config.api in (None, found.info.api):
        return config.settings
    if not hasattr(found.cls, "migrate_settings"):
        problem = (
            f'the settings are of the plugin API {config.api}, "{config.plugin}" is of '
            f"{found.info.api} and cannot take them over: write them anew, and remove api"
        )
        raise _Refused([problem], ("api",))
    leaves = list(_leaves(config.settings))
    if UNRESOLVED in leaves:  # that was told already
        raise _Refused([], ("api",))
    # Which of the texts are secrets is not known yet.
    withheld = as_written(each for each in leaves if isinstance(each, str) and each)
    try:
        migrated: object = found.cls.migrate_settings(
            settings=copy.deepcopy(config.settings), from_api=config.api
        )
    except ANYTHING as error:
        what = redact(f"{type(error).__name__}: {error}", withheld)
        raise _Refused([f"migrate_settings raised {what}"], ("api",)) from None
    if not isinstance(migrated, dict):
        problem = f"migrate_settings returned {type(migrated).__name__}, expected dict"
        raise _Refused([problem], ("api",))
    return cast("dict[str, Any]", migrated)


def _leaves(value: object) -> Iterator[object]:
    """Every value in settings that is no table or list."""
    if isinstance(value, dict):
        for each in cast("dict[str, object]", value).values():
            yield from _leaves(each)
    elif isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _leaves(each)
    else:
        yield value


def _make(config: ChannelConfig | AssistantConfig) -> _Made:
    found = find(config.plugin)
    if isinstance(found, list):
        raise _Refused(found, ("plugin",))
    info = found.info
    if info.role != (wanted := role_of(config)):
        are = {"channel": "a channel", "assistant": "an assistant", "extension": "an extension"}
        problem = f'plugin "{config.plugin}" is {are[info.role]}, not {are[wanted]}'
        raise _Refused([problem], ("plugin",))
    settings = convert_settings(info.settings, _migrated(found, config), config.origin)
    if isinstance(settings, list):
        raise _Refused(map(str, settings), None)
    secrets = as_written(secrets_in(settings))
    try:
        manager = checks.load(found.cls, settings)
        return _Made(checks.info_of(manager), manager, secrets, found.bundled, found.version)
    except checks.LoadFailed as failed:
        problems = [redact(problem, secrets) for problem in failed.problems]
        raise _Refused(problems, ()) from None
