"""The plugin under test: where it lies, its class, and the package it came with."""

from __future__ import annotations

import importlib
from importlib.metadata import Distribution, entry_points
from typing import Any, cast

from msgspec import Struct

from hub.plugin import Info

GROUP = "hub.plugins"


class SubjectError(Exception):
    """There is no such plugin."""


class Subject(Struct, frozen=True):
    """``target`` is ``package:Class``."""

    target: str
    cls: Any
    distribution: Distribution | None = None

    @property
    def info(self) -> Info:
        """What it says it is; of a class without ``INFO`` nothing."""
        info = getattr(self.cls, "INFO", None)
        return info if isinstance(info, Info) else NOTHING


class _NoSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Of a class that names none."""


NOTHING = Info(name="unknown", role="channel", api="0.0", settings=_NoSettings, label="?")


def find(target: str) -> Subject:
    """``package:Class``, imported. Raises ``SubjectError``."""
    module, colon, name = target.partition(":")
    if not colon or not module or not name:
        raise SubjectError(f"{target!r} is not package:Class")
    try:
        value: object = importlib.import_module(module)
        for step in name.split("."):
            value = getattr(value, step)
    except (ImportError, AttributeError) as error:
        raise SubjectError(f"{target}: {error}") from error
    return of_class(cast("Any", value), target)


def of_class(cls: type, target: str = "") -> Subject:
    """A class at hand."""
    target = target or f"{cls.__module__}:{cls.__qualname__}"
    return Subject(target, cls, _distribution(cls, target))


def _distribution(cls: type, target: str) -> Distribution | None:
    """The package whose entry point names the class."""
    info = getattr(cls, "INFO", None)
    name = info.name if isinstance(info, Info) else None
    for point in entry_points(group=GROUP):
        if point.value == target or point.name == name:
            return point.dist
    return None
