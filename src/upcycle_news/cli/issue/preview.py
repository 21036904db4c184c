"""`upcycle-news issue preview`: render an issue, once or after every save."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upcycle_news.cli.issue.common import (
    CollectOption,
    EssayOption,
    note_feed_failures,
    print_latest_as_json,
)
from upcycle_news.cli.output import (
    IssueArgument,
    JsonOption,
    display_path,
    note,
    open_publication,
    print_json,
)
from upcycle_news.errors import NothingNew, UpcycleError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models.delivery import digest_text
from upcycle_news.models.language_names import language_name

if TYPE_CHECKING:
    from upcycle_news.api import App
    from upcycle_news.api.issues import IssuePreview

_REFRESH = 2  # seconds after which the page in the browser reloads
PICTURES = ("phone", "phone-dark", "desktop", "desktop-dark")
_POLL = 0.4  # seconds between two checks of the files


def preview(
    issue: IssueArgument = None,
    essay: EssayOption = None,
    collect: CollectOption = True,
    open_it: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser.")
    ] = True,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Render again at every save, until Ctrl-C; each a revision."),
    ] = False,
    pictures: Annotated[
        bool,
        typer.Option(
            "--pictures", help="Take pictures with Chromium: phone and desktop, light and dark."
        ),
    ] = False,
    variant: Annotated[
        str,
        typer.Option(
            "--variant",
            metavar="KEY",
            help="Show what readers of these topics get, by the number or key in the list of variants.",
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Compose and render an issue; files lie under var/issues/ISSUE/.

    Example: upcycle-news issue preview 2026-11-26 --no-open
    """
    with open_publication() as app:
        home, language = app.settings.home, app.language
        stamps = _stamps(home)
        if not watch:
            _preview(
                app,
                issue,
                essay,
                collect,
                open_it,
                as_json,
                None,
                pictures=pictures,
                variant=variant,
            )
            return
    try:
        _watch(
            home,
            stamps,
            issue,
            essay,
            collect,
            open_it,
            as_json,
            language,
            pictures=pictures,
            variant=variant,
        )
    except KeyboardInterrupt:
        note(localized("preview-no-longer-watched").in_language(language))


def _watch(
    home: Path,
    stamps: Mapping[Path, tuple[int, int]],
    issue: str | None,
    essay: list[str] | None,
    collect: bool,
    open_it: bool,
    as_json: bool,
    language: str,
    *,
    pictures: bool,
    variant: str,
) -> None:
    """Preview once, and again after every save; errors are printed, and the next save tries again."""
    while True:
        try:
            with open_publication() as app:
                _preview(
                    app,
                    issue,
                    essay,
                    collect,
                    open_it,
                    as_json,
                    _REFRESH,
                    pictures=pictures,
                    variant=variant,
                )
            collect = open_it = False  # once is enough
        except UpcycleError as error:
            note(str(error))
        note(localized("preview-watched").in_language(language))
        while (now := _stamps(home)) == stamps:
            time.sleep(_POLL)
        stamps = now


def _stamps(home: Path) -> dict[Path, tuple[int, int]]:
    """Return time (ns) and size of every file that an issue depends on."""
    files = [home / "newsletter.toml"]
    for folder in ("content", "templates"):
        files += (home / folder).rglob("*")
    stamps = {}
    for file in files:
        try:
            stat = file.stat()
        except OSError:  # an editor is replacing it just now
            continue
        if file.is_file() and not file.name.startswith("."):
            stamps[file] = (stat.st_mtime_ns, stat.st_size)
    return stamps


def _preview(
    app: App,
    issue: str | None,
    essay: list[str] | None,
    collect: bool,
    open_it: bool,
    as_json: bool,
    refresh: int | None,
    *,
    pictures: bool,
    variant: str,
) -> None:
    try:
        shown = app.issues.preview(
            issue,
            essay or (),
            collect=collect,
            on_collected=note_feed_failures,
            refresh=refresh,
            variant=variant,
        )
    except NothingNew:
        if as_json:
            print_latest_as_json(app)
        for finding in app.check_settings():  # they stand against the next issue, whatever it holds
            note(
                f"{finding.where}: {finding.level} {finding.code} {finding.in_language(app.language)}"
            )
        raise
    without = None
    try:
        shown = app.issues.take_pictures(shown) if pictures else shown
    except UpcycleError as error:  # the preview itself is there
        without = error
    if as_json:
        print_json(shown.as_dict(app.language))
    else:
        print_preview(app, shown)
    if without is not None:
        raise without
    if open_it and not as_json and sys.stdout.isatty():
        typer.launch(shown.files["preview"].as_uri())


def print_preview(app: App, shown: IssuePreview) -> None:
    """Print contents and findings of a preview, and where its files lie."""
    _print_contents(shown, app.language)
    _print_variants(shown, app.language)
    for finding in shown.findings:
        message = finding.in_language(app.language)
        typer.echo(f"  {finding.where}: {finding.level} {finding.code} {message}")
    size, revision_id = shown.rendered.html_bytes / 1000, shown.revision.revision_id[:12]
    value = localized("preview-size-value", size=size, revision=revision_id)
    _print_line(localized("preview-size"), value.in_language(app.language), app.language)
    _print_line(localized("preview-look"), display_path(shown.files["preview"]), app.language)
    for kind in PICTURES:
        if file := shown.files.get(kind):
            _print_line(localized("preview-picture"), display_path(file), app.language)


def _print_contents(shown: IssuePreview, language: str) -> None:
    """Print what an issue is called, its essays and its feed items with the reasons for them."""
    content, issue = shown.revision.manifest.issue, str(shown.issue)
    title = localized("preview-issue", issue=issue, subject=shown.subject)
    typer.echo(title.in_language(language))
    if content.file is not None:
        _print_line(localized("preview-file"), content.file.source, language)
    if content.digest_of:
        _print_line(localized("preview-tells"), ", ".join(content.digest_of), language)
    for told in content.translations:
        in_this = localized("preview-language", language=told.language)
        _print_line(in_this, told.subject, language)
    for number, essay in enumerate(content.all_essays):
        place = localized("preview-leads") if number == 0 else localized("preview-then")
        _print_line(place, essay.title, language)
    for related in content.all_related:
        because = f" ({', '.join(related.reasons)})" if related.reasons else ""
        _print_line(localized("preview-item"), f"{related.story.lead.title}{because}", language)


def _print_variants(shown: IssuePreview, language: str) -> None:
    """Print the variants of an issue that has several, with their keys and readers, and who gets it in a digest."""
    readers = shown.readers
    if len(readers.variants) > 1:
        for one in sorted(readers.variants, key=lambda one: (-one.readers, one.number)):
            items = localized("request-items", count=one.items)
            count = localized("preview-variant-readers", count=one.readers)
            mark = "*" if one.number == shown.rendered.variant else " "
            facts = f"{items.in_language(language)}, {count.in_language(language)}"
            typer.echo(f" {mark}{one.number:>4}  {one.variant.key}: {facts}")
    if readers.others:
        others = localized("request-variants-others", count=readers.others)
        typer.echo(f"  {others.in_language(language)}")
    for without, count_ in sorted(readers.without.items()):
        text = localized("request-without", language=language_name(without), count=count_)
        typer.echo(f"  {text.in_language(language)}")
    if (left := digest_text(readers.left_for_digest, readers.digest_day)) is not None:
        typer.echo(f"  {left.in_language(language)}")


def _print_line(label: LocalizedText, text: str, language: str) -> None:
    typer.echo(f"  {label.in_language(language):<7}  {text}")
