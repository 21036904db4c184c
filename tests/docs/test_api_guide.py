"""The programs of docs/api.md run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ..publications import Publication

DOCS = Path(__file__).resolve().parents[2] / "docs"
GUIDE = (DOCS / "api.md").read_text(encoding="utf-8").partition("## Reference")[0]
BLOCKS = re.findall(r"(?ms)^## ?([^\n]*)|^```python\n(.*?)^```", GUIDE)


def block(heading: str) -> str:
    """Return the program below a heading of the guide; the first one without."""
    current = ""
    for title, code in BLOCKS:
        current = title or current
        if code and current == heading:
            return str(code)
    raise LookupError(heading)


def run(publication: Publication, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=publication.home, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_first_program_names_the_default_issue(publication: Publication) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\d de\n", run(publication, "-c", block("")))


def test_the_guide_shows_the_program_that_composes_and_sends() -> None:
    program = (DOCS / "examples/compose_and_send.py").read_text(encoding="utf-8")
    assert block("Compose and send in ten lines") in program


@pytest.mark.slow
def test_a_flow_of_ones_own_calls_the_api(publication: Publication) -> None:
    publication.add_many_subscribers(3)
    text = block("A flow of your own") + "\nprint(count_subscribers.fn())\n"
    assert run(publication, "-c", text) == "3\n"


@pytest.mark.slow
def test_a_test_of_ones_own_publication_passes_and_fails(publication: Publication) -> None:
    publication.write_essay()
    test = publication.home / "test_publication.py"
    test.write_text(block("A test of your own publication"), encoding="utf-8")
    command = ("-m", "pytest", "-q", "-p", "no:cacheprovider", str(test))
    assert "1 passed" in run(publication, *command)
    publication.change_setting("address = ", "# address = ")
    done = subprocess.run(
        [sys.executable, *command], cwd=publication.home, capture_output=True, text=True
    )
    assert "1 failed" in done.stdout
