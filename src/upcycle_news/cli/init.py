"""`upcycle-news init` and `upcycle-news demo`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from upcycle_news.api.publications import init_publication, publication_language
from upcycle_news.cli.output import display_path, note
from upcycle_news.demo.run import run_demo
from upcycle_news.i18n.messages import localized


class Look(StrEnum):
    """The looks that come with the program: a letter, a dense bulletin, a magazine of pictures."""

    LETTER = "letter"
    BULLETIN = "bulletin"
    MAGAZINE = "magazine"


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    name: Annotated[str, typer.Option(help="The newsletter's name.")] = "Mein Newsletter",
    look: Annotated[
        Look | None,
        typer.Option(
            help="Its look, which comes with the program and is upgraded with it; without this, all templates are copied."
        ),
    ] = None,
) -> None:
    """Make a new publication: settings, content and templates to change, and its schedules.

    Example: upcycle-news init umbaupost --name "Umbaupost" --look magazine
    """
    written = init_publication(folder, name=name, look=look or "")
    place, language = display_path(folder), publication_language(folder)
    files = localized("count-files", count=len(written))
    typer.echo(localized("init-written", folder=place, files=files).in_language(language))
    for step in (
        localized("init-enter", folder=place),
        localized("init-settings"),
        localized("init-essay"),
        localized("init-readers"),
        localized("init-preview"),
    ):
        typer.echo(f"  {step.in_language(language)}")


def demo() -> None:
    """Run the main job on sample content: everything on this machine, nothing to set up.

    State lies in var/demo; no real subscriber, relay or feed is touched.
    Example: upcycle-news demo
    """
    for line in run_demo(Path.cwd(), show=note):
        typer.echo(line)
