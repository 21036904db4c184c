"""Notices to the operators: by mail and by the webhook, tried again until they were taken.

An alert may be about the very relay that its mail goes through. So a notice is stored first, and stays
until each of its ways has taken it, or it is too old to be of use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta

from upcycle_news.app.context import AppContext
from upcycle_news.app.factories import secret_values
from upcycle_news.errors import RelayError
from upcycle_news.i18n.messages import localized
from upcycle_news.models.runs import RunResult
from upcycle_news.observability.logging import Log
from upcycle_news.observability.redaction import redact
from upcycle_news.services.issues.waiting_runs import run_page
from upcycle_news.services.monitoring.alarm_texts import alarm_text, alarm_title
from upcycle_news.services.monitoring.notifications import send_notice
from upcycle_news.storage import alerts, notices, subscribers
from upcycle_news.storage.notices import Notice
from upcycle_news.transports.alert_webhook import Post, WebhookError, send_post

log = Log(__name__)

FIRST_DELAY, LONGEST_DELAY = timedelta(minutes=5), timedelta(hours=6)
GIVE_UP_AFTER = timedelta(days=3)
_LINK = re.compile(r"https?://\S+$")  # the run's address ends the text
UNREAD_EVENT = "upcycle-news.leave.unread"
"""The alert about mails in the inbox that want to leave without a link of ours."""


@dataclass(frozen=True)
class NoticeReport:
    """What became of notices: mails accepted, posts taken, and why some wait, as sentences."""

    mails: int = 0
    posts: int = 0
    waiting: tuple[str, ...] = ()

    @property
    def delivered(self) -> int:
        """How many mails and posts were taken."""
        return self.mails + self.posts

    def plus(self, other: NoticeReport) -> NoticeReport:
        """Return the sum of two reports."""
        return NoticeReport(
            self.mails + other.mails, self.posts + other.posts, self.waiting + other.waiting
        )


def notification_result(report: NoticeReport, language: str = "en") -> RunResult:
    """Return the result of the flow notify."""
    texts = [localized("notice-mailed", count=report.mails)] if report.mails else []
    texts += [localized("notice-posted")] if report.posts else []
    done = [text.in_language(language) for text in texts]
    if report.waiting:
        return RunResult("completed", "Waiting", "; ".join([*report.waiting, *done]))
    if done:
        return RunResult("completed", "Completed", "; ".join(done))
    return RunResult("completed", "Nobody", localized("notice-nobody").in_language(language))


def notify_operators(context: AppContext, event: str, message: str, run: str = "") -> NoticeReport:
    """Send a notice to the operators now, and keep it where that fails, for `deliver_notices`.

    `run` is the id or the address of the run that it is about. Addresses and secrets are redacted.
    """
    group, webhook = context.settings.cockpit.operators, _webhook(context)
    members = subscribers.group_members(context.store, group) if group else ()
    if not members and not webhook:
        return NoticeReport()
    if run and "://" not in run:
        run = run_page(context, run)
    text = alarm_text(context, event, redact(message, secret_values(context.settings)), run)
    notice = notices.add(
        context.store,
        event,
        text,
        mail=bool(members),
        webhook=bool(webhook),
        now=context.clock(),
    )
    return _deliver(context, notice)


def notify_of_unread(context: AppContext, notice: str) -> None:
    """Tell the operators once that mails in the inbox want to leave, until all of them were read.

    `notice` is the sentence about those that are unread; empty when there are none.
    """
    if not notice:
        alerts.clear_alert(context.store, UNREAD_EVENT, "inbox")
    elif alerts.alert_once(context.store, UNREAD_EVENT, "inbox", now=context.clock()):
        notify_operators(context, UNREAD_EVENT, notice)


def deliver_notices(context: AppContext) -> NoticeReport:
    """Send the notices that wait and are due; one that is too old is dropped, and logged."""
    report = NoticeReport()
    for notice in notices.list_due(context.store, context.clock()):
        if context.clock() - notice.created_at > GIVE_UP_AFTER:
            log.error("notice given up", what=notice.event, attempts=notice.attempts)
            notices.save(context.store, replace(notice, mail_pending=False, webhook_pending=False))
        else:
            report = report.plus(_deliver(context, notice))
    return report


def _deliver(context: AppContext, notice: Notice) -> NoticeReport:
    """Try the ways that are open; nothing when another process does so just now."""
    delay = min(FIRST_DELAY * 2 ** min(notice.attempts, 20), LONGEST_DELAY)
    if not notices.claim(context.store, notice, until=context.clock() + delay):
        return NoticeReport()
    report = NoticeReport()
    if notice.webhook_pending:
        notice, posted = _post(context, notice)
        report = report.plus(posted)
    if notice.mail_pending:
        notice, mailed = _mail(context, notice)
        report = report.plus(mailed)
    notices.save(context.store, notice)
    return report


def _mail(context: AppContext, notice: Notice) -> tuple[Notice, NoticeReport]:
    group = context.settings.cockpit.operators
    title = alarm_title(context, notice.event, notice.message)
    try:
        accepted = send_notice(context, group, title, notice.message)
    except RelayError as error:
        log.warning("notice not mailed", what=notice.event, why=error)
        why = error.in_language(context.language)
        waiting = localized("notice-mail-waits", what=title, why=why)
        return notice, NoticeReport(waiting=(waiting.in_language(context.language),))
    return replace(notice, mail_pending=False), NoticeReport(mails=accepted)


def _post(context: AppContext, notice: Notice) -> tuple[Notice, NoticeReport]:
    if not (url := _webhook(context)):  # taken out of the settings since
        return replace(notice, webhook_pending=False), NoticeReport()
    title = alarm_title(context, notice.event, notice.message)
    link = _LINK.search(notice.message)
    post = Post(
        title=title,
        publication=context.settings.publication.name,
        event=notice.event,
        message=notice.message,
        at=notice.created_at.isoformat(timespec="seconds"),
        link=link[0] if link else "",
    )
    try:
        send_post(url, post, context.settings.cockpit.webhook_format)
    except WebhookError as error:
        log.warning("notice not posted", what=notice.event, why=error)
        why = error.in_language(context.language)
        waiting = localized("notice-post-waits", what=title, why=why)
        return notice, NoticeReport(waiting=(waiting.in_language(context.language),))
    return replace(notice, webhook_pending=False), NoticeReport(posts=1)


def _webhook(context: AppContext) -> str:
    return context.settings.cockpit.webhook.get_secret_value()
