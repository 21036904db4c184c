"""Whether a publication's flows fit this version of the program: what they name of it is there.

Flows are the publication's own files and stay as they are when the program is upgraded. What they
call may have moved; a run that meets that fails, perhaps after everybody was written to. So they are
read, never run: neither they nor Prefect are imported.
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
    """An error for each line below `home`/flows that this version of the program does not know."""
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
        for line, said in sorted(_misfits(tree), key=lambda found: found[0]):
            yield Finding("error", "flow", f"{where}:{line}", said)


def _misfits(tree: ast.Module) -> Iterator[tuple[int, LocalizedText]]:
    """Line and sentence of everything that is named and not there, or called in another way."""
    known: dict[str, Any] = {}
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.level == 0 and _ours(node.module or ""):
            for alias in node.names:
                try:
                    known[alias.asname or alias.name] = _imported(node.module or "", alias.name)
                except LookupError:
                    yield node.lineno, localized("flow-unknown", name=f"{node.module}.{alias.name}")
    for name in _bound(nodes):  # a name that means something else somewhere says nothing
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
    """Names that the file gives values of its own, as variables or as arguments."""
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg


def _ours(module: str) -> bool:
    return module == _PACKAGE or module.startswith(f"{_PACKAGE}.")


def _imported(module: str, name: str) -> Any:
    """What ``from module import name`` gives; raises `LookupError` where there is no such thing."""
    if not _exists(module):
        raise LookupError(module)
    found = import_module(module)
    if hasattr(found, name):
        return getattr(found, name)
    if not _exists(f"{module}.{name}"):
        raise LookupError(name)
    return import_module(f"{module}.{name}")


def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _called(func: ast.expr, known: Mapping[str, Any]) -> tuple[str, Any] | None:
    """Name and function of a call into the program, if it is one of its plain functions."""
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
    """Whether the function takes these arguments, as far as the line itself tells."""
    if any(isinstance(one, ast.Starred) for one in call.args):
        return True
    named = {one.arg: None for one in call.keywords if one.arg is not None}
    if len(named) < len(call.keywords):  # ** brings what nobody can see here
        return True
    try:
        inspect.signature(function).bind(*call.args, **named)
    except TypeError:
        return False
    return True
