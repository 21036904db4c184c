"""`upcycle-news check`: check content, settings, templates and today's issue."""

from __future__ import annotations

import typer

from upcycle_news.cli.output import (
    IssueArgument,
    JsonOption,
    note,
    open_context,
    print_json,
)
from upcycle_news.i18n.messages import localized


def check(issue: IssueArgument = None, as_json: JsonOption = False) -> None:
    """Check content, feeds.toml, newsletter.toml, templates and today's issue; nothing is sent.

    One line each: file:line: level code, and a sentence in the publication's language. Exit code 1
    when there is an error.
    docs/checks.md explains the codes.

    Example: upcycle-news check
    """
    from upcycle_news.cli.output import issue_id
    from upcycle_news.services.checks.run import check_everything
    from upcycle_news.services.subscribers.subscriptions import describe_unsubscribe_methods

    with open_context() as context:
        findings = check_everything(context, issue_id(context, issue))
        language = context.language
        ways = describe_unsubscribe_methods(context).in_language(language)
    for finding in findings:
        file, line = _place(finding.where)
        message = finding.in_language(language)
        if as_json:
            print_json(
                {
                    "level": finding.level,
                    "code": finding.code,
                    "where": finding.where,
                    "message": message,
                    "file": file,
                    "line": line,
                }
            )
        else:
            typer.echo(f"{file}:{line}: {finding.level} {finding.code} {message}")
    if not as_json:
        note(ways)
    if not findings and not as_json:
        typer.echo(localized("nothing-found").in_language(language))
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)


def _place(where: str) -> tuple[str, int]:
    """Return file and line; a finding about a whole file gets its first line."""
    file, colon, line = where.rpartition(":")
    return (file, int(line)) if colon and line.isdecimal() else (where, 1)
