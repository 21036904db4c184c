"""The same manifest gives the same bytes; `make golden` rewrites the files for an intended change."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from upcycle_news.rendering.render import render

from . import sample_issues, sample_manifest

GOLDEN = Path(__file__).parent / "golden"
ISSUES = {
    "german": sample_manifest.with_picture,
    "english": sample_issues.english,
    "one-item": sample_issues.one_item,
    "bulletin": lambda: sample_issues.with_look(sample_manifest.with_picture(), "bulletin"),
    "magazine": lambda: sample_issues.with_look(sample_manifest.with_picture(), "magazine"),
}


@pytest.mark.parametrize("kind", ["html", "txt"])
@pytest.mark.parametrize("name", list(ISSUES))
def test_an_issue_is_rendered_as_its_golden_file(name: str, kind: str) -> None:
    rendered = render(ISSUES[name]())
    part = rendered.html if kind == "html" else rendered.text
    file = GOLDEN / f"{name}.{kind}"
    if os.environ.get("UPCYCLE_GOLDEN") == "write":
        file.write_bytes(part.encode())
    assert part.encode() == file.read_bytes(), "make golden, then look at the difference"


def test_the_bytes_do_not_depend_on_the_hash_seed() -> None:
    script = (
        "import sys, hashlib; from tests.rendering import sample_manifest;"
        "from upcycle_news.rendering.render import render; r = render(sample_manifest.with_picture());"
        "print(hashlib.sha256((r.html + r.text + r.mjml).encode()).hexdigest())"
    )
    root = Path(__file__).parents[2]
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
