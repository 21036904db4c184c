"""Output, arguments and progress bars that commands share."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from upcycle_news.cli.completion import issue_ids
from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import LocalizedText, localized, supported_language
from upcycle_news.models import DeliveryState, Finding, IssueState, IssueStatus, VariantStatus

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


def print_findings(findings: Iterable[Finding], language: str) -> None:
    """Print a line for each finding, ``file:line: level code sentence``, as compilers do."""
    for finding in findings:
        file, line = finding.place
        sentence = finding.in_language(language)
        typer.echo(f"{file}:{line}: {finding.level} {finding.code} {sentence}")


def tells_contradiction(app: App) -> bool:
    """Note what went out and the store does not know; return whether there is any."""
    if contradiction := app.store.contradiction():
        note(contradiction)
    return bool(contradiction)


def note(text: str | LocalizedText) -> None:
    """Print a sentence on standard error, so that standard output stays readable by programs.

    One that cannot be written (a full disk behind standard error) stops no command.
    """
    with suppress(OSError):
        typer.echo(in_language(text), err=True)


def say(text: str | LocalizedText) -> None:
    """Print a sentence on standard output, in the publication's language."""
    typer.echo(in_language(text))


def format_time(local: datetime) -> str:
    """Return a local time in the publication's language, such as Samstag, 28. November 2026, 07:00."""
    from babel.dates import format_datetime  # late: few commands need it

    base = supported_language(language())
    forms = {"de": "EEEE, d. MMMM y, HH:mm", "en": "EEEE, dd MMMM y, HH:mm"}
    text: str = format_datetime(local, forms[base], locale=base)
    return text


def usage_error(text: LocalizedText) -> typer.BadParameter:
    """Return the error for a wrong argument, in the publication's language: exit code 2."""
    return typer.BadParameter(text.in_language(language()))


def language() -> str:
    """Return the language of the publication that the command has opened, or of the one in this folder."""
    from upcycle_news.api.publications import publication_language

    return _opened[-1] if _opened else publication_language()


_opened: list[str] = []


def in_language(text: str | LocalizedText) -> str:
    """Return a sentence in the publication's language."""
    return text if isinstance(text, str) else text.in_language(language())


def display_path(path: Path) -> str:
    """Return `path` relative to the current folder if it is below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, FileNotFoundError):  # elsewhere, or the current folder was deleted
        return str(path)


@contextmanager
def open_publication() -> Iterator[App]:
    """Open the app of the publication here; raises `SettingsError` in a folder that is none.

    What the system refuses meanwhile becomes an `UpcycleError` in the publication's language.
    """
    from upcycle_news.api import open_app

    _opened.clear()  # of the command before, in a process that runs several
    with open_app() as app:
        try:
            app.require_publication()
            _opened.append(app.language)
            yield app
        except BrokenPipeError:
            raise
        except OSError as error:
            from upcycle_news.api.system_errors import from_system_error

            raise from_system_error(error, app.language) from None


def format_status(status: IssueStatus, language: str) -> str:
    """Return the deliveries of an issue by state, on one line; of one not queued, how far it is."""
    match status.state:
        case IssueState.OPEN:
            text = localized("status-open", issue=status.issue)
        case IssueState.AWAITING_APPROVAL:
            text = localized("status-awaiting", issue=status.issue)
        case IssueState.APPROVED:
            text = localized("status-approved", issue=status.issue)
        case IssueState.CANCELLED if not status.audience:
            text = localized("status-went-out-elsewhere", issue=status.issue)
        case _:
            text = _status_line(status)
    return text.in_language(language)


def format_variant(variant: VariantStatus, language: str, *, in_mailbox: bool) -> str:
    """Return the deliveries of one variant by state, on one line; `in_mailbox` as in `IssueStatus`."""
    readers = localized("status-readers", count=variant.audience).in_language(language)
    states = (text.in_language(language) for text in _states(variant.counts, in_mailbox=in_mailbox))
    return f"{readers}: {', '.join(states)}"


def _states(counts: Mapping[DeliveryState, int], *, in_mailbox: bool) -> tuple[LocalizedText, ...]:
    """Return how many deliveries are in each state that some are in."""
    sent = localized("count-in-mailbox") if in_mailbox else localized("count-sent")
    names = {
        DeliveryState.SENT: sent,
        DeliveryState.REJECTED: localized("count-rejected"),
        DeliveryState.UNKNOWN: localized("count-unknown"),
        DeliveryState.SUPPRESSED: localized("count-suppressed"),
        DeliveryState.CANCELLED: localized("count-cancelled"),
        DeliveryState.DEFERRED: localized("count-deferred"),
        DeliveryState.SENDING: localized("count-sending"),
        DeliveryState.QUEUED: localized("count-queued"),
    }
    return tuple(
        localized("status-state", count=count, name=name)
        for state, name in names.items()
        if (count := counts.get(state, 0))
    )


def _status_line(status: IssueStatus) -> LocalizedText:
    states = _states(status.counts, in_mailbox=status.in_mailbox)
    if status.closed and not status.audience:
        return localized("status-by-itself-nobody", issue=status.issue)
    return localized(
        "status-line",
        issue=status.issue,
        audience=localized("status-readers", count=status.audience),
        states=states or localized("status-none"),
        closed=localized("status-closed") if status.closed else localized("status-not-closed"),
    )


def confirm(question: LocalizedText) -> bool:
    """Ask on the terminal in the publication's language; anything but a yes is a no."""
    asked, choices = in_language(question), in_language(localized("confirm-choices"))
    with _answered(asked):
        answer = typer.prompt(f"{asked} {choices}", default="", show_default=False, err=True)
    return answer.strip().lower() in in_language(localized("confirm-yes")).split()


def confirm_or_abort(question: LocalizedText) -> None:
    """Ask on the terminal; anything but a yes ends the command with exit code 1."""
    if not confirm(question):
        raise UpcycleError(localized("confirm-declined"))


@contextmanager
def _answered(question: str) -> Iterator[None]:
    """Raise `UpcycleError` when there is nobody to answer: standard input has ended or was closed."""
    try:
        yield
    except (typer.Abort, RuntimeError):  # Abort is Ctrl-C, too
        if sys.stdin is not None and sys.stdin.isatty():
            raise
        raise UpcycleError(localized("question-unanswered", question=question)) from None


class DeliveryBar:
    """The progress of a delivery as a bar on a terminal; `began` is True once the delivery has.

    The bar starts with the delivery: before it, there may be a question on the terminal.
    """

    def __init__(self, bar: Progress | None) -> None:
        """Without a `bar` nothing is shown."""
        self._bar = bar
        self._task: TaskID | None = None
        self.began = False

    def stop(self) -> None:
        """Take the bar off the terminal."""
        if self._bar is not None and self._task is not None:
            self._bar.stop()

    def show(self, status: IssueStatus, report: DeliveryReport) -> None:
        """Take the counts when the delivery began, and the report so far."""
        self.began = True
        if self._bar is None:
            return
        with suppress(OSError):  # a terminal that is gone ends no delivery
            if self._task is None:
                self._bar.start()
                self._task = self._bar.add_task("", total=status.audience)
            ended = report.sent + report.rejected + report.unknown
            completed = status.audience - status.waiting + ended
            text = localized("bar-delivering")
            if report.away_since is not None:
                text = localized("bar-relay-away", since=report.away_since.astimezone())
            self._bar.update(self._task, completed=completed, description=in_language(text))


@contextmanager
def delivery_progress() -> Iterator[DeliveryBar]:
    """Show a bar while an issue is delivered, on a terminal only."""
    if not sys.stderr.isatty():
        yield DeliveryBar(None)
        return
    from rich.console import Console
    from rich.progress import Progress

    bar = DeliveryBar(Progress(console=Console(stderr=True), transient=True))
    try:
        yield bar
    finally:
        bar.stop()


@contextmanager
def progress_bar(what: str | LocalizedText, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal; yields a function that takes how many more are done."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(in_language(what), total=total)
        yield lambda more: bar.advance(task, more)
