"""`upcycle-news templates`: list the templates, copy those of the look to change them, show the pieces."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from upcycle_news.cli.output import (
    JsonOption,
    display_path,
    open_publication,
    print_json,
    say,
)
from upcycle_news.i18n.messages import localized


def list_(as_json: JsonOption = False) -> None:
    """List the templates: the publication's own, and those that the look has.

    Example: upcycle-news templates list
    """
    with open_publication() as app:
        templates = app.templates.list()
    for name, own in templates.items():
        if as_json:
            print_json({"template": name, "own": own})
        else:
            own_text = localized("template-own", name=name)
            say(own_text if own else localized("template-of-look", name=name))


def copy(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="As 'templates list' names them.")
    ],
) -> None:
    """Copy templates of the look into templates/, to be changed there.

    The copy counts from then on, and no longer changes with the program.

    Example: upcycle-news templates copy partials/lead.mjml
    """
    with open_publication() as app:
        for path in app.templates.copy(names):
            typer.echo(display_path(path))


def gallery(
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write; default: var/gallery.html.")
    ] = None,
    open_it: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser.")
    ] = True,
) -> None:
    """Show every piece of mails and pages on one page, light and dark, with the lines that make it.

    Example: upcycle-news templates gallery
    """
    with open_publication() as app:
        file = app.templates.gallery(out)
    say(localized("gallery-written", file=display_path(file)))
    if open_it and sys.stdout.isatty():
        typer.launch(file.resolve().as_uri())
