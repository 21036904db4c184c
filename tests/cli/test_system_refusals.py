"""What the machine refuses is a sentence and an exit code, never a traceback or "there is none"."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .. import fork_server
from ..publications import Publication
from .refusing_machine import close_input, close_streams, give_up_rights, remove_folder

PROGRAM = str(Path(sys.executable).parent / "upcycle-news")


def command(
    home: Path, line: str, before: Callable[[], None] | None = None, **streams: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command in `home`; `before` is called in its process."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    done = fork_server.run(
        [PROGRAM, *shlex.split(line)], cwd=home, text=True, timeout=60, preexec_fn=before, **streams
    )
    assert "Traceback" not in (done.stderr or "")
    return done


@pytest.mark.parametrize(
    "line",
    [
        "subscribers forget anna@example.org",
        "issue cancel 2026-11-26",
        "secrets drop 1",
        "archive withdraw 2026-11-26",
    ],
)
def test_a_question_that_nobody_can_answer_does_nothing(
    publication: Publication, line: str
) -> None:
    publication.add_subscribers("anna@example.org")
    publication.run("secrets", "rotate")
    for before in (close_input, None):
        done = command(publication.home, line, before, stdin=subprocess.DEVNULL)
        assert done.returncode == 1
        assert "Die Frage kann niemand beantworten" in done.stderr
        assert "--yes" in done.stderr
    assert "anna@example.org" in publication.run("subscribers", "list").out
    assert len(publication.run("secrets", "list").out.splitlines()) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("line", ["essay list", "--help", "subscribers stats --json", "--version"])
def test_a_full_output_is_said_and_no_success(publication: Publication, line: str) -> None:
    publication.write_essay()
    with Path("/dev/full").open("w") as full:
        done = command(publication.home, line, stdout=full)
        assert done.returncode == 1
        assert done.stderr.count("Die Ausgabe lässt sich nicht schreiben") == 1
        assert command(publication.home, line, stdout=full, stderr=full).returncode == 1


def test_a_closed_standard_stream_is_no_file_of_ours(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    done = command(publication.home, "issue preview --no-open", close_streams)
    assert done.returncode == 0
    assert publication.run("store", "info").code == 0


@pytest.mark.parametrize("line", ["issue status", "essay list", "doctor --offline", "flow tidy"])
def test_a_deleted_folder_is_said(publication: Publication, tmp_path: Path, line: str) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    shutil.copy(publication.home / "newsletter.toml", folder)
    done = command(folder, line, remove_folder)
    assert done.returncode == 1
    assert "gibt es nicht mehr" in done.stderr
    folder.mkdir()
    home = {**os.environ, "UPCYCLE_NEWS_HOME": str(publication.home)}
    elsewhere = command(folder, "essay list", remove_folder, env=home)
    assert elsewhere.returncode == 0


def without_rights(publication: Publication, path: str, line: str) -> str:
    """Return what a command says to somebody who may not read `path`; it must end with 1."""
    target = publication.home / path
    mode = target.stat().st_mode
    # Root may read everything, unless it gives that right up.
    before = give_up_rights if os.geteuid() == 0 else None
    target.chmod(0)
    try:
        done = command(publication.home, line, before)
    finally:
        target.chmod(mode)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("path", "line", "said"),
    [
        ("var/secrets", "issue preview --no-open", "sich nicht lesen"),
        ("var/secrets", "web --port 1", "sich nicht lesen"),
        ("var/secrets", "doctor --offline secrets", "1 Problem"),
        ("var/secrets/person.key", "subscribers stats", "sich nicht lesen"),
        (
            "content/essays",
            "issue preview --no-open",
            "content/essays: Der Ordner lässt sich nicht",
        ),
        ("content/essays", "check", "content/essays"),
        ("content", "issue preview --no-open", "content"),
        ("templates", "issue preview --no-open", "templates: Der Ordner lässt sich nicht lesen"),
        ("content/images", "check", "content/images"),
        ("content/feeds.toml", "check", "content/feeds.toml"),
        ("newsletter.toml", "essay list", "newsletter.toml"),
        ("var", "issue status", "Er lässt sich nicht ansehen: dieses Konto darf es nicht"),
        ("var", "doctor --offline store", "1 Problem"),
        ("var/upcycle.db", "doctor --offline store", "1 Problem"),
    ],
)
def test_what_may_not_be_read_is_not_taken_for_missing(
    publication: Publication, path: str, line: str, said: str
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    publication.run("issue", "preview", "--no-open")  # makes the token key
    output = without_rights(publication, path, line)
    assert said in output
    assert "kein neuer Essay" not in output.lower()
    assert "Die Prüfung selbst ist gescheitert" not in output


@pytest.mark.parametrize(
    ("path", "line", "where"),
    [
        ("content/feeds.toml", "feeds health", "content/feeds.toml: "),
        ("newsletter.toml", "essay list", "newsletter.toml: "),
        ("content/essays/ein.md", "check", "content/essays/ein.md:1: "),
        ("list.csv", "subscribers import list.csv --consent 'paper, May'", "list.csv: "),
        ("text.txt", "essay import text.txt", "text.txt: "),
        ("feeds.opml", "feeds import feeds.opml", "feeds.opml: "),
        ("old.tar.gz", "restore old.tar.gz", "old.tar.gz: "),
    ],
)
def test_a_pipe_or_a_folder_in_the_place_of_a_file_is_named(
    publication: Publication, path: str, line: str, where: str
) -> None:
    target = publication.home / path
    target.unlink(missing_ok=True)
    os.mkfifo(target)
    done = command(publication.home, line)
    assert done.returncode == 1
    assert where in done.stdout + done.stderr
    assert "ipe" in done.stdout + done.stderr
    target.unlink()
    target.mkdir()
    done = command(publication.home, line)
    if path != "text.txt":  # a folder of manuscripts is imported whole
        assert done.returncode == 1
        assert where in done.stdout + done.stderr


def test_a_store_that_is_no_file_is_named(publication: Publication) -> None:
    os.mkfifo(publication.home / "pipe")
    (publication.home / "folder").mkdir()
    for name, what in (
        ("pipe", "das ist eine Pipe oder ein Gerät"),
        ("folder", "das ist ein Ordner"),
    ):
        store = {"STORE": f"sqlite:///{name}"}
        assert what in publication.run("issue", "status", code=1, **store).err
        assert what in publication.run("doctor", "--offline", "store", code=1, **store).out


def test_a_list_may_come_out_of_a_pipe_that_somebody_writes_to(publication: Publication) -> None:
    line = (
        "$U subscribers import <(sleep 0.3; printf 'email\\nanna@example.org\\n') --consent 'May'"
    )
    done = subprocess.run(
        ["/bin/bash", "-c", line], cwd=publication.home, env={**os.environ, "U": PROGRAM}, text=True,
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert done.returncode == 0
    assert "anna@example.org" in publication.run("subscribers", "list").out
