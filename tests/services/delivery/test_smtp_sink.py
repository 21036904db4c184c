"""Through the relay of the benchmark, Postfix's smtp-sink: the real commands, several connections."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ...processes import smtp_sink
from .kill_trial import (
    ISSUE,
    prepare,
    status_of,
    trial_environment,
    upcycle_news,
)

MISSING = shutil.which("smtp-sink") is None
REQUIRED = os.environ.get("UPCYCLE_REQUIRE_TOOLS") == "1"


@pytest.fixture
def sink_port() -> Iterator[int]:
    if MISSING and not REQUIRED:
        pytest.skip("smtp-sink is not installed (apt-get install postfix)")
    with smtp_sink(64) as port:
        yield port


@pytest.mark.slow
def test_an_issue_goes_out_through_smtp_sink(sink_port: int, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/sink.db"
    prepare(tmp_path / "home", 60, "hold", store)
    environment = {**os.environ, **trial_environment(tmp_path / "home", store, sink_port, 4)}
    done = subprocess.run(
        upcycle_news("resume", ISSUE), env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    [status] = status_of(environment, "status")
    assert (status["sent"], status["closed"]) == (60, True)
