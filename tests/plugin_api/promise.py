"""The plugin API as facts, a line each, and which changes of them a version may bring.

``python -m tests.plugin_api.promise`` (``make plugin-api``) writes the facts down, and those of a
new version once more, as ``api-1.0.json``, which nobody changes afterwards; tests
compare with both.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec
from msgspec import Struct

import hub.plugin
from hub.plugin import (
    context,
    errors,
    reading,
    rendering,
    sending,
    settings,
    sms,
    types,
)
from hub.plugin import hooks as hooks_module
from hub.plugin.hooks import HubSpec

Facts = Mapping[str, str]
"""Where something stands (``Message.text``, ``hook send(message)``) to what it is."""

SNAPSHOT = Path(__file__).with_name("api.json")
COMMAND = "make plugin-api"
PROVISIONAL = "provisional "
REQUIRED = ", required"
HOOK = "hook "
VERSION = "API_VERSION"
_QUOTES = "'"
MODULES = (types, errors, context, settings, hooks_module, sms, reading, sending, rendering)

_NAMES: dict[str, Any] = {
    **{name: getattr(hub.plugin, name) for name in hub.plugin.__all__},
    "reading.Id": reading.Id,
    "reading.read_json": reading.read_json,
    "rendering.plain_text": rendering.plain_text,
    "rendering.shortened": rendering.shortened,
    "sending.accepted": sending.accepted,
    "sending.refusal": sending.refusal,
    "sending.retry_after": sending.retry_after,
    "sending.text_of": sending.text_of,
    "sms.Segments": sms.Segments,
    "sms.count": sms.count,
}


def facts() -> dict[str, str]:
    """Everything that a plugin may rely on, sorted by place."""
    found: dict[str, str] = {}
    for name, value in _NAMES.items():
        for place, what in _of(name, value):
            mark = PROVISIONAL if is_provisional(value) or _is_provisional_part(place) else ""
            found[place] = mark + what
    for name, hook in hooks().items():
        mark = PROVISIONAL if is_provisional(hook) else ""
        found |= {place: mark + what for place, what in _function(f"{HOOK}{name}", hook)}
    return dict(sorted(found.items()))


def frozen() -> dict[str, dict[str, str]]:
    """The facts of every version that was declared, as they were then."""
    return {
        path.stem.removeprefix("api-"): json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(SNAPSHOT.parent.glob("api-*.json"))
    }


def hooks() -> dict[str, Any]:
    """The hook specifications by name."""
    return {name: hook for name, hook in vars(HubSpec).items() if hasattr(hook, "hub_spec")}


def is_provisional(value: Any) -> bool:
    """Whether its docstring says so."""
    return (getattr(value, "__doc__", None) or "").startswith("Provisional")


def described() -> dict[str, str]:
    """What stands below an assignment or a field of the API, by ``name`` or ``Class.name``."""
    found: dict[str, str] = {}
    for module in MODULES:
        tree = ast.parse(Path(module.__file__ or "").read_text(encoding="utf-8"))
        found |= _described_in(tree.body, "")
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                found |= _described_in(node.body, f"{node.name}.")
    return found


def _described_in(body: list[ast.stmt], owner: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for statement, after in pairwise(body):
        match statement, after:
            case (
                (ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name))),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[owner + name] = text
            case _:
                pass
    return found


def _is_provisional_part(place: str) -> bool:
    """Of a field, a method, or a choice: "Provisional." begins its text, or "Provisional: ``…``"
    there names the choices that are."""
    owner, _, choice = place.partition(": ")
    owner = owner.partition("(")[0]
    cls, _, attribute = owner.rpartition(".")
    text = _described().get(owner, "")
    some = " ".join(_CHOICES.findall(text))
    return (
        text.startswith("Provisional.")
        or (bool(choice) and (f"``{choice}``" in some or is_provisional(_NAMES.get(choice))))
        or is_provisional(vars(_NAMES.get(cls, object)).get(attribute))
    )


_CHOICES = re.compile(r"Provisional:\s+((?:``\w+``[,\s]*)+)")
_described = cache(described)


def mistakes(before: Facts, now: Facts) -> list[str]:
    """What the change from one version's facts to another's may not be, with what to do."""
    old, new = _version(before), _version(now)
    if new[0] != old[0] or old[0] == 0:
        return []
    firm = {place: what for place, what in before.items() if not what.startswith(PROVISIONAL)}
    gone = [f"{place} ({what}) is gone" for place, what in firm.items() if place not in now]
    other = [
        f"{place} was {what!r} and is {now[place]!r}"
        for place, what in firm.items()
        if place in now and now[place] != what and place != VERSION
    ]
    added = [place for place in now if place not in before]
    narrow = [f"{place} is new and {why}" for place in added if (why := _breaks(place, firm, now))]
    found: list[str] = []
    if broken := [*gone, *other, *narrow]:
        found.append(
            f"Plugins written for {old[0]}.{old[1]} would break; this waits for {old[0] + 1}.0. "
            "Put back what was there, and what is new beside it, as a field with a default:\n  "
            + "\n  ".join(broken)
        )
    if added and new[1] <= old[1]:
        found.append(
            f"What is added needs a new minor version: set API_VERSION in hub/plugin/types.py to "
            f'"{old[0]}.{old[1] + 1}", then {COMMAND}:\n  ' + "\n  ".join(added)
        )
    return found


def differences(before: Facts, now: Facts) -> list[str]:
    """What is not as it was written down, a line each."""
    return [
        f"{'-' if place not in now else '+' if place not in before else '~'} {place}: "
        f"{now.get(place, before.get(place))}"
        for place in sorted({*before, *now})
        if before.get(place) != now.get(place)
    ]


def _breaks(place: str, firm: Facts, now: Facts) -> str | None:
    """Why a plugin that does not know of an addition would be broken by it."""
    owner = place.partition("(")[0]
    if "(" in place and owner.startswith(HOOK) and owner in firm:
        return "the arguments of a hook never change: put it into one of its types"
    if "(" not in place:
        owner = place.partition(":")[0].rpartition(".")[0]
    return "has no default" if owner in firm and now[place].endswith(REQUIRED) else None


def _version(known: Facts) -> tuple[int, int]:
    major, minor = known[VERSION].strip(_QUOTES).split(".")
    return int(major), int(minor)


# ---------------------------------------------------------------------- one name


def _of(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, repr(value)
    elif get_origin(value) in (Literal, Union, UnionType):
        yield name, "one of"
        members = (part if isinstance(part, str) else _text(part) for part in get_args(value))
        yield from ((f"{name}: {member}", "member") for member in members)
    elif get_origin(value) is Annotated:
        kind, *rules = get_args(value)
        yield name, f"{_text(kind)} with {', '.join(map(repr, rules))}"
    elif inspect.isclass(value):
        yield from _class(name, value)
    elif inspect.isfunction(value):
        yield from _function(name, value)
    else:
        yield name, type(value).__name__


def _class(name: str, cls: type) -> Iterator[tuple[str, str]]:
    bases = [base.__name__ for base in cls.__bases__ if base.__module__ != "builtins"]
    if issubclass(cls, Struct):
        tag = cls.__struct_config__.tag
        yield name, f"struct{'' if tag is None else f' tagged {tag!r}'}"
        hints = get_type_hints(cls)
        for field in msgspec.structs.fields(cls):
            place = f"{name}.{field.name}"
            yield place, f"field {_text(hints[field.name])}{_field_default(field)}"
            yield from _inline_members(place, hints[field.name])
    elif issubclass(cls, Exception):
        yield name, f"error, a kind of {', '.join(bases) or 'Exception'}"
    else:
        yield name, "protocol" if bases == ["Protocol"] else "class"
        for attribute, hint in get_type_hints(cls).items():
            yield f"{name}.{attribute}", f"attribute {_text(hint)}"
        yield from (
            (f"{name}.{slot}", "attribute")
            for slot in getattr(cls, "__slots__", ())
            if not slot.startswith("_")
        )
    for attribute, own in vars(cls).items():
        function = getattr(own, "__func__", own)
        public = not attribute.startswith("_") or attribute == "__init__"
        own_code = inspect.isfunction(function) and function.__module__.startswith("hub.")
        if public and own_code and HubSpec is not cls:
            yield from _function(f"{name}.{attribute}", function)


def _function(place: str, function: Any) -> Iterator[tuple[str, str]]:
    hints = get_type_hints(function)
    kind = "async " if inspect.iscoroutinefunction(function) else ""
    answer = "" if place.endswith("__init__") else f" -> {_text(hints.get('return'))}"
    yield place, f"{kind}function{answer}"
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in {"self", "cls"} or parameter.name.startswith("_"):
            continue
        hint = hints.get(parameter.name)
        star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        end = "" if star else _default(parameter.default, parameter.empty)
        by_name = ", by name" if parameter.kind is parameter.KEYWORD_ONLY else ""
        argument = f"{place}({parameter.name})"
        yield argument, f"argument {star}{_text(hint)}{by_name}{end}"
        yield from _inline_members(argument, hint)


def _inline_members(place: str, hint: Any) -> Iterator[tuple[str, str]]:
    """The choices of a type that has no name of its own, each a fact: more of them is growth."""
    if _named(hint):
        return
    if get_origin(hint) is Literal:
        yield from ((f"{place}: {choice}", "member") for choice in get_args(hint))
    for part in get_args(hint) if get_origin(hint) is not Literal else ():
        yield from _inline_members(place, part)


def _named(hint: Any) -> str | None:
    """The public name of a type that is an alias."""
    for name, value in _NAMES.items():
        if get_origin(value) in (Literal, Union, UnionType) and value == hint:
            return name
    return None


def _text(hint: Any) -> str:
    if name := _named(hint):
        return name
    origin = get_origin(hint)
    if simple := {None: "None", NoneType: "None", ...: "..."}.get(_hashable(hint)):
        return simple
    if isinstance(hint, TypeVar):
        return f"any {hint.__name__}"
    if origin is Literal:
        return "one of"
    if origin in (Union, UnionType):
        return " | ".join(map(_text, get_args(hint)))
    if isinstance(hint, list):
        return f"[{', '.join(map(_text, cast('list[Any]', hint)))}]"
    if origin is not None:
        name = getattr(origin, "__name__", str(origin))
        return f"{name}[{', '.join(map(_text, get_args(hint)))}]"
    return getattr(hint, "__name__", None) or repr(hint)


def _hashable(hint: Any) -> Any:
    return tuple(cast("list[Any]", hint)) if isinstance(hint, list) else hint


def _field_default(field: msgspec.structs.FieldInfo) -> str:
    if field.default_factory is not msgspec.NODEFAULT:
        return f" = {_value(field.default_factory())}"
    return _default(field.default, msgspec.NODEFAULT)


def _default(default: Any, missing: Any) -> str:
    return REQUIRED if default is missing else f" = {_value(default)}"


def _value(value: Any) -> str:
    if isinstance(value, frozenset):
        return f"{{{', '.join(sorted(map(repr, cast('frozenset[Any]', value))))}}}"
    if isinstance(value, Struct):
        given = {
            field.name: getattr(value, field.name)
            for field in msgspec.structs.fields(value)
            if getattr(value, field.name) != field.default
        }
        return f"{type(value).__name__}({', '.join(f'{k}={_value(v)}' for k, v in given.items())})"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def main() -> int:
    """Write the snapshot, unless the version may not change so; the exit code."""
    now = facts()
    before = json.loads(SNAPSHOT.read_text(encoding="utf-8")) if SNAPSHOT.exists() else now
    if found := [each for was in (before, *frozen().values()) for each in mistakes(was, now)]:
        sys.stderr.write("\n".join(["The snapshot was left as it is.", *found, ""]))
        return 1
    text = f"{json.dumps(now, indent=1, ensure_ascii=False)}\n"
    SNAPSHOT.write_text(text, encoding="utf-8")
    declared = SNAPSHOT.with_name(f"api-{now[VERSION].strip(_QUOTES)}.json")
    if _version(now)[0] and not declared.exists():
        declared.write_text(text, encoding="utf-8")
    lines = differences(before, now)
    sys.stdout.write("\n".join([f"{SNAPSHOT.name}: {len(now)} facts", *lines, ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
