"""Options and steps that several issue commands share."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from upcycle_news.cli.completion import essay_slugs
from upcycle_news.cli.output import format_status, note, print_json
from upcycle_news.errors import IssueError, NothingNew

if TYPE_CHECKING:
    from upcycle_news.app.context import AppContext
    from upcycle_news.models import IssueId
    from upcycle_news.services.issues.compose import RevisionRef

EssayOption = Annotated[
    list[str] | None,
    typer.Option(
        "--essay",
        metavar="SLUG",
        help="Only this essay; may be given several times.",
        autocompletion=essay_slugs,
    ),
]
CollectOption = Annotated[
    bool, typer.Option("--collect/--no-collect", help="Ask feeds that are due before composing.")
]


def collect_and_compose(
    context: AppContext, issue: IssueId, essays: list[str] | None, collect: bool, as_json: bool
) -> RevisionRef:
    """Collect feeds that are due, compose, and print which feeds failed.

    An issue whose deliveries have begun is frozen: it is taken as it is.
    """
    from upcycle_news.services.feeds.collect import collect_feeds
    from upcycle_news.services.issues.compose import RevisionRef, compose_issue
    from upcycle_news.services.issues.ids import latest_issue
    from upcycle_news.storage import issues, revisions

    row = issues.get(context.store, issue)
    if row is not None and row.revision_id:
        frozen = revisions.load_revision(context.store, issue, row.revision_id)
        if frozen is not None:
            return RevisionRef(issue, row.revision_id, False, frozen.manifest)
    if collect:
        report = collect_feeds(context)
        if report.pull:
            note(report.pull)
        for name, sentence in report.failed:
            note(f"feed {name}: {sentence}")
        for name, sentence in report.waiting:
            note(f"feed {name} was not asked: {sentence}")
    try:
        return compose_issue(context, issue, essays or ())
    except NothingNew:
        last = latest_issue(context)
        if as_json and last is not None:
            print_status(context, last, as_json)
        raise


def print_status(context: AppContext, issue: IssueId, as_json: bool) -> None:
    """Print the deliveries by state; raises `IssueError` for an issue that does not exist."""
    from upcycle_news.storage import issues

    status = issues.status(context.store, issue)
    if status is None:
        raise IssueError(f"there is no issue {issue}: see 'upcycle-news issue preview {issue}'")
    if as_json:
        print_json(status.as_dict())
    else:
        typer.echo(format_status(status))


def current_user() -> str:
    """Return the name of the account that runs this command, for the record of a decision."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "command line"
