"""The main flow: compose, render, approve, deliver. `upcycle-news issue send` does it by hand.

By hand, with parameters as JSON: upcycle-news flow publish_issue '{"dry_run": true}'
"""

from __future__ import annotations

import gc
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from prefect import flow, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.client.schemas.objects import State, StateType
from prefect.deployments import run_deployment
from prefect.events import emit_event
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.runtime import deployment, flow_run
from pydantic import Field, create_model
from upcycle_news_flows._issue_artifacts import language, progress_key, write_artifacts

from upcycle_news import open_app
from upcycle_news.api import runs
from upcycle_news.api.runs import (
    NEXT,
    ApprovalForm,
    ApprovalOutcome,
    ComposeResult,
    EssayFilter,
    FeedRunReport,
    RenderResult,
    RunAdmission,
)
from upcycle_news.errors import UpcycleError
from upcycle_news.models import IssueStatus
from upcycle_news.models.runs import RunResult
from upcycle_news_flows import failing_with_a_sentence, run_by_hand

# Prefect takes the descriptions of its form from the docstring's Args, not from `Annotated`.
Senders = Annotated[int, Field(ge=1, le=64)]


class Decision(RunInput):
    """What an editor decides about the issue described above."""

    decision: Literal["send", "send test again", "leave items out", "reject"] = Field(
        description="What shall happen with this issue?"
    )
    leave_out: str = Field("", description="Numbers of the items to leave out, such as 2, 3.")
    subject: str = Field("", description="The issue's subject; a change is shown again.")
    greeting: str = Field("", description="Before the essays; a change is shown again.")
    name: str = Field("", description="Who decides; kept with the approval.")
    revision: str = Field("", description="What this form shows; leave it as it is.")

    @classmethod
    def of(cls, form: ApprovalForm) -> type[Decision]:
        """Return the form with titles and descriptions in the publication's language, and its values.

        An issue in several languages has a subject and a greeting for each: ``subject_en``.
        """
        own = {name: (field.annotation, field.default) for name, field in cls.model_fields.items()}
        further = {name: (str, "") for name in form.values if name not in own}
        fields: Any = {
            name: (
                annotation,
                Field(form.values.get(name, default), title=title, description=description),
            )
            for name, (annotation, default) in (own | further).items()
            for title, description in [form.labels[name]]
        }
        return create_model(cls.__name__, __base__=cls, **fields)


@task
def admit_run(
    issue_date: str, planned_at: datetime, run: str, max_lateness_hours: float
) -> RunAdmission:
    """Decide which issue the run is about, once per scheduled time; refuse a late run."""
    with open_app() as app:
        return app.runs.admit(
            issue_date, planned_at=planned_at, run=run, max_lateness_hours=max_lateness_hours
        )


@task
def collect() -> FeedRunReport:
    """Fetch the feeds that are due; a failing one is reported and stops nothing."""
    with open_app() as app:
        return app.runs.collect()


@task
def compose(issue: str, essay_filter: EssayFilter, run: str) -> ComposeResult:
    """Choose essays and items, and store them as a revision."""
    with open_app() as app:
        return app.runs.compose(issue, essay_filter, run=run)


@task
def render(issue: str, revision_id: str) -> RenderResult:
    """Render and check the revision, and write its preview files."""
    with open_app() as app:
        return app.runs.render(issue, revision_id)


@task
def send_tests(issue: str, revision_id: str, group: str) -> int:
    """Send test mails to a group of editors, once per revision."""
    with open_app() as app:
        return app.runs.send_tests(issue, revision_id, group)


@task
def send_tests_again(issue: str, revision_id: str, group: str) -> str:
    """Send test mails as often as an editor asks; return why none went, for the next question."""
    with open_app() as app:
        return app.runs.send_tests_again(issue, revision_id, group)


@task
def tell_editors(run: str) -> None:
    """Tell the editors once, by mail and by an event, that the run waits for them."""
    with open_app() as app:
        for event in app.runs.tell_editors(run):
            emit_event(**event.as_event())


@task
def request_approval(
    issue: str, revision_id: str, run: str, waits: bool, refused: str, approve: bool
) -> ApprovalForm:
    """Request an approval of the revision, unless the run brings it; return the form with its texts."""
    with open_app() as app:
        return app.runs.ask(
            issue, revision_id, run=run, waits=waits, refused=refused, approve=approve
        )


@task
def apply_decision(
    issue: str, revision_id: str, request: int, answer: dict[str, str]
) -> ApprovalOutcome:
    """Record the decision for this revision; refuse it if the content has changed since."""
    with open_app() as app:
        return app.runs.apply_answer(issue, revision_id, request, answer)


@task
def finish_dry_run(issue: str, subject: str, run: str) -> RunResult:
    """Release the issue for other runs."""
    with open_app() as app:
        return app.runs.finish_dry_run(issue, subject, run=run)


@task
def enqueue(issue: str, revision_id: str, run: str, senders: int, approve: bool) -> int:
    """Freeze the issue and queue one delivery for every subscriber; approve it if the run may."""
    with open_app() as app:
        return app.runs.enqueue(issue, revision_id, run=run, senders=senders, approve=approve)


@task
def start_helpers(issue: str, senders: int) -> None:
    """Start further runs that deliver the same issue; a retry starts none twice."""
    for number in range(2, senders + 1):
        run_deployment(
            "deliver-issue/together",
            parameters={"issue": issue},
            idempotency_key=f"{issue}-{flow_run.root_flow_run_id}-{number}",
            timeout=0,
            as_subflow=False,
        )


def _relay_is_unreachable(task: Any, run: Any, state: State[Any]) -> bool:
    return runs.is_transient(state.data)


@task(retries=2, retry_delay_seconds=[10, 60], retry_condition_fn=_relay_is_unreachable)
def deliver(issue: str) -> IssueStatus:
    """Deliver what is queued; return the delivery counts."""
    bar = create_progress_artifact(0.0, key=progress_key(issue), description="starts")
    assert isinstance(bar, UUID)  # a coroutine only in an async flow

    def show_progress(percent: float, text: str) -> None:
        update_progress_artifact(bar, percent, description=text)

    with open_app() as app:
        return app.runs.deliver(issue, show_progress)


@task
def report(issue: str, collected: FeedRunReport) -> None:
    """Create the artifacts report and archive link, and emit new alert events."""
    with open_app() as app:
        write_artifacts(app, issue, collected)
        for event in app.runs.alert_events():
            emit_event(**event.as_event())


def name_of_run() -> str:
    """Return the run's name with its issue; as it was asked for where the issue cannot be found."""
    wanted = str(flow_run.parameters.get("issue_date", NEXT))
    with suppress(UpcycleError), open_app() as app:
        wanted = app.runs.name_of_issue(wanted, planned_at=flow_run.scheduled_start_time)
    return f"publish-{wanted}"


@flow(name="publish-issue", flow_run_name=name_of_run, timeout_seconds=48 * 3600)
@failing_with_a_sentence
def publish_issue(
    issue_date: str = "next",
    essays: list[str] = [],  # noqa: B006  Prefect shows defaults in its form and never changes them
    leave_out: list[str] = [],  # noqa: B006
    topics: list[str] = [],  # noqa: B006
    test_group: str = "",
    dry_run: bool = False,
    approve: bool = False,
    max_lateness_hours: float = 12.0,
    senders: Senders = 1,
) -> State[Any]:
    """Compose an issue from new essays and related feed items, and send it once to each reader.

    Args:
        issue_date: The issue: next, a day such as 2026-11-26, 2026-11-26-2 for a second one that day, 2026-11-26-c1 for a correction to all who got that issue, or digest for the digest that is due.
        essays: Slugs of the essays to include; empty: all that are ready and new.
        leave_out: Slugs of essays to leave out of this issue.
        topics: Only essays with one of these topics; empty: all.
        test_group: Test mails go to this group of subscribers before anybody is asked; empty: none.
        dry_run: Do everything but ask and send: the issue can be looked at afterwards.
        approve: CAUTION: sends to all readers at once, without asking anybody. Leave it off, and the issue waits until somebody approves it.
        max_lateness_hours: A run that begins so many hours after its planned time sends nothing; 0: it is never too late.
        senders: So many runs deliver the issue together; more than 1 needs Postgres.

    """
    gc.freeze()  # what Prefect imported stays; collecting it again and again took 0.2 s of a run
    run = str(flow_run.id)
    admission = admit_run(issue_date, flow_run.scheduled_start_time, run, max_lateness_hours)
    if admission.ended:
        return _state(admission.ended)
    issue, essay_filter = admission.issue, EssayFilter(essays, leave_out, topics)
    collected = collect()
    composed = compose(issue, essay_filter, run)
    if composed.ended:
        return _state(composed.ended)
    rendered = render(issue, composed.revision_id)
    if test_group:
        send_tests(issue, composed.revision_id, test_group)
    if dry_run:
        return _state(finish_dry_run(issue, rendered.subject, run))
    approved = wait_for_approval(
        issue, composed.revision_id, essay_filter, test_group, run, approve
    )
    if isinstance(approved, RunResult):
        return _state(approved)
    enqueue(issue, approved, run, senders, approve)
    if senders > 1:
        start_helpers(issue, senders)
    delivered = deliver(issue)
    report(issue, collected)
    return _state(runs.publish_result(delivered, collected, language()))


def wait_for_approval(
    issue: str,
    revision_id: str,
    essay_filter: EssayFilter,
    test_group: str,
    run: str,
    approve: bool,
) -> str | RunResult:
    """Wait until a revision is approved; return its id, or the result that ends the run.

    With `approve` nobody is asked.
    """
    refused = ""
    while True:
        waits = deployment.id is not None
        form = request_approval(issue, revision_id, run, waits, refused, approve)
        if form.ended:
            return form.ended
        if form.approved:
            return revision_id
        tell_editors(run)
        decision = suspend_flow_run(
            wait_for_input=Decision.of(form).with_initial_data(description=form.markdown),
            key=form.key,
            timeout=form.seconds,
        )
        outcome = apply_decision(issue, revision_id, form.request, decision.model_dump())
        if outcome.ended:
            return outcome.ended
        if outcome.approved:
            return revision_id
        composed = compose(issue, essay_filter, run)
        if composed.ended:
            return composed.ended
        revision_id, refused = composed.revision_id, outcome.refused
        render(issue, revision_id)
        if outcome.test_again:
            refused = send_tests_again(issue, revision_id, test_group)
        elif test_group:
            send_tests(issue, revision_id, test_group)


def _state(result: RunResult) -> State[Any]:
    return State(type=StateType[result.kind.upper()], name=result.name, message=result.message)


if __name__ == "__main__":
    run_by_hand(publish_issue)
