"""List health: what each issue did to the list, and when that is an alarm."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.storage import statistics
from upcycle_news.storage.statistics import IssueFigures

# So few readers say nothing about a rate: one complaint of twenty readers is five percent.
ENOUGH = 50


@dataclass(frozen=True)
class IssueHealth:
    """The figures of one issue with the sentences that raise an alarm."""

    figures: IssueFigures
    alerts: tuple[LocalizedText, ...]

    def sentence(self) -> LocalizedText:
        """The figures for people."""
        one = self.figures
        return localized(
            "list-health",
            issue=str(one.issue),
            sent=one.sent,
            bounced=one.bounced,
            rejected=one.rejected,
            complaints=one.complaints,
            unsubscribed=one.unsubscribed,
            joined=one.joined,
            left=one.left,
        )

    def as_dict(self) -> dict[str, Any]:
        """The figures for programs."""
        told = asdict(self.figures)
        told["at"] = self.figures.at.isoformat(timespec="seconds")
        return {**told, "alarms": list(map(str, self.alerts))}


def list_health(context: AppContext, last: int = 10) -> tuple[IssueHealth, ...]:
    """The newest issues, newest first."""
    told = context.settings.bounces
    return tuple(
        IssueHealth(
            one,
            alerts(
                one,
                bounces_percent=told.alarm_bounces_percent,
                complaints_percent=told.alarm_complaints_percent,
            ),
        )
        for one in statistics.figures(context.store, last)
    )


def alerts(
    one: IssueFigures, *, bounces_percent: float, complaints_percent: float
) -> tuple[LocalizedText, ...]:
    """What has to be looked at before the next issue goes out."""
    found = []
    tried = one.sent + one.rejected
    if tried >= ENOUGH:
        share = 100 * (one.bounced + one.rejected) / tried
        if share > bounces_percent:
            found.append(
                localized(
                    "list-bounces", issue=str(one.issue), share=share, alarm=float(bounces_percent)
                )
            )
    if one.sent >= ENOUGH and one.complaints:
        share = 100 * one.complaints / one.sent
        if share > complaints_percent:
            found.append(
                localized(
                    "list-complaints",
                    issue=str(one.issue),
                    share=share,
                    alarm=float(complaints_percent),
                )
            )
    return tuple(found)


def list_alert_sentences(context: AppContext, last: int = 3) -> list[str]:
    """The alarms of the newest issues, for the report of a run."""
    return [str(alarm) for one in list_health(context, last) for alarm in one.alerts]
