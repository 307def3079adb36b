"""Whether what came is what a case expects: every field it names, and lists of the same length."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

from hub.conformance.cases import IngestCase
from hub.conformance.check import Failed
from hub.conformance.stage import Outcome, plain
from hub.plugin import IngestResult


def differences(wanted: Any, given: Any, at: str = "") -> Iterator[str]:
    """Where ``given`` is not as ``wanted``."""
    if isinstance(wanted, dict):
        fields = cast("dict[str, Any]", wanted)
        if not isinstance(given, dict):
            yield f"{at or 'it'}: expected {wanted!r}, got {given!r}"
            return
        table = cast("dict[str, Any]", given)
        for name, value in fields.items():
            yield from differences(value, table.get(name), f"{at}.{name}".lstrip("."))
    elif isinstance(wanted, (list, tuple)):
        some = cast("list[Any]", wanted)
        others = cast("list[Any]", given) if isinstance(given, (list, tuple)) else []
        if len(some) != len(others):
            yield f"{at}: expected {len(some)}, got {len(others)}"
            return
        for number, (one, other) in enumerate(zip(some, others, strict=True)):
            yield from differences(one, other, f"{at}[{number}]")
    elif not _same(wanted, given):
        yield f"{at}: expected {wanted!r}, got {given!r}"


def _same(wanted: Any, given: Any) -> bool:
    """Two ways to write one time are the same."""
    if wanted == given:
        return True
    try:
        return datetime.fromisoformat(wanted) == datetime.fromisoformat(given)
    except (TypeError, ValueError):
        return False


def told(outcome: Outcome) -> dict[str, Any]:
    """What came of an ``ingest``, as a case writes it."""
    if isinstance(outcome.value, IngestResult):
        result = plain(outcome.value)
        reply: Any = result["reply"]
        if reply is not None and outcome.value.reply is not None:
            reply["body"] = outcome.value.reply.body.decode("utf-8", "replace")
        return result
    return {"error": outcome.name}


def as_expected(case: IngestCase, outcome: Outcome) -> bool:
    """Whether a case is read as it expects."""
    return outcome.declared and not any(_unlike(case, outcome))


def _unlike(case: IngestCase, outcome: Outcome) -> Iterator[str]:
    wanted: dict[str, Any] = case.expect
    if "error" not in wanted:
        wanted = {"events": list[Any](), **wanted}
    return differences(wanted, told(outcome))


def expect_case(case: IngestCase, outcome: Outcome, code: str) -> None:
    """Raises ``Failed`` when a case is not read as it expects."""
    if not as_expected(case, outcome):
        found = _unlike(case, outcome)
        raise Failed(
            code,
            done=f"ingested the case {case.name}",
            expected=str(case.expect)[:300],
            got=f"{outcome}; {'; '.join(found)[:300]}",
        )
