"""The process that runs one flow: a packaged one by its module, a publication's own by its file.

Which flows there are is read from their files. None is imported: that would import Prefect.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.prefect_api.client import PrefectClient
from upcycle_news.prefect_api.environment import (
    configured_server_environment,
    temporary_server_environment,
)

PACKAGE = "upcycle_news_flows"  # its modules are the files of flows/, see there
FOLDER = "flows"
SERVE = "serve"  # serves all deployments, and is no flow


@dataclass(frozen=True)
class FlowProcess:
    """A program to run: its arguments, environment variables and working folder."""

    arguments: tuple[str, ...]
    environment: dict[str, str]
    folder: Path


def flow_names(*folders: Path) -> tuple[str, ...]:
    """Return the names of the flows in these folders, in order: each is a file ``NAME.py``."""
    names = {path.stem for folder in folders for path in folder.glob("*.py")}
    return tuple(sorted(name for name in names if not name.startswith("_") and name != SERVE))


def flow_process(
    home: Path,
    prefect_home: Path,
    packaged: Path,
    name: str,
    parameters: str,
    *,
    with_server: bool,
) -> FlowProcess:
    """Return the process that runs a flow with `parameters`, a JSON object as text ("" for none).

    A file `flows/NAME.py` of the publication in `home` comes before the flow of that name in the
    folder `packaged`; a hyphen in the name counts as an underscore. `with_server` takes the server
    that is configured or was started by `upcycle-news up`; else, and without one, the run starts a
    temporary one. Raises `UpcycleError` for an unknown name.
    """
    module = name.replace("-", "_")
    own = flow_names(home / FOLDER)
    names = flow_names(home / FOLDER, packaged)
    if module not in names:
        raise UpcycleError(localized("flow-none-such", name=name[:60], names=", ".join(names)))
    program = (
        [str(home / FOLDER / f"{module}.py")] if module in own else ["-m", f"{PACKAGE}.{module}"]
    )
    client = PrefectClient.find(prefect_home) if with_server else None
    if client and "PREFECT_API_URL" not in os.environ and not client.is_healthy():
        client = None  # the address of an `up` that was killed
    if client:
        environment = configured_server_environment(os.environ, prefect_home, client.url)
    else:
        environment = temporary_server_environment(os.environ, prefect_home)
    return FlowProcess(
        (sys.executable, "-W", "ignore", *program, *([parameters] if parameters else [])),
        {**environment, "UPCYCLE_NEWS_HOME": str(home)},
        home,
    )
