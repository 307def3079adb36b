"""The plugin under test: where it lies, its class, and the package it came with."""

from __future__ import annotations

import importlib
import os
import sys
import tomllib
from email.message import Message
from importlib.metadata import Distribution, entry_points
from pathlib import Path
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
    """The package whose entry point names the class: one that is installed, else the one that is
    written here."""
    info = getattr(cls, "INFO", None)
    name = info.name if isinstance(info, Info) else None
    points = [*entry_points(group=GROUP)]
    for folder in (Path.cwd(), *_around(cls)):
        project = Project.read(folder)
        points += [] if project is None else project.entry_points.select(group=GROUP)
    for point in points:
        if point.value == target or point.name == name:
            return point.dist
    return None


def _around(cls: type) -> tuple[Path, ...]:
    """Where a package would have its ``pyproject.toml``: above ``…/src/package/module``."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return tuple(Path(file).parents[:3]) if file else ()


class Project(Distribution):
    """A package that is not installed (yet), as its ``pyproject.toml`` describes it."""

    def __init__(self, folder: Path, project: dict[str, Any]) -> None:
        self._folder = folder
        self._project = project

    @classmethod
    def read(cls, folder: Path) -> Project | None:
        """The package of a folder, if there is one that says so much of itself."""
        try:
            read = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
        except (OSError, ValueError):
            return None
        project: object = read.get("project")
        if not isinstance(project, dict) or "name" not in project:
            return None
        return cls(folder, cast("dict[str, Any]", project))

    def read_text(self, filename: str) -> str | None:
        """What building it would write into its metadata, as far as anybody asks here."""
        if filename == "METADATA":
            head = Message()
            head["Metadata-Version"] = "2.1"
            head["Name"] = str(self._project["name"])
            head["Version"] = str(self._project.get("version", "0"))
            for needed in self._project.get("dependencies", ()):
                head["Requires-Dist"] = str(needed)
            return head.as_string()
        if filename == "entry_points.txt":
            groups = self._project.get("entry-points", {})
            lines = [f"{name} = {value}" for name, value in groups.get(GROUP, {}).items()]
            return "\n".join([f"[{GROUP}]", *lines])
        return None

    def locate_file(self, path: str | os.PathLike[str]) -> Path:
        """A file of it."""
        return self._folder / path
