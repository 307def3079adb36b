"""What providers' APIs answer, as far as it is what it should be."""

from __future__ import annotations

import json
from typing import Any, cast

from hub.plugin import HttpResponse


def told(answer: HttpResponse) -> dict[str, Any]:
    """The JSON object of an answer; empty where it is none."""
    try:
        found: Any = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def objects(value: object) -> list[dict[str, Any]]:
    """The JSON objects of a list; empty where it is none."""
    several = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", each) for each in several if isinstance(each, dict)]
