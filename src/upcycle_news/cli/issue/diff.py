"""`upcycle-news issue diff`: what changed since somebody looked at an issue."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from upcycle_news.cli.issue.common import EssayOption
from upcycle_news.cli.output import (
    IssueArgument,
    JsonOption,
    issue_id,
    note,
    open_context,
    print_json,
)

if TYPE_CHECKING:
    from upcycle_news.curation.manifest_diff import (
        ManifestDiff,
        Piece,
        TextChange,
    )
    from upcycle_news.models import Related
    from upcycle_news.services.issues.diff import Compared

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
    from upcycle_news.services.issues.diff import compare_issue

    with open_context() as context:
        found = compare_issue(context, issue_id(context, issue), since, to, essay or ())
    if as_json:
        print_json(_as_json(found))
        return
    what = f"issue {found.issue}: revision {found.old[:12]}"
    if found.frozen:
        typer.echo(f"{what} is frozen: its deliveries have begun, and nothing in it changes")
    elif not found.difference:
        typer.echo(f"{what}: nothing has changed")
    else:
        against = "what is there now" if found.new == "now" else f"revision {found.new[:12]}"
        typer.echo(f"{what} and {against}")
        for line in _told(found.difference, lines):
            typer.echo(line)
    if found.voids:
        note(f"an approval of revision {found.old[:12]} would be refused: {found.voids}")


def _told(found: ManifestDiff, lines: bool) -> Iterator[str]:
    for one in (found.subject, found.preheader):
        if one is not None:
            yield f"  {one.name}"
            yield from _text(one, lines)
    yield from (f"  essay in   {essay.title} ({essay.source})" for essay in found.essays_in)
    yield from (f"  essay out  {essay.title} ({essay.source})" for essay in found.essays_out)
    if found.order:
        yield "  essays     in another order"
    yield from (f"  item in    {_item(one)}" for one in found.items_in)
    yield from (f"  item out   {_item(one)}" for one in found.items_out)
    yield from (f"  picture    {path} ({how})" for path, how in found.pictures)
    for label, texts in (
        ("essay", found.essays),
        ("item", found.items),
        ("setting", found.settings),
        ("template", found.templates),
    ):
        for one in texts:
            yield f"  {label:<10} {one.name}"
            yield from _text(one, lines)


def _text(one: TextChange, lines: bool) -> Iterator[str]:
    if lines:
        yield from (f"    {line}" for line in one.unified().splitlines())
        return
    for number, pieces in one.words():
        yield f"    {number}: {''.join(map(_piece, pieces))}".replace("\n", "\n       ")


def _piece(piece: Piece) -> str:
    kind, text = piece
    if kind == "same":
        return text
    begin, end, color = _MARKS[kind]
    return typer.style(text, fg=color) if sys.stdout.isatty() else f"{begin}{text}{end}"


def _item(related: Related) -> str:
    return f"{related.story.lead.title} ({related.story.lead.feed})"


def _as_json(found: Compared) -> dict[str, Any]:
    told = found.difference
    return {
        "issue": str(found.issue),
        "from": found.old,
        "to": found.new,
        "changed": bool(told),
        "frozen": found.frozen,
        "approval_holds": not found.voids,
        "subject": _both(told.subject),
        "preheader": _both(told.preheader),
        "essays": {
            "in": [essay.slug for essay in told.essays_in],
            "out": [essay.slug for essay in told.essays_out],
            "changed": _diffs(told.essays),
            "order": told.order,
        },
        "items": {
            "in": [one.story.lead.link for one in told.items_in],
            "out": [one.story.lead.link for one in told.items_out],
            "changed": _diffs(told.items),
        },
        "images": [{"path": path, "how": how} for path, how in told.pictures],
        "templates": _diffs(told.templates),
        "settings": [{"name": one.name, **(_both(one) or {})} for one in told.settings],
    }


def _both(one: TextChange | None) -> dict[str, str] | None:
    return None if one is None else {"from": one.old, "to": one.new}


def _diffs(found: Sequence[TextChange]) -> list[dict[str, str]]:
    return [{"name": one.name, "diff": one.unified()} for one in found]
