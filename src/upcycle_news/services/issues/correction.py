"""A correction by mail: the corrected essays and the archive's notes, for those who got the issue.

It is an issue of its own (``2026-11-26-c1``) and goes the way of every issue: composed, previewed, approved,
queued once for each reader. What it says comes from the corrections in the archive; it has no feed items.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from upcycle_news.app.context import AppContext
from upcycle_news.archive_site.view_models import SentIssue
from upcycle_news.errors import IssueError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Essay, Issue, IssueId, Manifest, Publication, Told
from upcycle_news.rendering.template_strings import TemplateStrings, read_template_strings
from upcycle_news.services.archive.sent_issues import sent_issue
from upcycle_news.services.content.images import referenced_paths
from upcycle_news.services.content.templates import publication_templates
from upcycle_news.services.issues.mailbox import is_unsent
from upcycle_news.storage import corrections, issues, revisions
from upcycle_news.storage.corrections import CorrectionKind
from upcycle_news.text.escaped_markdown import markdown_of_sentence

MAX_CORRECTIONS = 9
"""Corrections by mail of one issue, as many as its id can count."""


def correction_id(context: AppContext, issue: IssueId) -> IssueId:
    """Return the correction of an issue that is not sent yet, or the next one.

    Raises `IssueError` when there are too many, and for a digest: what its issues say is corrected.
    """
    if issue.digest:
        raise IssueError(localized("correction-of-digest", issue=str(issue)))
    for number in range(1, MAX_CORRECTIONS + 1):
        candidate = replace(issue.original, correction=number)
        row = issues.get(context.store, candidate)
        if row is None or not row.frozen or is_unsent(context, candidate):
            return candidate
    raise IssueError(localized("correction-too-many", issue=str(issue.original)))


def correction_manifest(context: AppContext, issue: IssueId) -> Manifest:
    """Return the manifest of a correction as it would be now; the subject and greeting may be reworded.

    Raises `IssueError` when no reader has the issue that it corrects, or when the archive holds no
    correction that its readers have not been told of.
    """
    sent = _sent_issue(context, issue)
    told = _untold(context, issue, sent)
    if not told:
        raise IssueError(localized("correction-nothing", issue=str(issue.original)))
    templates, original = publication_templates(context), sent.manifest.issue
    issues_in = [_issue_in(templates, issue, of, told) for of in original.in_languages]
    main, *others = (one for one in issues_in if one is not None)
    paths = referenced_paths([essay for one in (main, *others) for essay in one.essays])
    return Manifest(
        issue=replace(main, translations=tuple(others)),
        publication=_publication(context),
        templates=templates,
        images={path: data for path, data in sent.manifest.images.items() if path in paths},
    )


def _publication(context: AppContext) -> Publication:
    """Return the publication as a correction shows it: without its usual last sentence, for all readers."""
    publication = context.publication
    texts = tuple(replace(one, closing_note="") for one in publication.texts)
    return replace(publication, closing_note="", readers_of=(), texts=texts)


def _issue_in(
    templates: Mapping[str, str], issue: IssueId, original: Issue, told: tuple[Told, ...]
) -> Issue | None:
    """Return the correction for those who got the issue in one language; None when it has none of the essays."""
    slugs = {one.essay for one in told}
    essays = tuple(essay for essay in original.essays if essay.slug in slugs)
    here = tuple(one for one in told if one.essay in {essay.slug for essay in essays})
    if not here:
        return None
    strings = read_template_strings(templates, original.language)
    return Issue(
        id=issue,
        language=original.language,
        subject=strings("correction_subject", subject=original.subject),
        preheader=here[-1].note_in(original.language),
        essays=essays,
        greeting=_greeting(strings, issue, essays, here),
        told=told,
        folder=original.folder,
    )


def _sent_issue(context: AppContext, issue: IssueId) -> SentIssue:
    """Return the issue that is corrected, as the archive shows it now."""
    original = issue.original
    row = issues.get(context.store, original)
    if row is None or not row.frozen:
        raise IssueError(localized("correction-not-sent", issue=str(original)))
    if is_unsent(context, original):
        raise IssueError(localized("correction-unsent", issue=str(original)))
    sent = sent_issue(context, original)
    if sent is not None and not sent.withdrawal:
        return sent
    raise IssueError(localized("correction-withdrawn", issue=str(original)))


def _untold(context: AppContext, issue: IssueId, sent: SentIssue) -> tuple[Told, ...]:
    """Return the corrections in the archive that no earlier correction told, oldest first.

    What was corrected before readers got the issue (it lay in the mailbox only) they need not be told.
    """
    told: set[Told] = set()
    for number in range(1, issue.correction):
        earlier = replace(issue, correction=number)
        row = issues.get(context.store, earlier)
        if row is None or not row.frozen:
            raise IssueError(
                localized("correction-earlier", issue=str(issue), earlier=str(earlier))
            )
        revision = revisions.load_revision(context.store, earlier, row.revision_id)
        told |= set(revision.manifest.issue.told) if revision else set()
    made = (
        Told(one.essay, one.at, one.note, tuple(sorted(one.notes.items())))
        for one in corrections.all_corrections(context.store)
        if one.issue == issue.original
        and one.kind is CorrectionKind.CORRECTION
        and one.at >= sent.sent_at
    )
    return tuple(one for one in made if one not in told and one.essay not in sent.withdrawn)


def _markdown(text: str) -> str:
    """Return plain text as Markdown that shows it, its addresses as links; what looks like HTML, too."""
    return markdown_of_sentence(text).replace("\\<", "&lt;").replace("\\>", "&gt;")


def _greeting(
    strings: TemplateStrings, issue: IssueId, essays: tuple[Essay, ...], told: tuple[Told, ...]
) -> str:
    """Return what the mail says before the corrected essays, as Markdown: each note of the archive."""
    titles = {essay.slug: essay.title for essay in essays}
    notes = [
        f"- **{_markdown(titles[one.essay])}**: {_markdown(one.note_in(strings.language))}"
        for one in told
    ]
    intro = strings("correction_intro", date=strings.long_date(issue.day))
    return "\n".join([intro, "", *notes, "", strings("correction_text")])
