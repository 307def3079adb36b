"""A module that computes for long when it is imported."""

from __future__ import annotations

from hub.conformance.mutants.reference import Reference

SUM = sum(number * number for number in range(40_000_000))

__all__ = ["Reference"]
