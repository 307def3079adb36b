"""Every public name of the plugin API says what it means, and what is provisional says so."""

from __future__ import annotations

import inspect
import re
from typing import Any, get_args

import msgspec
import pytest
from msgspec import Struct

import hub.plugin
from hub.plugin import types
from hub.plugin.kit.checks import ASSISTANT_EVENTS, EXTENSION_HOOKS
from tests.plugin_api.promise import PROVISIONAL, described, facts, is_provisional
from tests.plugin_api.promise import hooks as specified

DESCRIBED = described()
GLOSSARY = set(re.findall(r"^- ``(\w+)``", types.__doc__ or "", re.MULTILINE))
CLASSES = {
    name: value
    for name in hub.plugin.__all__
    if inspect.isclass(value := getattr(hub.plugin, name))
}


def _named_in(text: str | None) -> set[str]:
    return {word for quoted in re.findall(r"``([^`]+)``", text or "") for word in
            re.findall(r"\w+", quoted)}  # fmt: skip


def _says_itself(hint: Any) -> bool:
    """Whether a type of the API's own, documented at its own place, says what it is."""
    parts = [hint, *get_args(hint)]
    return any(part in CLASSES.values() for part in parts)


@pytest.mark.parametrize("name", hub.plugin.__all__)
def test_a_name_says_what_it_means(name: str) -> None:
    value = getattr(hub.plugin, name)
    if inspect.isclass(value):
        assert "__doc__" in vars(value)
        assert len((value.__doc__ or "").split()) > 1
    else:
        assert DESCRIBED.get(name), f"put a docstring below {name} = …"


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_its_fields_and_methods_say_so_too(name: str) -> None:
    cls = CLASSES[name]
    fields = msgspec.structs.fields(cls) if issubclass(cls, Struct) else ()
    silent = [
        field.name
        for field in fields
        if f"{name}.{field.name}" not in DESCRIBED
        and field.name not in _named_in(cls.__doc__) | GLOSSARY
        and not _says_itself(field.type)
    ]
    attributes = [] if issubclass(cls, Struct) else vars(cls).get("__annotations__", {})
    silent += [
        attribute
        for attribute in attributes
        if f"{name}.{attribute}" not in DESCRIBED and attribute not in _named_in(cls.__doc__)
    ]
    silent += [
        attribute
        for attribute, own in vars(cls).items()
        if inspect.isfunction(function := getattr(own, "__func__", own))
        and not attribute.startswith("_")
        and function.__module__.startswith("hub.")
        and not function.__doc__
    ]
    assert silent == [], "say what it means below it, in the class's docstring, or in the glossary"


@pytest.mark.parametrize("name", sorted(specified()))
def test_a_hook_says_what_it_is_asked_and_with_what(name: str) -> None:
    hook = specified()[name]
    assert hook.__doc__
    hints = inspect.get_annotations(hook, eval_str=True)
    silent = [
        argument
        for argument in inspect.signature(hook).parameters
        if argument != "self"
        and not _says_itself(hints[argument])
        and argument not in _named_in(hook.__doc__)
    ]
    assert silent == []


def test_what_only_assistants_and_extensions_use_is_marked_provisional() -> None:
    events = {event.__struct_config__.tag: event for event in get_args(types.Event)}
    assert {tag for tag, event in events.items() if is_provisional(event)} == ASSISTANT_EVENTS
    marked = {name for name, hook in specified().items() if is_provisional(hook)}
    assert marked == set(EXTENSION_HOOKS)
    others = {cls for cls in CLASSES.values() if is_provisional(cls)} - set(events.values())
    assert {cls.__name__ for cls in others} == {"CallTask", "Change", "CrmFacts", "RecordRef"}
    whole = {*(cls.__name__ for cls in CLASSES.values() if is_provisional(cls))}
    parts = {
        place
        for place, what in facts().items()
        if what.startswith(PROVISIONAL)
        and place.partition(".")[0] not in whole
        and "(" not in place
        and not place.startswith("hook ")
    }
    assert parts == {
        "CallFacts.assistant",
        "Capabilities.streaming",
        "Context.ask",
        *(f"Event: {events[tag].__name__}" for tag in ASSISTANT_EVENTS),
        *(f"Info.role: {role}" for role in ("assistant", "extension")),
        *(f"Item.kind: {kind}" for kind in ("draft", "summary", "suggestion")),
        "Outbound.kind: assist",
        "Outbound.task",
    }
