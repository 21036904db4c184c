from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from upcycle_news.api.publications import bundled_publication
from upcycle_news.prefect_api.environment import QUIET_ENVIRONMENT
from upcycle_news.prefect_api.flow_process import flow_names

from .prefect_server import PrefectServer
from .warm_python import WarmPython


@pytest.fixture(scope="session")
def warm_python() -> Iterator[str]:
    """The executable of a Python that has imported Prefect, for a `PrefectServer` of this test session."""
    # Not below pytest's folder: the path of a socket is short (unix(7)).
    with (
        tempfile.TemporaryDirectory(prefix="upcycle-") as folder,
        WarmPython(Path(folder)) as python,
    ):
        yield python


@pytest.fixture(scope="session")
def empty_prefect_database(warm_python: str, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The SQLite file of a Prefect server that has run nothing."""
    return PrefectServer.empty_database(warm_python, tmp_path_factory.mktemp("empty"))


@pytest.fixture(scope="session")
def flows(
    warm_python: str, empty_prefect_database: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """The flows by name, with a Prefect server that runs for the test session."""
    home = tmp_path_factory.mktemp("prefect")
    (home / "prefect-test.db").write_bytes(empty_prefect_database)
    environment = {**QUIET_ENVIRONMENT, "PREFECT_HOME": str(home)}
    with patch.dict(os.environ, environment):  # before Prefect is imported: it reads them then
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
        from prefect.testing.utilities import prefect_test_harness

        real = sys.executable
        with (
            patch("prefect.testing.utilities.mkdtemp", lambda: str(home)),
            patch("sys.executable", warm_python),  # which its server is started with
            prefect_test_harness(server_startup_timeout=240),
            patch("sys.executable", real),
            # Each flow waits a second for the thread of its heartbeat, which has another test (test_watch.py).
            temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
        ):
            yield SimpleNamespace(
                **{
                    name: getattr(import_module(f"upcycle_news_flows.{name}"), name)
                    for name in flow_names(bundled_publication() / "flows")
                }
            )
