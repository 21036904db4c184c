"""The environment in which we start Prefect as a process: quiet, local, asking nobody.

The package never imports Prefect; this is all it needs to know about it. Why each variable is
there stands in docs/architecture.md, "Prefect".
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path

from upcycle_news.errors import UpcycleError

QUIET = {
    "DO_NOT_TRACK": "1",  # the SDK's telemetry
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",  # the server's, which DO_NOT_TRACK does not stop
    "PREFECT_SERVER_UI_V2_ENABLED": "false",  # it asks the browser for a foreign address
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_CLI_PROMPT": "false",
}
LOGIN = "PREFECT_SERVER_API_AUTH_STRING"


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


def lasting_server(
    environment: Mapping[str, str], home: Path, *, host: str, port: int
) -> dict[str, str]:
    """Give `environment` for a server of one's own on `host` and `port`, and for its runner.

    Raises `UpcycleError` when others could reach it without a login: who reaches it can approve.
    """
    login = environment.get(LOGIN, "")
    user, _, password = login.partition(":")
    if not is_loopback(host) and not (user and password):
        raise UpcycleError(
            f"whoever reaches Prefect's API can approve an issue: beyond this machine ({host}) it "
            f"needs a login; set {LOGIN}=USER:PASSWORD, or leave --host at 127.0.0.1"
        )
    here = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104  named, not bound
    return {
        **QUIET,
        # Its pages are unpacked before they are served: not beside its program, which may be root's.
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(home / "ui"),
        **environment,
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://{f'[{here}]' if ':' in here else here}:{port}/api",
        # A wrong address must fail, not run against a throw-away database.
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        **({"PREFECT_API_AUTH_STRING": login} if login else {}),
    }


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
