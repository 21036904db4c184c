"""Look whether everything goes its way; each event is told once.

What rings an alarm, and which run waits in vain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.models.runs import RunResult, StaleRun
from upcycle_news.observability.logging import Log
from upcycle_news.services.delivery.relay_health import slow_relays
from upcycle_news.services.feeds.collect import feeds_health
from upcycle_news.services.issues import ids
from upcycle_news.services.issues.approval import timed_out
from upcycle_news.services.subscribers.list_health import alarm_sentences
from upcycle_news.storage import (
    approvals,
    coordination,
    issues,
    statistics,
)
from upcycle_news.storage.issues import IssueState

log = Log(__name__)

DEAD_AFTER = 5  # failures in a row: with the back-off, more than a day
_LOOK_BACK = timedelta(days=14)


@dataclass(frozen=True)
class Event:
    """Something that happened: its name, what it happened to, a sentence, and ids and counts."""

    name: str
    subject: str
    message: str
    payload: dict[str, Any] = field(default_factory=dict)

    def as_event(self) -> dict[str, Any]:
        """The arguments of Prefect's `emit_event`."""
        return {
            "event": self.name,
            "resource": {
                "prefect.resource.id": f"upcycle-news.{self.subject.replace(' ', '.')}",
                "prefect.resource.name": self.subject,
            },
            "payload": {"message": self.message, **self.payload},
        }


def summary(*, reminded: int, settled: int, alarms: list[str]) -> RunResult:
    """The state of a run that watched."""
    told = [f"{settled} waiting runs settled"] if settled else []
    told += [f"{reminded} reminders"] if reminded else []
    if alarms:
        return RunResult("completed", "News", "; ".join([*alarms, *told]))
    return RunResult("completed", "Completed", "; ".join(told) or "all is well")


def news(context: AppContext) -> list[Event]:
    """What happened and was not told yet, of issues and feeds."""
    now = context.clock()
    found = [
        event
        for event in (
            *_issue_events(context),
            *_late_plans(context),
            *_feed_events(context),
            *_bounce_events(context),
        )
        if coordination.ring(context.store, event.name, event.subject, now=now)
    ]
    for event in found:
        tell = log.info if event.name == "upcycle-news.issue.sent" else log.warning
        tell(event.message, what=event.name)
    return found


def _issue_events(context: AppContext) -> Iterator[Event]:
    now = context.clock()
    stalled = timedelta(minutes=context.settings.retry.stalled_minutes)
    for row in issues.every(context.store):
        subject = f"issue {row.id}"
        if row.enqueued_at is None or now - row.enqueued_at > _LOOK_BACK:
            continue
        status = issues.status(context.store, row.id)
        assert status is not None
        payload = {key: value for key, value in status.as_dict().items() if key != "hash"}
        if row.state is IssueState.STOPPED:
            yield Event(
                "upcycle-news.issue.refused", subject, f"{subject}: {row.stopped_because}", payload
            )
        for slow, why in slow_relays(context, row.id):
            yield Event(
                "upcycle-news.relay.slow",
                f"{subject} relay {slow.relay}",
                f"relay {slow.relay} is slow with {subject}: {why}",
            )
        if status.closed and row.state is not IssueState.CANCELLED:
            message = f"{subject}: sent to {payload['sent']} of {status.audience}"
            yield Event("upcycle-news.issue.sent", subject, message, payload)
        elif row.state is IssueState.SENDING:
            last = statistics.last_change(context.store, row.id) or row.enqueued_at
            if now - last > stalled:
                message = f"{subject}: nothing has gone out since {last:%Y-%m-%d %H:%M} UTC"
                yield Event("upcycle-news.issue.stalled", subject, message, payload)
            else:
                coordination.silence(context.store, "upcycle-news.issue.stalled", subject)


def _late_plans(context: AppContext) -> Iterator[Event]:
    for plan in coordination.late_plans(context.store, since=context.clock() - _LOOK_BACK):
        row = issues.get(context.store, plan.issue)
        if row is None or row.state is IssueState.OPEN:
            planned = plan.planned_at.astimezone(context.settings.publication.zone)
            message = f"issue {plan.issue}, planned for {planned:%d %B, %H:%M}, did not go out"
            yield Event("upcycle-news.issue.late", f"issue {plan.issue}", message)


def _feed_events(context: AppContext) -> Iterator[Event]:
    for one in feeds_health(context):
        subject = f"feed {one['name']}"
        if one["active"] and (one["stopped"] or one["errors"] >= DEAD_AFTER):
            yield Event("upcycle-news.feed.dead", subject, f"{subject}: {one['last_error']}")
        else:
            coordination.silence(context.store, "upcycle-news.feed.dead", subject)


def _bounce_events(context: AppContext) -> Iterator[Event]:
    for sentence in alarm_sentences(context):
        yield Event("upcycle-news.bounces.high", sentence.partition(":")[0], sentence)


def in_vain(context: AppContext) -> list[StaleRun]:
    """Runs whose question was settled elsewhere, or timed out."""
    now = context.clock()
    found = []
    for question in approvals.waiting(context.store):
        row = issues.get(context.store, question.issue)
        decision = approvals.last_decision(context.store, question.issue, question.revision_id)
        begun = row is not None and row.state is not IssueState.OPEN
        if begun or decision is not None:
            rejected = decision is not None and not decision.approved and not begun
            said = "reject" if rejected else "send"
            found.append(StaleRun(question.id, question.run, answer=said))
        elif question.until <= now:
            found.append(StaleRun(question.id, question.run, ended=timed_out(question.issue)))
    return found


def settled(context: AppContext, waiting: StaleRun) -> None:
    """Note that a run waits no more, and let others have its issue."""
    question = approvals.asked_by(context.store, waiting.run)
    approvals.answer(
        context.store, waiting.question, waiting.answer or "timed out", now=context.clock()
    )
    if waiting.ended is not None and question is not None:
        ids.free(context, question.issue, waiting.run)
