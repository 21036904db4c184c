"""`app.flows`: running Prefect's flows, by hand and on their schedules, as processes of their own.

This package never imports Prefect; the processes do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from upcycle_news.api.publications import bundled_publication
from upcycle_news.app.context import AppContext
from upcycle_news.prefect_api import flow_process
from upcycle_news.prefect_api.flow_process import FlowProcess
from upcycle_news.prefect_api.local_server import run_local_server
from upcycle_news.prefect_api.status import deployment_entries
from upcycle_news.services.content.git_sync import git_commit
from upcycle_news.services.delivery.stop_signals import stop_on_signals
from upcycle_news.version import __version__

__all__ = ["FlowProcess", "Flows"]


class Flows:
    """Knows the flows of the program and of the publication, and how to run them."""

    def __init__(self, context: AppContext) -> None:
        """Make the group of an open publication; `App.flows` is the usual way."""
        self._context = context

    def names(self) -> tuple[str, ...]:
        """Return the names of all flows, such as ``publish_issue``: the program's and one's own."""
        return flow_process.flow_names(
            self._context.settings.home / flow_process.FOLDER,
            bundled_publication() / flow_process.FOLDER,
        )

    def version(self) -> str:
        """Return what deployments carry as their version: the publication's git commit and the program's version.

        Such as ``1f0c3a9d2b4e with upcycle-news 0.1.0``; outside a checkout without the commit.
        """
        commit = git_commit(self._context.settings.home)[:12]
        program = f"upcycle-news {__version__}"
        return f"{commit} with {program}" if commit else program

    def deployments(self, file: Path) -> list[dict[str, Any]]:
        """Return the entries of the deployments in a prefect.yaml, as they stand there.

        Raises `SettingsError` for a file that cannot be read, or has none.
        """
        return deployment_entries(file)

    def process(
        self, name: str, parameters: Mapping[str, Any] | str = "", *, with_server: bool = True
    ) -> FlowProcess:
        """Return the process that runs a flow; its last line of output is ``{"state", "message"}``.

        `parameters` are the flow's, also as JSON. A file `flows/NAME.py` of the publication comes
        before the program's flow of that name. The run stands in the Prefect server that is
        configured or was started by `run_schedules`; where there is none, and without `with_server`,
        in a temporary one. Raises `UpcycleError` when there is no such flow.
        """
        prefect_home = self._context.settings.state / "prefect"
        prefect_home.mkdir(parents=True, exist_ok=True)  # Prefect makes no folder above it
        return flow_process.flow_process(
            self._context.settings.home,
            prefect_home,
            bundled_publication() / flow_process.FOLDER,
            name,
            parameters if isinstance(parameters, str) else json.dumps(dict(parameters)),
            with_server=with_server,
        )

    def run_schedules(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 4200,
        web: bool = True,
        on_starting: Callable[[], None] = lambda: None,
        on_started: Callable[[str, bool], None] = lambda url, web: None,
    ) -> None:
        """Run Prefect's server, all schedules of prefect.yaml and the web pages, until SIGTERM or Ctrl-C.

        The web pages have the host and port of the settings; without `web`, and where something has that
        port already, they are not started. `on_starting` is called before the server starts, `on_started`
        with the address of Prefect's pages and whether the web pages were started. Raises `UpcycleError` when the port is taken, a server runs for this publication
        already, other machines could reach it without a login, or a process ends by itself.
        """
        settings = self._context.settings
        with stop_on_signals() as stopping:
            run_local_server(
                settings.home,
                settings.state / "prefect",
                host=host,
                port=port,
                web=(settings.web.host, settings.web.port) if web else None,
                stopping=stopping,
                on_starting=on_starting,
                on_started=on_started,
            )
