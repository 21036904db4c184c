"""`upcycle-news issue diff`: compare two revisions, or one with the content now."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from upcycle_news.cli.issue.common import EssayOption
from upcycle_news.cli.output import (
    IssueArgument,
    JsonOption,
    in_language,
    note,
    open_publication,
    print_json,
    say,
)
from upcycle_news.i18n.messages import LocalizedText, localized

if TYPE_CHECKING:
    from upcycle_news.api.issues import ManifestDiff, Piece, TextChange
    from upcycle_news.models import Related

_PARTS = {
    "subject": localized("diff-subject"),
    "preheader": localized("diff-preheader"),
    "greeting": localized("diff-greeting"),
}
_HOW = {
    "new": localized("diff-new"),
    "dropped": localized("diff-dropped"),
    "changed": localized("diff-changed"),
}
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
    what = localized("diff-of", issue=comparison.issue, revision=comparison.old[:12])
    if comparison.frozen:
        say(localized("diff-frozen", what=what))
    elif not comparison.difference:
        say(localized("diff-none", what=what))
    else:
        against = (
            localized("diff-now")
            if comparison.new == "now"
            else localized("diff-revision", revision=comparison.new[:12])
        )
        say(localized("diff-against", what=what, against=against))
        for line in _difference_lines(comparison.difference, lines):
            say(line)
    if comparison.voids:
        note(localized("diff-voids", revision=comparison.old[:12], why=comparison.voids))


def _difference_lines(difference: ManifestDiff, lines: bool) -> Iterator[str | LocalizedText]:
    written = (difference.subject, difference.preheader, difference.greeting, difference.file)
    for change in written:
        if change is not None:
            yield f"  {in_language(_PARTS.get(change.name, change.name))}"
            yield from _text_lines(change, lines)
    yield from (
        localized("diff-essay-in", title=essay.title, source=essay.source)
        for essay in difference.essays_in
    )
    yield from (
        localized("diff-essay-out", title=essay.title, source=essay.source)
        for essay in difference.essays_out
    )
    if difference.order:
        yield localized("diff-order")
    yield from (localized("diff-item-in", item=_item(change)) for change in difference.items_in)
    yield from (localized("diff-item-out", item=_item(change)) for change in difference.items_out)
    yield from (
        localized("diff-picture", path=path, how=_HOW[how]) for path, how in difference.pictures
    )
    for label, texts in (
        (localized("diff-essay"), difference.essays),
        (localized("diff-item"), difference.items),
        (localized("diff-setting"), difference.settings),
        (localized("diff-template"), difference.templates),
    ):
        for change in texts:
            yield f"  {in_language(label):<10} {change.name}"
            yield from _text_lines(change, lines)
    for language, translation in difference.translations:
        yield localized("diff-translation", language=language)
        yield from _difference_lines(translation, lines)


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
