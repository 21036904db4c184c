"""The second half of docs/api.md, generated from the docstrings of `upcycle_news.api`."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import Any

from upcycle_news import api
from upcycle_news.api import App, open_app

# In the order of an issue; the others follow by name.
_FIRST = ("issues", "essays", "feeds", "subscribers", "suppressions", "bounces", "archive")


def api_reference() -> Iterator[str]:
    """Yield the lines: opening, the app itself, then each group with its values."""
    yield "## Reference"
    yield ""
    yield from _function("open_app", open_app, level=2)
    yield "## `App`"
    yield ""
    yield from _text(App)
    groups = {
        name: member for name, member in vars(App).items() if isinstance(member, cached_property)
    }
    for name, member in vars(App).items():
        if name.startswith("_") or name in groups:
            continue
        if isinstance(member, property):
            yield f"- `app.{name}`: {_summary(member)}"
        else:
            yield f"- `app.{name}{_signature(member)}`: {_summary(member)}"
    yield ""
    for name in (*_FIRST, *sorted(set(groups) - set(_FIRST))):
        yield from _group(name, groups[name])


def _group(name: str, member: cached_property[Any]) -> Iterator[str]:
    group = _class_named(member.func.__annotations__["return"])
    yield f"## `app.{name}`"
    yield ""
    yield from _text(group)
    for verb, function in vars(group).items():
        if verb.startswith("_"):
            continue
        if isinstance(function, property | cached_property):
            yield f"- `app.{name}.{verb}`: {_summary(function)}"
            yield ""
        elif inspect.isfunction(function):
            yield from _function(f"app.{name}.{verb}", function, level=3)
    module = sys.modules[group.__module__]
    values = [
        value
        for value in (_value(module, public) for public in getattr(module, "__all__", ()))
        if inspect.isclass(value) and is_dataclass(value)
    ]
    if values:
        yield f"### Values of `app.{name}`"
        yield ""
        for value in values:
            yield f"- **`{value.__name__}`** ({_fields(value)}): {_summary(value)}"
        yield ""


def _value(module: ModuleType, name: str) -> Any:
    """Return what a module of the API exports; values that only types name are imported from their own."""
    if hasattr(module, name):
        return getattr(module, name)
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom) and name in (alias.name for alias in node.names):
            return getattr(import_module(str(node.module)), name)
    raise LookupError(f"{module.__name__} has no {name}")


def _class_named(name: str) -> type[Any]:
    """Return the class of the API with this name; the groups are imported inside of `App`."""
    for module in pkgutil.iter_modules(api.__path__, f"{api.__name__}."):
        if group := vars(import_module(module.name)).get(name):
            return group  # type: ignore[no-any-return]
    raise LookupError(f"no module of upcycle_news.api has {name}")


def _function(name: str, function: Any, *, level: int) -> Iterator[str]:
    yield f"{'#' * level} `{name}{_signature(function)}`"
    yield ""
    yield from _text(function)


def _signature(function: Any) -> str:
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(default=_Shown(parameter.default))
        if parameter.default is not parameter.empty
        else parameter
        for name, parameter in signature.parameters.items()
        if name != "self"
    ]
    # Annotations are strings (PEP 563), which would be printed with quotation marks.
    return str(signature.replace(parameters=parameters)).replace("'", "")


class _Shown:
    """A default as a reader of the page needs it: not the address of a function."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        if type(self.value) is str:
            return f'"{self.value}"'
        return "…" if callable(self.value) else repr(self.value)


def _fields(value: Any) -> str:
    return ", ".join(
        f"`{field.name}`" + ("" if field.default is MISSING else "?") for field in fields(value)
    )


def _text(documented: Any) -> Iterator[str]:
    yield inspect.getdoc(documented) or ""
    yield ""


def _summary(documented: Any) -> str:
    return " ".join((inspect.getdoc(documented) or "").split("\n\n")[0].split())
