"""The documentation: the site builds, links are valid, commands run unchanged."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .blocks import (
    ROOT,
    blocks,
    pages,
    script,
)

# The test that runs the blocks of a page; every page with such blocks is listed here.
RUN_BY = {
    "docs/api.md": "tests/docs/test_http_guide.py",
    "docs/tutorial.md": "tests/docs/test_site.py",
    "docs/checks.md": "tests/docs/test_site.py",
    "docs/moving.md": "tests/docs/test_site.py",
    "docs/redaktion.md": "tests/docs/test_redaktion.py",
    "docs/operations.md": "tests/deploy/trial.py",
}


def test_every_page_with_commands_has_a_test_that_runs_them() -> None:
    untested = [
        page
        for page in pages()
        if page not in RUN_BY and any(block.excuse is None for block in blocks(page))
    ]
    assert untested == [], (
        "name the test in RUN_BY, or write <!-- not run: REASON --> above the block"
    )
    for page, test in RUN_BY.items():
        assert (ROOT / test).is_file(), test
        assert any(block.excuse is None for block in blocks(page)), page


def run(commands: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `commands` in bash, with the virtual environment activated."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env={
            **os.environ,
            "HOME": str(folder),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def test_the_tutorial_runs_unchanged(tmp_path: Path) -> None:
    done = run(script("docs/tutorial.md"), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    mails = list((tmp_path / "umbaupost/var/mailbox/new").iterdir())
    assert len(mails) == 1
    assert b"Subject: Was vom Bahnhof bleibt" in mails[0].read_bytes()
    assert (tmp_path / "umbaupost/var/archive/index.html").is_file()


@pytest.mark.parametrize("page", ["docs/checks.md"])
def test_commands_run_in_a_new_publication(page: str, tmp_path: Path) -> None:
    done = run("upcycle-news init x && cd x\n" + script(page), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_import_of_a_list_runs_as_documented(tmp_path: Path) -> None:
    done = run("upcycle-news init x && cd x\n" + script("docs/moving.md"), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    [output] = re.findall(r"```text\n(.*?)```", (ROOT / "docs/moving.md").read_text(), re.DOTALL)
    for line in output.splitlines():
        assert line in (done.stdout + done.stderr).splitlines()


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"([\w/-]+\.md)$", text, re.MULTILINE))
    assert (
        yaml.safe_load(text)["theme"]["font"] is False
    )  # otherwise pages load from a foreign host
    docs = ROOT / "docs"
    pages = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    assert named == pages


def test_the_site_builds_without_a_warning_and_loads_nothing_foreign(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    loaded = re.compile(r"""<(?:script|img|link rel="stylesheet")[^>]*(?:src|href)="(https?:)?//""")
    for page in tmp_path.rglob("*.html"):
        assert not loaded.search(page.read_text(encoding="utf-8")), page.name


@pytest.mark.parametrize("page", pages())
def test_a_page_names_no_command_that_does_not_exist(page: str) -> None:
    import typer

    from upcycle_news.cli.app import commands

    text = (ROOT / page).read_text(encoding="utf-8")
    for line in re.findall(r"`(upcycle-news [a-z][^`]*)`", text):
        command = typer.main.get_command(commands)
        for word in line.split()[1:]:
            alternatives = [name for name in word.split("|") if name]
            if not hasattr(command, "commands"):
                break
            assert all(name in command.commands for name in alternatives), f"{page}: {line}"
            command = command.commands[alternatives[0]]
