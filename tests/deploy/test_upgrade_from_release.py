"""The release before, built from its commit, and this version after it, in Postgres.

.ci/wheel tries the same in SQLite, with both wheels installed one over the other.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from upcycle_news.storage.schema import HEAD

from ..services.delivery.sink_relay import Sink
from .upgrade import (
    ROOT,
    Program,
    build_previous_wheel,
    previous_release,
    raise_if_lost,
    relay_settings,
    try_upgrade,
)

START = "from upcycle_news.cli import main; main()"


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the release before, as a wheel unpacks."""
    folder = tmp_path_factory.mktemp("previous")
    wheel = build_previous_wheel(folder / "build")
    if wheel is None:
        assert os.environ.get("UPCYCLE_REQUIRE_TOOLS") != "1", "CI has the whole history"
        pytest.skip(f"the commit of {previous_release()['version']} is not in this checkout")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "installed")
    return folder / "installed"


@pytest.mark.slow
def test_a_publication_of_the_release_before_goes_on(
    previous: Path, empty_postgres: str, tmp_path: Path
) -> None:
    """Readers, consents, suppressions, issues and history are there; everybody gets each issue once."""
    with Sink() as relay:
        settings = {**relay_settings(relay), "UPCYCLE_NEWS_STORE": empty_postgres}
        command = (sys.executable, "-P", "-c", START)
        old = Program(command, {**settings, "PYTHONPATH": str(previous)})
        new = Program(command, {**settings, "PYTHONPATH": str(ROOT / "src")})
        try_upgrade(tmp_path / "newsletter", old, new, relay)


def test_both_programs_are_their_own(previous: Path) -> None:
    question = "import upcycle_news.version as v; print(v.__file__)"
    for folder in (previous, ROOT / "src"):
        done = subprocess.run(
            [sys.executable, "-P", "-c", question], env={**os.environ, "PYTHONPATH": str(folder)},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert Path(done.stdout.strip()).is_relative_to(folder)


def test_what_is_lost_is_told() -> None:
    before = {"readers": {"a@example.org": {"name": "A"}}, "history": [1, 2]}
    raise_if_lost(before, {**before, "more": 1, "history": [1, 2, 3]})
    with pytest.raises(AssertionError, match=r"/readers/a@example\.org is gone"):
        raise_if_lost(before, {**before, "readers": {}})
    with pytest.raises(AssertionError, match="/history: 2 became 1"):
        raise_if_lost(before, {**before, "history": [1]})


def test_this_version_is_newer_than_the_release_before() -> None:
    assert max(previous_release()["migrations"])[:5] <= HEAD
