"""Statements in the driver's own form, for what is done once for every message.

SQLAlchemy compiles them and knows the types; running them through it costs five times what the
database takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Dialect, Update


class Prepared:
    """A statement compiled once for a dialect. `row` makes the parameters of one execution."""

    def __init__(self, statement: Update, dialect: Dialect) -> None:
        """Compile `statement`."""
        compiled = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self._in_order = compiled.positiontup is not None
        fixed: dict[str, Any] = {}
        processes: dict[str, Any] = {}
        for name, bind in compiled.binds.items():
            process = bind.type.dialect_impl(dialect).bind_processor(dialect)
            if bind.required:
                processes[name] = process
            else:
                value = bind.effective_value
                fixed[name] = process(value) if process else value
        names = compiled.positiontup or list(compiled.binds)
        self._slots = [(name, processes.get(name), fixed.get(name)) for name in names]
        self._told = frozenset(processes)
        self._names = names

    def row(self, values: Mapping[str, Any]) -> Any:
        """`values` as the driver takes them: in their order, or by their names."""
        told = self._told
        row = [
            (process(values[name]) if process else values[name]) if name in told else fixed
            for name, process, fixed in self._slots
        ]
        return row if self._in_order else dict(zip(self._names, row, strict=True))
