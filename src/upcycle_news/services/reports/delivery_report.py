"""What operators read in the cockpit about a delivery: Markdown with ids and counts, no address."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.delivery.ports import DeliveryReport
from upcycle_news.i18n.messages import FALLBACK, LocalizedText, localized
from upcycle_news.models import DeliveryState, IssueId
from upcycle_news.observability.logging import Log
from upcycle_news.services.content.git_sync import as_saying
from upcycle_news.services.delivery.relay_health import slow_relays
from upcycle_news.services.feeds.collect import feeds_health
from upcycle_news.services.issues.changes import what_changed
from upcycle_news.services.markdown import Words, md
from upcycle_news.services.subscribers.list_health import list_health
from upcycle_news.storage import (
    issues,
    relay_stats,
    revisions,
    statistics,
)


def relays(context: AppContext, words: Words, issue: IssueId) -> list[str]:
    """A line for each relay: what it did with our messages, and how long it took for one."""
    found = relay_stats.of_issue(context.store, issue)
    if not found:
        return []
    rows = [
        f"| {md(one.relay)} | {one.accepted} | {one.deferred} | {one.refused} | {one.lost} "
        f"| {words(_duration(one.median))} | {words(_duration(one.slowest))} |"
        for one in found
    ]
    slow = [
        f"- {words(localized('report-slow-relay', relay=md(one.relay), why=why))}"
        for one, why in slow_relays(context, issue)
    ]
    return [
        words(localized("report-relays")),
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        *([*slow, ""] if slow else []),
    ]


def _duration(seconds: float) -> LocalizedText:
    if seconds >= 1:
        return localized("report-seconds", seconds=seconds)
    return localized("report-milliseconds", milliseconds=1000 * seconds)


log = Log(__name__)


def delivery_report(context: AppContext, issue: IssueId, collected: Mapping[str, Any]) -> str:
    """The report of an issue: the closing sum, relays, refusals, quotas, list, feeds, what changed."""
    status = issues.status(context.store, issue)
    row = issues.get(context.store, issue)
    assert status is not None and row is not None
    told, words = status.as_dict(), Words(context.language)
    lines = [words(localized("report-title", issue=str(issue))), ""]
    lines += [words(localized("report-states")), "|---|---|"]
    lines += [
        f"| {words(_STATES[state])} | {told[state]} |" for state in DeliveryState if told.get(state)
    ]
    lines += [words(localized("report-audience", audience=status.audience)), ""]
    lines += [
        words(localized("report-closes") if status.closed else localized("report-closes-not")),
        "",
    ]
    lines += _speed(context, words, issue, row.enqueued_at, int(told["sent"]))
    lines += relays(context, words, issue)
    lines += _refusals(context, words, issue)
    lines += _quotas(context, words)
    lines += _list_health(context, words)
    lines += _feeds(context, words, collected)
    revision = revisions.revision(context.store, issue, row.revision_id)
    if revision is not None:
        lines += what_changed(context, words, issue, row.revision_id, revision.manifest)
    return "\n".join(lines)


_STATES = {
    DeliveryState.QUEUED: localized("state-queued"),
    DeliveryState.SENDING: localized("state-sending"),
    DeliveryState.DEFERRED: localized("state-deferred"),
    DeliveryState.SENT: localized("state-sent"),
    DeliveryState.REJECTED: localized("state-rejected"),
    DeliveryState.UNKNOWN: localized("state-unknown"),
    DeliveryState.SUPPRESSED: localized("state-suppressed"),
    DeliveryState.CANCELLED: localized("state-cancelled"),
}


def _list_health(context: AppContext, words: Words) -> list[str]:
    """What this issue and the two before it did to the list; alarms first."""
    newest = list_health(context, 3)
    alarmed = [f"- **Alarm:** {words(alarm)}" for one in newest for alarm in one.alarms]
    told = [f"- {words(one.sentence())}" for one in newest]
    return [f"### {words(localized('report-list'))}", "", *alarmed, *told, ""]


def _speed(
    context: AppContext, words: Words, issue: IssueId, began: datetime | None, sent: int
) -> list[str]:
    ended = statistics.last_change(context.store, issue)
    if began is None or ended is None or not sent:
        return []
    seconds = max((ended - began).total_seconds(), 1.0)
    relay = localized("report-relay", relay="main")
    said = localized(
        "report-speed",
        count=sent,
        seconds=seconds,
        relay=localized("report-mailbox") if context.configured_relay is None else relay,
        rate=sent / seconds,
    )
    return [words(said), ""]


def _refusals(context: AppContext, words: Words, issue: IssueId) -> list[str]:
    found = statistics.refusals(context.store, issue)
    if not found:
        return []
    rows = [
        f"| {words(_STATES[DeliveryState(r.state)])} | {r.code or ''} {r.enhanced} | {r.count} |"
        for r in found
    ]
    return [words(localized("report-refusals")), "|---|---|---|", *rows, ""]


def _quotas(context: AppContext, words: Words) -> list[str]:
    found = context.quotas("main", context.settings.sender.address)
    lines = []
    for what, scope, rates in (
        (localized("report-relay", relay="main"), f"relay {found.relay_name}", found.relay),
        (localized("report-sender"), f"sender {found.sender_address}", found.sender),
    ):
        for rate in rates:
            used = statistics.sent_within(
                context.store, scope, timedelta(seconds=rate.seconds), now=context.clock()
            )
            said = localized(
                "report-quota",
                what=what,
                left=max(rate.limit - used, 0),
                limit=rate.limit,
                seconds=rate.seconds,
            )
            lines.append(f"- {words(said)}")
    return [f"**{words(localized('report-quotas'))}**", "", *lines, ""] if lines else []


def _feeds(context: AppContext, words: Words, collected: Mapping[str, Any]) -> list[str]:
    health = [one for one in feeds_health(context) if one["active"]]
    well = sum(1 for one in health if not one["errors"] and not one["stopped"])
    lines = [words(localized("report-feeds", well=well, feeds=len(health))), ""]
    lines += [
        f"- {md(one['name'])}: {md(one['last_error'])}"
        for one in health
        if one["errors"] or one["stopped"]
    ]
    if collected.get("pull"):
        why = words(as_saying(str(collected["pull"])))
        lines.append(f"- {words(localized('report-pull', why=md(why)))}")
    return [*lines, ""] if health or collected.get("pull") else []


Show = Callable[[float, str], None]


@dataclass
class Progress:
    """Tells how far a delivery is, not more often than every `every` seconds."""

    audience: int
    ended: int
    show: Show
    language: str = FALLBACK
    every: float = 5.0
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)
    _told: float = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._began = self._told = self.clock()

    def __call__(self, report: DeliveryReport) -> None:
        """Take the counts of this run so far."""
        now = self.clock()
        with self._lock:
            if now - self._told < self.every:
                return
            self._told = now
        done = report.sent + report.rejected + report.unknown
        rate = done / max(now - self._began, 0.001)
        left = max(self.audience - self.ended - done, 0)
        rest = localized("progress-left", count=round(left / rate / 60)) if rate and left else ""
        ended = self.ended + done
        self.tell(ended, localized("progress-rate", rate=rate, left=rest))

    def tell(self, ended: int, rate: LocalizedText | str = "") -> None:
        """Show it if that is possible now: what is sent must not depend on who can look at it."""
        try:
            said = localized("progress", ended=ended, audience=self.audience, rate=rate)
            self.show(100 * ended / max(self.audience, 1), said.in_language(self.language))
        except Exception as error:
            log.warning("progress could not be shown", why=type(error).__name__)
