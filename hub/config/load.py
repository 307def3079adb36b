"""Reading ``hub.toml``: every mistake is gathered, none hides another."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from msgspec import Struct, field

from hub.config.convert import salvage
from hub.config.document import Document, Report
from hub.config.errors import ConfigError, ConfigErrors, Origin, did_you_mean, unknown_key
from hub.config.mail import mail_section
from hub.config.model import (
    AssistantConfig,
    ChannelConfig,
    ExtensionConfig,
    HubConfig,
    Organisation,
    PluginConfig,
)
from hub.config.process import hub_section
from hub.config.references import References, replace_references, withhold
from hub.config.sign_in import sign_in_sections
from hub.config.texts import text_sections

DEFAULT_FILE = "hub.toml"
DEFAULT_ORGANISATION = Organisation(slug="main", name="Main", time_zone="UTC")
DEFAULT_CHANNELS = tuple(
    ChannelConfig(
        id=simulator,
        organisation=DEFAULT_ORGANISATION.slug,
        plugin=simulator,
        enabled=True,
        name=None,
        settings={},
        origin=Origin(path="defaults", where=f'channel "{simulator}"'),
    )
    for simulator in ("simulator", "simulator-whatsapp", "simulator-calls", "simulator-email")
)

_SECTIONS = ("hub", "notices", "sign_in", "organisations", "channels", "assistants", "extensions")
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_SLUG_LENGTH = 63

P = TypeVar("P", bound=PluginConfig)


class _OrganisationTable(Struct, frozen=True):
    slug: str
    name: str | None = None
    time_zone: str = "UTC"


class _PluginTable(Struct, frozen=True):
    id: str
    plugin: str
    organisation: str | None = None
    enabled: bool = True
    name: str | None = None
    allow_hosts: tuple[str, ...] = ()
    api: str | None = None
    settings: dict[str, Any] = field(default_factory=dict[str, Any])


class _ChannelTable(_PluginTable, frozen=True):
    assistant: str | None = None


class Reading(Struct, frozen=True, kw_only=True):
    """What a configuration says, and what is wrong with it."""

    config: HubConfig
    """Without the sections that cannot be used, and with defaults for values that cannot."""
    errors: list[ConfigError]


def load(
    path: Path | None,
    environ: Mapping[str, str],
    *,
    host: str | None = None,
    port: int | None = None,
) -> HubConfig:
    """The configuration, or ``ConfigErrors`` with every mistake in it. Arguments: see ``read``."""
    reading = read(path, environ, host=host, port=port)
    if reading.errors:
        raise ConfigErrors(reading.errors)
    return reading.config


def read(
    path: Path | None,
    environ: Mapping[str, str],
    *,
    host: str | None = None,
    port: int | None = None,
) -> Reading:
    """Read the file at ``path``, or ``hub.toml`` in the working directory if there is one, or
    the defaults: SQLite, one organisation, the simulators.

    ``host`` and ``port`` win over the environment, which wins over the file.
    """
    if path is None and Path(DEFAULT_FILE).exists():
        path = Path(DEFAULT_FILE)
    document = Document(path, environ)
    report = document.report_to(document.origin(""))
    for key in document.content:
        if key not in _SECTIONS:
            report((key,), unknown_key(key, _SECTIONS))
    hub = hub_section(document, host, port)
    organisations = tuple(_organisations(document))
    sections = _PluginSections(document, organisations)
    channels = tuple(sections.read("channels", ChannelConfig, _ChannelTable))
    if path is None:
        channels = DEFAULT_CHANNELS
    assistants = tuple(sections.read("assistants", AssistantConfig))
    _check_assistants(document, channels, assistants)
    slugs = [organisation.slug for organisation in organisations]
    config = HubConfig(
        path=path,
        hub=hub,
        mail=mail_section(document),
        texts=tuple(text_sections(document, slugs, channels)),
        sign_in=tuple(sign_in_sections(document, slugs)),
        organisations=organisations,
        channels=channels,
        assistants=assistants,
        extensions=tuple(sections.read("extensions", ExtensionConfig)),
    )
    return Reading(config=config, errors=document.errors)


def _organisations(document: Document) -> Iterator[Organisation]:
    if "organisations" not in document.content:
        yield DEFAULT_ORGANISATION
        return
    taken: dict[str, Origin] = {}
    for raw, origin in document.tables("organisations", "organisation", "slug"):
        report = document.report_to(origin)
        references = References(document.environ, document.folder, report)
        resolved = replace_references(raw, (), references.look_up)
        table = salvage(_OrganisationTable, resolved, report)
        if table is None or not _check_slug(table.slug, "slug", report):
            continue
        if table.slug in taken:
            report(("slug",), f"already used by the organisation on {_line(taken[table.slug])}")
            continue
        taken[table.slug] = origin
        _check_time_zone(table.time_zone, report)
        yield Organisation(
            slug=table.slug, name=table.name or table.slug, time_zone=table.time_zone
        )


class _PluginSections:
    """``[[channels]]``, ``[[assistants]]`` and ``[[extensions]]``, which share their ids."""

    def __init__(self, document: Document, organisations: tuple[Organisation, ...]) -> None:
        self._document = document
        self._slugs = [organisation.slug for organisation in organisations]
        self._taken: dict[tuple[str, str], Origin] = {}

    def read(
        self, section: str, config_type: type[P], table_type: type[_PluginTable] = _PluginTable
    ) -> Iterator[P]:
        for raw, origin in self._document.tables(section, section.removesuffix("s"), "id"):
            config = self._one(raw, origin, config_type, table_type)
            if config is not None:
                yield config

    def _one(
        self,
        raw: dict[str, Any],
        origin: Origin,
        config_type: type[P],
        table_type: type[_PluginTable],
    ) -> P | None:
        report = self._document.report_to(origin)
        resolved = self._resolve(raw, report)
        settings: dict[str, Any] = {}
        if isinstance(resolved.get("settings"), dict):
            # What they must be is for the plugin to say; here they need only be a table.
            settings = resolved.pop("settings")
        table = salvage(table_type, resolved, report)
        if table is None or not _check_slug(table.id, "id", report):
            return None
        organisation = self._organisation(table, report)
        if organisation is None:
            return None
        if other := self._taken.get((organisation, table.id)):
            report(("id",), f"already used in this organisation on {_line(other)}")
            return None
        self._taken[organisation, table.id] = origin
        more = {"assistant": table.assistant} if isinstance(table, _ChannelTable) else {}
        return config_type(
            id=table.id,
            organisation=organisation,
            plugin=table.plugin,
            enabled=table.enabled,
            name=table.name,
            allow_hosts=table.allow_hosts,
            api=table.api,
            settings=settings,
            origin=origin,
            **more,
        )

    def _resolve(self, raw: dict[str, Any], report: Report) -> dict[str, Any]:
        if raw.get("enabled") is False:
            return withhold(raw)
        references = References(self._document.environ, self._document.folder, report)
        return replace_references(raw, (), references.look_up)

    def _organisation(self, table: _PluginTable, report: Report) -> str | None:
        given = table.organisation
        if given is None and len(self._slugs) == 1:
            return self._slugs[0]
        if given in self._slugs:
            return given
        if given is None:
            report(("organisation",), f"missing; known: {', '.join(self._slugs) or 'none'}")
        else:
            hint = did_you_mean(given, self._slugs)
            report(("organisation",), f"no [[organisations]] has this slug{hint}")
        return None


def _check_assistants(
    document: Document,
    channels: tuple[ChannelConfig, ...],
    assistants: tuple[AssistantConfig, ...],
) -> None:
    """What a channel names has to be there, and switched on."""
    for channel in channels:
        named = channel.assistant
        if named is None or not channel.enabled:
            continue
        own = {one.id: one for one in assistants if one.organisation == channel.organisation}
        report = document.report_to(channel.origin)
        if named not in own:
            hint = did_you_mean(named, own)
            report(("assistant",), f"no [[assistants]] of this organisation has this id{hint}")
        elif not own[named].enabled:
            report(("assistant",), "this assistant is switched off")


def _check_slug(slug: str, key: str, report: Report) -> bool:
    if _SLUG.fullmatch(slug) and len(slug) <= _SLUG_LENGTH:
        return True
    rule = "expected lower-case letters and digits, with single hyphens between them"
    report((key,), f"{rule}, at most {_SLUG_LENGTH}")
    return False


def _check_time_zone(name: str, report: Report) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        hint = did_you_mean(name, available_timezones())
        report(("time_zone",), f"no time zone has this name{hint}")


def _line(origin: Origin) -> str:
    return f"line {origin.lines.get(origin.base)}"
