"""Process the inbox: suppress after bounces and complaints, unsubscribe by mail.

Keep the sums of DMARC reports, and count replies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.app.factories import raise_without_password
from upcycle_news.bounces.inbox import ImapAccount, Inbox, open_imap, open_maildir
from upcycle_news.bounces.parser import (
    COUNTED,
    BounceKind,
    BounceReport,
    parse_bounce,
)
from upcycle_news.bounces.unsubscribe_mail import unsubscribe_tokens, wants_to_leave
from upcycle_news.config.settings import FILE_NAME
from upcycle_news.errors import SettingsError, UpcycleError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import UnsubscribeMethod
from upcycle_news.models.runs import RunResult
from upcycle_news.observability.logging import Log
from upcycle_news.services.bounces import dmarc_reports
from upcycle_news.services.bounces.replies import ReplyCounter
from upcycle_news.services.bounces.reports import (
    DeliveryReport,
    for_subscribers,
    new_report,
    settle,
)
from upcycle_news.services.subscribers import subscriptions
from upcycle_news.storage import bounces
from upcycle_news.subscribers.link_tokens import Purpose

log = Log(__name__)

_COUNT_NAMES: Mapping[str, LocalizedText] = {
    "hard": localized("inbox-hard"),
    "soft": localized("inbox-soft"),
    "blocked": localized("inbox-blocked"),
    "complaint": localized("inbox-complaint"),
    "unsubscribed": localized("inbox-unsubscribed"),
    "delivered": localized("inbox-delivered"),
    "delayed": localized("inbox-delayed"),
    "known": localized("inbox-known"),
    "unsigned": localized("inbox-unsigned"),
    "left_alone": localized("inbox-left-alone"),
    "ignored": localized("inbox-ignored"),
    "unknown": localized("inbox-unknown"),
    "suppressed": localized("inbox-suppressed"),
    "pending": localized("inbox-pending"),
    "uncertain": localized("inbox-uncertain"),
    "wants_to_leave": localized("inbox-wants-to-leave"),
    "replies": localized("inbox-replies"),
    "auto_replies": localized("inbox-auto-replies"),
    "dmarc": localized("inbox-dmarc"),
    "dmarc_unread": localized("inbox-dmarc-unread"),
}


@dataclass(frozen=True)
class Collected:
    """The counts of a run over the inbox, or of what was posted. `unsigned`: reports without a valid signature of ours.

    `soft` includes reports that were not understood. `left_alone`: replies of people and automatic
    ones, notices of success, feedback that is no complaint. `suppressed`: addresses that will get
    no mail from now on. `pending`: suppressions that wait for a person, since they came in a wave.
    `uncertain`: hard reports without an address, about a reader who has changed theirs: nobody is suppressed.
    `delivered`, `ignored` and `unknown` are events of providers: arrived, of no interest (opens and clicks
    among them, of which no more than the word is read), and of a word that is not known here.
    `wants_to_leave`: those left alone that seem to want to leave and carry no link of ours; `notice` is a
    sentence about them in the publication's language. `replies` and `auto_replies`: those left alone that
    answer an issue, written by a person or by a program, and were not counted before. `dmarc`: aggregate
    reports whose sums were kept; `dmarc_unread`: those that could not be read or are not about us.
    """

    hard: int = 0
    soft: int = 0
    blocked: int = 0
    complaint: int = 0
    unsubscribed: int = 0
    delivered: int = 0
    delayed: int = 0
    known: int = 0
    unsigned: int = 0
    left_alone: int = 0
    ignored: int = 0
    unknown: int = 0
    suppressed: int = 0
    pending: int = 0
    uncertain: int = 0
    wants_to_leave: int = 0
    replies: int = 0
    auto_replies: int = 0
    dmarc: int = 0
    dmarc_unread: int = 0
    notice: str = ""

    def as_dict(self) -> dict[str, int]:
        """Return the JSON object of `bounces collect`."""
        counts = asdict(self)
        del counts["notice"]
        return counts

    @property
    def summary(self) -> LocalizedText:
        """The counts that are not zero, in words."""
        counts = tuple(
            localized("inbox-count", number=number, name=_COUNT_NAMES[name])
            for name, number in self.as_dict().items()
            if number
        )
        return localized("inbox-counts", counts=counts) if counts else localized("inbox-empty")

    def plus(self, **more: int) -> Collected:
        """Return the counts with `more` added."""
        # Not below zero: a wave may keep back what an earlier run suppressed.
        return replace(
            self, **{name: max(getattr(self, name) + count, 0) for name, count in more.items()}
        )


@contextmanager
def open_inbox(context: AppContext, timeout: float = 60.0) -> Iterator[Inbox]:
    """Open the configured inbox; raises `SettingsError` if there is none. `timeout` is in seconds."""
    settings = context.settings.inbox
    if settings.maildir:
        with open_maildir(
            context.settings.home / Path(settings.maildir), settings.processed
        ) as inbox:
            yield inbox
        return
    if not settings.host:
        raise SettingsError(FILE_NAME, None, localized("inbox-none"))
    raise_without_password("inbox", settings.username, settings.password)
    account = ImapAccount(
        host=settings.host,
        port=settings.port,
        security=settings.security,
        username=settings.username,
        password=settings.password.get_secret_value(),
        folder=settings.folder,
        processed=settings.processed,
        timeout=timeout,
    )
    with open_imap(account) as inbox:
        yield inbox


def collect(context: AppContext) -> Collected:
    """Process every mail in the inbox; safe to run again after a crash."""
    counts, reply_counter = Collected(), ReplyCounter(context)
    address = context.settings.sender.unsubscribe_mailto
    with open_inbox(context) as inbox:
        for key, raw in inbox.mails():
            outcome, handled = handle(context, raw)
            counts = counts.plus(**outcome)
            leaves = "left_alone" in outcome and wants_to_leave(raw, address)
            if "left_alone" in outcome and not leaves:
                # Before it is marked as seen: whoever dies in between counts it the next time.
                counts = counts.plus(**reply_counter.count(raw))
            if handled:
                inbox.done(key)
            elif leaves and not inbox.was_read(key):
                counts = counts.plus(wants_to_leave=1)  # until a person has read it
            elif "left_alone" in outcome or "dmarc_unread" in outcome:
                inbox.skip(key)
    log.info("the inbox was read", **counts.as_dict())
    return with_notice(context, counts)


def with_notice(context: AppContext, counts: Collected) -> Collected:
    """Return the counts with a sentence about the mails that want to leave without a link of ours."""
    if not counts.wants_to_leave:
        return counts
    notice = localized("leave-without-link", count=counts.wants_to_leave)
    log.info("mails want to leave without a link of ours", count=counts.wants_to_leave)
    return replace(counts, notice=notice.in_language(context.language))


def collection_result(
    counts: Collected | None, alerts: Sequence[str], language: str = "en"
) -> RunResult:
    """Return the result of collect-bounces; Degraded when there is an alert or a mail to be read."""
    text = counts.summary if counts else localized("inbox-not-set")
    message = text.in_language(language)
    if counts is not None and counts.notice:
        alerts = [*alerts, counts.notice]
    if alerts:
        return RunResult("completed", "Degraded", f"{message}; {'; '.join(alerts)}")
    return RunResult("completed", "Completed", message)


def raw_report(context: AppContext, number: int) -> bytes:
    """Return the raw text of the report with this id.

    Raises `UpcycleError` when there is no such report, or its text was deleted after its time.
    """
    report = bounces.get(context.store, number)
    if report is None:
        raise UpcycleError(localized("report-unknown", number=number))
    if report.raw is None:
        raise UpcycleError(localized("report-deleted", number=number))
    return report.raw


def handle(context: AppContext, raw: bytes) -> tuple[dict[str, int], bool]:
    """Process one mail; return what to count, and whether it may be moved away."""
    if unsubscribes_by_mail(context, raw):
        return {"unsubscribed": 1}, True
    if (taken := dmarc_reports.take_report(context, raw)) is not None:
        return taken
    return apply_report(context, parse_bounce(raw), raw)


def apply_report(
    context: AppContext, report: BounceReport, raw: bytes
) -> tuple[dict[str, int], bool]:
    """Record a report from whatever source, and suppress where it says so.

    Return what to count, and whether it was handled: what is not about a delivery of ours, by our
    own signature, is left alone. `raw` is kept, and the same `raw` counts once.
    """
    delivery = _delivery_of(context, report)
    if delivery is None:
        # What was not understood, or is about no delivery, is left to people.
        is_report = report.kind in (COUNTED | {BounceKind.DELAYED}) - {BounceKind.UNCLEAR}
        return {"unsigned" if is_report else "left_alone": 1}, False
    if report.kind is BounceKind.DELAYED:
        return {"delayed": 1}, True
    [report] = for_subscribers(context, [(report, delivery[1])])
    if report.kind not in COUNTED:
        return {"left_alone": 1}, False
    new = new_report(report, delivery, identity=raw, raw=raw)
    recorded = bounces.record(context.store, new, now=context.clock())
    return dict(settle(context, [DeliveryReport(report, delivery[1], recorded)])), True


def _delivery_of(context: AppContext, report: BounceReport) -> tuple[int, int] | None:
    """Return issue number and subscriber id if the report carries a signature of ours."""
    addresses = context.bounce_addresses
    if addresses is not None:
        for address in report.returned_to:
            try:
                return addresses.read(address)
            except (UpcycleError, ValueError):
                continue
    if report.kind is BounceKind.COMPLAINT:
        # Feedback loops use an address of their own and attach the mail.
        for link in report.links:
            token = context.link_signer.read(Purpose.UNSUBSCRIBE, link)
            if token is not None:
                return token.issue, token.subscriber
    return None


def unsubscribes_by_mail(context: AppContext, raw: bytes) -> bool:
    """Unsubscribe by a mail with a token in its subject, to whatever address of the mailbox.

    Settings may have changed since the link was sent, and servers rewrite recipients.
    """
    return any(
        subscriptions.unsubscribe_by_token(context, word, UnsubscribeMethod.MAIL) is not None
        for word in unsubscribe_tokens(raw)
    )
