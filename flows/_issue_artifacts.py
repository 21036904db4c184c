"""The artifacts of an issue: report, archive link and progress, whoever delivered it."""

from __future__ import annotations

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey, ArtifactFilterType

from upcycle_news import open_app
from upcycle_news.api import App
from upcycle_news.api.runs import FeedRunReport


def language() -> str:
    """Return the publication's language, in which states are written."""
    with open_app() as app:
        return app.language


def progress_key(issue: str) -> str:
    """Return the key of an issue's progress."""
    return f"issue-{issue}-progress"


def write_artifacts(app: App, issue: str, collected: FeedRunReport | None = None) -> None:
    """Create report and archive link; when the issue is closed, no progress of it stays unfinished."""
    create_markdown_artifact(app.runs.report(issue, collected), key=f"issue-{issue}-report")
    create_link_artifact(app.runs.archive_link(issue), key=f"issue-{issue}-archive")
    if summary := app.runs.closing_summary(issue):
        _finish_progress(issue, summary)
        app.runs.mark_reported(issue)


def write_missing_artifacts(app: App) -> list[str]:
    """Write the artifacts of issues that were closed where nobody did, such as by a command; return them."""
    issues = app.runs.unreported_issues()
    for issue in issues:
        write_artifacts(app, issue)
    return issues


def _finish_progress(issue: str, summary: str) -> None:
    """Set the progress of all runs that delivered the issue to 100 per cent, also of one that died."""
    with get_client(sync_client=True) as client:
        bars = client.read_artifacts(
            artifact_filter=ArtifactFilter(
                key=ArtifactFilterKey(any_=[progress_key(issue)]),
                type=ArtifactFilterType(any_=["progress"]),
            )
        )
    if not bars:
        create_progress_artifact(100.0, key=progress_key(issue), description=summary)
    for bar in bars:
        if bar.data != 100.0:
            update_progress_artifact(bar.id, 100.0, description=summary)
