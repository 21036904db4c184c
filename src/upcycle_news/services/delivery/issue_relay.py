"""The relay of an issue: whether it is away, and whether it is one that the issue was queued for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from upcycle_news.app.context import AppContext
from upcycle_news.delivery.ports import DeliveryReport
from upcycle_news.errors import IssueError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import MAILBOX, DeliveryState, IssueId, IssueState, IssueStatus
from upcycle_news.services.issues.mailbox import mailbox_path, relay_name
from upcycle_news.storage import issue_relays


def raise_if_other_relay(context: AppContext, issue: IssueId, relay: str | None = None) -> None:
    """Raise `IssueError` for an issue that must not go over `relay` (default: what is set here).

    What is left of an issue of a relay would be stored in the mailbox and count as sent; and of an issue
    that lies in the mailbox, some readers would get it and the others never.
    """
    name = relay or relay_name(context)
    queued_for = issue_relays.get(context.store, issue)
    if queued_for.first_relay in ("", name) or queued_for.is_mailbox == (name == MAILBOX):
        return
    if queued_for.is_mailbox:
        raise IssueError(
            localized("mailbox-not-resumed", issue=str(issue), folder=mailbox_path(context))
        )
    raise IssueError(
        localized("relay-settings-missing", issue=str(issue), relay=queued_for.first_relay)
    )


def time_of_day(context: AppContext, at: datetime) -> LocalizedText:
    """Return a time in the publication's zone, with its date unless that is today."""
    zone = context.settings.publication.zone
    local, today = at.astimezone(zone), context.clock().astimezone(zone).date()
    if local.date() == today:
        return localized("time-today", at=local)
    return localized("time-earlier", at=local)


def away_text(context: AppContext, status: IssueStatus, why: LocalizedText) -> LocalizedText:
    """Return how far an issue is, since when its relay is away and why, and how it goes on."""
    since = issue_relays.get(context.store, IssueId.parse(status.issue)).away_since
    return localized(
        "relay-away",
        issue=status.issue,
        sent=status.counts.get(DeliveryState.SENT, 0),
        audience=status.audience,
        since=time_of_day(context, since or context.clock()),
        why=why,
    )


def away_progress(
    context: AppContext, before: IssueStatus, report: DeliveryReport
) -> LocalizedText:
    """Return how far a delivery that began with `before` is, and since when its relay is away."""
    return localized(
        "progress-away",
        sent=before.counts.get(DeliveryState.SENT, 0) + report.sent,
        audience=before.audience,
        since=time_of_day(context, report.away_since or context.clock()),
    )


def away_status(context: AppContext, status: IssueStatus) -> LocalizedText | None:
    """Return how far an issue is whose relay is away; None when it is not, as far as is known."""
    since = issue_relays.get(context.store, IssueId.parse(status.issue)).away_since
    if since is None or status.state is not IssueState.SENDING or not status.waiting:
        return None
    return localized(
        "relay-away-status",
        issue=status.issue,
        sent=status.counts.get(DeliveryState.SENT, 0),
        audience=status.audience,
        since=time_of_day(context, since),
    )


class AwayRecorder:
    """Records while an issue is delivered whether its relay is away, so that others can tell."""

    def __init__(
        self, context: AppContext, issue: IssueId, progress: Callable[[DeliveryReport], None]
    ) -> None:
        """`progress` gets each report, too."""
        self._context, self._issue, self._progress = context, issue, progress
        self.was_away = issue_relays.get(context.store, issue).away_since is not None
        self._away, self._sent = self.was_away, 0
        self._lock = threading.Lock()  # the processes of a run report in threads of their own

    def __call__(self, report: DeliveryReport) -> None:
        """Take the counts of the run so far."""
        with self._lock:
            self._record(report)
        self._progress(report)

    def _record(self, report: DeliveryReport) -> None:
        if report.away_since is not None:
            if not self._away:
                self._away, self._sent = True, report.sent
                issue_relays.mark_away(self._context.store, self._issue, since=report.away_since)
        elif self._away and report.sent > self._sent:
            self._away = False
            issue_relays.clear_away(self._context.store, self._issue)

    def finish(self, report: DeliveryReport) -> None:
        """Take the result of the run."""
        with self._lock:
            self._record(report)
