"""Build the archive site of all issues; sending does it too, this repairs what was lost since."""

from __future__ import annotations

from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.states import Completed

from upcycle_news import open_app
from upcycle_news_flows import failing_with_a_sentence, run_by_hand


@task
def build() -> str:
    """Build the archive from the store; nothing is written when nothing has changed."""
    with open_app() as app:
        return app.archive.build().summary.in_language(app.language)


@flow(name="build-archive", flow_run_name="build-archive", timeout_seconds=6 * 3600)
@failing_with_a_sentence
def build_archive() -> State[str]:
    """Bring the archive in line with the store."""
    return Completed(message=build())


if __name__ == "__main__":
    run_by_hand(build_archive)
