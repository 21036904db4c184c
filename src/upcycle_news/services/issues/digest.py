"""The digest: an issue that tells the issues of a period, for readers who chose it in place of each of them.

It is an issue of its own (``2026-12-01-d1``; its day is the one after the period) and goes the way of every
issue: composed, previewed, approved, queued once for each reader. What it says is what the archive shows
of the issues that it tells. Issues of the period that are queued later are told by a second one, and so are
those for the readers of other topics: nobody is told of an issue that they would not have got by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

from upcycle_news.app.context import AppContext
from upcycle_news.archive_site.view_models import SentIssue
from upcycle_news.curation.compose_digest import compose_digest, told_together
from upcycle_news.curation.manifest_diff import diff_manifests
from upcycle_news.errors import IssueError, NothingNew
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Choice, Issue, IssueId, Manifest, Publication
from upcycle_news.models.digest import DigestPeriod, interval_of
from upcycle_news.models.variants import language_for
from upcycle_news.services.archive.sent_issues import sent_issues
from upcycle_news.services.content.images import load_design_images, referenced_paths
from upcycle_news.services.content.templates import publication_templates
from upcycle_news.services.issues.digest_words import with_words
from upcycle_news.services.issues.mailbox import is_unsent
from upcycle_news.storage import approvals, issues, revisions, rhythms
from upcycle_news.storage.audience import count_choices

MAX_DIGESTS = 9
"""Digests of one period, as many as an id can count: the first, and those of issues that came late."""


def digest_id(context: AppContext, *, rejected: bool = True) -> IssueId:
    """Return the digest that is due: of the oldest period that has ended with something to tell, and readers.

    One that was rejected and has not changed since comes after all others, and without `rejected` not at
    all. Raises `NothingNew` with a sentence that says when the next one is due, or why there is none.
    """
    refused: list[IssueId] = []
    for digest in due_digests(context):
        if not _is_rejected(context, digest):
            return digest
        refused.append(digest)
    if not refused:
        raise NothingNew(none_due(context))
    if not rejected:
        raise NothingNew(localized("digest-rejected", issue=str(refused[0])))
    return refused[0]


def due_digests(context: AppContext) -> Iterator[IssueId]:
    """Yield the digests of periods that have ended with something to tell, and readers; oldest first."""
    for day in issues.digest_days(context.store, until=context.today):
        digest = _next_digest(context, day)
        if digest is not None and _has_readers(context, digest, _told(context, digest)):
            yield digest


def digest_manifest(context: AppContext, digest: IssueId) -> Manifest:
    """Return the manifest of a digest as it would be now.

    Raises `NothingNew` when its period has not ended, nothing is left to tell or nobody would get it, and
    `IssueError` while an earlier digest of the period is not sent.
    """
    period = _ended_period(context, digest)
    earlier = _next_digest(context, digest.day)
    if earlier is not None and earlier.digest < digest.digest:
        raise IssueError(localized("digest-earlier", issue=str(digest), earlier=str(earlier)))
    told = _told(context, digest)
    content = _content(context, digest, told)
    if content is None:
        raise NothingNew(localized("digest-nothing", issue=str(digest)))
    if not _has_readers(context, digest, told):
        raise NothingNew(issues.nobody_to_send_to(digest))
    templates = publication_templates(context)
    publication = replace(context.publication, readers_of=_readers_of(told))
    late = _comes_late(context, digest, publication.readers_of)
    worded = [
        with_words(one, period, publication, templates, late=late) for one in content.in_languages
    ]
    (main, *others), images = _with_pictures(worded, told)
    essays = [essay for one in (main, *others) for essay in one.essays]
    return Manifest(
        issue=replace(main, translations=tuple(others)),
        publication=publication,
        templates=templates,
        images=load_design_images(context, templates, essays) | images,
    )


def digest_changes(old: Manifest, now: Manifest) -> tuple[str, ...]:
    """Return what is different in a digest now, by the names that refusals of an approval use."""
    told = set(old.issue.digest_of) ^ set(now.issue.digest_of)
    known = {essay.slug for essay in old.issue.all_essays}
    names = [
        *(f"issue {issue}" for issue in sorted(told)),
        *(f"essay {essay.slug}" for essay in now.issue.all_essays if essay.slug not in known),
        *diff_manifests(old, now).manual_changes(),
    ]
    return tuple(dict.fromkeys(names))


def digest_day(context: AppContext, day: date) -> date | None:
    """Return the day of the digest that tells the issues of a day; None where none would."""
    period = rhythms.period_on(context.store, day, context.settings.digest.interval or None)
    return period.end if period is not None else None


def none_due(context: AppContext) -> LocalizedText:
    """Return that no digest is due, and when the next one is, or that none is set."""
    interval = context.settings.digest.interval
    if not interval:
        return localized("digest-not-set")
    # Without a period an issue of today went to everybody before the digest was set.
    day = digest_day(context, context.today) or interval_of(context.today, interval).end
    return localized("digest-due-on", day=day)


# --- which one, and what it tells


def _next_digest(context: AppContext, day: date) -> IssueId | None:
    """Return the digest of a day that is not sent yet, or the next one; None when nine were sent."""
    for number in range(1, MAX_DIGESTS + 1):
        candidate = IssueId(day, digest=number)
        row = issues.get(context.store, candidate)
        if row is None or not row.frozen or is_unsent(context, candidate):
            return candidate
    return None


def _is_rejected(context: AppContext, digest: IssueId) -> bool:
    """Return whether a digest was rejected as it is now."""
    newest = revisions.load_revision(context.store, digest)
    if newest is None or newest.approved is not False:
        return False
    return not digest_changes(newest.manifest, digest_manifest(context, digest))


def _ended_period(context: AppContext, digest: IssueId) -> DigestPeriod:
    """Return the period of a digest; raises `NothingNew` when none ends so, or before it has ended."""
    for period in rhythms.ended_periods(context.store, digest.day):
        if period.end == digest.day and digest.day > context.today:
            raise NothingNew(localized("digest-ahead", issue=str(digest), day=digest.day))
        if period.end == digest.day:
            return period
    raise NothingNew(localized("digest-no-period", issue=str(digest), day=digest.day))


def _told(context: AppContext, digest: IssueId) -> tuple[SentIssue, ...]:
    """Return the issues that a digest has to tell, as the archive shows them, the newest first.

    All of them are for the readers of the same topics: of the oldest issue that anybody gets in a digest.
    Where they are too many for one mail, the oldest.
    """
    together = _together(context, digest)
    gets = (told for told in together if _has_readers(context, digest, told))
    return next(gets, together[0] if together else ())


def _together(context: AppContext, digest: IssueId) -> list[tuple[SentIssue, ...]]:
    """Return what is left to tell, apart for the readers of each choice of topics, the oldest first.

    Not what is withdrawn, nor an issue of which nothing is left or that lies in the mailbox only.
    """
    rows = issues.issues_for_digest(context.store, digest)
    wanted = {row.id for row in rows if not is_unsent(context, row.id)}
    if not wanted:
        return []
    shown = (
        _without_withdrawn(sent) for sent in sent_issues(context, wanted) if not sent.withdrawal
    )
    by_topics: dict[frozenset[str], dict[IssueId, SentIssue]] = {}
    for sent in sorted(shown, key=lambda one: one.manifest.issue.id):
        issue = sent.manifest.issue
        if issue.all_essays or issue.all_related:
            by_topics.setdefault(_topics_of(sent.manifest.publication), {})[issue.id] = sent
    return [
        tuple(
            left[issue.id] for issue in told_together([one.manifest.issue for one in left.values()])
        )
        for left in by_topics.values()
    ]


def _without_withdrawn(sent: SentIssue) -> SentIssue:
    def told(issue: Issue) -> Issue:
        return replace(
            issue,
            essays=tuple(one for one in issue.essays if one.slug not in sent.withdrawn),
            related=tuple(one for one in issue.related if one.essay not in sent.withdrawn),
        )

    issue = sent.manifest.issue
    issue = replace(told(issue), translations=tuple(map(told, issue.translations)))
    return replace(sent, manifest=replace(sent.manifest, issue=issue))


def _content(context: AppContext, digest: IssueId, told: Sequence[SentIssue]) -> Issue | None:
    return compose_digest(
        digest,
        [sent.manifest.issue for sent in told],
        context.publication.languages,
        items=context.settings.digest.items,
        leaves_out=context.language_rules.leaves_out,
        excluded=approvals.excluded_items_of(context.store, digest),
    )


def _has_readers(context: AppContext, digest: IssueId, told: Sequence[SentIssue]) -> bool:
    """Return whether a digest of these issues has anything for anybody."""
    content = _content(context, digest, told)
    if content is None:
        return False
    languages = context.publication.languages
    return any(
        language_for(content, choice.language, languages) is not None
        for choice in _choices(context, digest, told)
    )


def _choices(
    context: AppContext, digest: IssueId, told: Sequence[SentIssue]
) -> Mapping[Choice, int]:
    return count_choices(context.store, _readers_of(told), issue=digest)


def _readers_of(told: Sequence[SentIssue]) -> tuple[str, ...]:
    """Return the topics whose readers get a digest of these issues; none: all."""
    return told[0].manifest.publication.readers_of if told else ()


def _topics_of(publication: Publication) -> frozenset[str]:
    return frozenset(topic.casefold() for topic in publication.readers_of)


def _comes_late(context: AppContext, digest: IssueId, topics: Collection[str]) -> bool:
    """Return whether readers of these topics were sent a digest of the period, as far as anybody knows."""
    wanted = frozenset(topic.casefold() for topic in topics)
    for row in issues.earlier_digests(context.store, digest):
        sent = revisions.load_revision(context.store, row.id, row.revision_id)
        if sent is None or _topics_of(sent.manifest.publication) == wanted:
            return True
    return False


def _with_pictures(
    digest: Sequence[Issue], told: Sequence[SentIssue]
) -> tuple[list[Issue], dict[str, bytes]]:
    """Return a digest's languages, and the pictures that they show, by path.

    Of an essay that does not lead that is the one beside its title. Where two issues have
    different pictures under one path, it gets another one.
    """
    source = {
        essay.slug: sent.manifest
        for sent in reversed(told)
        for essay in sent.manifest.issue.all_essays
    }
    images: dict[str, bytes] = {}
    for lead in (essay for one in digest for essay in one.essays[:1]):
        files = source[lead.slug].images
        images |= {path: files[path] for path in referenced_paths([lead]) if path in files}
    placed = []
    for one in digest:
        essays = list(one.essays[:1])
        for essay in one.essays[1:]:
            image, manifest = essay.image, source[essay.slug]
            if image is not None and image.path in manifest.images:
                data, path = manifest.images[image.path], image.path
                if images.get(path, data) != data:
                    path = f"{manifest.issue.id}/{path}"
                images[path] = data
                essay = replace(essay, image=replace(image, path=path))
            essays.append(essay)
        placed.append(replace(one, essays=tuple(essays)))
    return placed, images
