"""The issues that the archive shows, with what editors corrected and withdrew; loaded when they are asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from upcycle_news.app.context import AppContext
from upcycle_news.archive_site.atom_sitemap import tag_uri
from upcycle_news.archive_site.reuse import IssueSource, KeptSite, digest
from upcycle_news.archive_site.view_models import EditorNote, SentIssue
from upcycle_news.models import Essay, Issue, IssueId, IssueState, Manifest
from upcycle_news.models.content import base_of
from upcycle_news.storage import corrections, issues, revisions, sending_history
from upcycle_news.storage.corrections import CorrectionKind
from upcycle_news.storage.issues import IssueRow


@dataclass(frozen=True)
class UpcomingIssue:
    """An issue that is about to be queued at `at`."""

    issue: IssueId
    revision_id: str
    manifest: Manifest
    at: datetime


class SentIssues:
    """Every issue that was queued and possibly received, and the upcoming one, withdrawn ones included.

    Also one that went out without this store, if it has the revision that did.
    """

    def __init__(self, context: AppContext, upcoming: UpcomingIssue | None = None) -> None:
        """Read which issues there are: their rows, none of their revisions."""
        self._context, self._upcoming = context, upcoming
        self.rows = issues.all_issues(context.store)
        self.origin: dict[str, str] = {}
        """The feed's id by the revision that it is derived from, once `feed_id` was asked."""
        elsewhere = sending_history.sent_before_restore(context.store)
        self._at = {
            row.id: (row, at)
            for row in self.rows
            if row.id.is_regular
            and (at := row.enqueued_at if is_shown(context, row) else elsewhere.get(str(row.id)))
            is not None
            and str(row.id) in self._stored
        }
        self._digests_at = {
            row.id: (row, row.enqueued_at)
            for row in self.rows
            if row.id.digest
            and row.enqueued_at is not None
            and is_shown(context, row)
            and str(row.id) in self._stored
        }

    @cached_property
    def _stored(self) -> frozenset[str]:
        return revisions.issues_with_frozen_revision(self._context.store)

    @cached_property
    def sources(self) -> tuple[IssueSource, ...]:
        """The issues to be shown; their keys stand for all that `load` returns of them."""
        decided = corrections.decision_keys(self._context.store)
        sources = [
            IssueSource(issue, _key(row.revision_id, at, decided.get(issue, ())))
            for issue, (row, at) in self._at.items()
        ]
        coming = self._upcoming
        if coming is not None and coming.issue.is_regular and coming.issue not in self._at:
            sources.append(IssueSource(coming.issue, _key(coming.revision_id, coming.at, ())))
        return tuple(sources)

    @cached_property
    def digests(self) -> tuple[IssueSource, ...]:
        """The digests that have a page, with keys as those of `sources`.

        A page shows the issues that its digest told as they are shown now, so their keys are in its own.
        """
        told = issues.told_by_digests(self._context.store)
        sources = [
            IssueSource(issue, self._digest_key(row.revision_id, at, told.get(str(issue), ())))
            for issue, (row, at) in self._digests_at.items()
        ]
        coming = self._upcoming
        if coming is not None and coming.issue.digest and coming.issue not in self._digests_at:
            key = self._digest_key(coming.revision_id, coming.at, coming.manifest.issue.digest_of)
            sources.append(IssueSource(coming.issue, key))
        return tuple(sources)

    @cached_property
    def _sources_by_id(self) -> Mapping[str, IssueSource]:
        return {str(source.id): source for source in self.sources}

    def _digest_key(self, revision_id: str, sent_at: datetime, told: Iterable[str]) -> str:
        shown = (self._sources_by_id.get(issue) for issue in sorted(told))
        return _key(revision_id, sent_at, tuple(one.key for one in shown if one is not None))

    def load(self, source: IssueSource) -> SentIssue:
        """Return an issue, or a digest, as it is shown now."""
        if (found := (self._at | self._digests_at).get(source.id)) is None:
            coming = self._upcoming
            assert coming is not None
            sent = SentIssue(coming.manifest, coming.at, coming.at, coming.revision_id)
            return self._told_now(sent) if source.id.digest else sent
        row, at = found
        revision = revisions.load_revision(self._context.store, row.id, row.revision_id)
        assert revision is not None
        if source.id.digest:
            return self._told_now(SentIssue(revision.manifest, at, at, row.revision_id))
        return apply_corrections(
            SentIssue(revision.manifest, at, at, row.revision_id),
            corrections.corrections_of(self._context.store, row.id),
            self._context.settings.publication.zone,
        )

    def _told_now(self, sent: SentIssue) -> SentIssue:
        """Return a digest with the essays as their own pages show them, and without what was withdrawn."""
        told = [
            self.load(self._sources_by_id[issue])
            for issue in sorted(sent.manifest.issue.digest_of)
            if issue in self._sources_by_id
        ]
        gone = {
            essay.slug
            for one in told
            for essay in one.manifest.issue.all_essays
            if one.withdrawal is not None or essay.slug in one.withdrawn
        }
        now = {
            (essay.slug, base_of(essay.language)): essay
            for one in told
            for issue in one.manifest.issue.in_languages
            for essay in issue.essays
        }

        def shown(issue: Issue) -> Issue:
            essays = (
                replace(now.get((one.slug, base_of(one.language)), one), folder=one.folder)
                for one in issue.essays
                if one.slug not in gone
            )
            related = (one for one in issue.related if one.essay not in gone)
            return replace(issue, essays=tuple(essays), related=tuple(related))

        manifest, issue = sent.manifest, sent.manifest.issue
        issue = replace(shown(issue), translations=tuple(map(shown, issue.translations)))
        images = {path: data for one in told for path, data in one.manifest.images.items()}
        return replace(
            sent, manifest=replace(manifest, issue=issue, images={**manifest.images, **images})
        )

    def feed_id(self, kept: KeptSite) -> str:
        """Return the feed's id, derived from the first issue ever queued, so that it never changes."""
        queued = [
            (row.enqueued_at, row)
            for row in self.rows
            if row.enqueued_at is not None and str(row.id) in self._stored
        ]
        if not queued:
            if self._upcoming is None:
                return ""
            feed_id = _feed_tag(self._upcoming.manifest)
            self.origin = {self._upcoming.revision_id: feed_id}
            return feed_id
        _, first = min(queued, key=lambda pair: pair[0])
        feed_id = kept.origin.get(first.revision_id, "")
        if not feed_id:
            revision = revisions.load_revision(self._context.store, first.id, first.revision_id)
            assert revision is not None
            feed_id = _feed_tag(revision.manifest)
        self.origin = {first.revision_id: feed_id}
        return feed_id

    def unshown_manifests(self) -> Iterator[Manifest]:
        """Yield the manifests of frozen issues that are not shown, such as those that nobody got."""
        for row in self.rows:
            if row.frozen and row.id not in self._at:
                revision = revisions.load_revision(self._context.store, row.id, row.revision_id)
                if revision is not None:
                    yield revision.manifest


def sent_issue(context: AppContext, issue: IssueId) -> SentIssue | None:
    """Return an issue as the archive shows it now, also if it is withdrawn; None if it does not."""
    shown = SentIssues(context)
    source = next((source for source in shown.sources if source.id == issue), None)
    return shown.load(source) if source is not None else None


def sent_issues(context: AppContext, wanted: Collection[IssueId]) -> Iterator[SentIssue]:
    """Yield those of some issues that the archive shows now, withdrawn ones included; no other is loaded."""
    shown = SentIssues(context)
    return (shown.load(source) for source in shown.sources if source.id in wanted)


def newest_first(context: AppContext) -> Iterator[SentIssue]:
    """Yield the issues that the archive shows now, withdrawn ones included; each is loaded when it comes."""
    shown = SentIssues(context)
    return map(shown.load, sorted(shown.sources, key=lambda source: source.id, reverse=True))


def is_shown(context: AppContext, row: IssueRow) -> bool:
    """Return whether an issue was queued, and not cancelled before anyone could receive it."""
    if row.state is not IssueState.CANCELLED:
        return row.frozen
    status = issues.status(context.store, row.id)
    return status is not None and any(
        status.counts.get(state, 0) for state in issues.POSSIBLY_RECEIVED
    )


def _key(revision_id: str, sent_at: datetime, keys: tuple[str, ...]) -> str:
    return digest(revision_id, sent_at.astimezone(UTC).isoformat(), keys)


def _feed_tag(manifest: Manifest) -> str:
    return tag_uri(manifest.publication, manifest.issue.id.day.isoformat(), "feed")


def apply_corrections(
    sent: SentIssue, decisions: Iterable[corrections.Correction], zone: ZoneInfo
) -> SentIssue:
    """Return an issue with its corrections and withdrawals applied, in their order."""
    for decision in decisions:
        note = EditorNote(decision.at.astimezone(zone).date(), decision.note, decision.notes)
        sent = replace(_applied(sent, decision, note), changed_at=decision.at)
    return sent


def corrected(issue: Issue, essay: Essay) -> Issue:
    """Return the issue with the essay's text as it is now, in the language in which the issue has it."""

    def text_of(shown: Essay) -> Essay:
        now = essay.in_language(shown.language) if shown.slug == essay.slug else None
        return replace(now, translations=(), folder=shown.folder) if now is not None else shown

    return replace(issue, essays=tuple(map(text_of, issue.essays)))


def _applied(sent: SentIssue, decision: corrections.Correction, note: EditorNote) -> SentIssue:
    if decision.kind is CorrectionKind.CORRECTION and decision.corrected is not None:
        issue, essay = sent.manifest.issue, decision.corrected
        manifest = replace(
            sent.manifest,
            issue=replace(
                corrected(issue, essay),
                translations=tuple(corrected(one, essay) for one in issue.translations),
            ),
            images={**sent.manifest.images, **decision.images},
        )
        notes = (*sent.corrections.get(decision.essay, ()), note)
        return replace(
            sent, manifest=manifest, corrections={**sent.corrections, decision.essay: notes}
        )
    if not decision.essay:
        return replace(
            sent, withdrawal=note if decision.kind is CorrectionKind.WITHDRAWAL else None
        )
    withdrawn = {
        slug: earlier for slug, earlier in sent.withdrawn.items() if slug != decision.essay
    }
    if decision.kind is CorrectionKind.WITHDRAWAL:
        withdrawn[decision.essay] = note
    return replace(sent, withdrawn=withdrawn)
