"""Output, arguments and progress bars that commands share."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from upcycle_news.cli.completion import issue_ids
from upcycle_news.errors import SettingsError
from upcycle_news.models import IssueId, IssueStatus

if TYPE_CHECKING:
    from upcycle_news.app.context import AppContext
    from upcycle_news.delivery.ports import DeliveryReport

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
IssueArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[ISSUE]",
        help="Such as 2026-11-26; default: today's issue.",
        autocompletion=issue_ids,
    ),
]


def print_json(value: Any) -> None:
    """Print `value` as one line of JSON on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False))


def note(text: str) -> None:
    """Print a sentence on standard error, so that standard output stays readable by programs."""
    typer.echo(text, err=True)


def display_path(path: Path) -> str:
    """Return `path` relative to the current folder if it is below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


@contextmanager
def open_context() -> Iterator[AppContext]:
    """Open the publication here; raises `SettingsError` in a folder that is none."""
    from upcycle_news.app.context import AppContext
    from upcycle_news.config.settings import FILE_NAME

    with AppContext.open() as context:
        if not (context.settings.home / FILE_NAME).is_file():
            raise SettingsError(
                FILE_NAME,
                None,
                f"is not in {context.settings.home}: go to your publication, set "
                "UPCYCLE_NEWS_HOME, or make a new one with 'upcycle-news init DIR'",
            )
        yield context


def issue_id(context: AppContext, text: str | None) -> IssueId:
    """Return the issue that was named, or today's."""
    from upcycle_news.services.issues.ids import current_issue

    return IssueId.parse(text) if text else current_issue(context)


def format_status(status: IssueStatus) -> str:
    """Return the deliveries of an issue by state, on one line."""
    counts = status.as_dict()
    keys = ("sent", "rejected", "unknown", "suppressed", "cancelled", "deferred", "sending")
    parts = [f"{counts[key]} {key}" for key in (*keys, "queued") if counts[key]]
    closed = "all deliveries are accounted for" if status.closed else "not closed yet"
    return f"issue {status.issue}: audience {status.audience}: {', '.join(parts) or '-'}; {closed}"


@contextmanager
def delivery_progress(status: IssueStatus | None) -> Iterator[Callable[[DeliveryReport], None]]:
    """Show a bar while an issue is delivered, on a terminal only; it begins at `status`."""
    if not sys.stderr.isatty() or status is None:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    done = status.audience - status.waiting
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("delivering", total=status.audience, completed=done)

        def show(report: DeliveryReport) -> None:
            ended = report.sent + report.rejected + report.unknown
            with suppress(OSError):  # a terminal that is gone ends no delivery
                bar.update(task, completed=done + ended)

        yield show


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal; yields a function that takes how many more are done."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda more: bar.advance(task, more)
