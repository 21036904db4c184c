"""Makes the files of new essays, and drafts from a title alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.content.essays import essay_filename, scaffold_essay, slug_of, title_error
from upcycle_news.errors import ContentError, UpcycleError
from upcycle_news.fileio import display_path, write_atomically
from upcycle_news.i18n.messages import localized
from upcycle_news.services.content.git_sync import git_user_name


def new_essay(
    context: AppContext,
    title: str,
    *,
    day: date | None = None,
    author: str | None = None,
    topics: Sequence[str] = (),
) -> Path:
    """Write a draft with this title and return its path; `day` defaults to today.

    Without an `author` it is git's user.name. Raises `UpcycleError` for a title that is empty or that
    no mail could show, and `ContentError` when an essay with it is there: no file is overwritten.
    """
    when = day or context.today
    by = git_user_name(context.settings.home) if author is None else author
    language = context.settings.publication.language
    return write_essay(context, title, when, scaffold_essay(title, by, when, language, topics))


def refuse_taken_title(context: AppContext, title: str, day: date) -> Path:
    """Return where the essay with this title goes; raises as `write_essay` does."""
    if (objection := title_error(title)) is not None:
        raise UpcycleError(objection)
    path = context.content_folder / "essays" / essay_filename(title, day)
    for other in sorted(path.parent.glob("*.md")):
        if slug_of(other) == slug_of(path):
            where = display_path(other, context.settings.home)
            raise ContentError(where, None, localized("essay-there"))
    return path


def write_essay(context: AppContext, title: str, day: date, text: str) -> Path:
    """Write the file of a new essay and return its path.

    Raises `UpcycleError` for a title that is empty or that no mail could show, and `ContentError` when
    an essay with it is there.
    """
    path = refuse_taken_title(context, title, day)
    write_atomically(path, text.encode(), exclusive=True)
    return path
