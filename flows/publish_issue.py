"""The main job: choose, render, preview, ask, deliver. `upcycle-news issue send` does it by hand.

By hand, with parameters as JSON: python flows/publish_issue.py '{"dry_run": true}'
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from prefect import flow, task
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)
from prefect.client.schemas.objects import State, StateType
from prefect.deployments import run_deployment
from prefect.events import emit_event
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.runtime import deployment, flow_run
from pydantic import Field, create_model

from upcycle_news.app.context import AppContext
from upcycle_news.models.runs import RunResult
from upcycle_news.services import pipeline, run_results
from upcycle_news.services.issues.approval import Answered, Question
from upcycle_news.services.issues.compose import EssayFilter
from upcycle_news.services.monitoring import alerts
from upcycle_news.services.pipeline import Begun

IssueDate = Annotated[
    str, Field(description="The issue: 'next', a day such as 2026-11-26, or 2026-11-26-2.")
]
Essays = Annotated[
    list[str],
    Field(description="Slugs of the essays to include; empty: all that are ready and new."),
]
LeaveOut = Annotated[list[str], Field(description="Slugs of essays to leave out.")]
Topics = Annotated[
    list[str], Field(description="Only essays with one of these topics; empty: all.")
]
TestGroup = Annotated[
    str, Field(description="Send test mails to this group first, such as 'redaktion'.")
]
DryRun = Annotated[bool, Field(description="Do everything but send to subscribers.")]
Approve = Annotated[
    bool, Field(description="Send without asking. Otherwise the issue waits for an approval.")
]
MaxLateness = Annotated[
    float,
    Field(description="A run that comes so many hours late sends nothing; 0: never too late."),
]
Senders = Annotated[
    int, Field(ge=1, le=64, description="So many flow runs deliver together (needs Postgres).")
]


class Decision(RunInput):
    """What an editor decides about the issue described above."""

    decision: Literal["send", "send test again", "leave items out", "reject"] = Field(
        description="What shall happen with this issue?"
    )
    leave_out: str = Field("", description="Numbers of the items to leave out, such as 2, 3.")
    name: str = Field("", description="Who decides; kept with the approval.")

    @classmethod
    def worded(cls, labels: Mapping[str, tuple[str, str]]) -> type[Decision]:
        """The same form with these titles and words at its fields, in the publication's language."""
        fields: Any = {
            name: (field.annotation, Field(field.default, title=title, description=words))
            for name, field in cls.model_fields.items()
            for title, words in [labels[name]]
        }
        return create_model(cls.__name__, __base__=cls, **fields)


@task
def begin(issue_date: str, planned_at: datetime, run: str, max_lateness_hours: float) -> Begun:
    """Find the issue that is meant, once for each planned time; refuse what is too late."""
    with AppContext.open() as context:
        return pipeline.begin(
            context,
            issue_date,
            planned_at=planned_at,
            run=run,
            max_lateness_hours=max_lateness_hours,
        )


@task
def collect() -> dict[str, Any]:
    """Ask the feeds that are due; a dead one is reported and stops nothing."""
    with AppContext.open() as context:
        return pipeline.collect(context)


@task
def compose(issue: str, choice: EssayFilter, run: str) -> pipeline.Composed:
    """Choose essays and items, and freeze them as a revision."""
    with AppContext.open() as context:
        return pipeline.compose(context, issue, choice, run=run)


@task
def render(issue: str, revision: str) -> dict[str, Any]:
    """Render the revision, check it, and lay out its files for people to look at."""
    with AppContext.open() as context:
        return pipeline.render(context, issue, revision)


@task
def send_tests(issue: str, revision: str, group: str, again: bool = False) -> int:
    """Send test mails to a group of editors, once for each revision unless asked again."""
    with AppContext.open() as context:
        return pipeline.send_tests(context, issue, revision, group, again=again)


@task
def ask(issue: str, revision: str, run: str, waits: bool, refused: str) -> Question:
    """The question about this revision, with all an editor needs to know."""
    with AppContext.open() as context:
        return pipeline.ask(context, issue, revision, run=run, waits=waits, refused=refused)


@task
def take_answer(issue: str, revision: str, question: int, answer: dict[str, str]) -> Answered:
    """Write the decision down, bound to the revision; what changed meanwhile is refused."""
    with AppContext.open() as context:
        return pipeline.take_answer(context, issue, revision, question, answer)


@task
def approve_now(issue: str, revision: str) -> None:
    """Approve the revision because the run was started with `approve`."""
    with AppContext.open() as context:
        pipeline.approve(context, issue, revision)


@task
def end_dry(issue: str, subject: str, run: str) -> RunResult:
    """Put the issue back for others."""
    with AppContext.open() as context:
        return pipeline.dry(context, issue, subject, run=run)


@task
def enqueue(issue: str, revision: str, run: str, senders: int) -> int:
    """Freeze the issue and queue one delivery for every subscriber."""
    with AppContext.open() as context:
        return pipeline.enqueue(context, issue, revision, run=run, senders=senders)


@task
def call_helpers(issue: str, senders: int) -> None:
    """Let further runs deliver the same issue; asking twice starts them once."""
    for number in pipeline.helpers(senders):
        run_deployment(
            "deliver-issue/together",
            parameters={"issue": issue},
            idempotency_key=f"{issue}-{flow_run.root_flow_run_id}-{number}",
            timeout=0,
            as_subflow=False,
        )


def _relay_is_away(task: Any, run: Any, state: State[Any]) -> bool:
    return pipeline.passes_by(state.data)


@task(retries=2, retry_delay_seconds=[10, 60], retry_condition_fn=_relay_is_away)
def deliver(issue: str) -> dict[str, Any]:
    """Deliver what is queued; the closing sum."""
    bar = create_progress_artifact(0.0, key=f"issue-{issue}-progress", description="starts")
    assert isinstance(bar, UUID)  # a coroutine only in an async flow

    def show(percent: float, text: str) -> None:
        update_progress_artifact(bar, percent, description=text)

    with AppContext.open() as context:
        return pipeline.deliver(context, issue, show)


@task
def report(issue: str, collected: dict[str, Any]) -> None:
    """Leave the report and the link to the archive, and raise what is news."""
    with AppContext.open() as context:
        create_markdown_artifact(
            pipeline.report(context, issue, collected), key=f"issue-{issue}-report"
        )
        create_link_artifact(pipeline.archive_link(context, issue), key=f"issue-{issue}-archive")
        for event in alerts.news(context):
            emit_event(**event.as_event())


@flow(name="publish-issue", flow_run_name="publish-{issue_date}")
def publish_issue(
    issue_date: IssueDate = "next",
    essays: Essays = [],  # noqa: B006  Prefect shows defaults in its form and never changes them
    leave_out: LeaveOut = [],  # noqa: B006
    topics: Topics = [],  # noqa: B006
    test_group: TestGroup = "",
    dry_run: DryRun = False,
    approve: Approve = False,
    max_lateness_hours: MaxLateness = 12.0,
    senders: Senders = 1,
) -> State[Any]:
    """Compose an issue from new essays and related feed items, and send it once to each reader."""
    gc.freeze()  # what Prefect imports stays; looking through it again and again took 0.2 s of a run
    run = str(flow_run.id)
    begun = begin(issue_date, flow_run.scheduled_start_time, run, max_lateness_hours)
    if begun.ended:
        return _ended(begun.ended)
    issue, choice = begun.issue, EssayFilter(essays, leave_out, topics)
    collected = collect()
    composed = compose(issue, choice, run)
    if composed.ended:
        return _ended(composed.ended)
    rendered = render(issue, composed.revision)
    if test_group:
        send_tests(issue, composed.revision, test_group)
    if dry_run:
        return _ended(end_dry(issue, rendered["subject"], run))
    if approve:
        approve_now(issue, composed.revision)
    approved = approval(issue, composed.revision, choice, test_group, run)
    if isinstance(approved, RunResult):
        return _ended(approved)
    enqueue(issue, approved, run, senders)
    if senders > 1:
        call_helpers(issue, senders)
    delivered = deliver(issue)
    report(issue, collected)
    return _ended(run_results.summary(delivered, collected))


def approval(
    issue: str, revision: str, choice: EssayFilter, test_group: str, run: str
) -> str | RunResult:
    """Ask until an editor is content with a revision, or says that there will be none."""
    refused = ""
    while True:
        question = ask(issue, revision, run, deployment.id is not None, refused)
        if question.ended:
            return question.ended
        if question.approved:
            return revision
        decision = suspend_flow_run(
            wait_for_input=Decision.worded(question.labels).with_initial_data(
                description=question.markdown
            ),
            key=question.key,
            timeout=question.seconds,
        )
        answered = take_answer(issue, revision, question.number, decision.model_dump())
        if answered.ended:
            return answered.ended
        if answered.approved:
            return revision
        composed = compose(issue, choice, run)
        if composed.ended:
            return composed.ended
        revision, refused = composed.revision, answered.refused
        render(issue, revision)
        send_tests(issue, revision, test_group, again=answered.test_again)


def _ended(told: RunResult) -> State[Any]:
    return State(type=StateType[told.kind.upper()], name=told.name, message=told.message)


if __name__ == "__main__":
    parameters = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    state: State[Any] = publish_issue(**parameters, return_state=True)
    print(json.dumps({"state": state.name, "message": state.message}))  # noqa: T201
    sys.exit(0 if state.is_completed() else 1)
