"""Choose what goes into an issue and remember it as a revision."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.curation.compose_issue import compose, explain
from upcycle_news.curation.manifest_diff import compare
from upcycle_news.curation.selection import Choice
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
from upcycle_news.services.content.files import all_essays, kept_vocabulary, listed_feeds
from upcycle_news.services.content.images import essay_pictures
from upcycle_news.storage import approvals, issues, revisions
from upcycle_news.storage import feeds as feed_rows
from upcycle_news.text.urls import canonical_link


@dataclass(frozen=True)
class Composed:
    """A revision of an issue: its hash, and whether these inputs were seen for the first time."""

    issue: IssueId
    revision_id: str
    new: bool
    manifest: Manifest


def compose_issue(context: AppContext, issue: IssueId, essays: Sequence[str] = ()) -> Composed:
    """Compose `issue` from what is there now, or from the essays with these slugs only.

    Raises `NothingNew`, and `ContentError` for the first broken file (its message names all).
    """
    manifest = compose_manifest(context, issue, essays)
    revision_id, new = revisions.save_revision(
        context.store, manifest, git_commit=_git_commit(context.settings.home), now=context.clock()
    )
    return Composed(issue, revision_id, new, manifest)


def changes_since(context: AppContext, approved: revisions.Revision) -> tuple[str, ...]:
    """What an editor changed since a revision; feed items are the revision's own."""
    old = approved.manifest
    new = compose_manifest(
        context, old.issue.id, [e.slug for e in old.issue.essays], old.issue.related
    )
    return tuple(compare(old, new).by_hand())


def compose_manifest(
    context: AppContext,
    issue_id: IssueId,
    chosen: Sequence[str] = (),
    related: tuple[Related, ...] | None = None,
) -> Manifest:
    """The inputs of an issue as they are now, remembered nowhere; raises as `compose_issue` does."""
    issue = _issue(context, issue_id, chosen)
    if related is not None:
        issue = replace(issue, related=related)
    return Manifest(
        issue=issue,
        publication=context.publication,
        templates=load_templates(context.templates),
        images=essay_pictures(context, issue.essays),
    )


def _issue(context: AppContext, issue_id: IssueId, chosen: Sequence[str]) -> Issue:
    inputs = _inputs(context, issue_id, chosen)
    return compose(id=issue_id, language=context.settings.publication.language, **inputs)


def explain_issue(
    context: AppContext, issue_id: IssueId, essays: Sequence[str] = ()
) -> tuple[Choice, ...]:
    """Every candidate of an issue, the best first, and why it is in or not; nothing is remembered.

    What the issue itself used up counts as new, so that a sent one can be explained too.
    """
    inputs = _inputs(
        context, issue_id, essays, ages=2, own=feed_rows.used_by(context.store, issue_id)
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
    """What an issue is chosen from; items as old as `ages` times the limit."""
    published, used = (known - own for known in issues.used_up(context.store))
    zone = context.settings.publication.zone
    days = timedelta(days=ages * context.limits.max_age_days)
    since = datetime.combine(issue_id.day, time(), zone) - days
    essays = _selected(all_essays(context), chosen, published)
    pins = {canonical_link(pin) for essay in essays for pin in essay.pin}
    recent = feed_rows.items_since(context.store, since.astimezone(UTC))
    return {
        "essays": essays,
        "published": published,
        "candidates": (*recent, *feed_rows.items_linked(context.store, pins)),
        "used": used | approvals.left_out_of(context.store, issue_id),
        "feeds": listed_feeds(context),
        "limits": context.limits,
        "vocabulary": kept_vocabulary(context),
    }


def _selected(
    essays: tuple[Essay, ...], chosen: Sequence[str], published: frozenset[str]
) -> tuple[Essay, ...]:
    for slug in chosen:
        if slug not in {essay.slug for essay in essays}:
            known = ", ".join(e.slug for e in essays if e.slug not in published) or "none"
            raise UpcycleError(f"there is no essay '{slug}'; not yet published are: {known}")
        if slug in published:
            raise UpcycleError(f"the essay '{slug}' has been in an issue already")
    return tuple(essay for essay in essays if not chosen or essay.slug in chosen)


def _git_commit(home: Path) -> str:
    """The commit the content stands at, to find it again; empty outside a checkout."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607
            cwd=home,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


@dataclass(frozen=True)
class EssayFilter:
    """What a run may put into the issue; empty means everything that is ready and new."""

    essays: Sequence[str] = ()
    leave_out: Sequence[str] = ()
    topics: Sequence[str] = ()

    def allows(self, essay: Essay) -> bool:
        """Whether this essay may be in."""
        return (
            essay.slug not in self.leave_out
            and (not self.essays or essay.slug in self.essays)
            and (not self.topics or bool(set(self.topics) & set(essay.topics)))
        )


def chosen_essays(context: AppContext, choice: EssayFilter) -> Sequence[str]:
    """The slugs of the essays a run may take, none for all; raises `NothingNew` when none is left."""
    if not choice.leave_out and not choice.topics:
        return choice.essays
    published, _ = issues.used_up(context.store)
    essays = [
        essay
        for essay in all_essays(context)
        if essay.status == "ready" and essay.slug not in published
    ]
    for slug in choice.leave_out:
        if slug not in {essay.slug for essay in essays}:
            raise UpcycleError(f"there is no essay '{slug}' to leave out")
    found = [essay.slug for essay in essays if choice.allows(essay)]
    if not found:
        raise NothingNew(localized("nothing-new-left"))
    return found
