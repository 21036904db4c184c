"""Findings about an issue in several languages: essays without a translation, and words of one language only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from upcycle_news.i18n.messages import localized
from upcycle_news.models import Essay, Finding, Issue, IssueFile, Publication
from upcycle_news.models.content import base_of
from upcycle_news.models.language_names import language_name

Untranslated = Literal["show", "leave_out", "refuse"]

_WORDS = ("subject", "preheader", "closing_note", "feeds_title", "question")
"""What the file of an issue may say in one language and has to say in the other, beside the greeting."""


def check_issue_languages(
    issue: Issue, publication: Publication, untranslated: Untranslated
) -> Iterator[Finding]:
    """Yield a finding for each essay that readers of a language get otherwise or not, and for missing words.

    Nothing for an issue in one language. `untranslated` is the setting: with ``refuse`` a missing
    translation is an error.
    """
    if len(publication.languages) < 2:
        return
    essays: dict[str, Essay] = {}
    for one in reversed(issue.in_languages):
        essays |= {essay.slug: essay for essay in one.essays}
    for language in publication.languages:
        told = issue.in_language(language)
        shown = {essay.slug: essay for essay in told.essays} if told is not None else {}
        for slug, essay in essays.items():
            here = shown.get(slug)
            if here is None or base_of(here.language) != base_of(language):
                yield _missing(essay, language, untranslated, shown=here is not None)
        if told is None:
            text = localized("language-without-issue", language=language_name(language))
            yield Finding("warning", "language-without-issue", "newsletter.toml", text)
    for one in issue.translations:
        yield from _missing_words(issue, one)


def _missing(essay: Essay, language: str, untranslated: Untranslated, *, shown: bool) -> Finding:
    named, file = language_name(language), _file_of(essay, language)
    where = f"{essay.source}:1"
    if untranslated == "refuse":
        text = localized("translation-missing-refused", language=named, file=file)
        return Finding("error", "translation-missing", where, text)
    text = (
        localized("translation-missing-shown", language=named, file=file)
        if shown
        else localized("translation-missing-left-out", language=named, file=file)
    )
    return Finding("warning", "translation-missing", where, text)


def _file_of(essay: Essay, language: str) -> str:
    """Return the file that a translation would be: ``slug.en.md`` beside ``slug.de.md`` or ``slug.md``."""
    stem = essay.source.removesuffix(".md").removesuffix(f".{base_of(essay.language)}")
    return f"{stem}.{base_of(language)}.md"


def _missing_words(issue: Issue, told: Issue) -> Iterator[Finding]:
    """Yield a warning for each text that editors wrote for an issue in its main language only."""
    main, own = issue.file or IssueFile(""), told.file or IssueFile("")
    missing = [key for key in _WORDS if getattr(main, key) and not getattr(own, key)]
    if issue.greeting and not told.greeting:
        missing.append("greeting")
    if missing:
        language = base_of(told.language)
        where = f"{main.source}:1" if main.source else "issue.html:1"
        text = localized(
            "issue-file-untranslated",
            keys=tuple(missing),
            language=language_name(language),
            file=f"content/issues/{issue.id}.{language}.md",
        )
        yield Finding("warning", "issue-file-untranslated", where, text)


def check_essay_languages(essay: Essay, languages: Sequence[str]) -> Iterator[Finding]:
    """Yield findings about the translations of an essay: drafts, lost pictures, languages nobody can choose."""
    offered = {base_of(language) for language in languages}
    for other in essay.translations:
        where = f"{other.source}:1"
        if base_of(other.language) not in offered:
            text = localized("translation-unused", language=language_name(other.language))
            yield Finding("warning", "translation-unused", where, text)
        if other.status != essay.status:
            text = localized(
                "translation-status", status=other.status, other=essay.source, of_main=essay.status
            )
            yield Finding("warning", "translation-status", where, text)
        if essay.image is not None and other.image is None:
            text = localized("translation-image", image=essay.image.path)
            yield Finding("warning", "translation-image", where, text)
