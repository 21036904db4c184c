"""Checks that a publication's own flows, and its prefect.yaml, fit this version of the program.

They stay unchanged when the program is upgraded. What they name may have moved; such a run fails,
perhaps after the issue was sent. Flows are parsed, never run: neither they nor Prefect are imported.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

import yaml

from upcycle_news.fileio import list_folder
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Finding
from upcycle_news.prefect_api.flow_process import FOLDER
from upcycle_news.prefect_api.flow_process import PACKAGE as FLOWS_PACKAGE
from upcycle_news.prefect_api.schedules import FILE
from upcycle_news.prefect_api.yaml_files import load_yaml
from upcycle_news.scaffold.layout import bundled_publication

_PACKAGE = "upcycle_news"


def check_flows(home: Path) -> Iterator[Finding]:
    """Yield an error for each line of `home`/flows and prefect.yaml that does not fit this version."""
    for path in [file for file in list_folder(home / FOLDER) if file.suffix == ".py"]:
        where = path.relative_to(home).as_posix()
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError) as error:
            yield _unreadable(where, error)
            continue
        for line, text in sorted(_misfits(tree), key=lambda misfit: misfit[0]):
            yield Finding("error", "flow", f"{where}:{line}", text)
    yield from _check_deployments(home)


def _unreadable(where: str, error: Exception) -> Finding:
    line = getattr(error, "lineno", None) or 1
    text = localized("flow-unreadable", reason=str(error))
    return Finding("error", "flow", f"{where}:{line}", text)


# --- flows


@dataclass(frozen=True)
class _Instance:
    """An object of which only the class is known, such as the app of ``with open_app() as app``."""

    of: type

    def attribute(self, name: str) -> Any:
        """Return what an attribute is known to be; raises `AttributeError` when there is none."""
        if hasattr(self.of, "__getattr__"):
            return None
        definition = inspect.getattr_static(self.of, name, None)
        if definition is None:
            if any(name in inspect.get_annotations(base) for base in self.of.__mro__):
                return None
            raise AttributeError(name)
        if isinstance(definition, FunctionType):
            return MethodType(definition, self)
        getter = definition.func if isinstance(definition, cached_property) else None
        getter = definition.fget if isinstance(definition, property) else getter
        return None if getter is None else _result_of(getter)


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
    instances = _instances(nodes, known)
    for name in _bound(nodes):  # a name that the file binds itself may be anything
        known.pop(name, None)
    known |= instances
    for node in nodes:
        if isinstance(node, ast.Attribute):
            owner = _value(node.value, known)
            if not _has(owner, node.attr):
                named = owner.of if isinstance(owner, _Instance) else owner
                yield node.lineno, localized("flow-unknown", name=f"{named.__name__}.{node.attr}")
        elif isinstance(node, ast.Call):
            function = _value(node.func, known)
            if isinstance(function, FunctionType | MethodType) and not _fits(node, function):
                yield node.lineno, localized("flow-call", name=ast.unparse(node.func))


def _has(owner: Any, name: str) -> bool:
    """Return False if it is certain that `owner` has no such attribute."""
    if isinstance(owner, ModuleType):
        return hasattr(owner, name)
    if isinstance(owner, _Instance):
        try:
            owner.attribute(name)
        except AttributeError:
            return False
    return True


def _bound(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Yield the names that the file binds itself, as variables or as arguments."""
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg


def _instances(nodes: Sequence[ast.AST], known: Mapping[str, Any]) -> dict[str, _Instance]:
    """Return the variables that hold what a function of ours returns, wherever they are bound."""
    bound = list(_bound(nodes))
    values: dict[str, list[Any]] = {}
    for node in nodes:
        if isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
            values.setdefault(node.optional_vars.id, []).append(_value(node.context_expr, known))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            values.setdefault(node.targets[0].id, []).append(_value(node.value, known))
    return {
        name: found[0]
        for name, found in values.items()
        if isinstance(found[0], _Instance) and found == [found[0]] * bound.count(name)
    }


def _value(expression: ast.expr, known: Mapping[str, Any]) -> Any:
    """Return the module, function, method or `_Instance` that an expression is; None if unknown."""
    if isinstance(expression, ast.Name):
        return known.get(expression.id)
    if isinstance(expression, ast.Call):
        function = _value(expression.func, known)
        return _result_of(function) if isinstance(function, FunctionType | MethodType) else None
    if not isinstance(expression, ast.Attribute):
        return None
    owner = _value(expression.value, known)
    if isinstance(owner, ModuleType):
        return getattr(owner, expression.attr, None)
    if isinstance(owner, _Instance):
        try:
            return owner.attribute(expression.attr)
        except AttributeError:
            return None
    return None


def _result_of(function: Callable[..., Any]) -> _Instance | None:
    """Return an instance of the class that a function says it returns, if it names one of ours."""
    name = function.__annotations__.get("return")
    if not isinstance(name, str) or not name.isidentifier():
        return None
    module = import_module(function.__module__)
    returned = getattr(module, name, None) or _imported_for_types(module, name)
    is_ours = isinstance(returned, type) and _ours(returned.__module__)
    return _Instance(returned) if is_ours else None


def _imported_for_types(module: ModuleType, name: str) -> Any:
    """Return what a module imports by this name below ``if TYPE_CHECKING``."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom) and _ours(node.module or ""):
            for alias in node.names:
                if name == (alias.asname or alias.name):
                    return getattr(import_module(node.module or ""), alias.name, None)
    return None


def _ours(module: str) -> bool:
    return module.partition(".")[0] in (_PACKAGE, FLOWS_PACKAGE)


def _imported(module: str, name: str) -> Any:
    """Return what ``from module import name`` binds; raises `LookupError` when it does not exist."""
    if module.startswith(f"{FLOWS_PACKAGE}."):
        path = bundled_publication() / FOLDER / f"{module.partition('.')[2]}.py"
        if not path.is_file() or name not in _names_of(ast.parse(path.read_bytes())):
            raise LookupError(name)
        return None  # importing it would import Prefect
    if module == FLOWS_PACKAGE and (bundled_publication() / FOLDER / f"{name}.py").is_file():
        return None
    if not _exists(module):
        raise LookupError(module)
    imported = import_module(module)
    if hasattr(imported, name):
        return getattr(imported, name)
    if not _exists(f"{module}.{name}"):
        raise LookupError(name)
    return import_module(f"{module}.{name}")


def _names_of(tree: ast.Module) -> set[str]:
    """Return the names that a file defines or imports at its top level."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return names


def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _fits(call: ast.Call, function: Callable[..., Any]) -> bool:
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


# --- prefect.yaml


def _check_deployments(home: Path) -> Iterator[Finding]:
    """Yield an error for each deployment that names no flow, or a parameter that its flow lacks."""
    try:
        text = (home / FILE).read_text(encoding="utf-8")
        deployments = load_yaml(text)["deployments"]
        entries = [
            (str(entry["entrypoint"]), entry.get("parameters") or {}) for entry in deployments
        ]
    except FileNotFoundError:
        return
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        reason = getattr(error, "problem", None) or str(error)
        yield Finding(
            "error", "flow", f"{FILE}:{line}", localized("flow-unreadable", reason=reason)
        )
        return
    lines = text.splitlines()
    for entrypoint, parameters in entries:
        line = next((n for n, line in enumerate(lines, 1) if entrypoint in line), 1)
        flow = _flow_of(home, entrypoint)
        if flow is None:
            yield _deployment_error(line, localized("flow-unknown-entrypoint", name=entrypoint))
        elif isinstance(flow, ast.FunctionDef | ast.AsyncFunctionDef) and not flow.args.kwarg:
            arguments = (*flow.args.posonlyargs, *flow.args.args, *flow.args.kwonlyargs)
            for name in sorted(set(parameters) - {argument.arg for argument in arguments}):
                surplus = localized("flow-unknown-parameter", name=f"{entrypoint}: {name}")
                yield _deployment_error(line, surplus)


def _deployment_error(line: int, text: LocalizedText) -> Finding:
    return Finding("error", "flow", f"{FILE}:{line}", text)


def _flow_of(home: Path, entrypoint: str) -> ast.stmt | None:
    """Return the statement that defines the flow of an entrypoint; None if it certainly names none.

    An entrypoint is ``upcycle_news_flows.file.function`` or ``flows/file.py:function``. One of another
    package, and of a file that may define it in another way, counts as there: `ast.Pass`.
    """
    if ":" in entrypoint:
        file, _, function = entrypoint.rpartition(":")
        path = home / file
    else:
        module, _, function = entrypoint.rpartition(".")
        package, _, flow = module.partition(".")
        if package != FLOWS_PACKAGE:
            return ast.Pass()
        path = bundled_publication() / FOLDER / f"{flow}.py"
    if not path.is_file():
        return None
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ast.Pass()  # a finding of the file itself
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function:
            return node
    names = _names_of(tree) | set(_bound(list(ast.walk(tree))))
    return ast.Pass() if function.partition(".")[0] in names else None
