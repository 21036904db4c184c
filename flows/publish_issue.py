"""The main job: collect, compose, render, deliver. `upcycle-news issue send` is the same by hand.

By hand, with parameters as JSON: python flows/publish_issue.py '{"dry_run": true}'
"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from upcycle_news.newsroom import Newsroom
from upcycle_news.steps import publishing

IssueDate = Annotated[
    str, Field(description="The issue: 'next', a day such as 2026-11-26, or 2026-11-26-2.")
]
Essays = Annotated[
    list[str],
    Field(description="Slugs of the essays to include; empty: all that are ready and new."),
]
TestGroup = Annotated[
    str, Field(description="Send test mails to this group first, such as 'redaktion'.")
]
DryRun = Annotated[bool, Field(description="Do everything but send to subscribers.")]
Approve = Annotated[
    bool, Field(description="Send without asking. Otherwise the issue waits for an approval.")
]


@task
def collect() -> dict[str, Any]:
    """Ask the feeds that are due; a dead one is reported and stops nothing."""
    with Newsroom.open() as room:
        return publishing.collect(room)


@task
def compose(issue: str, essays: list[str]) -> publishing.Composed:
    """Choose essays and items; the issue's id and the hash of its inputs."""
    with Newsroom.open() as room:
        return publishing.compose(room, issue, essays)


@task
def render(issue: str, revision: str) -> dict[str, Any]:
    """Render the revision, check it, and lay out its files for people to look at."""
    with Newsroom.open() as room:
        return publishing.render(room, issue, revision)


@task
def send_tests(issue: str, revision: str, group: str) -> int:
    """Send test mails to a group of editors."""
    with Newsroom.open() as room:
        return publishing.send_tests(room, issue, revision, group)


@task
def enqueue(issue: str, revision: str, approve: bool) -> int:
    """Freeze the issue and queue one delivery for every subscriber; 0 while it is not approved."""
    with Newsroom.open() as room:
        return publishing.enqueue(room, issue, revision, approve=approve)


@task
def deliver(issue: str) -> dict[str, Any]:
    """Deliver what is queued; the closing sum."""
    with Newsroom.open() as room:
        return publishing.deliver(room, issue)


@flow(name="publish-issue", flow_run_name="publish-{issue_date}")
def publish_issue(
    issue_date: IssueDate = "next",
    essays: Essays = [],  # noqa: B006  Prefect shows defaults in its form and never changes them
    test_group: TestGroup = "",
    dry_run: DryRun = False,
    approve: Approve = False,
) -> State[Any]:
    """Compose an issue from new essays and related feed items, and send it once to each reader."""
    collected = collect()
    composed = compose(issue_date, essays)
    if composed.nothing_new:
        return Completed(name="NothingNew", message=composed.nothing_new)
    issue, revision = composed.issue, composed.revision
    rendered = render(issue, revision)
    if test_group:
        send_tests(issue, revision, test_group)
    if dry_run:
        return Completed(name="DryRun", message=f"issue {issue}: {rendered['subject']}; not sent")
    if not enqueue(issue, revision, approve):
        return Completed(name="WaitingForApproval", message=publishing.how_to_approve(issue))
    told = publishing.summary(deliver(issue), collected)
    return Completed(name=told.name, message=told.message)


if __name__ == "__main__":
    parameters = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    state: State[Any] = publish_issue(**parameters, return_state=True)
    print(json.dumps({"state": state.name, "message": state.message}))  # noqa: T201
    sys.exit(0 if state.is_completed() else 1)
