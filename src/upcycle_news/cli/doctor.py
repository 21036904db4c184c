"""`upcycle-news doctor`: print what is wrong, its impact and the fix."""

from __future__ import annotations

import shutil
from typing import Annotated

import typer

from upcycle_news.api.doctor import (
    Report,
    State,
    report_lines,
    report_unreadable,
    settings_lines,
    unknown_checks,
)
from upcycle_news.cli.output import JsonOption, language, open_publication, print_json, usage_error
from upcycle_news.errors import SettingsError
from upcycle_news.i18n.messages import localized

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
    read_back: Annotated[
        str,
        typer.Option(
            "--read-back",
            metavar="ADDRESS",
            help="Send a test mail there and read it back from the inbox: is it what was sent?",
        ),
    ] = "",
    settings: Annotated[
        bool,
        typer.Option("--settings", help="Only tell where each setting came from, secrets masked."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Look for what is wrong: relay, DNS, unsubscribing, store, disk, Prefect, feeds, settings.

    Each line: state, finding, impact, fix. Nothing is sent or changed, but for
    the test mail of --read-back. Exit code 1 when something is red.

    Example: upcycle-news doctor
    """
    unknown, known = unknown_checks(checks or ())
    if unknown:
        raise usage_error(
            localized("doctor-no-check", name=unknown[0][:40], known=", ".join(known))
        )
    if settings:
        _settings(as_json)
        return
    try:
        with open_publication() as app:
            if read_back and not as_json:
                typer.echo(localized("read-back-waiting").in_language(language()), err=True)
            report = app.doctor.run(checks or (), offline=offline, read_back=read_back)
    except SettingsError as error:
        report = report_unreadable(error)
    if as_json:
        print_json(report.as_dict())
    else:
        _show(report)
    if report.problems:
        raise typer.Exit(1)


def _show(report: Report) -> None:
    def paint(text: str, state: State) -> str:
        return typer.style(text, fg=_COLOURS[state], bold=state == "problem")

    width = min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST)
    for line in report_lines(report, width, paint, language()):
        typer.echo(line)


def _settings(as_json: bool) -> None:
    with open_publication() as app:
        settings = app.doctor.settings()
    if as_json:
        print_json([origin.as_dict() for origin in settings])
        return
    for line in settings_lines(settings):
        typer.echo(line)
