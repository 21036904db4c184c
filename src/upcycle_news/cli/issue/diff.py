"""`upcycle-news issue diff`: compare two revisions, or one with the content now."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from upcycle_news.cli.issue.common import EssayOption
from upcycle_news.cli.output import IssueArgument, JsonOption, note, open_publication, print_json

if TYPE_CHECKING:
    from upcycle_news.api.issues import ManifestDiff, Piece, TextChange
    from upcycle_news.models import Related

_MARKS = {"out": ("[-", "-]", "red"), "in": ("{+", "+}", "green")}  # as git diff --word-diff


def diff(
    issue: IssueArgument = None,
    since: Annotated[
        str,
        typer.Option("--from", metavar="REVISION", help="preview, approval, or a hash."),
    ] = "preview",
    to: Annotated[
        str, typer.Option("--to", metavar="REVISION", help="now, preview, approval, or a hash.")
    ] = "now",
    essay: EssayOption = None,
    lines: Annotated[
        bool, typer.Option("--lines", help="Texts as a patch of lines, not word by word.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what changed since the last preview: texts, subject, essays and items, pictures, look.

    Compares a stored revision with the content as it is now, or with another revision.
    Example: upcycle-news issue diff 2026-11-26 --from approval
    """
    with open_publication() as app:
        comparison = app.issues.diff(issue, since, to, essay or ())
    if as_json:
        print_json(comparison.as_dict())
        return
    what = f"issue {comparison.issue}: revision {comparison.old[:12]}"
    if comparison.frozen:
        typer.echo(f"{what} is frozen: its deliveries have begun, and nothing in it changes")
    elif not comparison.difference:
        typer.echo(f"{what}: nothing has changed")
    else:
        against = (
            "what is there now" if comparison.new == "now" else f"revision {comparison.new[:12]}"
        )
        typer.echo(f"{what} and {against}")
        for line in _difference_lines(comparison.difference, lines):
            typer.echo(line)
    if comparison.voids:
        note(f"an approval of revision {comparison.old[:12]} would be refused: {comparison.voids}")


def _difference_lines(difference: ManifestDiff, lines: bool) -> Iterator[str]:
    for change in (difference.subject, difference.preheader):
        if change is not None:
            yield f"  {change.name}"
            yield from _text_lines(change, lines)
    yield from (f"  essay in   {essay.title} ({essay.source})" for essay in difference.essays_in)
    yield from (f"  essay out  {essay.title} ({essay.source})" for essay in difference.essays_out)
    if difference.order:
        yield "  essays     in another order"
    yield from (f"  item in    {_item(change)}" for change in difference.items_in)
    yield from (f"  item out   {_item(change)}" for change in difference.items_out)
    yield from (f"  picture    {path} ({how})" for path, how in difference.pictures)
    for label, texts in (
        ("essay", difference.essays),
        ("item", difference.items),
        ("setting", difference.settings),
        ("template", difference.templates),
    ):
        for change in texts:
            yield f"  {label:<10} {change.name}"
            yield from _text_lines(change, lines)


def _text_lines(change: TextChange, lines: bool) -> Iterator[str]:
    if lines:
        yield from (f"    {line}" for line in change.unified().splitlines())
        return
    for number, pieces in change.words():
        yield f"    {number}: {''.join(map(_piece, pieces))}".replace("\n", "\n       ")


def _piece(piece: Piece) -> str:
    kind, text = piece
    if kind == "same":
        return text
    begin, end, color = _MARKS[kind]
    return typer.style(text, fg=color) if sys.stdout.isatty() else f"{begin}{text}{end}"


def _item(related: Related) -> str:
    return f"{related.story.lead.title} ({related.story.lead.feed})"
