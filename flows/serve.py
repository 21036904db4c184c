"""One machine: run everything prefect.yaml names, on its schedules, in this process's children.

Needs a server (PREFECT_API_URL); `upcycle-news up` starts both.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prefect import Flow, serve
from prefect.deployments.runner import RunnerDeployment
from prefect.flows import load_flow_from_entrypoint
from prefect.schedules import Cron


def deployments(file: Path) -> Iterator[RunnerDeployment]:
    """The deployments of a prefect.yaml, as this process serves them."""
    for told in yaml.safe_load(file.read_text(encoding="utf-8"))["deployments"]:
        flow: Flow[..., Any] = load_flow_from_entrypoint(told["entrypoint"])
        made = flow.to_deployment(
            name=told["name"],
            description=told.get("description"),
            parameters=told.get("parameters") or {},
            schedules=[
                Cron(one["cron"], timezone=one["timezone"]) for one in told.get("schedules", [])
            ],
        )
        assert isinstance(made, RunnerDeployment)  # a coroutine only in an async program
        yield made


if __name__ == "__main__":
    # A stop for an update must not leave the schedules paused.
    serve(*deployments(Path("prefect.yaml")), pause_on_shutdown=False)
