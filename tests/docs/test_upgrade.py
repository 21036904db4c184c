"""The upgrade of an older publication, as documented in docs/operations.md."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

from upcycle_news.scaffold.layout import init_publication

from .blocks import blocks

EXCUSE = "on a publication that an older version laid out, by tests/docs/test_upgrade.py"
OWN = "# ours\n"
OWN_FLOW = """\
from upcycle_news import open_app

with open_app() as app:
    app.runs.to_end()
"""


def commands() -> str:
    texts = [block.text for block in blocks("docs/operations.md") if block.excuse == EXCUSE]
    assert len(texts) == 2
    return "\n".join(texts).replace("sudo newsletter ", "")


def run(script: str, home: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=home,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make_older(home: Path) -> None:
    """Turn a new publication into an older one: files are missing, a flow of its own calls what is gone."""
    shutil.rmtree(home / "templates/archive")
    (home / "content/vocabulary.toml").unlink()
    (home / "flows/own.py").write_text(OWN_FLOW, encoding="utf-8")
    schedules = home / "prefect.yaml"
    text = schedules.read_text(encoding="utf-8")
    older = text.replace("upcycle_news_flows.tidy.tidy", "upcycle_news_flows.purge.purge")
    assert older != text
    schedules.write_text(older, encoding="utf-8")
    css = home / "templates/page.css"
    css.write_text(OWN + css.read_text(encoding="utf-8"), encoding="utf-8")


def test_an_older_publication_is_complete_after_the_documented_commands(tmp_path: Path) -> None:
    home = tmp_path / "newsletter"
    init_publication(home, name="Umbaupost", today=date(2026, 11, 26))
    make_older(home)
    before = run("upcycle-news check || true", home)
    assert "templates/archive/home.html:1: error template" in before
    assert "flows/own.py:4: error flow „Runs.to_end“" in before
    assert "error flow „upcycle_news_flows.purge.purge“" in before
    output = run(commands(), home)
    assert "Only in ./flows: own.py" in output
    assert "-    entrypoint: upcycle_news_flows.purge.purge" in output
    after = run("upcycle-news check || true", home)
    assert [line.split(":")[0] for line in after.splitlines() if " error " in line] == [
        "flows/own.py",
        "prefect.yaml",
    ], "what is the publication's own is named, and left to its owner"
    assert (home / "content/vocabulary.toml").is_file()
    assert (home / "templates/page.css").read_text(encoding="utf-8").startswith(OWN)
