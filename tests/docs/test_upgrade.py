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
    """Turn a new publication into an older one: files are missing, flows call a removed function."""
    shutil.rmtree(home / "templates/archive")
    (home / "content/vocabulary.toml").unlink()
    (home / "flows/backup.py").unlink()
    watch = home / "flows/watch.py"
    text = watch.read_text(encoding="utf-8")
    watch.write_text(text.replace("alerts.find_stale_runs", "alerts.to_end"), encoding="utf-8")
    assert watch.read_text(encoding="utf-8") != text
    css = home / "templates/page.css"
    css.write_text(OWN + css.read_text(encoding="utf-8"), encoding="utf-8")


def test_an_older_publication_is_complete_after_the_documented_commands(tmp_path: Path) -> None:
    home = tmp_path / "newsletter"
    init_publication(home, name="Umbaupost", today=date(2026, 11, 26))
    make_older(home)
    before = run("upcycle-news check || true", home)
    assert "templates/archive/home.html:1: error template" in before
    assert "error flow „upcycle_news.services.monitoring.alerts.to_end“" in before
    output = run(commands(), home)
    assert "Only in var/new/flows: backup.py" in output
    assert "alerts.to_end" in output
    assert " error " not in run("upcycle-news check", home)
    assert (home / "flows/backup.py").is_file()
    assert (home / "content/vocabulary.toml").is_file()
    assert (home / "templates/page.css").read_text(encoding="utf-8").startswith(OWN)
