"""What docs/architecture.md names exists: modules, and their functions, classes and methods."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/architecture.md"
FOLDERS = (ROOT / "src/upcycle_news", ROOT, ROOT / "src")
"""Where a path of the page may begin: in the package, at the top (``flows/…``), beside the package."""

NAMED = re.compile(r"`(?P<path>[\w./-]+\.py)(?::(?P<name>[A-Za-z_][\w.]*))?`")


def names_in(page: str) -> list[tuple[str, str]]:
    """Return each ``path.py`` and ``path.py:name`` of a page; the name is empty for a path alone."""
    return [(match["path"], match["name"] or "") for match in NAMED.finditer(page)]


def file_of(path: str) -> Path | None:
    """Return the file that a path of the page means, None if there is none."""
    return next((folder / path for folder in FOLDERS if (folder / path).is_file()), None)


@cache
def defined_in(file: Path) -> frozenset[str]:
    """Return what a module defines at its top, and the methods and fields of its classes."""
    names: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        names |= set(_names(node))
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{name}" for inner in node.body for name in _names(inner)}
    return frozenset(names)


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def what_is_missing(page: str) -> list[str]:
    """Return what a page names and the code has not."""
    missing = []
    for path, name in names_in(page):
        file = file_of(path)
        if file is None:
            missing.append(path)
        elif name and name not in defined_in(file):
            missing.append(f"{path}:{name}")
    return missing


def test_every_module_and_function_that_the_architecture_names_exists() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert len([name for _, name in names_in(page) if name]) > 30
    assert what_is_missing(page) == []


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("`storage/suppressions.py:suppress`", []),
        ("`storage/suppressions.py:suppress_person`", ["storage/suppressions.py:suppress_person"]),
        ("`storage/ledger.py:Ledger.commit`", []),
        ("`storage/ledger.py:Ledger.burn`", ["storage/ledger.py:Ledger.burn"]),
        ("`store/bounces.py`", ["store/bounces.py"]),
        ("`flows/tidy.py:tidy`", []),
        # Not what another module defines and this one only imports.
        ("`storage/ledger.py:SuppressionSource`", ["storage/ledger.py:SuppressionSource"]),
    ],
)
def test_a_name_that_does_not_exist_is_found(text: str, missing: list[str]) -> None:
    assert what_is_missing(text) == missing
