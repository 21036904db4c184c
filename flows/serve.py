"""For one machine: serve all deployments of prefect.yaml; runs are child processes.

Needs a server (PREFECT_API_URL); `upcycle-news up` starts both.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import TerminationSignal
from prefect.flows import load_flow_from_entrypoint
from prefect.runner import Runner
from prefect.schedules import Cron
from prefect.settings import PREFECT_API_URL
from prefect.types.entrypoint import EntrypointType

from upcycle_news import open_app
from upcycle_news.errors import UpcycleError


def deployments(file: Path) -> Iterator[RunnerDeployment]:
    """Yield the deployments of a prefect.yaml, to be served by this process."""
    with open_app() as app:
        entries, version = app.flows.deployments(file), app.flows.version()
    for entry in entries:
        flow: Flow[..., Any] = load_flow_from_entrypoint(entry["entrypoint"])
        deployment = flow.to_deployment(
            name=entry["name"],
            entrypoint_type=_entrypoint_type(entry["entrypoint"]),
            description=entry.get("description"),
            parameters=entry.get("parameters") or {},
            tags=entry.get("tags") or [],
            version=version,
            concurrency_limit=_concurrency_limit(entry.get("concurrency_limit")),
            schedules=[
                Cron(
                    schedule["cron"],
                    timezone=schedule["timezone"],
                    parameters=schedule.get("parameters"),
                )
                for schedule in entry.get("schedules", [])
            ],
        )
        assert isinstance(deployment, RunnerDeployment)  # a coroutine only in an async program
        _describe_parameters(flow.name, deployment)
        yield deployment


def source_version() -> dict[str, str]:
    """Return the version that deployments carry, as the output of a build step of prefect.yaml.

    The git commit of the publication, with ``+`` and the program's version; that alone outside a checkout.
    """
    with open_app() as app:
        return {"version": app.flows.version()}


def _concurrency_limit(
    limit: int | Mapping[str, Any] | None,
) -> int | ConcurrencyLimitConfig | None:
    return ConcurrencyLimitConfig(**limit) if isinstance(limit, Mapping) else limit


def _describe_parameters(flow: str, deployment: RunnerDeployment) -> None:
    """Describe the parameters in the publication's language; as the docstring does where it cannot be opened."""
    schema = deployment._parameter_openapi_schema
    with suppress(UpcycleError), open_app() as app:
        schema.properties.update(app.runs.describe_parameters(flow, schema.properties))


def _entrypoint_type(entrypoint: str) -> EntrypointType:
    """Return MODULE_PATH for ``package.module.flow``, FILE_PATH for ``flows/file.py:flow``."""
    return EntrypointType.FILE_PATH if ":" in entrypoint else EntrypointType.MODULE_PATH


def run_deployments(file: Path) -> None:
    """Serve the deployments of a prefect.yaml until SIGTERM or Ctrl-C.

    Those of ours that the file does not have any more are removed, and a run of watch is started, which
    looks at once what was to be done while no runner ran.
    """
    # A stop for an update must not leave the schedules paused.
    runner = Runner(pause_on_shutdown=False)
    served = [str(runner.add_deployment(deployment)) for deployment in deployments(file)]
    url, login = PREFECT_API_URL.value() or "", os.environ.get("PREFECT_API_AUTH_STRING", "")
    with open_app() as app:
        app.runs.begin_serving(url, login, served=served)
    with suppress(KeyboardInterrupt, TerminationSignal):
        asyncio.run(runner.start())


if __name__ == "__main__":
    run_deployments(Path("prefect.yaml"))
