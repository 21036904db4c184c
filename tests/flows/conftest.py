from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from upcycle_news.api.publications import bundled_publication
from upcycle_news.prefect_api.environment import QUIET_ENVIRONMENT
from upcycle_news.prefect_api.flow_process import flow_names


@pytest.fixture(scope="session")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The flows by name, with a Prefect server that runs for the test session."""
    environment = {**QUIET_ENVIRONMENT, "PREFECT_HOME": str(tmp_path_factory.mktemp("prefect"))}
    with patch.dict(os.environ, environment):  # before Prefect is imported: it reads them then
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
        from prefect.testing.utilities import prefect_test_harness

        with (
            prefect_test_harness(server_startup_timeout=240),
            # Each flow waits a second for the thread of its heartbeat, which has another test (test_watch.py).
            temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
        ):
            yield SimpleNamespace(
                **{
                    name: getattr(import_module(f"upcycle_news_flows.{name}"), name)
                    for name in flow_names(bundled_publication() / "flows")
                }
            )
