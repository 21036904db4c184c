"""Makes the files of new essays, and drafts from a title alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.content.essays import (
    essay_filename,
    language_of,
    scaffold_essay,
    scaffold_translation,
    slug_of,
    title_error,
)
from upcycle_news.errors import ContentError, UpcycleError
from upcycle_news.fileio import did_you_mean, display_path, write_atomically
from upcycle_news.i18n.messages import LANGUAGES, localized
from upcycle_news.models import Essay
from upcycle_news.models.content import base_of
from upcycle_news.services.content.files import load_publication_essays
from upcycle_news.services.content.git_sync import git_user_name


def new_essay(
    context: AppContext,
    title: str,
    *,
    day: date | None = None,
    author: str | None = None,
    topics: Sequence[str] = (),
    translates: str = "",
    language: str | None = None,
) -> Path:
    """Write a draft with this title and return its path; `day` defaults to today.

    Without an `author` it is git's user.name. `translates` is the slug of the essay whose translation it
    is, into `language` or the one that the essay lacks; what both have in common is left out. Raises
    `UpcycleError` for a title that is empty or that no mail could show, and `ContentError` when an essay
    with it is there: no file is overwritten.
    """
    if translates:
        if (objection := title_error(title)) is not None:
            raise UpcycleError(objection)
        place = place_of_translation(context, translates, language)
        text = scaffold_translation(title, place.language, has_image=place.essay.image is not None)
        write_atomically(place.path, text.encode(), exclusive=True)
        return place.path
    when = day or context.today
    by = git_user_name(context.settings.home) if author is None else author
    written_in = language or context.settings.publication.language
    return write_essay(context, title, when, scaffold_essay(title, by, when, written_in, topics))


@dataclass(frozen=True)
class TranslationPlace:
    """Where a translation of an essay goes, and the language that it is in."""

    essay: Essay
    path: Path
    language: str


def place_of_translation(
    context: AppContext, slug: str, language: str | None = None
) -> TranslationPlace:
    """Return where the translation of an essay goes: beside its file, named ``slug.en.md``.

    Without a `language` it is the first one of the publication, or of those there are, that the essay
    lacks. Raises `UpcycleError` for an unknown essay, and for one that has this language already.
    """
    essays = {essay.slug: essay for essay in load_publication_essays(context)}
    essay = essays.get(slug_of(Path(slug)))
    if essay is None:
        hint = did_you_mean(slug, essays)
        raise UpcycleError(localized("essay-to-translate-unknown", slug=slug[:60], hint=hint))
    has = {base_of(one.language): one for one in (essay, *essay.translations)}
    lacking = [one for one in (*context.publication.languages, *LANGUAGES) if one not in has]
    chosen = language or next(iter(lacking), "")
    if chosen in has or not chosen:
        there = has.get(chosen, essay).source
        raise UpcycleError(localized("essay-translated", slug=essay.slug, file=there))
    main = context.settings.home / essay.source
    stem = main.name.removesuffix(".md").removesuffix(f".{language_of(main)}")
    return TranslationPlace(essay, main.with_name(f"{stem}.{chosen}.md"), chosen)


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
