"""Compose an issue from the current content and store it as a revision."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.curation.compose_issue import compose, explain
from upcycle_news.curation.manifest_diff import diff_manifests
from upcycle_news.curation.selection import Candidate
from upcycle_news.errors import NothingNew, UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import (
    Essay,
    Issue,
    IssueId,
    Manifest,
    Related,
)
from upcycle_news.rendering.templates import load_templates
from upcycle_news.services.content.files import (
    load_publication_essays,
    load_publication_feeds,
    load_publication_vocabulary,
)
from upcycle_news.services.content.images import load_essay_images
from upcycle_news.storage import approvals, issues, revisions
from upcycle_news.storage import feeds as feed_rows
from upcycle_news.text.urls import canonical_link


@dataclass(frozen=True)
class RevisionRef:
    """A stored revision; `new` is true if these inputs were composed for the first time."""

    issue: IssueId
    revision_id: str
    new: bool
    manifest: Manifest


@dataclass(frozen=True)
class EssayFilter:
    """Essays that a run may use, by slug or topic; empty fields allow all that are ready and new."""

    essays: Sequence[str] = ()
    leave_out: Sequence[str] = ()
    topics: Sequence[str] = ()

    def allows(self, essay: Essay) -> bool:
        """True if the essay may be used."""
        return (
            essay.slug not in self.leave_out
            and (not self.essays or essay.slug in self.essays)
            and (not self.topics or bool(set(self.topics) & set(essay.topics)))
        )


def compose_issue(context: AppContext, issue: IssueId, essays: Sequence[str] = ()) -> RevisionRef:
    """Compose `issue` from the current content, or from the essays with these slugs only.

    Raises `NothingNew`, and `ContentError` for unreadable files (its message names all).
    """
    manifest = compose_manifest(context, issue, essays)
    revision_id, new = revisions.save_revision(
        context.store, manifest, git_commit=_git_commit(context.settings.home), now=context.clock()
    )
    return RevisionRef(issue, revision_id, new, manifest)


def select_essays(context: AppContext, essay_filter: EssayFilter) -> Sequence[str]:
    """Return the slugs that the filter allows, empty for all; raises `NothingNew` when none is left."""
    if not essay_filter.leave_out and not essay_filter.topics:
        return essay_filter.essays
    published, _ = issues.load_used_content(context.store)
    essays = [
        essay
        for essay in load_publication_essays(context)
        if essay.status == "ready" and essay.slug not in published
    ]
    for slug in essay_filter.leave_out:
        if slug not in {essay.slug for essay in essays}:
            raise UpcycleError(f"there is no essay '{slug}' to leave out")
    slugs = [essay.slug for essay in essays if essay_filter.allows(essay)]
    if not slugs:
        raise NothingNew(localized("nothing-new-left"))
    return slugs


def edits_since(context: AppContext, revision: revisions.Revision) -> tuple[str, ...]:
    """Return what editors changed since a revision; new feed items do not count."""
    old = revision.manifest
    new = compose_manifest(
        context, old.issue.id, [essay.slug for essay in old.issue.essays], old.issue.related
    )
    return tuple(diff_manifests(old, new).manual_changes())


def compose_manifest(
    context: AppContext,
    issue_id: IssueId,
    chosen: Sequence[str] = (),
    related: tuple[Related, ...] | None = None,
) -> Manifest:
    """Return the manifest of the current content without storing it; raises as `compose_issue`."""
    issue = _issue(context, issue_id, chosen)
    if related is not None:
        issue = replace(issue, related=related)
    return Manifest(
        issue=issue,
        publication=context.publication,
        templates=load_templates(context.templates_folder),
        images=load_essay_images(context, issue.essays),
    )


def _issue(context: AppContext, issue_id: IssueId, chosen: Sequence[str]) -> Issue:
    inputs = _inputs(context, issue_id, chosen)
    return compose(id=issue_id, language=context.settings.publication.language, **inputs)


def explain_issue(
    context: AppContext, issue_id: IssueId, essays: Sequence[str] = ()
) -> tuple[Candidate, ...]:
    """Return every candidate of an issue, best first, with the reasons; nothing is stored.

    What the issue itself used counts as new, so that a sent one can be explained too.
    """
    inputs = _inputs(
        context, issue_id, essays, ages=2, own=feed_rows.content_used_by(context.store, issue_id)
    )
    return explain(day=issue_id.day, **inputs)


def _inputs(
    context: AppContext,
    issue_id: IssueId,
    chosen: Sequence[str],
    *,
    ages: int = 1,
    own: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Return the arguments of `compose`; items may be as old as `ages` times the limit."""
    published, used = (known - own for known in issues.load_used_content(context.store))
    zone = context.settings.publication.zone
    days = timedelta(days=ages * context.limits.max_age_days)
    since = datetime.combine(issue_id.day, time(), zone) - days
    essays = _selected(load_publication_essays(context), chosen, published)
    pins = {canonical_link(pin) for essay in essays for pin in essay.pin}
    recent = feed_rows.items_since(context.store, since.astimezone(UTC))
    return {
        "essays": essays,
        "published": published,
        "candidates": (*recent, *feed_rows.items_by_link(context.store, pins)),
        "used": used | approvals.excluded_items_of(context.store, issue_id),
        "feeds": load_publication_feeds(context),
        "limits": context.limits,
        "vocabulary": load_publication_vocabulary(context),
    }


def _selected(
    essays: tuple[Essay, ...], chosen: Sequence[str], published: frozenset[str]
) -> tuple[Essay, ...]:
    for slug in chosen:
        if slug not in {essay.slug for essay in essays}:
            known = (
                ", ".join(essay.slug for essay in essays if essay.slug not in published) or "none"
            )
            raise UpcycleError(f"there is no essay '{slug}'; not yet published are: {known}")
        if slug in published:
            raise UpcycleError(f"the essay '{slug}' has been in an issue already")
    return tuple(essay for essay in essays if not chosen or essay.slug in chosen)


def _git_commit(home: Path) -> str:
    """Return the git commit of the content; empty outside a checkout."""
    try:
        process = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607
            cwd=home,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return process.stdout.strip() if process.returncode == 0 else ""
