"""Statements of SQLAlchemy for the driver's own cursor: building and executing them there costs more than SQLite's work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

from sqlalchemy import Delete, Dialect, Insert, Select, Update


class CompiledStatement:
    """A statement compiled once for a dialect, for executing with the driver's own cursor."""

    def __init__(self, statement: Update | Insert | Delete | Select[Any], dialect: Dialect) -> None:
        """Compile `statement`; parameters without a value are given to `parameters` later."""
        compiled = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self._is_positional = compiled.positiontup is not None
        constants: dict[str, Any] = {}
        processors: dict[str, Any] = {}
        for name, bind in compiled.binds.items():
            process = bind.type.dialect_impl(dialect).bind_processor(dialect)
            if bind.required:
                processors[name] = process
            else:
                value = bind.effective_value
                constants[name] = process(value) if process else value
        names = compiled.positiontup or list(compiled.binds)
        self._slots = [(name, processors.get(name), constants.get(name)) for name in names]
        self._variables = frozenset(processors)
        self._names = names

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """Return `values` as the driver takes them: a list in their order, or a dict by name."""
        variables = self._variables
        row = [
            (process(values[name]) if process else values[name]) if name in variables else constant
            for name, process, constant in self._slots
        ]
        return row if self._is_positional else dict(zip(self._names, row, strict=True))

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Return what `parameters` returns for each of `rows`; what several share is processed once."""
        columns: list[Iterable[Any]] = []
        for name, process, constant in self._slots:
            if name not in self._variables:
                columns.append(repeat(constant, len(rows)))
                continue
            values = [row[name] for row in rows]
            if process:
                processed = {value: process(value) for value in set(values)}
                values = [processed[value] for value in values]
            columns.append(values)
        lines = zip(*columns, strict=True)
        if self._is_positional:
            return list(lines)
        return [dict(zip(self._names, line, strict=True)) for line in lines]
