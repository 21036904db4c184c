"""Correct or withdraw what was sent, where the archive shows it; mails cannot be called back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from upcycle_news.app.context import AppContext
from upcycle_news.archive_site.view_models import SentIssue
from upcycle_news.content.essays import read_essays
from upcycle_news.errors import IssueError, UpcycleError
from upcycle_news.models import Essay
from upcycle_news.services.archive import build
from upcycle_news.services.content.images import load_essay_images
from upcycle_news.storage import corrections
from upcycle_news.storage.corrections import Correction, CorrectionKind


def correct(context: AppContext, slug: str, note: str, *, by: str) -> build.ArchiveReport:
    """Show an essay as its file says it now, and the note above it; builds the archive.

    Raises `IssueError` for an essay that nobody got, that is withdrawn, or that has not changed.
    """
    sent = _holding(build.sent_issues(context), slug)
    if slug in sent.withdrawn or sent.gone:
        raise IssueError(f"the essay '{slug}' is withdrawn: 'archive withdraw {slug} --undo' first")
    essay = _read(context, slug)
    pictures = load_essay_images(context, (essay,))
    (now,) = (one for one in sent.manifest.issue.essays if one.slug == slug)
    same = all(sent.manifest.images.get(path) == data for path, data in pictures.items())
    if same and _as_read(essay) == _as_read(now):
        raise IssueError(f"{essay.source}: the archive shows just this; correct the file first")
    return _decide(
        context,
        Correction(
            issue=sent.manifest.issue.id,
            kind=CorrectionKind.CORRECTION,
            essay=slug,
            note=_one_line(note),
            by=by,
            at=context.clock(),
            corrected=essay,
            images=pictures,
        ),
    )


def withdraw(
    context: AppContext, name: str, note: str, *, by: str, undo: bool = False
) -> build.ArchiveReport:
    """Show an essay (its slug) or a whole issue (its id) no more, or again; builds the archive."""
    shown = build.sent_issues(context)
    whole = next((one for one in shown if str(one.manifest.issue.id) == name), None)
    sent = whole or _holding(shown, name)
    withdrawn = sent.gone if whole else sent.withdrawn.get(name)
    if (withdrawn is not None) is not undo:
        raise IssueError(f"'{name}' is {'not ' if undo else ''}withdrawn: there is nothing to do")
    kind = CorrectionKind.RETURN if undo else CorrectionKind.WITHDRAWAL
    issue, essay = sent.manifest.issue.id, "" if whole else name
    return _decide(context, Correction(issue, kind, essay, _one_line(note), by, context.clock()))


def _decide(context: AppContext, amendment: Correction) -> build.ArchiveReport:
    corrections.add_correction(context.store, amendment)
    return build.build_archive(context)


def _holding(shown: Sequence[SentIssue], slug: str) -> SentIssue:
    for sent in reversed(shown):
        if any(essay.slug == slug for essay in sent.manifest.issue.essays):
            return sent
    known = [essay.slug for sent in shown for essay in sent.manifest.issue.essays]
    told = ", ".join(sorted(known)[:20]) or "none"
    raise IssueError(f"no sent issue holds '{slug[:80]}'; the archive's essays are: {told}")


def _read(context: AppContext, slug: str) -> Essay:
    """The essay as its file is now; files of other essays may be broken."""
    shelf = read_essays(
        context.content_folder, context.settings.home, context.settings.publication.language
    )
    for essay in shelf.essays:
        if essay.slug == slug:
            return essay
    if shelf.errors:
        raise shelf.errors[0]
    raise UpcycleError(f"content/essays holds no essay '{slug}' any more: put its file back first")


def _as_read(essay: Essay) -> Essay:
    """What readers see of it: not where its file lies, nor what only matters for choosing."""
    return replace(essay, source="", body_line=1, status="ready", pin=(), ban=(), length=None)


def _one_line(note: str) -> str:
    text = " ".join(note.split())
    if not text.isprintable():
        raise UpcycleError("the note holds control characters: write one plain sentence")
    return text
