"""Compares two revisions of an issue, or a revision with the current content (`issue diff`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.curation.manifest_diff import ManifestDiff, TextChange, diff_manifests
from upcycle_news.errors import IssueError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import (
    IssueId,
)
from upcycle_news.services.issues.approval import describe_changes
from upcycle_news.services.issues.compose import compose_manifest
from upcycle_news.services.issues.revisions import find_revision, newest_revision
from upcycle_news.storage import approvals, issues, revisions
from upcycle_news.storage.revisions import Revision

NOW, PREVIEW, APPROVAL = "now", "preview", "approval"


@dataclass(frozen=True)
class IssueDiff:
    """A revision compared with another one (its id), or with `NOW`.

    `frozen`: deliveries have begun, so content does not matter any more. `voids` is a sentence on
    why the revision can not be approved any more; empty if it can.
    """

    issue: IssueId
    old: str
    new: str
    difference: ManifestDiff
    frozen: bool = False
    voids: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of `issue diff`."""
        difference = self.difference
        return {
            "issue": str(self.issue),
            "from": self.old,
            "to": self.new,
            "changed": bool(difference),
            "frozen": self.frozen,
            "approval_holds": not self.voids,
            **_contents(difference),
            "translations": {
                language: _contents(translation)
                for language, translation in difference.translations
            },
            "images": [{"path": path, "how": how} for path, how in difference.pictures],
            "templates": _text_diffs(difference.templates),
            "settings": [
                {"name": item.name, **(_from_and_to(item) or {})} for item in difference.settings
            ],
        }


def _contents(difference: ManifestDiff) -> dict[str, Any]:
    """Return what differs of an issue's contents in one language."""
    return {
        "subject": _from_and_to(difference.subject),
        "preheader": _from_and_to(difference.preheader),
        "greeting": _from_and_to(difference.greeting),
        "file": _text_diffs([difference.file] if difference.file else []),
        "essays": {
            "in": [essay.slug for essay in difference.essays_in],
            "out": [essay.slug for essay in difference.essays_out],
            "changed": _text_diffs(difference.essays),
            "order": difference.order,
        },
        "items": {
            "in": [item.story.lead.link for item in difference.items_in],
            "out": [item.story.lead.link for item in difference.items_out],
            "changed": _text_diffs(difference.items),
        },
    }


def _from_and_to(change: TextChange | None) -> dict[str, str] | None:
    return None if change is None else {"from": change.old, "to": change.new}


def _text_diffs(changes: Sequence[TextChange]) -> list[dict[str, str]]:
    return [{"name": change.name, "diff": change.unified()} for change in changes]


def diff_issue(
    context: AppContext, issue: IssueId, old: str, new: str, essays: Sequence[str] = ()
) -> IssueDiff:
    """Compare two states of an issue, `old` with `new`.

    Each is `PREVIEW` (the newest revision), `APPROVAL` (the one approved last) or the beginning of
    a revision id; `new` may also be `NOW`: the content, or the essays with these slugs only.

    Raises `IssueError` for an unknown revision, `NothingNew` when no issue can be composed now,
    and `ContentError` for files that cannot be read.
    """
    row = issues.get(context.store, issue)
    before = _revision(context, issue, old)
    if new != NOW:
        after = _revision(context, issue, new)
        return IssueDiff(
            issue,
            before.revision_id,
            after.revision_id,
            diff_manifests(before.manifest, after.manifest),
        )
    if row is not None and row.frozen:
        return IssueDiff(issue, before.revision_id, NOW, ManifestDiff(), frozen=True)
    manifest = compose_manifest(context, issue, essays)
    return IssueDiff(
        issue,
        before.revision_id,
        NOW,
        diff_manifests(before.manifest, manifest),
        voids=describe_changes(context, before),
    )


def _revision(context: AppContext, issue: IssueId, wanted: str) -> Revision:
    revision_id: str | None = None
    if wanted == APPROVAL:
        revision_id = approvals.approved_revision(context.store, issue)
        if revision_id is None:
            raise IssueError(localized("revision-none-approved", issue=issue))
    elif wanted != PREVIEW:
        revision_id = revisions.find_by_prefix(context.store, issue, wanted) if wanted else None
        if revision_id is None:
            raise IssueError(localized("revision-unknown", issue=issue, wanted=wanted))
    if revision_id is None:
        return newest_revision(context, issue)
    return find_revision(context, issue, revision_id)
