"""Statements that are made once, at import, and run with values bound by name.

To build a statement costs several times what it takes to run it, so the hot paths keep theirs.
``Many`` goes further for the hottest, the rows that a batch writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite
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


class _OfRows(FunctionElement[Any]):
    inherit_cache = True


@compiles(_OfRows, "sqlite")
def _of_rows_on_sqlite(element: _OfRows, compiler: SQLCompiler, **options: Any) -> str:
    rows = compiler.process(element.clauses, **options)
    return f"IN {rows}"


@compiles(_OfRows, "postgresql")
def _of_rows_on_postgresql(element: _OfRows, compiler: SQLCompiler, **options: Any) -> str:
    rows = compiler.process(element.clauses, **options)
    return f"= ANY (ARRAY (SELECT DISTINCT * FROM {rows} AS rows))"  # noqa: S608 — a subquery


def of_rows(
    column: sa.ColumnElement[Any], rows: sa.Select[*tuple[Any, ...]]
) -> sa.ColumnElement[bool]:
    """The column is what one of the rows has. PostgreSQL makes a list of them first: it would take
    a join of them for much larger than it is."""
    member = _OfRows(rows.correlate(None).scalar_subquery())
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


class Many:
    """An insert or update of many rows, compiled once for each database: a statement for each row
    on SQLite, one for all of them on PostgreSQL, which is given an array for each column.

    SQLAlchemy would ask its compiler for the parameters of every row anew, which takes longer than
    SQLite takes for the row; and PostgreSQL takes several times as long for a row as for one more
    in an array. Values go to the driver as they are: texts, numbers, bytes.
    """

    def __init__(
        self,
        table: sa.TableClause,
        columns: Sequence[str],
        *,
        keys: Sequence[str] = (),
        again: Sequence[str] = (),
        sums: Sequence[str] = (),
    ) -> None:
        """Insert rows; where one is there already, only its columns ``again`` are written, and to
        its ``sums`` is added. With ``keys``, which find a row: update ``columns`` of rows that are
        there."""
        self._table = table
        self._columns = columns
        self._keys = keys
        self._again = again
        self._sums = sums
        self._compiled: dict[str, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = {}

    def run(self, connection: Connection, rows: Sequence[Any]) -> None:
        """Write ``rows``, at least one: Structs of a kind or mappings, by the names of columns."""
        name = connection.dialect.name
        if name not in self._compiled:
            self._compiled[name] = self._compile(connection.dialect)
        text, by_field, by_key = self._compiled[name]
        get = by_key if isinstance(rows[0], Mapping) else by_field
        values = [get(row) for row in rows]
        if name == "postgresql":
            connection.exec_driver_sql(text, tuple(map(list, zip(*values, strict=True))))
        else:
            connection.exec_driver_sql(text, values)

    def _compile(
        self, dialect: sa.Dialect
    ) -> tuple[str, Callable[[Any], Any], Callable[[Any], Any]]:
        make = self._arrays if dialect.name == "postgresql" else self._row
        compiled = make().compile(dialect=dialect, column_keys=list(self._columns))
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 — what else is an insert
        names = [name.removeprefix(_VALUE) for name in compiled.positiontup or []]
        return compiled.string, attrgetter(*names), itemgetter(*names)

    def _row(self) -> sa.Insert | sa.Update:
        columns = self._table.c
        if self._keys:
            return (
                sa.update(self._table)
                .where(*(columns[key] == sa.bindparam(f"{_VALUE}{key}") for key in self._keys))
                .values({name: sa.bindparam(name) for name in self._columns})
            )
        inserted = sqlite.insert(self._table)
        return self._once(inserted) if self._again or self._sums else inserted

    def _arrays(self) -> sa.Insert | sa.Update:
        columns = self._table.c
        names = [*self._keys, *self._columns]
        arrays = [
            sa.bindparam(f"{_VALUE}{name}", type_=postgresql.ARRAY(_sent_as(columns[name].type)))
            for name in names
        ]
        rows = sa.func.unnest(*arrays).table_valued(*names, name="rows").render_derived()
        values = {name: sa.cast(rows.c[name], columns[name].type) for name in self._columns}
        if self._keys:
            found = (columns[key] == rows.c[key] for key in self._keys)
            return sa.update(self._table).where(*found).values(values)
        inserted = postgresql.insert(self._table).from_select(
            list(self._columns), sa.select(*values.values())
        )
        return self._once(inserted) if self._again or self._sums else inserted

    def _once(self, inserted: Any) -> Any:
        return inserted.on_conflict_do_update(
            index_elements=list(self._table.primary_key),
            set_={
                **{name: inserted.excluded[name] for name in self._again},
                **{name: self._table.c[name] + inserted.excluded[name] for name in self._sums},
            },
        )


_VALUE = "value_"


def _sent_as(type_: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    """The type in which a value of a column goes to PostgreSQL."""
    return sa.Text() if isinstance(type_, postgresql.TSVECTOR) else type_
