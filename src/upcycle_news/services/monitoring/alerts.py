"""Alert rules for issues, relays, feeds and bounces, and the search for stale flow runs.

Each event is emitted once, until its condition has cleared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import localized
from upcycle_news.i18n.recognition import recognise
from upcycle_news.models import IssueId, IssueState
from upcycle_news.models.runs import RunResult, StaleRun
from upcycle_news.models.welcome import SERIES
from upcycle_news.observability.logging import Log
from upcycle_news.services.delivery.issue_control import (
    REFUSED_EVENT,
    SENT_EVENT,
    STALLED_EVENT,
)
from upcycle_news.services.delivery.issue_relay import away_status
from upcycle_news.services.delivery.lateness import stalled_since
from upcycle_news.services.delivery.relay_health import slow_relays
from upcycle_news.services.feeds.status import feeds_health
from upcycle_news.services.issues.approval import timed_out
from upcycle_news.services.issues.lock import release_lock
from upcycle_news.services.issues.mailbox import mailbox_text
from upcycle_news.services.issues.waiting_runs import run_of_issue
from upcycle_news.services.runs.results import publish_result
from upcycle_news.services.subscribers import confirmation_mails
from upcycle_news.services.subscribers.list_health import list_health
from upcycle_news.services.webhooks import status as webhooks
from upcycle_news.storage import (
    alerts,
    approvals,
    issues,
    pending_suppressions,
    scheduled_runs,
)
from upcycle_news.text.escaped_markdown import Translator

log = Log(__name__)

DEAD_FEED_ERRORS = 5  # failures in a row: with the back-off, more than a day
_LOOK_BACK = timedelta(days=14)
WEBHOOK_EVENT = "upcycle-news.webhook.failing"
"""The alert about an outgoing webhook that takes no events."""


@dataclass(frozen=True)
class Event:
    """An event for Prefect: name, affected subject, a sentence, and ids and counts as payload."""

    name: str
    subject: str
    message: str
    payload: dict[str, Any] = field(default_factory=dict)

    def as_event(self) -> dict[str, Any]:
        """Return the arguments of Prefect's `emit_event`."""
        return {
            "event": self.name,
            "resource": {
                "prefect.resource.id": f"upcycle-news.{self.subject.replace(' ', '.')}",
                "prefect.resource.name": self.subject,
            },
            "payload": {"message": self.message, **self.payload},
        }


def watch_result(
    *,
    reminders: int,
    resolved: int,
    alerts: list[str],
    notices: Sequence[str] = (),
    confirmations: Sequence[str] = (),
    problems: Sequence[str] = (),
    started: int = 0,
    language: str = "en",
) -> RunResult:
    """Return the result of the flow watch; News when there are new alerts.

    `problems` are sentences about waiting runs that could not be settled, and why nothing can be delivered:
    then it is Degraded. `started` counts the runs of deliver-pending that it started.

    `notices` are sentences about notices to the operators that had waited, `confirmations` about
    confirmation mails that had.
    """
    counts = (
        (resolved, localized("watch-resolved", count=resolved)),
        (reminders, localized("watch-reminders", count=reminders)),
        (started, localized("watch-started", count=started)),
    )
    done = [text.in_language(language) for count, text in counts if count]
    done += [*notices, *confirmations]
    done = [*problems, *done]
    if alerts:
        return RunResult("completed", "News", "; ".join([*alerts, *done]))
    if problems:
        return RunResult("completed", "Degraded", "; ".join(done))
    return RunResult(
        "completed",
        "Completed",
        "; ".join(done) or localized("watch-all-well").in_language(language),
    )


def new_events(context: AppContext) -> list[Event]:
    """Evaluate all alert rules; return and log the events that were not emitted before."""
    now = context.clock()
    events = [
        event
        for event in (
            *_issue_events(context),
            *_late_events(context),
            *_feed_events(context),
            *_bounce_events(context),
            *_pending_events(context),
            *_signup_events(context),
            *_webhook_events(context),
        )
        if alerts.alert_once(context.store, event.name, event.subject, now=now)
    ]
    for event in events:
        write = log.info if event.name == SENT_EVENT else log.warning
        write(event.message, what=event.name)
    return events


def _issue_events(context: AppContext) -> Iterator[Event]:
    for row in issues.issues_queued_since(context.store, context.clock() - _LOOK_BACK):
        subject = str(localized("about-issue", issue=row.id))
        status = issues.status(context.store, row.id)
        assert status is not None
        run = run_of_issue(context, row.id)
        payload = {key: value for key, value in status.as_dict().items() if key != "hash"}
        payload["run"] = run
        if row.state is IssueState.STOPPED:
            yield Event(REFUSED_EVENT, subject, _stopped(context, row), payload)
        for stats, why in slow_relays(context, row.id):
            text = localized("alarm-relay-is-slow", relay=stats.relay, issue=str(row.id), why=why)
            yield Event(
                "upcycle-news.relay.slow",
                str(localized("about-relay", subject=subject, relay=stats.relay)),
                text.in_language(context.language),
                {"run": run},
            )
        if status.closed and row.state is not IssueState.CANCELLED:
            message = publish_result(status, language=context.language).message
            if (mailbox := mailbox_text(context, row.id)) is not None:
                message = mailbox.in_language(context.language)
            yield Event(SENT_EVENT, subject, message, payload)
        elif row.state is IssueState.SENDING:
            if (since := stalled_since(context, row.id)) is not None:
                translate = Translator(context.language)
                local = since.astimezone(context.settings.publication.zone)
                message = translate(
                    localized(
                        "alert-stalled", issue=str(row.id), since=translate.format_time(local)
                    )
                )
                if (away := away_status(context, status)) is not None:
                    message = away.in_language(context.language)
                yield Event(STALLED_EVENT, subject, message, payload)
            else:
                alerts.clear_alert(context.store, STALLED_EVENT, subject)


def _stopped(context: AppContext, row: issues.IssueRow) -> str:
    text = localized("alert-stopped", issue=str(row.id), why=recognise(row.stop_reason, "reasons"))
    return text.in_language(context.language)


def _late_events(context: AppContext) -> Iterator[Event]:
    for scheduled in scheduled_runs.late_runs(context.store, since=context.clock() - _LOOK_BACK):
        row = issues.get(context.store, scheduled.issue)
        if row is None or not row.frozen:
            local = scheduled.scheduled_at.astimezone(context.settings.publication.zone)
            translate = Translator(context.language)
            message = translate(
                localized(
                    "alert-late", issue=str(scheduled.issue), planned=translate.format_time(local)
                )
            )
            run = run_of_issue(context, scheduled.issue)
            yield Event(
                "upcycle-news.issue.late",
                str(localized("about-issue", issue=scheduled.issue)),
                message,
                {"run": run},
            )


def _feed_events(context: AppContext) -> Iterator[Event]:
    name, healthy = "upcycle-news.feed.dead", []
    for feed in feeds_health(context):
        subject = str(localized("about-feed", feed=feed.name))
        if feed.active and (feed.stopped or feed.errors >= DEAD_FEED_ERRORS):
            why = recognise(feed.last_error, "feeds")
            text = localized("alarm-feed-is-dead", feed=feed.name, why=why)
            yield Event(name, subject, text.in_language(context.language))
        else:
            healthy.append(subject)
    alerts.clear_alerts(context.store, name, healthy)


def _bounce_events(context: AppContext) -> Iterator[Event]:
    for health in list_health(context, 3):
        for text in health.alerts:
            subject = str(localized("about-issue", issue=health.figures.issue))
            run = run_of_issue(context, IssueId.parse(health.figures.issue))
            yield Event(
                "upcycle-news.bounces.high",
                subject,
                text.in_language(context.language),
                {"run": run},
            )


def _pending_events(context: AppContext) -> Iterator[Event]:
    """Yield an event for each issue of which suppressions wait for a person, and for mails that are none."""
    for issue, count in pending_suppressions.count_by_issue(context.store).items():
        if issue == SERIES:
            subject = localized("about-suppressions-welcome")
            sentence = localized("suppressions-pending-welcome", count=count)
        elif not issue:
            subject = localized("about-suppressions-unknown")
            sentence = localized("suppressions-pending-unknown", count=count)
        else:
            subject = localized("about-suppressions", issue=issue)
            sentence = localized("suppressions-pending-of", issue=issue, count=count)
        yield Event(
            "upcycle-news.suppressions.pending",
            str(subject),
            sentence.in_language(context.language),
            {"issue": issue, "pending": count},
        )


def _signup_events(context: AppContext) -> Iterator[Event]:
    """Yield an event while the limits of all networks together hold back confirmation mails."""
    name, subject = "upcycle-news.signups.limited", "sign-ups"
    count = confirmation_mails.count_limited(context)
    if count:
        sentence = localized("signups-limited", count=count).in_language(context.language)
        yield Event(name, subject, sentence, {"waiting": count})
    else:
        alerts.clear_alert(context.store, name, subject)


def _webhook_events(context: AppContext) -> Iterator[Event]:
    """Yield an event for each webhook that has taken nothing for a while, and one when it has stopped."""
    for status in webhooks.statuses(context):
        failing = str(localized("about-webhook", name=status.name))
        stopped = str(localized("about-webhook-stopped", name=status.name))
        since = status.failing_since
        if since is None:
            alerts.clear_alert(context.store, WEBHOOK_EVENT, failing)
            alerts.clear_alert(context.store, WEBHOOK_EVENT, stopped)
        elif status.stopped or context.clock() - since >= webhooks.ALERT_AFTER:
            yield Event(
                WEBHOOK_EVENT,
                stopped if status.stopped else failing,
                status.sentence(webhooks.secret_variable(status.name)).in_language(
                    context.language
                ),
                {"waiting": status.waiting},
            )


def find_stale_runs(context: AppContext) -> list[StaleRun]:
    """Return runs whose approval request was decided elsewhere, or has expired."""
    now = context.clock()
    stale = []
    for request in approvals.open_requests(context.store):
        row = issues.get(context.store, request.issue)
        decision = approvals.last_decision(context.store, request.issue, request.revision_id)
        started = row is not None and row.frozen
        if started or decision is not None:
            rejected = decision is not None and not decision.approved and not started
            answer = "reject" if rejected else "send"
            stale.append(StaleRun(request.id, request.run, answer=answer))
        elif request.expires_at <= now:
            stale.append(StaleRun(request.id, request.run, ended=timed_out(context, request.issue)))
    return stale


def mark_resolved(context: AppContext, stale: StaleRun) -> None:
    """Close the approval request of a stale run, and release the issue if the run was ended."""
    request = approvals.request_of_run(context.store, stale.run)
    approvals.answer_request(
        context.store, stale.request, stale.answer or "timed out", now=context.clock()
    )
    if stale.ended is not None and request is not None:
        release_lock(context, request.issue, stale.run)
