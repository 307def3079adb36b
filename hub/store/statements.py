"""Statements that are made once, at import, and run with values bound by name.

To build a statement costs several times what it takes to run it, so the hot paths keep theirs.
``Many`` goes further for the hottest, the rows that a batch writes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection
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


def fixed(column: sa.ColumnElement[Any], *values: str) -> sa.ColumnElement[bool]:
    """The column is one of these values, which are part of the statement: only so does a database
    see that a partial index on the same condition will do."""
    literals: list[sa.ColumnElement[str]] = [sa.literal_column(f"'{value}'") for value in values]
    return column.in_(literals) if len(literals) > 1 else column == literals[0]


class _Aside(FunctionElement[Any]):
    inherit_cache = True


@compiles(_Aside, "sqlite")
def _aside_on_sqlite(element: _Aside, compiler: SQLCompiler, **options: Any) -> str:
    return "+" + compiler.process(element.clauses, **options)


@compiles(_Aside)
def _aside(element: _Aside, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


def aside(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A column that is checked but not searched by: without statistics SQLite takes the index with
    the most equalities for the best, and may walk far along it."""
    return _Aside(column)


def columns(table: sa.FromClause, *names: str) -> list[sa.ColumnElement[Any]]:
    """Some columns of a table."""
    return [table.c[name] for name in names]


def fields(table: sa.FromClause, kind: type[Struct]) -> list[sa.ColumnElement[Any]]:
    """The columns of a table that are the fields of a Struct, in their order."""
    return columns(table, *kind.__struct_fields__)


KEY = "key_"
"""What the name of a bound value begins with that finds a row; the rest is its column's name."""
_AS_THEY_ARE = (sa.Boolean, sa.LargeBinary)
"""Types whose values SQLAlchemy converts though both drivers take them as they are."""


class Many:
    """An insert or update of many rows, compiled once for each database.

    For each row SQLAlchemy would ask its compiler for the parameters anew, which takes longer than
    the database takes for the row. Values go to the driver as they are: texts, numbers, bytes.
    """

    def __init__(self, statement: sa.Insert | sa.Update, columns: Collection[str] = ()) -> None:
        self._statement = statement
        self._columns = list(columns) or None
        self._compiled: dict[str, tuple[str, list[str]]] = {}

    def run(self, connection: Connection, rows: Sequence[Any]) -> None:
        """Write ``rows``, at least one: Structs of a kind or mappings, by the names of columns."""
        dialect = connection.dialect
        if dialect.name not in self._compiled:
            self._compiled[dialect.name] = self._compile(dialect)
        text, names = self._compiled[dialect.name]
        get: Callable[[Any], tuple[Any, ...]] = attrgetter(*names)
        if isinstance(rows[0], Mapping):
            get = itemgetter(*names)
        connection.exec_driver_sql(text, [get(row) for row in rows])

    def _compile(self, dialect: sa.Dialect) -> tuple[str, list[str]]:
        compiled = self._statement.compile(dialect=dialect, column_keys=self._columns)
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 — what else is an insert
        places = compiled.positiontup or []
        for type_ in (compiled.binds[place].type for place in places):
            if not isinstance(type_, _AS_THEY_ARE) and type_.dialect_impl(dialect).bind_processor(
                dialect
            ):
                raise TypeError(f"a value of the type {type_!r} would have to be converted")
        return compiled.string, [place.removeprefix(KEY) for place in places]
