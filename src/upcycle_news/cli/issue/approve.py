"""The commands that decide about an issue; a run of Prefect that waits for it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from upcycle_news.cli.issue.common import me
from upcycle_news.cli.output import (
    AsJson,
    IssueArgument,
    issue_id,
    newsroom,
    note,
    say_json,
)

if TYPE_CHECKING:
    from upcycle_news.app.context import Newsroom
    from upcycle_news.models import IssueId


def approve(issue: IssueArgument = None) -> None:
    """Approve the revision that was previewed last; any change afterwards needs a new approval.

    A run of Prefect that waits for it goes on. Example: upcycle-news issue approve 2026-11-26
    """
    from upcycle_news.services.feeds.collect import feed_findings
    from upcycle_news.services.issues import approval

    with newsroom() as room:
        chosen, digest = _newest(room, issue)
        runs = approval.approve(room, chosen, digest, by=me())
        for finding in feed_findings(room):
            note(f"{finding.where}: {finding.in_language(room.language)}")
        typer.echo(f"issue {chosen}: revision {digest[:12]} is approved")
        _resume(room, runs, "send")


def reject(issue: IssueArgument = None) -> None:
    """Reject the revision that was previewed last; a run of Prefect that waits for it ends.

    Example: upcycle-news issue reject 2026-11-26
    """
    from upcycle_news.services.issues import approval

    with newsroom() as room:
        chosen, digest = _newest(room, issue)
        runs = approval.reject(room, chosen, digest, by=me())
        typer.echo(f"issue {chosen}: revision {digest[:12]} is rejected")
        _resume(room, runs, "reject")


def show(issue: IssueArgument = None, as_json: AsJson = False) -> None:
    """Show what an editor is asked to approve: content, what changed, findings, who waits.

    Example: upcycle-news issue show 2026-11-26
    """
    from upcycle_news.services.issues import approval
    from upcycle_news.services.issues.approval_form import approval_page
    from upcycle_news.storage import approvals, revisions

    with newsroom() as room:
        chosen, digest = _newest(room, issue)
        found = revisions.revision(room.store, chosen, digest)
        assert found is not None
        decided = approvals.last_decision(room.store, chosen, digest)
        waiting = [one for one in approvals.waiting(room.store, chosen) if one.hash == digest]
        until = waiting[0].until if waiting else approval.asked_until(room)
        changed = approval.difference(room, found)
        if as_json:
            say_json(
                {
                    "issue": str(chosen),
                    "hash": digest,
                    "approved": None if decided is None else decided.approved,
                    "by": "" if decided is None else decided.by,
                    "at": None if decided is None else decided.at.isoformat(timespec="seconds"),
                    "waiting": [one.run for one in waiting],
                    "changed": changed,
                }
            )
            return
        typer.echo(approval_page(room, chosen, digest, until=until))
        if decided is not None:
            verb = "approved" if decided.approved else "rejected"
            note(f"{verb} by {decided.by}, {decided.at:%Y-%m-%d %H:%M} UTC")
        if changed:
            note(f"changed since: {changed}")


def _newest(room: Newsroom, issue: str | None) -> tuple[IssueId, str]:
    from upcycle_news.errors import IssueError
    from upcycle_news.storage import revisions

    chosen = issue_id(room, issue)
    newest = revisions.revision(room.store, chosen)
    if newest is None:
        raise IssueError(f"there is no issue {chosen} yet: see 'upcycle-news issue preview'")
    return chosen, newest.hash


def _resume(room: Newsroom, runs: Sequence[str], decision: str) -> None:
    """Let the waiting runs go on. The decision stands without them: deliver-pending sees it too."""
    from upcycle_news.prefect_api.client import Cockpit, CockpitError

    if not runs:
        return
    cockpit = Cockpit.find(room.settings.state / "prefect")
    try:
        resumed = [run for run in runs if cockpit and cockpit.resume(run, {"decision": decision})]
    except CockpitError as error:
        note(f"the decision is written down, but the waiting run was not told: {error}")
        return
    if resumed:
        note(f"the waiting run goes on: {', '.join(resumed)}")
    elif cockpit is None:
        note("the decision is written down; set PREFECT_API_URL to tell the waiting run at once")
