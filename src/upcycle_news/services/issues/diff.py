"""What is different between two states of an issue: values in, values out.

Texts are compared line by line and, within lines, word by word: a paragraph of an essay is one line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from upcycle_news.app.context import AppContext
from upcycle_news.curation.manifest_diff import Difference, compare
from upcycle_news.errors import IssueError
from upcycle_news.models import (
    IssueId,
)
from upcycle_news.services.issues.approval import difference
from upcycle_news.services.issues.compose import compose_manifest
from upcycle_news.storage import issues, revisions
from upcycle_news.storage import revisions as revision_rows
from upcycle_news.storage.issues import IssueState
from upcycle_news.storage.revisions import Revision

NOW, PREVIEW, APPROVAL = "now", "preview", "approval"


@dataclass(frozen=True)
class Compared:
    """A revision and what it is compared with: another one's hash, or `NOW`.

    `frozen`: the issue has begun, so the content does not count for it any more. `voids` is what
    would refuse an approval of the revision, as people read it; empty when it would hold.
    """

    issue: IssueId
    old: str
    new: str
    difference: Difference
    frozen: bool = False
    voids: str = ""


def compare_issue(
    context: AppContext, issue: IssueId, old: str, new: str, essays: Sequence[str] = ()
) -> Compared:
    """Compare two states of an issue, `old` with `new`.

    Each is `PREVIEW` (the newest revision), `APPROVAL` (the one approved last) or the beginning of
    a revision's hash; `new` may also be `NOW`: the content, or the essays with these slugs only.

    Raises `IssueError` for what is not there, `NothingNew` when no issue can be made now, and
    `ContentError` for files that cannot be read.
    """
    row = issues.get(context.store, issue)
    before = _revision(context, issue, old)
    if new != NOW:
        after = _revision(context, issue, new)
        return Compared(
            issue, before.revision_id, after.revision_id, compare(before.manifest, after.manifest)
        )
    if row is not None and row.state is not IssueState.OPEN:
        return Compared(issue, before.revision_id, NOW, Difference(), frozen=True)
    manifest = compose_manifest(context, issue, essays)
    return Compared(
        issue,
        before.revision_id,
        NOW,
        compare(before.manifest, manifest),
        voids=difference(context, before),
    )


def _revision(context: AppContext, issue: IssueId, wanted: str) -> Revision:
    revision_id: str | None = None
    if wanted == APPROVAL:
        revision_id = revision_rows.last_approved(context.store, issue)
        if revision_id is None:
            raise IssueError(f"no revision of issue {issue} was approved yet")
    elif wanted != PREVIEW:
        revision_id = revisions.hash_beginning(context.store, issue, wanted) if wanted else None
        if revision_id is None:
            raise IssueError(
                f"issue {issue} has no revision {wanted!r}: write preview, approval, or the "
                "beginning of a hash as 'upcycle-news issue preview' shows it"
            )
    found = revisions.revision(context.store, issue, revision_id)
    if found is None:
        raise IssueError(f"there is no issue {issue} yet: see 'upcycle-news issue preview'")
    return found
