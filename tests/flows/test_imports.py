"""What flows/ may import: the API, values, errors and texts, and nothing below them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = ("upcycle_news.api", "upcycle_news.models", "upcycle_news.errors", "upcycle_news.i18n")
FILES = sorted([*(ROOT / "flows").glob("*.py"), *(ROOT / "src/upcycle_news_flows").glob("*.py")])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_flow_imports_nothing_below_the_api(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            modules = [node.module or ""]
            if modules == ["upcycle_news"]:
                modules = [f"upcycle_news.{alias.name}" for alias in node.names]
        else:
            continue
        for module in modules:
            if module.partition(".")[0] == "upcycle_news" and module != "upcycle_news.open_app":
                assert module.startswith(ALLOWED), f"line {node.lineno}: {module}"


def test_there_are_flows_to_look_at() -> None:
    assert len(FILES) > 11
