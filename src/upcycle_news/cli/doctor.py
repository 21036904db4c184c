"""`upcycle-news doctor`: what is wrong, what it means, and the cure."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Annotated

import typer

from upcycle_news.cli.output import AsJson, open_context, say_json

if TYPE_CHECKING:
    from upcycle_news.diagnostics.results import Report, State

_COLOURS = {"problem": "red", "warning": "yellow", "ok": "green", "skipped": "bright_black"}
_WIDEST = 100


def doctor(
    checks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CHECK]...", help="Such as dns or spf; default: everything. docs/doctor.md"
        ),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask nothing beyond this machine.")
    ] = False,
    settings: Annotated[
        bool,
        typer.Option("--settings", help="Only tell where each setting came from, secrets masked."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look for what is wrong: relay, DNS, the way out, store, disk, Prefect, feeds, settings.

    Each line: state, what was found, what it means, the cure. Nothing is sent or changed. Exit
    code 1 when something is red.

    Example: upcycle-news doctor
    """
    from upcycle_news.diagnostics.runner import examine, known_checks, unreadable
    from upcycle_news.errors import SettingsError

    for check in checks or ():
        if check not in known_checks():
            raise typer.BadParameter(f"{check[:40]!r} is no check: {', '.join(known_checks())}")
    if settings:
        _settings(as_json)
        return
    try:
        with open_context() as context:
            report = examine(context, checks or (), offline=offline)
    except SettingsError as error:
        report = unreadable(error)
    if as_json:
        say_json(report.as_dict())
    else:
        _show(report)
    if report.problems:
        raise typer.Exit(1)


def _show(report: Report) -> None:
    from upcycle_news.diagnostics.formatting import lines

    def paint(text: str, state: State) -> str:
        return typer.style(text, fg=_COLOURS[state], bold=state == "problem")

    width = min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST)
    for line in lines(report, width, paint):
        typer.echo(line)


def _settings(as_json: bool) -> None:
    from upcycle_news.config.origins import origins
    from upcycle_news.diagnostics.formatting import settings_lines

    with open_context() as context:
        found = origins(context.settings)
    if as_json:
        say_json([one.as_dict() for one in found])
        return
    for line in settings_lines(found):
        typer.echo(line)
