from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from upcycle_news.prefect_api.environment import QUIET_ENVIRONMENT

FLOWS = Path(__file__).parents[2] / "flows"


@pytest.fixture(scope="session")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The flows by name, with a Prefect server that runs for the test session."""
    environment = {**QUIET_ENVIRONMENT, "PREFECT_HOME": str(tmp_path_factory.mktemp("prefect"))}
    with patch.dict(os.environ, environment):  # before Prefect is imported: it reads them then
        from prefect.testing.utilities import prefect_test_harness

        with prefect_test_harness(server_startup_timeout=120):
            yield SimpleNamespace(
                **{
                    path.stem: getattr(_module(path), path.stem)
                    for path in sorted(FLOWS.glob("*.py"))
                }
            )


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"flow_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
