"""The delivery report and the progress of a delivery, for Prefect's pages: no addresses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from upcycle_news.app.context import MAIN_RELAY, AppContext
from upcycle_news.delivery.ports import DeliveryReport
from upcycle_news.i18n.messages import FALLBACK, LocalizedText, localized
from upcycle_news.i18n.recognition import recognise
from upcycle_news.models import DeliveryState, Issue, IssueId, IssueStatus
from upcycle_news.models.delivery import digest_text
from upcycle_news.observability.logging import Log
from upcycle_news.services.content.git_sync import localize_pull_failure
from upcycle_news.services.delivery.relay_health import slow_relays
from upcycle_news.services.feeds.collect import FeedRunReport
from upcycle_news.services.feeds.status import feeds_health
from upcycle_news.services.issues.changes_markdown import changes_section
from upcycle_news.services.issues.mailbox import mailbox_text
from upcycle_news.services.issues.questions import asked_question
from upcycle_news.services.reports.accessibility import accessibility_section
from upcycle_news.services.reports.figures import duration_text, quota_usage
from upcycle_news.services.reports.report_link import link_sentence
from upcycle_news.services.subscribers import wave_suppressions
from upcycle_news.services.subscribers.list_health import list_health
from upcycle_news.storage import (
    issue_relays,
    issues,
    relay_stats,
    revisions,
    statistics,
)
from upcycle_news.text.escaped_markdown import Translator, escape_markdown, markdown_of_sentence

log = Log(__name__)


def delivery_report(
    context: AppContext, issue: IssueId, collected: FeedRunReport | None = None
) -> str:
    """Return the Markdown report: delivery counts, relays, refusals, quotas, list, feeds, changes."""
    status = issues.status(context.store, issue)
    row = issues.get(context.store, issue)
    assert status is not None and row is not None
    counts, translate = status.as_dict(), Translator(context.language)
    lines = [translate(localized("report-title", issue=str(issue))), ""]
    if (mailbox := mailbox_text(context, issue)) is not None:
        lines += [f"**{translate(mailbox)}**", ""]
    lines += [translate(localized("report-states")), "|---|---|"]
    lines += [
        f"| {translate(_STATES[state])} | {counts[state]} |"
        for state in DeliveryState
        if counts.get(state)
    ]
    lines += [translate(localized("report-audience", audience=status.audience)), ""]
    if (left := digest_text(status.left_for_digest, status.digest_day)) is not None:
        lines += [translate(left), ""]
    lines += [
        translate(localized("report-closes") if status.closed else localized("report-closes-not")),
        "",
    ]
    revision = revisions.load_revision(context.store, issue, row.revision_id)
    if revision is not None:
        lines += _issue_file(translate, revision.manifest.issue)
    lines += _question(context, translate, issue)
    lines += _speed(context, translate, issue, row.enqueued_at, status)
    lines += _relays(context, translate, issue)
    lines += _refusals(context, translate, issue)
    lines += _quotas(context, translate)
    lines += [translate(link_sentence(context)), ""]
    lines += _list_health(context, translate)
    lines += _feeds(context, translate, collected)
    rendered = revisions.load_rendering(context.store, issue, row.revision_id)
    if revision is not None and rendered is not None:
        lines += accessibility_section(context, translate, revision.manifest, rendered)
    if revision is not None:
        lines += changes_section(context, translate, revision)
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


def _issue_file(translate: Translator, issue: Issue) -> list[str]:
    """Return which file the issue followed, which keys of it were overruled, what it corrects, or tells as a digest."""
    said: list[LocalizedText] = []
    if issue.told:
        said.append(localized("report-correction", issue=str(issue.id.original)))
    if issue.digest_of:
        said.append(localized("report-digest", told=issue.digest_of))
    if issue.file is not None:
        said.append(localized("report-file", file=issue.file.source))
    if issue.overruled:
        said.append(localized("issue-file-overruled", keys=issue.overruled))
    if not said:
        return []
    return [" ".join(markdown_of_sentence(translate(text)) for text in said), ""]


def _question(context: AppContext, translate: Translator, issue: IssueId) -> list[str]:
    """Return the question of the issue and how it was answered, from five answers on."""
    asked = asked_question(context, issue)
    if asked is None:
        return []
    first, *rest = (markdown_of_sentence(translate(text)) for text in asked.sentences())
    return [first, "", *(f"- {line}" for line in rest), ""]


def _list_health(context: AppContext, translate: Translator) -> list[str]:
    """Return bounces and unsubscriptions of the three newest issues, alerts first."""
    newest = list_health(context, 3)
    alerts = [f"- **Alarm:** {translate(alert)}" for health in newest for alert in health.alerts]
    if waiting := wave_suppressions.pending_sentence(context):
        alerts.append(f"- **Alarm:** {waiting}")
    lines = [f"- {translate(health.sentence())}" for health in newest]
    return [f"### {translate(localized('report-list'))}", "", *alerts, *lines, ""]


def _speed(
    context: AppContext,
    translate: Translator,
    issue: IssueId,
    began: datetime | None,
    status: IssueStatus,
) -> list[str]:
    ended, sent = statistics.last_delivery_change(context.store, issue), status.sent
    if began is None or ended is None or not sent:
        return []
    seconds = max((ended - began).total_seconds(), 1.0)
    queued_for = issue_relays.get(context.store, issue)
    relay = localized("report-relay", relay=queued_for.first_relay or MAIN_RELAY)
    sentence = localized(
        "report-speed",
        count=sent,
        seconds=seconds,
        relay=localized("report-mailbox") if queued_for.is_mailbox else relay,
        rate=sent / seconds,
    )
    return [translate(sentence), ""]


def _relays(context: AppContext, translate: Translator, issue: IssueId) -> list[str]:
    """Return a Markdown table of the relays: reply counts, median and longest reply time."""
    stats = relay_stats.for_issue(context.store, issue)
    if not stats:
        return []
    rows = [
        f"| {escape_markdown(row.relay)} | {row.accepted} | {row.deferred} | {row.refused} | {row.lost} "
        f"| {translate(duration_text(row.median))} | {translate(duration_text(row.slowest))} |"
        for row in stats
    ]
    slow = [
        f"- {translate(localized('report-slow-relay', relay=escape_markdown(row.relay), why=why))}"
        for row, why in slow_relays(context, issue)
    ]
    return [
        translate(localized("report-relays")),
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        *([*slow, ""] if slow else []),
    ]


def _refusals(context: AppContext, translate: Translator, issue: IssueId) -> list[str]:
    refusals = statistics.refusals(context.store, issue)
    if not refusals:
        return []
    rows = [
        f"| {translate(_STATES[DeliveryState(row.state)])} | {row.code or ''} {row.enhanced} | {row.count} |"
        for row in refusals
    ]
    return [translate(localized("report-refusals")), "|---|---|---|", *rows, ""]


def _quotas(context: AppContext, translate: Translator) -> list[str]:
    lines = []
    for usage in quota_usage(context):
        whose = localized("report-relay", relay=usage.relay) if usage.relay else usage.domain
        sentence = localized(
            "report-quota",
            what=whose or localized("report-sender"),
            left=usage.left,
            limit=usage.rate.limit,
            seconds=usage.rate.seconds,
        )
        lines.append(f"- {translate(sentence)}")
    return [f"**{translate(localized('report-quotas'))}**", "", *lines, ""] if lines else []


def _feeds(
    context: AppContext, translate: Translator, collected: FeedRunReport | None
) -> list[str]:
    health = [feed for feed in feeds_health(context) if feed.active]
    well = sum(1 for feed in health if not (feed.errors or feed.stopped or feed.odd))
    lines = [translate(localized("report-feeds", well=well, feeds=len(health))), ""]
    lines += [
        f"- {escape_markdown(feed.name)}: "
        + markdown_of_sentence(translate(recognise(feed.last_error, "feeds")))
        for feed in health
        if feed.errors or feed.stopped
    ]
    lines += [
        f"- {escape_markdown(feed.name)}: "
        + markdown_of_sentence(translate(recognise(sentence, "feeds")))
        for feed in health
        for sentence in feed.odd
    ]
    pull = collected.pull if collected else ""
    if pull:
        why = translate(localize_pull_failure(pull))
        lines.append(f"- {translate(localized('report-pull', why=markdown_of_sentence(why)))}")
    return [*lines, ""] if health or pull else []


Show = Callable[[float, str], None]


@dataclass
class Progress:
    """Shows the progress of a delivery, at most once in `every` seconds.

    That the relay is away is shown at once, in the words that `away` returns for a report.
    """

    audience: int
    ended: int
    show: Show
    language: str = FALLBACK
    every: float = 5.0
    clock: Callable[[], float] = time.monotonic
    away: Callable[[DeliveryReport], LocalizedText] | None = None
    _began: float = field(init=False)
    _shown_at: float = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._began = self._shown_at = self.clock()

    def __call__(self, report: DeliveryReport) -> None:
        """Take the counts of this run so far, and show them if it is time."""
        done = report.sent + report.rejected + report.unknown
        if report.away_since is not None and self.away is not None:
            self.show_text(self.ended + done, self.away(report))
            return
        now = self.clock()
        with self._lock:
            if now - self._shown_at < self.every:
                return
            self._shown_at = now
        rate = done / max(now - self._began, 0.001)
        left = max(self.audience - self.ended - done, 0)
        rest = localized("progress-left", count=round(left / rate / 60)) if rate and left else ""
        ended = self.ended + done
        self.show_now(ended, localized("progress-rate", rate=rate, left=rest))

    def show_now(self, ended: int, rate: LocalizedText | str = "") -> None:
        """Show how many deliveries have ended."""
        self.show_text(ended, localized("progress", ended=ended, audience=self.audience, rate=rate))

    def show_text(self, ended: int, text: LocalizedText) -> None:
        """Show the progress; errors are logged only, since delivery must not depend on Prefect."""
        try:
            self.show(100 * ended / max(self.audience, 1), text.in_language(self.language))
        except Exception as error:
            log.warning("progress not shown", why=type(error).__name__)
