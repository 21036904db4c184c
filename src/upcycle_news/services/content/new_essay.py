"""Makes the files of new essays, from a title alone or from plain text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.content.essays import essay_filename, scaffold_essay, slug_of, title_error
from upcycle_news.content.plaintext_import import decode_text, import_text
from upcycle_news.errors import ContentError, UpcycleError
from upcycle_news.fileio import display_path, write_atomically
from upcycle_news.i18n.messages import localized
from upcycle_news.services.content.git_sync import git_user_name

IMPORT_LANGUAGES = ("de", "en")
"""Languages whose typography an import can set."""


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
    return _write(context, title, when, scaffold_essay(title, by, when, language, topics))


def import_essay(
    context: AppContext,
    file: Path,
    title: str,
    *,
    day: date | None = None,
    author: str | None = None,
    language: str | None = None,
) -> Path:
    """Write a plain text file as an essay that is ready, and return its path.

    Without an `author` a byline in the text gives it; `language` is de or en and defaults to the
    publication's. Raises `ContentError` for a file that cannot be read or is empty, and when an
    essay with this title is there.
    """
    language = language or context.settings.publication.language
    if language not in IMPORT_LANGUAGES:
        known = " or ".join(IMPORT_LANGUAGES)
        raise UpcycleError(
            f"a text in '{language[:20]}' cannot be imported: its language is {known}"
        )
    when = day or context.today
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
        raise ContentError(file, error.line, error.text) from None
    return _write(context, title, when, text)


def _write(context: AppContext, title: str, day: date, text: str) -> Path:
    if (objection := title_error(title)) is not None:
        raise UpcycleError(objection)
    path = context.content_folder / "essays" / essay_filename(title, day)
    for other in sorted(path.parent.glob("*.md")):
        if slug_of(other) == slug_of(path):
            where = display_path(other, context.settings.home)
            raise ContentError(where, None, localized("essay-there"))
    write_atomically(path, text.encode(), exclusive=True)
    return path
