"""The programs of docs/examples use the public API alone, and do what they say."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from .. import fork_server
from ..publications import Publication

FOLDER = Path(__file__).resolve().parents[2] / "docs/examples"
PROGRAMS = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_a_program_imports_nothing_below_the_public_api(program: Path) -> None:
    tree = ast.parse(program.read_text(encoding="utf-8"))
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)} | {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    public = ("upcycle_news.api", "upcycle_news.models", "upcycle_news.errors")
    ours = {module for module in modules if module.startswith("upcycle_news.")}
    assert {module for module in ours if not module.startswith(public)} == set()


def test_an_issue_is_composed_and_sent_in_ten_lines(publication: Publication) -> None:
    program = FOLDER / "compose_and_send.py"
    assert len(program.read_text(encoding="utf-8").splitlines()) <= 10
    publication.write_essay()
    readers = publication.add_many_subscribers(3)
    done = fork_server.run(
        [sys.executable, str(program)], cwd=publication.home, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("sent to 3 of 3\n")
    assert publication.recipients() == readers
