"""Inserts with a conflict clause (``ON CONFLICT``), which SQLAlchemy has for each dialect apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Table

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite


def dialect_insert(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an insert into `table` for the dialect of this name, ``postgresql`` or ``sqlite``.

    A dialect's module loads all of its drivers' modules: the one that is not used is not imported.
    """
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert

        return postgresql_insert(table)
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    return sqlite_insert(table)
