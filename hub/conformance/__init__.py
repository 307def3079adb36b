"""The conformance suite: does a channel behave? For who writes one, outside this repository.

``pytest --hub-plugin package:Class``, or ``hub plugin test package:Class``, or in a test module
``TestAcme = conformance(Acme, cases="tests/cases")``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.conformance.testclass import conformance

__all__ = ["conformance"]


def __getattr__(name: str) -> Any:
    """``conformance`` needs pytest, and the command does not."""
    if name == "conformance":
        from hub.conformance.testclass import conformance as found  # noqa: PLC0415

        return found
    raise AttributeError(name)
