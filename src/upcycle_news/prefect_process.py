"""The environment in which we start Prefect as a process: quiet, local, asking nobody.

The package never imports Prefect; this is all it needs to know about it. Why each variable is
there stands in docs/architecture.md, "Prefect".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

QUIET = {
    "DO_NOT_TRACK": "1",  # the SDK's telemetry
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",  # the server's, which DO_NOT_TRACK does not stop
    "PREFECT_SERVER_UI_V2_ENABLED": "false",  # it asks the browser for a foreign address
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_CLI_PROMPT": "false",
}


def temporary_server(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """Give `environment` for a flow that runs with Prefect's own temporary server in `home`."""
    kept = {name: value for name, value in environment.items() if not name.startswith("PREFECT_")}
    return {
        **kept,
        **QUIET,
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    }
