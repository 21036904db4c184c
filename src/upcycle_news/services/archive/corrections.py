"""Corrects or withdraws in the archive what was sent; mails cannot be recalled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from upcycle_news.app.context import AppContext
from upcycle_news.archive_site.view_models import SentIssue
from upcycle_news.errors import IssueError, UpcycleError
from upcycle_news.i18n.messages import LANGUAGES, localized
from upcycle_news.models import Essay, Issue, IssueId
from upcycle_news.services.archive import build
from upcycle_news.services.archive.sent_issues import newest_first, sent_issue
from upcycle_news.services.content.files import read_publication_essays
from upcycle_news.services.content.images import load_essay_images
from upcycle_news.storage import corrections
from upcycle_news.storage.corrections import Correction, CorrectionKind


def correct(
    context: AppContext, slug: str, note: str, *, by: str, notes: Mapping[str, str] = {}
) -> build.ArchiveReport:
    """Replace an essay in the archive by its present files, with a note above it; rebuilds the archive.

    `notes` are the note in further languages, by language. Raises `IssueError` for an essay that was not sent, is withdrawn, or has not changed.
    """
    sent = _find_issue(context, slug)
    if slug in sent.withdrawn or sent.withdrawal:
        raise IssueError(localized("archive-essay-withdrawn", slug=slug))
    essay = _read_essay(context, slug)
    images = load_essay_images(context, (essay, *essay.translations))
    same_images = all(sent.manifest.images.get(path) == data for path, data in images.items())
    if same_images and not _differs(sent.manifest.issue, essay):
        raise IssueError(localized("archive-same-text", source=essay.source))
    return _record(
        context,
        Correction(
            issue=sent.manifest.issue.id,
            kind=CorrectionKind.CORRECTION,
            essay=slug,
            note=_one_line(note),
            by=by,
            at=context.clock(),
            corrected=essay,
            images=images,
            notes=_notes(notes),
        ),
    )


def withdraw(
    context: AppContext,
    name: str,
    note: str,
    *,
    by: str,
    undo: bool = False,
    notes: Mapping[str, str] = {},
) -> build.ArchiveReport:
    """Withdraw an essay (by slug) or a whole issue (by id), or undo that; rebuilds the archive.

    Raises `IssueError` for an unknown name, or when there is nothing to do.
    """
    whole = _whole_issue(context, name)
    sent = whole or _find_issue(context, name)
    withdrawn = sent.withdrawal if whole else sent.withdrawn.get(name)
    if (withdrawn is not None) is not undo:
        text = localized("withdrawn-not", name=name)
        raise IssueError(text if undo else localized("withdrawn-already", name=name))
    kind = CorrectionKind.RETURN if undo else CorrectionKind.WITHDRAWAL
    issue, essay = sent.manifest.issue.id, "" if whole else name
    decision = Correction(issue, kind, essay, _one_line(note), by, context.clock())
    return _record(context, replace(decision, notes=_notes(notes)))


def _record(context: AppContext, correction: Correction) -> build.ArchiveReport:
    corrections.add_correction(context.store, correction)
    return build.build_archive(context)


def _whole_issue(context: AppContext, name: str) -> SentIssue | None:
    try:
        return sent_issue(context, IssueId.parse(name))
    except UpcycleError:  # the name of an essay
        return None


def _find_issue(context: AppContext, slug: str) -> SentIssue:
    """Return the newest issue with this essay; raises `IssueError` when there is none."""
    known = set()
    for sent in newest_first(context):
        slugs = {essay.slug for essay in sent.manifest.issue.all_essays}
        if slug in slugs:
            return sent
        known |= slugs
    names = ", ".join(sorted(known)[:20]) or "none"
    raise IssueError(localized("archive-essay-unknown", slug=slug[:80], names=names))


def _read_essay(context: AppContext, slug: str) -> Essay:
    """Return the essay as its file is now; files of other essays may be broken."""
    collection = read_publication_essays(context)
    for essay in collection.essays:
        if essay.slug == slug:
            return essay
    if collection.errors:
        raise collection.errors[0]
    raise UpcycleError(localized("archive-essay-gone", slug=slug))


def _differs(issue: Issue, essay: Essay) -> bool:
    """Tell whether an essay reads otherwise than an issue has it, in any of its languages."""
    shown = (one for told in issue.in_languages for one in told.essays if one.slug == essay.slug)
    pairs = ((one, essay.in_language(one.language)) for one in shown)
    return any(now and _visible_part(now) != _visible_part(one) for one, now in pairs)


def _visible_part(essay: Essay) -> Essay:
    """Return the essay without its file's place and what matters for selection only."""
    return replace(
        essay, source="", body_line=1, status="ready", pin=(), ban=(), length=None,
        translations=(), folder="",
    )  # fmt: skip


def _notes(notes: Mapping[str, str]) -> dict[str, str]:
    """Return the note in further languages; raises `UpcycleError` for a language that there is none of."""
    for language in notes:
        if language not in LANGUAGES:
            raise UpcycleError(localized("archive-note-language", language=language[:20]))
    return {language: _one_line(note) for language, note in notes.items()}


def _one_line(note: str) -> str:
    text = " ".join(note.split())
    if not text.isprintable():
        raise UpcycleError(localized("archive-note-control"))
    return text
