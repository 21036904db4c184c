"""List health: bounces, complaints and departures of each issue, and when they are an alert."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.services.subscribers.topics import digest_interval
from upcycle_news.storage import pending_suppressions, statistics
from upcycle_news.storage.statistics import IssueFigures, ListCounts

# Fewer deliveries say nothing about a rate: one complaint of twenty is five percent.
MIN_DELIVERIES = 50


@dataclass(frozen=True)
class IssueHealth:
    """The figures of one issue and its alerts."""

    figures: IssueFigures
    alerts: tuple[LocalizedText, ...]

    def sentence(self) -> LocalizedText:
        """Return the figures as a sentence."""
        figures = self.figures
        sentence = localized(
            "list-health",
            issue=str(figures.issue),
            sent=figures.sent,
            bounced=figures.bounced,
            rejected=figures.rejected,
            complaints=figures.complaints,
            unsubscribed=figures.unsubscribed,
            joined=figures.joined,
            left=figures.left,
        )
        if not figures.replies and not figures.auto_replies:
            return sentence
        return localized(
            "list-health-replies",
            health=sentence,
            replies=localized("count-replies", count=figures.replies),
            auto_replies=localized("count-auto-replies", count=figures.auto_replies),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the figures in their JSON form."""
        figures = asdict(self.figures)
        figures["at"] = self.figures.at.isoformat(timespec="seconds")
        return {**figures, "alarms": list(map(str, self.alerts))}


@dataclass(frozen=True)
class ListStatistics:
    """The counts of the list, and the health of its newest issues, newest first.

    `pending_suppressions` wait for a decision: their readers still get mail.
    """

    counts: ListCounts
    issues: tuple[IssueHealth, ...]
    pending_suppressions: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of `subscribers stats`."""
        return {
            "subscribers": dict(self.counts.by_status),
            "topics": dict(self.counts.by_topic),
            "rhythms": dict(self.counts.by_rhythm),
            "suppressions": dict(self.counts.suppressions),
            "pending_suppressions": self.pending_suppressions,
            "issues": [issue.as_dict() for issue in self.issues],
        }


def list_statistics(context: AppContext) -> ListStatistics:
    """Count subscribers and suppressions, and tell what each of the newest issues did to the list."""
    return ListStatistics(
        statistics.count_subscribers(
            context.store, today=context.today, interval=digest_interval(context)
        ),
        list_health(context),
        pending_suppressions.count_pending(context.store),
    )


def list_health(context: AppContext, last: int = 10) -> tuple[IssueHealth, ...]:
    """Return the health of the newest issues, newest first."""
    limits = context.settings.bounces
    return tuple(
        IssueHealth(
            figures,
            find_alerts(
                figures,
                bounces_percent=limits.alarm_bounces_percent,
                complaints_percent=limits.alarm_complaints_percent,
            ),
        )
        for figures in statistics.issue_figures(context.store, last)
    )


def find_alerts(
    figures: IssueFigures, *, bounces_percent: float, complaints_percent: float
) -> tuple[LocalizedText, ...]:
    """Return a message for each rate above its limit: to be looked at before the next issue."""
    messages = []
    tried = figures.sent + figures.rejected
    if tried >= MIN_DELIVERIES:
        share = 100 * (figures.bounced + figures.rejected) / tried
        if share > bounces_percent:
            messages.append(
                localized(
                    "list-bounces",
                    issue=str(figures.issue),
                    share=share,
                    alarm=float(bounces_percent),
                )
            )
    if figures.sent >= MIN_DELIVERIES and figures.complaints:
        share = 100 * figures.complaints / figures.sent
        if share > complaints_percent:
            messages.append(
                localized(
                    "list-complaints",
                    issue=str(figures.issue),
                    share=share,
                    alarm=float(complaints_percent),
                )
            )
    return tuple(messages)


def list_alert_sentences(context: AppContext, last: int = 3) -> list[str]:
    """Return the alerts of the newest issues in the publication's language, for the report of a run."""
    return [
        alert.in_language(context.language)
        for health in list_health(context, last)
        for alert in health.alerts
    ]
