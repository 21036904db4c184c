"""`upcycle-news welcome …`: what new readers get after the confirmation."""

from __future__ import annotations

from typing import Annotated

import typer

from upcycle_news.cli.issue.common import current_user
from upcycle_news.cli.output import JsonOption, note, open_publication, print_json
from upcycle_news.i18n.messages import localized


def preview() -> None:
    """Render each step of content/welcome; files lie under var/welcome.

    Example: upcycle-news welcome preview
    """
    with open_publication() as app:
        found = app.welcome.preview()
        for step in found:
            typer.echo(step.sentence().in_language(app.language))
            if not step.file.newest_issue:
                typer.echo(f"  {app.welcome.preview_file(step.file.step)}")
        if not found:
            note(localized("welcome-none").in_language(app.language))


def approve(
    step: Annotated[
        list[str] | None,
        typer.Argument(metavar="[STEP]...", help="The names of their files; default: all."),
    ] = None,
) -> None:
    """Approve what was previewed; a step that is changed afterwards goes on as it was approved.

    Example: upcycle-news welcome approve 1-willkommen
    """
    with open_publication() as app:
        for one in app.welcome.approve(*(step or ()), by=current_user()):
            typer.echo(one.sentence().in_language(app.language))


def status(as_json: JsonOption = False) -> None:
    """Show each step: whether it is approved, and for how many readers it was queued and sent.

    Example: upcycle-news welcome status --json
    """
    with open_publication() as app:
        found = app.welcome.steps()
        for step in found:
            if as_json:
                print_json(step.as_dict())
            else:
                typer.echo(step.sentence().in_language(app.language))
        if not found:
            note(localized("welcome-none").in_language(app.language))


def send() -> None:
    """Send the steps that are due now, as the flows do every few minutes; none twice.

    Example: upcycle-news welcome send
    """
    with open_publication() as app:
        language, report = app.language, app.welcome.send_due()
    for sentence in report.sentences() or (localized("welcome-nothing-due"),):
        typer.echo(sentence.in_language(language))
    if report.away:
        raise typer.Exit(1)
