"""`upcycle-news check`: check content, settings, templates and today's issue."""

from __future__ import annotations

import typer

from upcycle_news.cli.output import (
    IssueArgument,
    JsonOption,
    note,
    open_publication,
    print_findings,
    print_json,
)
from upcycle_news.i18n.messages import localized


def check(issue: IssueArgument = None, as_json: JsonOption = False) -> None:
    """Check content, feeds.toml, newsletter.toml, templates and today's issue; nothing is sent.

    One line each: file:line: level code, and a sentence in the publication's language. Exit code 1
    when there is an error, or the store does not know what went out.
    docs/checks.md explains the codes.

    Example: upcycle-news check
    """
    with open_publication() as app:
        contradiction = app.store.contradiction()
        report = app.check(issue)
    if as_json:
        for finding in report.findings:
            print_json(finding.as_dict(report.language))
    else:
        print_findings(report.findings, report.language)
        note(report.unsubscribe_methods)
    if contradiction:
        note(contradiction)
    elif not report.findings and not as_json:
        typer.echo(localized("nothing-found").in_language(report.language))
    if report.errors or contradiction:
        raise typer.Exit(1)
