"""Raw settings into a typed Struct, with every mistake named.

msgspec stops at the first mistake it finds; here each field is converted by itself first.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin

import msgspec
from msgspec import Struct, ValidationError

from hub.config.errors import ConfigError, Keys, Origin, did_you_mean, unknown_key
from hub.config.references import UNRESOLVED, Referenced
from hub.plugin.settings import Secret

S = TypeVar("S", bound=Struct)

_ARRAYS: tuple[Any, ...] = (list, tuple, set, frozenset, Iterable)


def convert_settings(
    struct_type: type[S], raw: Mapping[str, Any], origin: Origin | None = None
) -> S | list[ConfigError]:
    """A plugin's settings, or everything that is wrong with them.

    ``raw`` and ``origin`` are those of a ``PluginConfig``. The list is empty when a value could not
    be resolved, or was not asked for because the plugin is switched off: loading has told of the
    first already, and without the value there are no settings.
    """
    origin = origin or Origin()
    errors: list[ConfigError] = []

    def report(keys: Keys, message: str) -> None:
        errors.append(origin.error(keys, message))

    settings = convert(struct_type, raw, ("settings",), report)
    return errors if settings is None else settings


def convert(
    struct_type: type[S], raw: Mapping[str, Any], at: Keys, report: Callable[[Keys, str], None]
) -> S | None:
    """Convert a table that stands at the keys ``at``, reporting each mistake in it."""
    conversion = _Conversion(report)
    tree = conversion.struct(struct_type, raw, at)
    if conversion.failed:
        return None
    try:
        return msgspec.convert(tree, struct_type, dec_hook=_decode)
    except ValidationError as error:
        # What concerns several fields, or a whole array, is known only now.
        keys, message = _understand(error)
        report((*at, *keys), message)
        return None


def salvage(
    struct_type: type[S], raw: Mapping[str, Any], report: Callable[[Keys, str], None]
) -> S | None:
    """Like ``convert``, but without the keys that are wrong, where the rest can do without them."""
    wrong: set[str | int] = {key for key, value in raw.items() if value is UNRESOLVED}

    def note(keys: Keys, message: str) -> None:
        wrong.update(keys[:1])
        report(keys, message)

    whole = convert(struct_type, raw, (), note)
    if whole is not None:
        return whole
    rest = {key: value for key, value in raw.items() if key not in wrong}
    return convert(struct_type, rest, (), lambda _keys, _message: None)


class _Conversion:
    """Walks over a type and a value at once, and gives the value back ready for msgspec."""

    def __init__(self, report: Callable[[Keys, str], None]) -> None:
        self._report = report
        self.failed = False

    def _mistake(self, keys: Keys, message: str) -> Any:
        self.failed = True
        self._report(keys, message)
        return UNRESOLVED

    def value(self, type_: Any, raw: Any, at: Keys) -> Any:
        if raw is UNRESOLVED:
            self.failed = True
            return raw
        shape = _shape(type_)
        if isinstance(shape, type) and issubclass(shape, Struct):
            if not isinstance(raw, dict):
                return self._mistake(at, f"expected table, got {_kind(raw)}")
            return self.struct(shape, cast("dict[str, Any]", raw), at)
        container = cast("Any", get_origin(shape) or shape)
        arguments = get_args(shape)
        if isinstance(raw, list) and container in _ARRAYS and arguments:
            return self._array(container, arguments, cast("list[Any]", raw), at)
        if isinstance(raw, dict) and container in (dict, Mapping) and arguments:
            table = cast("dict[str, Any]", raw)
            return {key: self.value(arguments[1], item, (*at, key)) for key, item in table.items()}
        return self._leaf(type_, raw, at)

    def struct(self, struct_type: type[Struct], raw: Mapping[str, Any], at: Keys) -> dict[str, Any]:
        fields = {field.encode_name: field for field in msgspec.structs.fields(struct_type)}
        tag = struct_type.__struct_config__.tag_field
        tree: dict[str, Any] = {}
        for key, item in raw.items():
            if key in fields:
                tree[key] = self.value(fields[key].type, item, (*at, key))
            elif key == tag:
                tree[key] = item
            else:
                self._mistake((*at, key), unknown_key(key, fields))
        for name, field in fields.items():
            if field.required and name not in raw:
                self._mistake((*at, name), "missing")
        return tree

    def _array(
        self, container: Any, arguments: tuple[Any, ...], raw: list[Any], at: Keys
    ) -> list[Any]:
        fixed = container is tuple and arguments[-1] is not Ellipsis
        item_types = arguments if fixed else arguments[:1] * len(raw)
        if len(item_types) != len(raw):
            return self._mistake(at, f"expected {len(item_types)} values, got {len(raw)}")
        pairs = enumerate(zip(item_types, raw, strict=True))
        return [self.value(item_type, item, (*at, number)) for number, (item_type, item) in pairs]

    def _leaf(self, type_: Any, raw: Any, at: Keys) -> Any:
        plain = self._plain(raw)
        if plain is UNRESOLVED:
            return plain
        # The environment holds only text: "8000" is meant as a number where one is wanted.
        attempts = (True, False) if isinstance(raw, Referenced) else (True,)
        keys, message = (), ""
        for strict in attempts:
            try:
                converted = msgspec.convert(plain, type_, strict=strict, dec_hook=_decode)
            except ValidationError as error:
                keys, message = _understand(error)
            else:
                return plain if strict else converted
        if message.startswith("invalid enum value"):
            message = _choices(type_, raw)
        return self._mistake((*at, *keys), message)

    def _plain(self, raw: Any) -> Any:
        """What msgspec knows: no marks on text, and nothing where something deeper is missing."""
        if raw is UNRESOLVED:
            self.failed = True
        if isinstance(raw, Referenced):
            return str(raw)
        if isinstance(raw, list):
            return [self._plain(item) for item in cast("list[Any]", raw)]
        if isinstance(raw, dict):
            return {key: self._plain(item) for key, item in cast("dict[str, Any]", raw).items()}
        return raw


def _shape(type_: Any) -> Any:
    """The type without its constraints, and without ``None`` beside it: TOML has no null."""
    origin = get_origin(type_)
    if origin is Annotated:
        return _shape(get_args(type_)[0])
    if origin in (Union, types.UnionType):
        members = [member for member in get_args(type_) if member is not types.NoneType]
        if len(members) == 1:
            return _shape(members[0])
    return type_


def _decode(type_: type[Any], raw: Any) -> Any:
    if type_ is Secret:
        if not isinstance(raw, str):
            raise ValidationError(f"Expected `str`, got `{_kind(raw)}`")
        return Secret(str(raw))
    raise NotImplementedError(f"settings cannot hold {type_!r}")


def _understand(error: ValidationError) -> tuple[Keys, str]:
    """The place that msgspec's message names, and the message in the words of TOML."""
    text, _, place = str(error).partition(" - at `$")
    steps = re.findall(r"\.([^.\[\]`]+)|\[(\d+)\]", place)
    keys = tuple(name or int(number) for name, number in steps)
    words = re.sub(r"`([\w |]+)`", _in_words, text)
    return keys, words[:1].lower() + words[1:]


def _in_words(types_: re.Match[str]) -> str:
    """msgspec names types as JSON does; TOML has tables, and no null."""
    names = [name for name in types_[1].split(" | ") if name != "null"]
    return " or ".join("table" if name == "object" else name for name in names)


def _kind(raw: Any) -> str:
    for type_, word in ((dict, "table"), (list, "array"), (str, "str")):
        if isinstance(raw, type_):
            return word
    return type(raw).__name__


def _choices(type_: Any, raw: Any) -> str:
    allowed = [str(choice) for choice in _allowed(type_)]
    hint = "" if isinstance(raw, Referenced) else did_you_mean(str(raw), allowed)
    return f"expected one of {', '.join(allowed)}{hint}"


def _allowed(type_: Any) -> Iterable[Any]:
    shape = _shape(type_)
    if isinstance(shape, type) and issubclass(shape, Enum):
        return [member.value for member in shape]
    if get_origin(shape) is Literal:
        return get_args(shape)
    return [choice for part in get_args(shape) for choice in _allowed(part)]
