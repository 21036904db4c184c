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
from upcycle_news.models import IssueStatus

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from upcycle_news.api import App
    from upcycle_news.api.issues import DeliveryReport

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
def open_publication() -> Iterator[App]:
    """Open the app of the publication here; raises `SettingsError` in a folder that is none."""
    from upcycle_news.api import open_app

    with open_app() as app:
        app.require_publication()
        yield app


def format_status(status: IssueStatus) -> str:
    """Return the deliveries of an issue by state, on one line."""
    counts = status.as_dict()
    keys = ("sent", "rejected", "unknown", "suppressed", "cancelled", "deferred", "sending")
    parts = [f"{counts[key]} {key}" for key in (*keys, "queued") if counts[key]]
    closed = "all deliveries are accounted for" if status.closed else "not closed yet"
    return f"issue {status.issue}: audience {status.audience}: {', '.join(parts) or '-'}; {closed}"


class DeliveryBar:
    """The progress of a delivery as a bar on a terminal; `began` is True once the delivery has."""

    def __init__(self, bar: Progress | None) -> None:
        """Without a `bar` nothing is shown."""
        self._bar = bar
        self._task: TaskID | None = None
        self.began = False

    def show(self, status: IssueStatus, report: DeliveryReport) -> None:
        """Take the counts when the delivery began, and the report so far."""
        self.began = True
        if self._bar is None:
            return
        with suppress(OSError):  # a terminal that is gone ends no delivery
            if self._task is None:
                self._task = self._bar.add_task("delivering", total=status.audience)
            ended = report.sent + report.rejected + report.unknown
            completed = status.audience - status.waiting + ended
            text = "delivering"
            if report.away_since is not None:
                text = f"the relay is away since {report.away_since.astimezone():%H:%M}"
            self._bar.update(self._task, completed=completed, description=text)


@contextmanager
def delivery_progress() -> Iterator[DeliveryBar]:
    """Show a bar while an issue is delivered, on a terminal only."""
    if not sys.stderr.isatty():
        yield DeliveryBar(None)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        yield DeliveryBar(bar)


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
