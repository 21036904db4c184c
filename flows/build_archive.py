"""Build the web pages of all issues; sending does it too, this mends what was lost meanwhile."""

from __future__ import annotations

from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.states import Completed

from upcycle_news.app.context import AppContext
from upcycle_news.services.archive import build as build_service


@task
def build() -> str:
    """Build the archive from the store; nothing is written when nothing has changed."""
    with AppContext.open() as context:
        return build_service.build_archive(context).told


@flow(name="build-archive")
def build_archive() -> State[str]:
    """Make the archive what the store says was sent."""
    return Completed(message=build())


if __name__ == "__main__":
    build_archive()
