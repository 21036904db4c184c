"""Takes DMARC aggregate reports out of the inbox: their sums are kept, the mails are not."""

from __future__ import annotations

import email
from datetime import timedelta
from email.message import Message
from email.parser import BytesHeaderParser

from upcycle_news.app.context import AppContext
from upcycle_news.bounces.dmarc.aggregate_report import parse_report
from upcycle_news.bounces.dmarc.report_files import (
    UnreadableReportError,
    announces_report,
    report_files,
    unpack,
)
from upcycle_news.bounces.parser import MAX_BYTES
from upcycle_news.models.dmarc import DmarcReport
from upcycle_news.observability.logging import Log
from upcycle_news.storage import dmarc_reports
from upcycle_news.storage.dmarc_reports import Recorded

log = Log(__name__)

_AHEAD = timedelta(days=2)  # clocks and time zones of reporters

Outcome = tuple[dict[str, int], bool]
"""What to count, and whether the mail may be moved away."""


def take_report(context: AppContext, raw: bytes) -> Outcome | None:
    """Keep the sums of the report in a mail; None if the mail is none.

    A report that cannot be read, or is not about a domain of ours, stays where it is and is counted:
    its sender proves nothing, so it must at least be about us.
    """
    try:
        reports = _reports(raw)
    except UnreadableReportError as error:
        log.info("DMARC report left alone", why=str(error))
        return {"dmarc_unread": 1}, False
    if not reports:
        return None
    counts: dict[str, int] = {}
    for report in reports:
        name = _keep(context, report)
        counts[name] = counts.get(name, 0) + 1
    return counts, "dmarc_unread" not in counts


def _keep(context: AppContext, report: DmarcReport) -> str:
    now = context.clock()
    why = ""
    if not is_about(report.domain, own_domains(context)):
        why = "not about a domain of ours"
    elif report.ends_at > now + _AHEAD:
        why = "from the future"
    elif report.ends_at < now - dmarc_reports.KEPT:
        why = "older than what is kept"
    if why:
        log.info("DMARC report left alone", why=why)
        return "dmarc_unread"
    recorded = dmarc_reports.record(context.store, report, now=now)
    if recorded is Recorded.FULL:
        log.warning("DMARC report left alone", why="too many of them came today")
        return "dmarc_unread"
    return "known" if recorded is Recorded.KNOWN else "dmarc"


def _reports(raw: bytes) -> list[DmarcReport]:
    """Return the reports in a mail, none if it is something else; raises `UnreadableReportError`."""
    if len(raw) > MAX_BYTES:
        if announces_report(BytesHeaderParser().parsebytes(raw)):
            raise UnreadableReportError("too large")
        return []
    try:
        message = email.message_from_bytes(raw)
        announced = announces_report(message)
    except Exception:  # the parser's corners: a hostile mail must not stop the others
        return []
    try:
        return _read(message)
    except UnreadableReportError:
        if announced:
            raise
        return []
    except Exception as error:  # the same
        if announced:
            raise UnreadableReportError(type(error).__name__) from None
        return []


def _read(message: Message) -> list[DmarcReport]:
    """Return the reports of all files; one that is none hides no other."""
    reports, failure = [], None
    for file in report_files(message):
        try:
            reports.append(parse_report(unpack(file.data)))
        except UnreadableReportError as error:
            failure = error
    if not reports and failure is not None:
        raise failure
    return reports


def own_domains(context: AppContext) -> frozenset[str]:
    """Return the domains in whose name our mail goes: of the From address, the envelope and the signature."""
    settings = context.settings
    domains = {
        settings.sender.address.rpartition("@")[2],
        settings.sender.envelope.rpartition("@")[2],
        settings.dkim.domain,
    }
    return frozenset(domain.lower().rstrip(".") for domain in domains if domain)


def is_about(domain: str, own: frozenset[str]) -> bool:
    """Return True if `domain` is one of `own`, or one of these lies below the other.

    Reports name the domain where the policy was found, which may be the organisation's (RFC 7489,
    section 6.6.3), never a name without a dot.
    """
    return "." in domain and any(
        domain == name or name.endswith(f".{domain}") or domain.endswith(f".{name}") for name in own
    )
