"""For one machine: serve all deployments of prefect.yaml; runs are child processes.

Needs a server (PREFECT_API_URL); `upcycle-news up` starts both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from prefect import Flow, serve
from prefect.deployments.runner import RunnerDeployment
from prefect.flows import load_flow_from_entrypoint
from prefect.schedules import Cron
from prefect.types.entrypoint import EntrypointType

from upcycle_news import open_app
from upcycle_news.errors import UpcycleError


def deployments(file: Path) -> Iterator[RunnerDeployment]:
    """Yield the deployments of a prefect.yaml, to be served by this process."""
    for entry in yaml.safe_load(file.read_text(encoding="utf-8"))["deployments"]:
        flow: Flow[..., Any] = load_flow_from_entrypoint(entry["entrypoint"])
        deployment = flow.to_deployment(
            name=entry["name"],
            entrypoint_type=_entrypoint_type(entry["entrypoint"]),
            description=entry.get("description"),
            parameters=entry.get("parameters") or {},
            tags=entry.get("tags") or [],
            schedules=[
                Cron(schedule["cron"], timezone=schedule["timezone"])
                for schedule in entry.get("schedules", [])
            ],
        )
        assert isinstance(deployment, RunnerDeployment)  # a coroutine only in an async program
        _describe_parameters(flow.name, deployment)
        yield deployment


def _describe_parameters(flow: str, deployment: RunnerDeployment) -> None:
    """Describe the parameters in the publication's language; as the docstring does where it cannot be opened."""
    schema = deployment._parameter_openapi_schema
    with suppress(UpcycleError), open_app() as app:
        schema.properties.update(app.runs.describe_parameters(flow, schema.properties))


def _entrypoint_type(entrypoint: str) -> EntrypointType:
    """Return MODULE_PATH for ``package.module.flow``, FILE_PATH for ``flows/file.py:flow``."""
    return EntrypointType.FILE_PATH if ":" in entrypoint else EntrypointType.MODULE_PATH


if __name__ == "__main__":
    # A stop for an update must not leave the schedules paused.
    serve(*deployments(Path("prefect.yaml")), pause_on_shutdown=False)
