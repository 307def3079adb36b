"""Settings: what ``hub.toml`` says is taken as it is or refused by name."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import msgspec
from msgspec import Struct

from hub.conformance.check import Failed, NeedsCase, NotApplicable, check
from hub.conformance.settings import plain, settings_of
from hub.conformance.stage import Stage, later
from hub.plugin import Secret
from hub.plugin.kit.recorded import RecordedContext

OTHER_TYPES: tuple[Any, ...] = (7, "some text", True, [7], {"some": "table"})
SECRET_NAME = re.compile(r"(^|_)(secret|password|token)s?$")


def _refusal(stage: Stage, given: Mapping[str, Any]) -> str | None:
    """Why the settings are refused, by their type or by the constructor; ``None``: they are not."""
    try:
        settings = settings_of(stage.info.settings, given)
    except msgspec.ValidationError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 — of a __post_init__
        return f"{type(error).__name__} without a name for it: {error}"
    stage.make(settings, RecordedContext())
    return None


def _names(refusal: str | None, key: str) -> bool:
    last = key.rpartition(".")[2]
    return refusal is not None and re.search(rf"\b{re.escape(last)}\b", refusal) is not None


def _valid(stage: Stage) -> dict[str, Any]:
    stage.settings()
    return stage.raw_settings()


@check("SET-01", "The example of valid settings is taken", why="It is what people copy.")
async def valid_is_taken(stage: Stage) -> None:
    """And an instance can be made with it."""
    refusal = None
    try:
        settings_of(stage.info.settings, stage.raw_settings())
    except msgspec.ValidationError as error:
        refusal = str(error)
    if refusal is not None and not stage.raw_settings():
        raise NeedsCase("conformance.toml has no example of valid settings ([settings.valid])")
    if refusal is not None:
        raise Failed(
            "valid_refused",
            done="loaded [settings.valid] of conformance.toml",
            expected="settings",
            got=refusal,
        )
    stage.make(stage.settings(), RecordedContext())


@check("SET-02", "Invalid settings are refused by name", why="hub check shows people the key.")
async def invalid_is_refused(stage: Stage) -> None:
    """Each ``[[settings.invalid]]`` of the cases, of which there are two or more."""
    invalid = stage.cases.conformance.settings.invalid
    if len(invalid) < 2:
        raise NeedsCase("conformance.toml names fewer than two [[settings.invalid]]")
    _valid(stage)
    for each in invalid:
        refusal = _refusal(stage, stage.raw_settings(**each.change))
        if not _names(refusal, each.key):
            raise Failed(
                "invalid_taken" if refusal is None else "not_named",
                done=f"loaded the settings with {each.change}",
                expected=f"an error that names {each.key}",
                got=refusal or "no error",
            )


@check("SET-03", "An unknown key is refused", why="A misspelt key would be passed over in silence.")
async def unknown_is_refused(stage: Stage) -> None:
    """At the top, and in every table that has a type of its own."""
    for place, kind in _structs(stage.info.settings, "settings"):
        if not kind.__struct_config__.forbid_unknown_fields:
            raise Failed(
                "unknown_taken",
                done=f"looked at {place}, {kind.__name__}",
                expected="forbid_unknown_fields=True",
                got="a type that passes unknown keys over",
            )


def _structs(kind: Any, place: str) -> Iterator[tuple[str, type[Struct]]]:
    if isinstance(kind, type) and issubclass(kind, Struct):
        yield place, kind
        for field in msgspec.structs.fields(kind):
            yield from _structs(field.type, f"{place}.{field.encode_name}")
        return
    for each in get_args(kind):
        yield from _structs(each, place)


@check("SET-04", "A missing key is refused by name", why="A KeyError later names nothing.")
async def missing_is_refused(stage: Stage) -> None:
    """Every key of the example, taken away in turn: it is refused by name, or not needed."""
    valid = _valid(stage)
    if not valid:
        raise NotApplicable("no setting is needed")
    for key in valid:
        rest = {name: value for name, value in valid.items() if name != key}
        try:
            refusal = _refusal(stage, rest)
        except Failed as error:
            refusal = error.got
        if refusal is not None and not _names(refusal, key):
            raise Failed(
                "late_error",
                done=f"loaded the settings without {key}",
                expected=f"settings, or an error that names {key}",
                got=refusal,
            )
        if refusal is not None and "constructor raised" in refusal:
            raise Failed(
                "late_error",
                done=f"loaded the settings without {key}",
                expected="an error of the settings' type, before an instance is made",
                got=refusal,
            )


@check("SET-05", "A value of another type is refused by name", why="It would fail far from here.")
async def wrong_type_is_refused(stage: Stage) -> None:
    """For each key of the example: of the types there are, some are wrong."""
    for key in _valid(stage):
        refusals: list[str | None] = []
        for other in OTHER_TYPES:
            try:
                settings_of(stage.info.settings, stage.raw_settings(**{key: other}))
                refusals.append(None)
            except msgspec.ValidationError as error:
                refusals.append(str(error))
            except Exception as error:  # noqa: BLE001 — of a __post_init__
                refusals.append(f"{type(error).__name__}: {error}")
        refused = [each for each in refusals if each is not None]
        nameless = [each for each in refused if not _names(each, key)]
        if not refused or nameless:
            raise Failed(
                "anything_taken" if not refused else "not_named",
                done=f"gave {key} values of other types: {OTHER_TYPES}",
                expected=f"an error that names {key}",
                got=nameless[0] if nameless else "no error for any of them",
            )


@check("SET-06", "Secrets are typed Secret and print nothing", why="Logs and pages show settings.")
async def secrets_are_secret(stage: Stage) -> None:
    """Whatever is named token, secret or password; and what the instance prints of itself."""
    for field in msgspec.structs.fields(stage.info.settings):
        if SECRET_NAME.search(field.encode_name) and not _mentions_secret(field.type):
            raise Failed(
                "not_secret",
                done=f"looked at the type of {field.encode_name}",
                expected="hub.plugin.Secret",
                got=str(field.type),
            )
    async with stage.running() as one:
        shown = f"{one.settings!r} {one.settings} {one.plugin!r} {one.plugin}"
        for secret in one.secrets():
            if secret in shown:
                raise Failed(
                    "printed",
                    done="printed the settings and the instance",
                    expected="no secret",
                    got=shown.replace(secret, "(the secret)")[:300],
                )


def _mentions_secret(kind: Any) -> bool:
    return kind is Secret or any(_mentions_secret(each) for each in get_args(kind))


@check("SET-07", "The settings are left as they are", why="A reload compares them with the file.")
async def settings_are_left_alone(stage: Stage) -> None:
    """After start-up, a delivery, a message and a rendering."""
    settings = stage.settings()
    before: object = plain(settings)
    async with stage.running(settings) as one:
        for case in stage.cases.ingest[:3]:
            await one.ingest(stage.delivery(case))
        for case in stage.cases.send[:1]:
            await one.send(stage.message(case, deadline=later(300)))
    if plain(settings) != before:
        raise Failed(
            "changed",
            done="used an instance, and compared its settings with those it was given",
            expected="the same settings",
            got="other settings",
        )


@check("SET-08", "Older settings are taken over", why="A new version would be without them.")
async def older_are_taken_over(stage: Stage) -> None:
    """Each ``[[settings.older]]``: becomes what it is to, which is valid, each time the same."""
    migrate = getattr(stage.subject.cls, "migrate_settings", None)
    if migrate is None:
        raise NotApplicable("it has no migrate_settings")
    older = stage.cases.conformance.settings.older
    if not older:
        raise NeedsCase("conformance.toml has no [[settings.older]]")
    for each in older:
        done = f"gave migrate_settings the settings of the plugin API {each.api}"
        given = copy.deepcopy(each.was)
        try:
            made: object = migrate(settings=given, from_api=each.api)
            again: object = migrate(settings=copy.deepcopy(each.was), from_api=each.api)
        except Exception as error:
            got = f"{type(error).__name__}: {error}"
            raise Failed("raised", done=done, expected="settings", got=got) from error
        if made != each.becomes or again != made:
            raise Failed(
                "migrated_otherwise", done=done, expected=str(each.becomes), got=f"{made}, {again}"
            )
        refusal = _refusal(stage, each.becomes)
        if refusal is not None:
            raise Failed("migrated_invalid", done=done, expected="valid settings", got=refusal)
