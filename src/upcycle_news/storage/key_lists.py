"""Many keys or rows as one parameter, in JSON: as parameters of their own each is named, looked at and sent apart."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Dialect,
    Text,
    bindparam,
    cast,
    func,
    select,
    text,
)
from sqlalchemy.types import TypeDecorator


class JsonText(TypeDecorator[Any]):
    """A parameter that is sent as JSON, with characters as they are: a server without an encoding knows no escapes."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """Return the JSON of a value."""
        return json.dumps(value, ensure_ascii=False)


def is_one_of_keys(column: ColumnElement[str], dialect: str) -> ColumnElement[bool]:
    """Return that a column is one of the texts of the parameter ``keys``, a list, in this dialect's SQL."""
    keys = bindparam("keys", type_=JsonText)
    if dialect == "postgresql":
        return column.in_(select(func.json_array_elements_text(cast(keys, JSON))))
    return column.in_(select(func.json_each(keys).table_valued("value").c.value))


def plan_each_time(connection: Connection) -> None:
    """Let Postgres plan anew within this transaction, which makes its tables long.

    The plan that it would keep is for the few rows of the beginning: it reads all of them for each list of keys.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
