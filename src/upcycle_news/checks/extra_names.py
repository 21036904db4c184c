"""The names of the fields of their own that essays have, for the check of the templates that read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from upcycle_news.models import Essay

Names = Mapping[str, Any]
"""The fields of a table by name: what is known about each value, as `names_of_extra` finds it."""


def names_of_extra(essays: Iterable[Essay]) -> dict[str, Any]:
    """Return the names that the essays' tables `extra` have, nested as they are.

    A table becomes a dict of its names, a list with tables a tuple of one such dict, and anything
    else None.
    """
    names: dict[str, Any] = {}
    for essay in essays:
        _merge(names, essay.extra)
    return names


def _merge(names: dict[str, Any], table: Mapping[str, Any]) -> None:
    for name, value in table.items():
        known = names.setdefault(name, None)
        if isinstance(value, Mapping):
            names[name] = known if isinstance(known, dict) else {}
            _merge(names[name], value)
        elif isinstance(value, list):
            (inner,) = known if isinstance(known, tuple) else ({},)
            for item in value:
                if isinstance(item, Mapping):
                    names[name] = (inner,)
                    _merge(inner, item)
