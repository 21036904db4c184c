"""The Tab key in a real shell: installed by the command itself, and quick enough to be used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .. import fork_server
from ..publications import Publication

BIN = Path(sys.executable).parent


def offered(publication: Publication, typed: str, **environment: str) -> list[str]:
    """What bash offers after these words; the last one may be incomplete."""
    words = typed.split(" ")
    request = {
        "_UPCYCLE_NEWS_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = fork_server.run(
        [str(BIN / "upcycle-news")], cwd=publication.home, capture_output=True, text=True,
        env={**os.environ, **request, **environment},
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


def test_commands_issues_and_essays_are_offered(publication: Publication) -> None:
    publication.write_essay("Was vom Bahnhof bleibt")
    publication.write_essay("Lob der Schraube", date="2026-01-02")
    for issue in ("2026-11-19", "2026-11-26", "2026-11-26-2"):
        publication.run("issue", "preview", issue, "--no-open")
    assert {"preview", "plan"} <= set(offered(publication, "upcycle-news issue p"))
    assert offered(publication, "upcycle-news issue diff 2026-11-2") == [
        "2026-11-26-2", "2026-11-26",
    ]  # fmt: skip
    assert offered(publication, "upcycle-news issue resume ")[-1] == "2026-11-19"
    slugs = offered(publication, "upcycle-news issue preview --essay ")
    assert slugs == ["lob-der-schraube", "was-vom-bahnhof-bleibt"]
    assert offered(publication, "upcycle-news issue preview --essay was") == slugs[1:]


def test_completion_uses_the_folders_of_the_settings(
    publication: Publication, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere/issues/2026-11-26").mkdir(parents=True)
    (tmp_path / "elsewhere/issues/notes").mkdir()
    typed = "upcycle-news issue status "
    assert offered(publication, typed) == []
    state = str(tmp_path / "elsewhere")
    assert offered(publication, typed, UPCYCLE_NEWS_STATE=state) == ["2026-11-26"]
    path = publication.home / "newsletter.toml"
    path.write_text(f'state = "{state}"\n' + path.read_text())
    assert offered(publication, typed) == ["2026-11-26"]
    path.write_text("broken = [")
    assert offered(publication, typed) == []


def test_completing_loads_neither_the_store_nor_the_settings(publication: Publication) -> None:
    """Measured as modules: importing them would cost more than a person waits for a Tab."""
    program = (
        "import sys; sys.argv = ['upcycle-news']\n"
        "from upcycle_news.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('|', *sys.modules)"
    )
    request = {
        "_UPCYCLE_NEWS_COMPLETE": "complete_bash",
        "COMP_WORDS": "upcycle-news issue diff ",
        "COMP_CWORD": "3",
    }
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=publication.home, capture_output=True, text=True,
        env={**os.environ, **request},
    )  # fmt: skip
    loaded = set(done.stdout.rpartition("|")[2].split())
    assert "upcycle_news.cli.completion" in loaded
    assert loaded & {"sqlalchemy", "jinja2", "yaml", "upcycle_news.app.context"} == set()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_the_installed_completion_works_in_bash(publication: Publication, tmp_path: Path) -> None:
    publication.run("issue", "preview", code=3)
    (publication.home / "var/issues/2026-11-26").mkdir(parents=True)
    environment = {
        **os.environ, "HOME": str(tmp_path), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    subprocess.run(
        ["bash", "-c", "upcycle-news --install-completion; true"], env=environment, check=True,
        capture_output=True,
    )  # fmt: skip
    script = (
        "source ~/.bashrc\n"
        "COMP_WORDS=(upcycle-news issue diff 2026); COMP_CWORD=3\n"
        "_upcycle_news_completion upcycle-news; echo ${COMPREPLY[@]}\n"
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script], cwd=publication.home, env=environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "2026-11-26\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_shown_for_each_shell(publication: Publication, shell: str) -> None:
    done = subprocess.run(
        [str(BIN / "upcycle-news"), "--show-completion", shell], capture_output=True, text=True,
        check=True, env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
    )  # fmt: skip
    assert f"complete_{shell}" in done.stdout
