"""Conditions with many keys as one parameter: as arguments of `in_` each is named, looked at and sent apart."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    JSON,
    ColumnElement,
    Connection,
    Text,
    any_,
    bindparam,
    func,
    select,
    text,
)


def is_one_of_keys(column: ColumnElement[str], dialect: str) -> ColumnElement[bool]:
    """Return that a column is one of the texts of the parameter ``keys``, a list, in this dialect's SQL."""
    if dialect == "postgresql":
        return column == any_(bindparam("keys", type_=ARRAY(Text)))
    keys = func.json_each(bindparam("keys", type_=JSON)).table_valued("value")
    return column.in_(select(keys.c.value))


def plan_each_time(connection: Connection) -> None:
    """Let Postgres plan anew within this transaction, which makes its tables long.

    The plan that it would keep is for the few rows of the beginning: it reads all of them for each list of keys.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
