"""From rows to Structs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from msgspec import Struct

S = TypeVar("S", bound=Struct)
Row = sa.Row[*tuple[Any, ...]]


def facts(row: Row) -> Mapping[str, Any]:
    """A row's values by the names of its columns."""
    # SQLAlchemy's public name for it, in spite of the underscore.
    return cast("Mapping[str, Any]", row._mapping)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


def struct(kind: type[S], row: Sequence[Any]) -> S:
    """A row, or a part of one, whose columns are the fields of ``kind``, in their order."""
    return kind(**dict(zip(kind.__struct_fields__, row, strict=True)))


def structs(kind: type[S], rows: Iterable[Row]) -> list[S]:
    """The same for many."""
    return [struct(kind, row) for row in rows]
