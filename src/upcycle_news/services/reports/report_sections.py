"""The report page's sections from its figures: pure functions.

What was never measured gets a sentence and no chart; that no alert was raised is said only of issues
that were large enough to look at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime

from upcycle_news.i18n.messages import escape_unprintable, localized
from upcycle_news.models import MAILBOX, IssueId, SubscriberStatus
from upcycle_news.observability.redaction import redact
from upcycle_news.rendering.charts import TONES, Chart, Series, Tone
from upcycle_news.rendering.report_page import Figure, ReportPage, Section, Table
from upcycle_news.services.feeds.status import FeedStatus
from upcycle_news.services.reports.figures import MONTHS, Figures, QuotaUsage, duration_text
from upcycle_news.services.subscribers.list_health import MIN_DELIVERIES, IssueHealth
from upcycle_news.storage.feeds import CollectionCounts
from upcycle_news.storage.statistics import IssueFigures
from upcycle_news.text.escaped_markdown import Translator

ALERT_ISSUES = 3  # the newest ones, whose alerts stand at the top of the page
MAX_FEEDS = 200

_SPANS = {1: "second", 60: "minute", 3600: "hour", 86400: "day"}
_FORMATS = {
    "de": {
        "day": "dd.MM.yy",
        "month": "LLL yy",
        "moment": "dd.MM.yy HH:mm",
        "as of": "d. MMMM y, HH:mm",
    },
    "en": {
        "day": "d MMM yy",
        "month": "LLL yy",
        "moment": "d MMM yy HH:mm",
        "as of": "d MMMM y, HH:mm",
    },
}


@dataclass(frozen=True)
class ReportWriter:
    """Writes the page in a language, with times of a time zone."""

    translate: Translator
    zone: ZoneInfo

    def page(self, figures: Figures, *, name: str, waiting: str = "") -> ReportPage:
        """Return all that the page shows of the publication `name`.

        `waiting` is a sentence about suppressions that wait for a person, if some do.
        """
        by_status = figures.subscribers.subscribers
        totals = [(by_status.get(status, 0), status.value) for status in _STATUSES]
        totals.append((sum(figures.subscribers.suppressions.values()), "suppressed"))
        newest = figures.issues[-ALERT_ISSUES:][::-1]
        alerts = [self.translate(alert) for health in newest for alert in health.alerts]
        return ReportPage(
            language=self.translate.language,
            title=self.translate(localized("figures-title", name=name)),
            as_of=self.translate(localized("figures-as-of", at=self._time(figures.at, "as of"))),
            totals=tuple((self._count(number), self._word(what)) for number, what in totals),
            alerts=tuple(filter(None, (*alerts, waiting))),
            sections=(
                self._list(figures),
                self._issues(figures),
                self._relays(figures),
                self._feeds(figures),
                self._quotas(figures.quotas),
            ),
        )

    # --- the list

    def _list(self, figures: Figures) -> Section:
        title, months = self.translate(localized("figures-list")), figures.months
        if figures.first_change is None:
            return Section("list", title, (self.translate(localized("figures-list-none")),))
        sentences = []
        if imported := sum(month.changes.imported for month in months):
            sentences.append(self.translate(localized("figures-list-imported", count=imported)))
        first = figures.first_change.astimezone(self.zone).date()
        if first < months[0].first:
            sentences.append(
                self.translate(
                    localized("figures-list-earlier", months=MONTHS, since=self._day(first))
                )
            )
        labels = [self._date(month.first, "month") for month in months]
        changes = [month.changes for month in months]
        chart = Chart(
            "bars",
            tuple(labels),
            (
                self._series("joined", "good", (change.joined for change in changes)),
                self._series("left", "warn", (-change.left for change in changes)),
                self._series("bounced", "bad", (-change.bounced for change in changes)),
                self._series("complained", "odd", (-change.complained for change in changes)),
            ),
            self._axis_count,
        )
        if chart.is_empty:
            sentences.insert(0, self.translate(localized("figures-list-only-imported")))
        else:
            sentences.insert(0, self.translate(localized("figures-list-about")))
        columns = ("month", "joined", "imported", "left", "bounced", "complained")
        rows = [
            (label, c.joined, c.imported, c.left, c.bounced, c.complained)
            for label, c in zip(labels, changes, strict=True)
        ]
        figure = Figure(
            self.translate(localized("figures-list-caption")),
            self._table(columns, rows[::-1]),
            chart,
        )
        return Section("list", title, tuple(sentences), (figure,))

    # --- issues

    def _issues(self, figures: Figures) -> Section:
        title, healths = self.translate(localized("figures-issues")), figures.issues
        if not healths:
            return Section("issues", title, (self.translate(localized("figures-issues-none")),))
        sentences = [self.translate(localized("figures-issues-about", count=len(healths)))]
        if figures.in_mailbox:
            sentences.append(
                self.translate(localized("figures-issues-mailbox", count=len(figures.in_mailbox)))
            )
        sentences.append(self._looked_at(healths, figures.in_mailbox))
        issues = [health.figures for health in healths]
        names = [self._issue_name(issue, figures.in_mailbox) for issue in issues]
        columns = (
            "issue", "audience", "accepted", "rejected", "rest", "bounced", "complained", "unsubscribed",
            "answers", "absences",
        )  # fmt: skip
        rows = [
            (
                name, issue.audience, issue.sent, issue.rejected, _rest(issue), issue.bounced,
                issue.complaints, issue.unsubscribed, issue.replies, issue.auto_replies,
            )
            for name, issue in zip(names, issues, strict=True)
        ]  # fmt: skip
        chart = Chart(
            "bars",
            tuple(self._issue_label(issue.issue) for issue in issues),
            (
                self._series("accepted", "plain", (issue.sent for issue in issues)),
                self._series("rejected", "bad", (issue.rejected for issue in issues)),
                self._series("rest", "warn", (_rest(issue) for issue in issues)),
            ),
            self._axis_count,
        )
        deliveries = Figure(
            self.translate(localized("figures-issues-caption")),
            self._table(columns, rows[::-1]),
            chart,
        )
        rates = self._rates(issues, figures.in_mailbox)
        return Section("issues", title, tuple(sentences), (deliveries, *rates))

    def _looked_at(self, healths: Sequence[IssueHealth], in_mailbox: frozenset[str]) -> str:
        """Say of how many of the newest issues the alerts could be looked for, and that there are none."""
        newest = healths[-ALERT_ISSUES:]
        large = [health for health in newest if _is_measured(health.figures, in_mailbox)]
        if not large:
            return self.translate(
                localized("figures-issues-too-small", count=len(newest), least=MIN_DELIVERIES)
            )
        if any(health.alerts for health in newest):
            return self.translate(localized("figures-issues-alerts"))
        if len(large) < len(newest):
            return self.translate(
                localized(
                    "figures-issues-some-looked-at",
                    count=len(large),
                    of=len(newest),
                    least=MIN_DELIVERIES,
                )
            )
        return self.translate(localized("figures-issues-no-alerts", count=len(large)))

    def _rates(
        self, issues: Sequence[IssueFigures], in_mailbox: frozenset[str]
    ) -> tuple[Figure, ...]:
        shares = [_shares(issue) if _is_measured(issue, in_mailbox) else None for issue in issues]
        if not any(shares):
            return ()  # `_looked_at` has said why
        names = ("share-back", "complained", "unsubscribed")
        tones: tuple[Tone, ...] = ("bad", "odd", "warn")
        chart = Chart(
            "lines",
            tuple(self._issue_label(issue.issue) for issue in issues),
            tuple(
                self._series(name, tone, (share[at] if share else None for share in shares))
                for at, (name, tone) in enumerate(zip(names, tones, strict=True))
            ),
            self._percent,
            whole=False,
        )
        unknown = (None,) * len(names)
        missing = self._word("not-measured")
        rows = [
            (
                self._issue_name(issue, in_mailbox),
                *(
                    missing if share is None else self._percent(share)
                    for share in of_issue or unknown
                ),
            )
            for issue, of_issue in zip(issues, shares, strict=True)
        ]
        caption = self.translate(localized("figures-rates-caption", least=MIN_DELIVERIES))
        return (Figure(caption, self._table(("issue", *names), rows[::-1]), chart),)

    # --- relays

    def _relays(self, figures: Figures) -> Section:
        title = self.translate(localized("figures-relays"))
        issues = [health.figures.issue for health in figures.issues]
        relays = sorted({stats.relay for found in figures.relays.values() for stats in found})
        if not relays:
            return Section("relays", title, (self.translate(localized("figures-relays-none")),))
        sentences = [self.translate(localized("figures-relays-about"))]
        if untimed := len(issues) - len(figures.relays):
            sentences.append(self.translate(localized("figures-relays-untimed", count=untimed)))
        by_issue = {
            issue: {stats.relay: stats for stats in figures.relays.get(issue, ())}
            for issue in issues
        }
        series = [
            Series(
                self._relay_name(relay),
                TONES[number % len(TONES)],
                tuple(
                    by_issue[issue][relay].median if relay in by_issue[issue] else None
                    for issue in issues
                ),
            )
            for number, relay in enumerate(relays)
        ]
        chart = Chart(
            "lines",
            tuple(map(self._issue_label, issues)),
            tuple(series),
            self._seconds,
            whole=False,
        )
        columns = ("issue", "relay", "replies", "median", "slowest", "deferred", "refused", "lost")
        rows = [
            (
                issue, self._relay_name(stats.relay), stats.timed,
                self.translate(duration_text(stats.median)), self.translate(duration_text(stats.slowest)),
                stats.deferred, stats.refused, stats.lost,
            )
            for issue in reversed(issues)
            for stats in figures.relays.get(issue, ())
        ]  # fmt: skip
        figure = Figure(
            self.translate(localized("figures-relays-caption")), self._table(columns, rows), chart
        )
        return Section("relays", title, tuple(sentences), (figure,))

    # --- feeds

    def _feeds(self, figures: Figures) -> Section:
        title, feeds = self.translate(localized("figures-feeds")), figures.feeds
        if feeds is None:
            sentences = [
                self.translate(localized("figures-feeds-unreadable", why=figures.feeds_error))
            ]
        elif not feeds:
            sentences = [self.translate(localized("figures-feeds-none"))]
        else:
            counts = Counter(map(_condition, feeds))
            parts = tuple(
                localized(
                    "figures-feeds-part",
                    count=counts[condition],
                    condition=_WORDS[f"feed-{condition}"],
                )
                for condition in _CONDITIONS
                if counts[condition]
            )
            sentences = [
                self.translate(localized("figures-feeds-now", count=len(feeds), parts=parts))
            ]
        if not figures.collections:
            sentences.append(self.translate(localized("figures-feeds-not-collected")))
        shown = [self._collections(figures.collections)] if figures.collections else []
        if feeds:
            shown.append(self._each_feed(feeds))
            if len(feeds) > MAX_FEEDS:
                sentences.append(
                    self.translate(localized("figures-feeds-more", count=len(feeds) - MAX_FEEDS))
                )
        return Section("feeds", title, tuple(sentences), tuple(shown))

    def _collections(self, collections: Sequence[CollectionCounts]) -> Figure:
        labels = [self._time(collection.at, "moment") for collection in collections]
        chart = Chart(
            "bars",
            tuple(labels),
            (
                self._series("answered", "good", (c.asked - c.failed for c in collections)),
                self._series("failed", "bad", (c.failed for c in collections)),
                self._series("waited", "warn", (c.waiting for c in collections)),
            ),
            self._axis_count,
        )
        rows = [
            (label, c.asked, c.asked - c.failed, c.failed, c.waiting)
            for label, c in zip(labels, collections, strict=True)
        ]
        columns = ("collection", "asked", "answered", "failed", "waited")
        return Figure(
            self.translate(localized("figures-feeds-caption")),
            self._table(columns, rows[::-1]),
            chart,
        )

    def _each_feed(self, feeds: Sequence[FeedStatus]) -> Figure:
        worst_first = sorted(
            feeds, key=lambda feed: (_CONDITIONS.index(_condition(feed)), feed.name)
        )
        rows = [
            (
                redact(feed.name),
                self._word(f"feed-{_condition(feed)}"),
                self._time(feed.succeeded_at, "moment")
                if feed.succeeded_at
                else self._word("never"),
                feed.errors,
            )
            for feed in worst_first[:MAX_FEEDS]
        ]
        columns = ("feed", "condition", "answered-at", "errors")
        return Figure(
            self.translate(localized("figures-each-feed-caption")), self._table(columns, rows)
        )

    # --- quotas

    def _quotas(self, quotas: Sequence[QuotaUsage]) -> Section:
        title = self.translate(localized("figures-quotas"))
        if not quotas:
            return Section("quotas", title, (self.translate(localized("figures-quotas-none")),))
        labels = [self._quota_label(usage) for usage in quotas]
        used = [min(100.0, 100 * usage.used / usage.rate.limit) for usage in quotas]
        chart = Chart(
            "shares",
            tuple(labels),
            (
                self._series("used", "warn", used),
                self._series("free", "good", (100 - share for share in used)),
            ),
            self._percent,
        )
        rows = [
            (label, usage.left, usage.used, usage.rate.limit)
            for label, usage in zip(labels, quotas, strict=True)
        ]
        columns = ("quota", "free", "used", "limit")
        figure = Figure(
            self.translate(localized("figures-quotas-caption")), self._table(columns, rows), chart
        )
        return Section(
            "quotas", title, (self.translate(localized("figures-quotas-about")),), (figure,)
        )

    def _quota_label(self, usage: QuotaUsage) -> str:
        whose = (
            self._relay_name(usage.relay) if usage.relay else usage.domain or self._word("sender")
        )
        return f"{whose} · {self._word(_SPANS[usage.rate.seconds])}"

    # --- words and numbers

    def _word(self, name: str) -> str:
        return self.translate(_WORDS[name])

    def _series(self, name: str, tone: Tone, values: Iterable[float | None]) -> Series:
        return Series(self._word(name), tone, tuple(values))

    def _table(self, columns: Sequence[str], rows: Iterable[Sequence[str | int]]) -> Table:
        return Table(
            tuple(map(self._word, columns)),
            tuple(
                tuple(cell if isinstance(cell, str) else self._count(cell) for cell in row)
                for row in rows
            ),
        )

    def _count(self, number: int) -> str:
        return self.translate(localized("figures-number", number=number))

    def _axis_count(self, value: float) -> str:
        return self._count(round(abs(value)))

    def _percent(self, share: float) -> str:
        if share == round(share):
            return self.translate(localized("figures-percent", share=share))
        if 0 < share < 0.005:  # no zero: somebody complained
            return self.translate(localized("figures-percent-tiny", share=0.01))
        return self.translate(localized("figures-percent-fine", share=share))

    def _seconds(self, value: float) -> str:
        return self.translate(duration_text(value)) if value else "0"

    def _relay_name(self, relay: str) -> str:
        return self._word("mailbox") if relay == MAILBOX else escape_unprintable(relay)

    def _issue_name(self, issue: IssueFigures, in_mailbox: frozenset[str]) -> str:
        if issue.issue in in_mailbox:
            return self.translate(localized("figures-issue-in-mailbox", issue=issue.issue))
        return issue.issue

    def _issue_label(self, issue: str) -> str:
        """Return the day of an issue in short, with what tells it from others of that day."""
        day = IssueId.parse(issue).day
        return self._day(day) + issue.removeprefix(day.isoformat())

    def _day(self, day: date) -> str:
        return self._date(day, "day")

    def _date(self, day: date, kind: str) -> str:
        language = self.translate.language
        text: str = format_date(day, _FORMATS[language][kind], locale=language)
        return text

    def _time(self, at: datetime, kind: str) -> str:
        language = self.translate.language
        local = at.astimezone(self.zone)
        text: str = format_datetime(local, _FORMATS[language][kind], locale=language)
        return text


_STATUSES = (SubscriberStatus.CONFIRMED, SubscriberStatus.PENDING, SubscriberStatus.UNSUBSCRIBED)
_WORDS = {
    "month": localized("figures-month"),
    "joined": localized("figures-joined"),
    "imported": localized("figures-imported"),
    "left": localized("figures-left"),
    "bounced": localized("figures-bounced"),
    "complained": localized("figures-complained"),
    "issue": localized("figures-issue"),
    "audience": localized("figures-audience"),
    "accepted": localized("figures-accepted"),
    "rejected": localized("figures-rejected"),
    "rest": localized("figures-rest"),
    "share-back": localized("figures-share-back"),
    "unsubscribed": localized("figures-unsubscribed"),
    "answers": localized("figures-answers"),
    "absences": localized("figures-absences"),
    "relay": localized("figures-relay"),
    "mailbox": localized("figures-mailbox"),
    "replies": localized("figures-replies"),
    "median": localized("figures-median"),
    "slowest": localized("figures-slowest"),
    "deferred": localized("figures-deferred"),
    "refused": localized("figures-refused"),
    "lost": localized("figures-lost"),
    "collection": localized("figures-collection"),
    "asked": localized("figures-asked"),
    "answered": localized("figures-answered"),
    "failed": localized("figures-failed"),
    "waited": localized("figures-waited"),
    "feed": localized("figures-feed"),
    "condition": localized("figures-condition"),
    "answered-at": localized("figures-answered-at"),
    "errors": localized("figures-errors"),
    "quota": localized("figures-quota"),
    "limit": localized("figures-limit"),
    "used": localized("figures-used"),
    "free": localized("figures-free"),
    "sender": localized("figures-sender"),
    "second": localized("figures-second"),
    "minute": localized("figures-minute"),
    "hour": localized("figures-hour"),
    "day": localized("figures-day"),
    "not-measured": localized("figures-not-measured"),
    "never": localized("figures-never"),
    "confirmed": localized("figures-confirmed"),
    "pending": localized("figures-pending"),
    "suppressed": localized("figures-suppressed"),
    "feed-ok": localized("figures-feed-ok"),
    "feed-odd": localized("figures-feed-odd"),
    "feed-failing": localized("figures-feed-failing"),
    "feed-stopped": localized("figures-feed-stopped"),
    "feed-new": localized("figures-feed-new"),
}
# The worst first. "odd" answers, and something about its body is not as it should be.
_CONDITIONS = ("stopped", "failing", "odd", "new", "ok")


def _condition(feed: FeedStatus) -> str:
    return "odd" if feed.condition == "ok" and feed.odd else feed.condition


def _rest(issue: IssueFigures) -> int:
    """Return the deliveries that were neither accepted nor rejected (so far)."""
    return max(issue.audience - issue.sent - issue.rejected, 0)


def _is_measured(issue: IssueFigures, in_mailbox: frozenset[str]) -> bool:
    """Return whether shares of the issue's deliveries say anything about its readers."""
    return issue.sent + issue.rejected >= MIN_DELIVERIES and issue.issue not in in_mailbox


def _shares(issue: IssueFigures) -> tuple[float | None, float | None, float | None]:
    """Return per cent of what was tried that came back or was rejected, complaints, and departures."""
    back = 100 * (issue.bounced + issue.rejected) / (issue.sent + issue.rejected)
    if issue.sent < MIN_DELIVERIES:
        return back, None, None
    return back, 100 * issue.complaints / issue.sent, 100 * issue.unsubscribed / issue.sent
