"""Checks that a publication's flows fit this version of the program: the names they use exist.

Flows are the publication's own files and stay unchanged when the program is upgraded. What they
call may have moved; such a run fails, perhaps after the issue was sent. Flows are parsed, never
run: neither they nor Prefect are imported.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Finding

FOLDER = "flows"
_PACKAGE = "upcycle_news"


def check_flows(home: Path) -> Iterator[Finding]:
    """Yield an error for each line below `home`/flows that does not fit this version."""
    for path in sorted((home / FOLDER).glob("*.py")):
        where = path.relative_to(home).as_posix()
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None) or 1
            yield Finding(
                "error", "flow", f"{where}:{line}", localized("flow-unreadable", reason=str(error))
            )
            continue
        for line, text in sorted(_misfits(tree), key=lambda misfit: misfit[0]):
            yield Finding("error", "flow", f"{where}:{line}", text)


def _misfits(tree: ast.Module) -> Iterator[tuple[int, LocalizedText]]:
    """Yield line and text for each unknown name and each call with other parameters."""
    known: dict[str, Any] = {}
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.level == 0 and _ours(node.module or ""):
            for alias in node.names:
                try:
                    known[alias.asname or alias.name] = _imported(node.module or "", alias.name)
                except LookupError:
                    yield node.lineno, localized("flow-unknown", name=f"{node.module}.{alias.name}")
    for name in _bound(nodes):  # a name that the file binds itself may be anything
        known.pop(name, None)
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = known.get(node.value.id)
            if isinstance(owner, ModuleType) and not hasattr(owner, node.attr):
                yield node.lineno, localized("flow-unknown", name=f"{owner.__name__}.{node.attr}")
        if isinstance(node, ast.Call) and (called := _called(node.func, known)) is not None:
            name, function = called
            if not _fits(node, function):
                yield node.lineno, localized("flow-call", name=name)


def _bound(nodes: list[ast.AST]) -> Iterator[str]:
    """Yield the names that the file binds itself, as variables or as arguments."""
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg


def _ours(module: str) -> bool:
    return module == _PACKAGE or module.startswith(f"{_PACKAGE}.")


def _imported(module: str, name: str) -> Any:
    """Return what ``from module import name`` binds; raises `LookupError` when it does not exist."""
    if not _exists(module):
        raise LookupError(module)
    imported = import_module(module)
    if hasattr(imported, name):
        return getattr(imported, name)
    if not _exists(f"{module}.{name}"):
        raise LookupError(name)
    return import_module(f"{module}.{name}")


def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _called(func: ast.expr, known: Mapping[str, Any]) -> tuple[str, Any] | None:
    """Return name and function of a call, if it calls a plain function of this package."""
    if isinstance(func, ast.Name):
        name, function = func.id, known.get(func.id)
    elif isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
        owner = known.get(func.value.id)
        name = f"{func.value.id}.{func.attr}"
        function = getattr(owner, func.attr, None) if isinstance(owner, ModuleType) else None
    else:
        return None
    return (name, function) if inspect.isfunction(function) else None


def _fits(call: ast.Call, function: Any) -> bool:
    """Return whether the function accepts these arguments, as far as the source shows them."""
    if any(isinstance(argument, ast.Starred) for argument in call.args):
        return True
    named = {keyword.arg: None for keyword in call.keywords if keyword.arg is not None}
    if len(named) < len(call.keywords):  # ** adds arguments that are unknown here
        return True
    try:
        inspect.signature(function).bind(*call.args, **named)
    except TypeError:
        return False
    return True
