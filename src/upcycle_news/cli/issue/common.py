"""Options and output that several issue commands share."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from upcycle_news.cli.completion import essay_slugs
from upcycle_news.cli.output import format_status, format_variant, note, print_json, say
from upcycle_news.i18n.messages import localized
from upcycle_news.models import IssueId, IssueStatus
from upcycle_news.models.delivery import digest_text

if TYPE_CHECKING:  # completing a word loads this module, and must not load the store
    from upcycle_news.api import App
    from upcycle_news.api.issues import FeedRunReport

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


def note_feed_failures(report: FeedRunReport) -> None:
    """Print which feeds failed or were not asked, and why `git pull` failed."""
    if report.pull:
        note(report.pull)
    for name, sentence in report.failed:
        note(f"feed {name}: {sentence}")
    for name, sentence in report.waiting:
        note(f"feed {name} was not asked: {sentence}")


def print_status(app: App, status: IssueStatus, as_json: bool) -> None:
    """Print the deliveries by state, that they lie in the embedded mailbox if they do, replies and a question.

    Replies are a sentence only where there are some; a question is shown with its sums.
    """
    mailbox = app.issues.in_mailbox(status.issue) if status.in_mailbox else None
    if as_json:
        print_json(_status_json(app, status))
    else:
        replies = app.issues.replies(status.issue)
        typer.echo(format_status(status, app.language))
        for variant in status.variants:
            line = format_variant(variant, app.language, in_mailbox=status.in_mailbox)
            typer.echo(f"  {variant.variant.key}: {line}")
        for language, count in sorted(status.without.items()):
            text = localized("status-without", language=language, count=count)
            typer.echo(f"  {text.in_language(app.language)}")
        if (left := digest_text(status.left_for_digest, status.digest_day)) is not None:
            say(left)
        if replies.replies or replies.auto_replies:
            say(
                localized(
                    "status-replies",
                    replies=localized("count-replies", count=replies.replies),
                    auto_replies=localized("count-auto-replies", count=replies.auto_replies),
                )
            )
        question = app.issues.question(status.issue)
        for sentence in () if question is None else question.sentences():
            typer.echo(sentence.in_language(app.language))
    if mailbox is not None:
        typer.echo(mailbox.in_language(app.language), err=as_json)


def _status_json(app: App, status: IssueStatus) -> dict[str, Any]:
    """Return the object of `issue status --json`; `question` only of an issue that asks one."""
    question = app.issues.question(status.issue)
    asked = {} if question is None else {"question": question.as_dict()}
    return status.as_dict() | app.issues.replies(status.issue).as_dict() | asked


def note_pending_suppressions(app: App, issue: str = "") -> None:
    """Print how many suppressions wait for a decision, if any does; with `issue` only after its wave."""
    if issue and not app.suppressions.pending_count(issue):
        return
    if waiting := app.suppressions.pending_sentence():
        note(waiting)


def print_latest_as_json(app: App) -> None:
    """Print the status of the latest issue, if there is one: nothing new is no reason for no JSON."""
    if (latest := app.issues.latest()) is not None:
        print_json(_status_json(app, app.issues.status(latest)))


def chosen_issue(app: App, issue: str | None) -> IssueId:
    """Return the issue that was named, or today's: one for the whole command."""
    return IssueId.parse(issue) if issue else app.issues.default_id()


def current_user() -> str:
    """Return the name of the account that runs this command, for the record of a decision."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "command line"
