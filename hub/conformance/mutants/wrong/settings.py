"""Wrong in what it does with settings."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from hub.conformance.cases import Cases
from hub.conformance.mutants.mutant import wrong
from hub.conformance.mutants.reference import Reference, Settings
from hub.plugin import Context, hookimpl


def _with(settings: type[Struct]) -> Any:
    return replace(Reference.INFO, settings=settings)


def _other_example(cases: Cases) -> Cases:
    valid = {**cases.conformance.settings.valid, "desk": "Front Desk"}
    settings = replace(cases.conformance.settings, valid=valid)
    return replace(cases, conformance=replace(cases.conformance, settings=settings))


@wrong("SET-01", "valid_refused", cases=_other_example)
class RefusesItsExample(Reference):
    """Its own example of valid settings is refused."""


class AnyDays(Struct, frozen=True, forbid_unknown_fields=True):
    """A table that takes anything for a number."""

    days: Any = 30


class AnyDesk(Settings, kw_only=True, forbid_unknown_fields=True):
    """Takes any text for a desk."""

    desk: str  # pyright: ignore[reportIncompatibleVariableOverride]
    retention: AnyDays = field(default_factory=AnyDays)  # pyright: ignore[reportIncompatibleVariableOverride]


@wrong("SET-02", "invalid_taken")
class TakesAnyDesk(Reference):
    """It takes what its author says is invalid."""

    INFO = _with(AnyDesk)


class Open(Struct, frozen=True):
    """A table that passes unknown keys over."""

    days: int = 30


class WithOpenTable(Settings, kw_only=True, forbid_unknown_fields=True):
    """One of its tables is open."""

    retention: Open = field(default_factory=Open)  # pyright: ignore[reportIncompatibleVariableOverride]


@wrong("SET-03", "unknown_taken")
class TakesUnknownKeys(Reference):
    """A misspelt key in a table is passed over."""

    INFO = _with(WithOpenTable)


class Regional(Settings, kw_only=True, forbid_unknown_fields=True):
    """The region has no default, and the type does not say so."""

    region: str | None = None  # pyright: ignore[reportIncompatibleVariableOverride]


@wrong("SET-04", "late_error")
class MissesTheRegionLate(Reference):
    """A missing key is found out when it is used."""

    INFO = _with(Regional)

    def __init__(self, settings: Regional) -> None:
        super().__init__(settings)
        self.host = {"eu": "eu.reference.example"}[settings.region]  # type: ignore[index]


class AnyRegion(Settings, kw_only=True, forbid_unknown_fields=True):
    """Its region may be anything."""

    region: Any = "eu"  # pyright: ignore[reportIncompatibleVariableOverride]


@wrong("SET-05", "anything_taken")
class TakesAnyType(Reference):
    """A number for a region is as good as a word."""

    INFO = _with(AnyRegion)


@wrong("SET-06", "printed")
class PrintsItsKey(Reference):
    """Its ``repr`` shows the key."""

    def __repr__(self) -> str:
        return f"Reference({self.settings.key.reveal()})"


class PlainToken(Settings, kw_only=True, forbid_unknown_fields=True):
    """A token that is a plain text."""

    api_token: str = ""


@wrong("SET-06", "not_secret")
class HasAPlainToken(Reference):
    """Everything prints it."""

    INFO = _with(PlainToken)


@wrong("SET-07", "changed")
class WritesToItsSettings(Reference):
    """It keeps a default where the settings were."""

    @hookimpl
    async def startup(self, ctx: Context) -> None:
        await super().startup(ctx)
        self.settings.region = f"{self.settings.region}-1"


@wrong("SET-08", "migrated_otherwise")
class DropsAnOldKey(Reference):
    """The region does not come along."""

    @staticmethod
    @hookimpl
    def migrate_settings(settings: dict[str, Any], from_api: str) -> dict[str, Any]:
        made = Reference.migrate_settings(settings, from_api)
        return {name: value for name, value in made.items() if name != "region"}
