"""Environment variables for Prefect processes: no telemetry, no prompts, only local servers.

The package never imports Prefect. docs/architecture.md, "Prefect", gives the reason for each
variable.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path

from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized

QUIET_ENVIRONMENT = {
    "DO_NOT_TRACK": "1",  # the SDK's telemetry
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",  # the server's, which DO_NOT_TRACK does not stop
    "PREFECT_SERVER_UI_V2_ENABLED": "false",  # it asks the browser for a foreign address
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_CLI_PROMPT": "false",
}
# The server's own vacuum: runs that ended 30 days ago go, with logs and artifacts; those that wait stay.
HISTORY_ENVIRONMENT = {
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": "2592000",  # seconds
}
# Who holds a place of a concurrency limit is kept on disk: a server that was restarted takes back the places of
# runs that have died, which else nobody could have again.
LEASES_ENVIRONMENT = {
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
}
LOGIN_VARIABLE = "PREFECT_SERVER_API_AUTH_STRING"


def temporary_server_environment(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return `environment` for a flow run with Prefect's own temporary server in `home`."""
    others = {name: value for name, value in environment.items() if not name.startswith("PREFECT_")}
    return {
        **others,
        **QUIET_ENVIRONMENT,
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    }


def configured_server_environment(
    environment: Mapping[str, str], home: Path, url: str
) -> dict[str, str]:
    """Return `environment` for a flow run of the server at `url`; what it sets itself stays."""
    return {
        **QUIET_ENVIRONMENT,
        "PREFECT_HOME": str(home),
        **environment,
        "PREFECT_API_URL": url,
    }


def server_environment(
    environment: Mapping[str, str], home: Path, *, host: str, port: int
) -> dict[str, str]:
    """Return `environment` for a Prefect server on `host` and `port`, and for its runner.

    Raises `UpcycleError` when other machines could reach it without a login: whoever reaches the
    API can approve issues.
    """
    login = environment.get(LOGIN_VARIABLE, "")
    user, _, password = login.partition(":")
    if not is_loopback(host) and not (user and password):
        raise UpcycleError(localized("up-needs-login", host=host, variable=LOGIN_VARIABLE))
    client_host = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104  named, not bound
    return {
        **QUIET_ENVIRONMENT,
        **HISTORY_ENVIRONMENT,
        **LEASES_ENVIRONMENT,
        # Prefect unpacks its pages before it serves them: not beside its program, which may be root's.
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(home / "ui"),
        **environment,
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://{f'[{client_host}]' if ':' in client_host else client_host}:{port}/api",
        # A wrong address must fail, not run against a throw-away database.
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        **({"PREFECT_API_AUTH_STRING": login} if login else {}),
    }


def is_loopback(host: str) -> bool:
    """True if `host` is a loopback address or localhost."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
