"""`upcycle-news pull-request`: what a branch changes for the readers, before it is merged."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from upcycle_news.api.pull_requests import PAGE, SUMMARY, annotation_of_error
from upcycle_news.cli.output import open_publication, print_findings
from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized


class Format(StrEnum):
    """How findings are printed: as `check` does, or as GitHub Actions reads them."""

    PLAIN = "plain"
    GITHUB = "github"


def pull_request(
    base: Annotated[
        str, typer.Option(help="The branch or commit that the pull request is to be merged into.")
    ],
    output: Annotated[Path, typer.Option(help="Folder of the files.")] = Path("var/pull-request"),
    format: Annotated[
        Format, typer.Option(help="How findings are printed; github: also the job's summary.")
    ] = Format.PLAIN,
) -> None:
    """Check a branch, and show what it changes for the readers; uses no store, feeds or secrets.

    Each essay that it adds or changes is rendered as an issue of its own. OUTPUT gets preview.html, one
    page without scripts or anything foreign (phone and desk, light and dark, without pictures, text),
    summary.md and GitLab's gl-code-quality-report.json. Exit code 1 when there is an error.
    docs/checks.md has the workflows for GitHub and GitLab.

    Example: upcycle-news pull-request --base origin/main
    """
    try:
        with open_publication() as app:
            written = app.review_pull_request(base, output)
    except UpcycleError as error:
        if format is Format.GITHUB:
            typer.echo(annotation_of_error(error))
        raise
    review = written.review
    if format is Format.GITHUB:
        for line in written.annotations():
            typer.echo(line)
        _append_summary(written.files[SUMMARY])
    else:
        print_findings(review.findings, review.language)
        page = str(written.files[PAGE])
        typer.echo(localized("pull-request-written", page=page).in_language(review.language))
    if review.errors:
        raise typer.Exit(1)


def _append_summary(summary: Path) -> None:
    """Add a summary to that of the job, where GitHub Actions names its file."""
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(summary.read_text(encoding="utf-8") + "\n")
