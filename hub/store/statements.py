"""Statements that are made once, at import, and run with values bound by name.

To build a statement costs several times what it takes to run it, so the hot paths keep theirs.
"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

_encode = msgspec.json.Encoder().encode


class _Values(sa.types.TypeDecorator[Any]):
    """Any number of values as one parameter: JSON on SQLite, an array on PostgreSQL."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, item: sa.types.TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.ARRAY(self.item))
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        return list(value) if dialect.name == "postgresql" else _encode(list(value)).decode()


class _Member(FunctionElement[Any]):
    """What stands to the right of a column: that it is one of the values."""

    inherit_cache = True


@compiles(_Member, "sqlite")
def _on_sqlite(element: _Member, compiler: SQLCompiler, **options: Any) -> str:
    values = compiler.process(element.clauses, **options)
    return f"IN (SELECT value FROM json_each({values}))"  # noqa: S608 — a placeholder


@compiles(_Member, "postgresql")
def _on_postgresql(element: _Member, compiler: SQLCompiler, **options: Any) -> str:
    return f"= ANY ({compiler.process(element.clauses, **options)})"


def among(column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
    """The column is one of the values bound as ``name``, however many there are: unlike ``in_``
    the statement stays the same."""
    member = _Member(sa.bindparam(name, type_=_Values(column.type)))
    return column.op("", is_comparison=True, return_type=sa.Boolean())(member)


def bound(**columns: sa.ColumnElement[Any]) -> list[sa.ColumnElement[bool]]:
    """Each column equals the value bound by the name given to it."""
    return [column == sa.bindparam(name, type_=column.type) for name, column in columns.items()]


def unindexed(column: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    """The column where no index is to be used for it: SQLite takes an organisation's index for
    narrower than a list of ids, and would read all of its rows."""
    return column + sa.literal_column("0", sa.Integer)


def columns(table: sa.FromClause, *names: str) -> list[sa.ColumnElement[Any]]:
    """Some columns of a table."""
    return [table.c[name] for name in names]


def fields(table: sa.FromClause, kind: type[Struct]) -> list[sa.ColumnElement[Any]]:
    """The columns of a table that are the fields of a Struct, in their order."""
    return columns(table, *kind.__struct_fields__)
