"""`upcycle-news secrets`: list, rotate and drop the keys that sign links."""

from __future__ import annotations

from typing import Annotated

import typer

from upcycle_news.cli.output import (
    JsonOption,
    confirm_or_abort,
    note,
    open_publication,
    print_json,
    say,
)
from upcycle_news.i18n.messages import localized


def list_keys(as_json: JsonOption = False) -> None:
    """List the token keys by number, without the keys themselves; the last one signs.

    Example: upcycle-news secrets list
    """
    with open_publication() as app:
        keys = app.keys.list()
    for key in keys:
        if as_json:
            print_json({"key": key.number, "made_at": key.made_at.isoformat(), "signs": key.signs})
        else:
            does = localized("key-signs") if key.signs else localized("key-reads")
            say(localized("key-line", number=key.number, made_at=key.made_at, does=does))


def rotate() -> None:
    """Make a new token key, which signs all links from now on; links in old mails keep working.

    Example: upcycle-news secrets rotate
    """
    with open_publication() as app:
        number = app.keys.rotate()
    say(localized("key-rotated", number=number))
    note(localized("key-back-up"))


def drop(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="As 'secrets list' names it.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a token key that leaked: every link it signed ends at once, unsubscribe links too.

    Who still has only such a mail leaves by answering it, or with the next issue.

    Example: upcycle-news secrets drop 1
    """
    with open_publication() as app:
        app.keys.raise_unless_droppable(number)
        if not yes:
            confirm_or_abort(localized("key-drop-question", number=number))
        app.keys.drop(number)
        say(localized("key-dropped", number=number))
        note(localized("key-in-backups"))
