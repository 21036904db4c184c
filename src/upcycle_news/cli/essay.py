"""`upcycle-news essay …`: begin an essay, or take one over from plain text."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upcycle_news.cli.output import newsroom, shown

if TYPE_CHECKING:
    from upcycle_news.newsroom import Newsroom

app = typer.Typer(no_args_is_help=True, help="Begin an essay, or take one over from plain text.")

Day = Annotated[
    str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="Its day; default: today.")
]
Author = Annotated[str | None, typer.Option(metavar="NAME", help="Who wrote it.")]


@app.command()
def new(
    title: Annotated[str, typer.Argument(help="The title, in quotation marks.")],
    day: Day = None,
    author: Author = None,
) -> None:
    """Make the file of a new essay as a draft, and print its path.

    Example: upcycle-news essay new "Was vom Bahnhof bleibt"
    """
    from upcycle_news.editorial.essays import essay_filename, scaffold_essay

    with newsroom() as room:
        when = _day(room, day)
        text = scaffold_essay(title, author or "", when, room.settings.publication.language)
        _write(room, essay_filename(title, when), text)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A plain text file.")],
    title: Annotated[str, typer.Option(help="The title; plain text has none.")],
    day: Day = None,
    author: Author = None,
    language: Annotated[
        str | None, typer.Option(metavar="de|en", help="Default: the publication's.")
    ] = None,
) -> None:
    """Turn plain text into an essay in Markdown, and print its path.

    The byline gives the author, the first sentences the summary; quotation marks and dashes are
    set right, no word is changed.
    Example: upcycle-news essay import text.txt --title "Kleinstadt"
    """
    from upcycle_news.editorial.essays import essay_filename
    from upcycle_news.editorial.importing import decode_text, import_text
    from upcycle_news.errors import ContentError

    with newsroom() as room:
        language = language or room.settings.publication.language
        if language not in ("de", "en"):
            raise typer.BadParameter("--language takes de or en")
        when = _day(room, day)
        try:
            data = file.read_bytes()
        except OSError as error:
            raise ContentError(
                file, None, f"cannot be read ({error.strerror}); check the path"
            ) from None
        try:
            text = import_text(
                decode_text(data), title=title, day=when, author=author, language=language
            )
        except ContentError as error:
            raise ContentError(file, error.line, error.message) from None
        _write(room, essay_filename(title, when), text)


def _day(room: Newsroom, text: str | None) -> date:
    if text is None:
        return room.today
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("--date is not a day: write it as 2026-11-26") from None


def _write(room: Newsroom, name: str, text: str) -> None:
    from upcycle_news.files import write_whole

    path = room.content / "essays" / name
    write_whole(path, text.encode(), exclusive=True)
    typer.echo(shown(path))
