"""What receivers report about mails in our name: who sends them, what fails, and since when.

The reports come by mail, and anybody can send one: they are a reason to look, never one to act on.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from upcycle_news.diagnostics.results import CheckResult, ok, problem, skipped, warning
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models.dmarc import DmarcSource, DmarcSummary

LOOK_BACK = timedelta(days=30)
SOURCES = 50
"""So many servers are asked of the store: those with most failures, then those with most mails."""
_SILENT = timedelta(days=8)  # reports come daily; without mail in our name there is none
_SHOWN = 5
_FEW = 20
"""A server whose mails mostly pass may fail for one in so many: forwarding breaks signatures."""


def no_reports(*, inbox: bool) -> CheckResult:
    """Return the result when there is nothing to judge: no inbox, or no report in it so far."""
    if not inbox:
        return skipped("dmarc-reports", localized("doctor-reports-no-inbox"))
    return skipped(
        "dmarc-reports", localized("doctor-reports-none"), fix=localized("doctor-reports-none-cure")
    )


def evaluate(
    summary: DmarcSummary, now: datetime, own_addresses: Collection[str] = ()
) -> list[CheckResult]:
    """Evaluate the reports of `LOOK_BACK`; `own_addresses` are the servers that our mail leaves from."""
    if summary.until is None or summary.since is None:
        return [no_reports(inbox=True)]
    counts = localized(
        "doctor-reports-counts",
        reports=localized("count-reports", count=summary.reports),
        organisations=localized("count-receivers", count=summary.organisations),
        since=summary.since,
        mails=localized("count-mails-in-our-name", count=summary.mails),
        failed=summary.failed,
    )
    if summary.until < now - _SILENT:
        coming = warning(
            "dmarc-reports",
            localized("doctor-reports-silent", until=summary.until),
            impact=localized("doctor-reports-silent-means"),
            fix=localized("doctor-reports-none-cure"),
        )
    else:
        coming = ok("dmarc-reports", counts)
    failing = [source for source in summary.sources if _is_told(source, own_addresses)]
    results = [coming, *(_failing(source, own_addresses) for source in failing[:_SHOWN])]
    if len(failing) > _SHOWN:
        results.append(
            warning(
                "dmarc-senders",
                localized("doctor-senders-more", count=len(failing) - _SHOWN),
                impact=localized("doctor-sender-unknown-means"),
                fix=localized("doctor-sender-unknown-cure"),
                about="further",
            )
        )
    return [*results, *_passing(summary)]


def _is_told(source: DmarcSource, own_addresses: Collection[str]) -> bool:
    if not source.failed:
        return False
    known = source.source in own_addresses or source.failed < source.mails
    return source.failed * _FEW >= source.mails if known else True


def _failing(source: DmarcSource, own_addresses: Collection[str]) -> CheckResult:
    """Return the result for a server whose mails fail, by what that may mean."""
    label, about = _label(source), source.source or "others"
    since, mails = source.failing_since, localized("count-mails", count=source.mails)
    if source.source in own_addresses:
        return problem(
            "dmarc-senders",
            localized(
                "doctor-sender-own", source=label, failed=source.failed, mails=mails, since=since
            ),
            impact=localized("doctor-sender-own-means"),
            fix=localized("doctor-sender-own-cure"),
            about=about,
        )
    if source.failed < source.mails:
        return warning(
            "dmarc-senders",
            localized(
                "doctor-sender-partly", source=label, failed=source.failed, mails=mails, since=since
            ),
            impact=localized("doctor-sender-own-means"),
            fix=localized("doctor-sender-own-cure"),
            about=about,
        )
    if not source.let_through:
        finding = localized("doctor-sender-stopped", source=label, mails=mails, since=since)
        return ok("dmarc-senders", finding, about=about)
    return warning(
        "dmarc-senders",
        localized(
            "doctor-sender-unknown",
            source=label,
            mails=mails,
            since=since,
            let_through=source.let_through,
        ),
        impact=localized("doctor-sender-unknown-means"),
        fix=localized("doctor-sender-unknown-cure"),
        about=about,
    )


def _passing(summary: DmarcSummary) -> list[CheckResult]:
    """Return who sends in our name with a valid proof, the most mails first."""
    passing = sorted(
        (source for source in summary.sources if source.failed < source.mails),
        key=lambda source: source.failed - source.mails,
    )
    if not passing:
        return []
    names = tuple(
        localized(
            "doctor-sender-name",
            source=_label(source),
            mails=localized("count-mails", count=source.mails - source.failed),
        )
        for source in passing[:_SHOWN]
    )
    finding = localized("doctor-senders-ok", names=names)
    return [ok("dmarc-senders", finding)]


def _label(source: DmarcSource) -> LocalizedText | str:
    if not source.source:
        return localized("doctor-sender-others")
    if not source.domain:
        return source.source
    return localized("doctor-sender-domain", source=source.source, domain=source.domain)
