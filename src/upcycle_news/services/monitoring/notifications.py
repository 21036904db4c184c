"""Mails to editors and operators through our own relay: reminders of approvals, and alerts."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from upcycle_news.app.context import AppContext
from upcycle_news.bounces.outgoing import outgoing_for
from upcycle_news.config.sections import WEEKDAYS
from upcycle_news.config.settings import Settings
from upcycle_news.errors import RelayError
from upcycle_news.i18n.messages import localized
from upcycle_news.mail.message import relay_header_lines
from upcycle_news.models import Envelope
from upcycle_news.observability.logging import Log
from upcycle_news.services.issues.preview_link import preview_url
from upcycle_news.services.issues.waiting_runs import run_page
from upcycle_news.services.monitoring.alerts import Event
from upcycle_news.services.monitoring.reminder_time import (
    WorkingHours,
    is_reminder_due,
    reminder_time,
)
from upcycle_news.storage import approvals, revisions, subscribers
from upcycle_news.storage.approvals import ApprovalRequest
from upcycle_news.text.escaped_markdown import Translator
from upcycle_news.transports.outcomes import Accepted, LostInBody
from upcycle_news.transports.smtp import open_connection

log = Log(__name__)


class NoticeInDoubt(RelayError):  # noqa: N818 - a sentence reads better without "Error"
    """No member's mail was accepted for certain, but one may have arrived."""


def send_notice(context: AppContext, group: str, subject: str, text: str) -> int:
    """Send a plain text mail to each confirmed member of `group`; return the number accepted.

    An empty group is no error: an alert must not fail for lack of recipients, and one dead address
    must not keep it from the others. Raises `RelayError` when no mail was accepted; it is `NoticeInDoubt`
    when the connection was lost within one, so that another try may be a second mail.
    """
    members = subscribers.group_members(context.store, group) if group else ()
    if not members:
        return 0
    sender_headers = context.sender_headers(context.publication)
    with context.relay() as relay:
        connection, accepted, in_doubt = open_connection(relay), 0, 0
        relay_headers = relay_header_lines(outgoing_for(relay).headers())
        try:
            for member in members:
                message = EmailMessage(policy=SMTP)
                message["From"] = f"{sender_headers.list_name} <{sender_headers.from_address}>"
                message["To"] = member.email.address
                message["Subject"] = " ".join(subject.split())
                message["Date"] = format_datetime(context.clock())
                message["Message-ID"] = make_msgid(domain=sender_headers.message_id_domain)
                message["Auto-Submitted"] = "auto-generated"  # RFC 3834, section 5
                message.set_content(text)
                outcome = connection.send(
                    Envelope(sender_headers.envelope_sender, member.email.address),
                    relay_headers + message.as_bytes(),
                )
                accepted += isinstance(outcome, Accepted)
                in_doubt += isinstance(outcome, LostInBody)
        finally:
            connection.close()
    if not accepted:
        kind = NoticeInDoubt if in_doubt else RelayError
        raise kind(localized("notice-refused", group=group))
    if accepted < len(members):
        log.warning(
            "notice not accepted for all members", group=group, accepted=accepted, of=len(members)
        )
    return accepted


def tell_editors(context: AppContext, run: str = "") -> list[Event]:
    """Tell the group `cockpit.editors` once of each run, or of `run` alone, that waits for an approval.

    With a preview and the run's address. Returns an event for each. A further question of the same run is no news. If the relay does not accept
    the mails, the next run of watch tries again.
    """
    events = []
    for request in approvals.open_requests(context.store):
        now = context.clock()
        if (run and request.run != run) or request.expires_at <= now:
            continue
        is_reminder = now >= _reminder_time(context, request)
        if not approvals.claim_question(context.store, request, is_reminder=is_reminder, now=now):
            continue
        event = _event(context, request)
        try:
            _write_to_editors(context, request, event)
        except NoticeInDoubt as error:
            log.warning("editors perhaps not told", issue=request.issue, why=error)
        except RelayError as error:
            log.warning("editors not told", issue=request.issue, why=error)
            approvals.release_question(context.store, request, is_reminder=is_reminder)
            continue
        events.append(event)
    return events


def send_reminders(context: AppContext) -> list[Event]:
    """Remind the group `cockpit.editors` once of each approval request that expires soon, in working hours.

    Returns an event for each reminder. If the relay does not accept the mails, the next run tries
    again; two runs at the same moment send one.
    """
    events = []
    for request in approvals.open_requests(context.store):
        if request.reminded_at is not None or not _is_reminder_due(context, request):
            continue
        event = _event(context, request)
        if not approvals.claim_reminder(context.store, request, now=context.clock()):
            continue
        try:
            _write_to_editors(context, request, event, reminds=True)
        except NoticeInDoubt as error:
            log.warning("reminder perhaps not sent", issue=request.issue, why=error)
        except RelayError as error:  # the alert rules that run next must not fail with it
            log.warning("reminder not sent", issue=request.issue, why=error)
            approvals.release_reminder(context.store, request)
            continue
        events.append(event)
    return events


def _write_to_editors(
    context: AppContext, request: ApprovalRequest, event: Event, *, reminds: bool = False
) -> None:
    subject, text = _mail(context, request, event.payload["preview"], reminds=reminds)
    send_notice(context, context.settings.cockpit.editors, subject, text)


def _times(context: AppContext, request: ApprovalRequest) -> tuple[datetime, datetime, timedelta]:
    lead = timedelta(hours=context.settings.cockpit.reminder_hours)
    return request.asked_at, request.expires_at, lead


def _reminder_time(context: AppContext, request: ApprovalRequest) -> datetime:
    return reminder_time(*_times(context, request), _working_hours(context.settings))


def _is_reminder_due(context: AppContext, request: ApprovalRequest) -> bool:
    now, hours = context.clock(), _working_hours(context.settings)
    if not context.settings.cockpit.reminder_hours or request.expires_at <= now:
        return False
    return is_reminder_due(*_times(context, request), hours, now=now)


def _working_hours(settings: Settings) -> WorkingHours:
    cockpit = settings.cockpit
    return WorkingHours(
        time.fromisoformat(cockpit.reminder_from),
        time.fromisoformat(cockpit.reminder_until),
        frozenset(map(WEEKDAYS.index, cockpit.reminder_days)),
        settings.publication.zone,
    )


def _mail(
    context: AppContext, request: ApprovalRequest, link: str, *, reminds: bool = False
) -> tuple[str, str]:
    """Return subject and text in the publication's language."""
    translate = Translator(context.language)
    until = translate.format_time(request.expires_at.astimezone(context.settings.publication.zone))
    issue, publication = str(request.issue), context.settings.publication.name
    revision = revisions.load_revision(context.store, request.issue, request.revision_id)
    assert revision is not None
    title = (
        localized("reminder-subject", publication=publication, issue=issue, until=until)
        if reminds
        else localized("asked-subject", publication=publication, issue=issue)
    )
    text = localized(
        "asked-text",
        issue=issue,
        subject=revision.manifest.issue.subject,
        until=until,
        link=link,
        run=run_page(context, request.run),
    )
    return translate(title), translate(text)


def _event(context: AppContext, request: ApprovalRequest) -> Event:
    until = request.expires_at.astimezone(context.settings.publication.zone)
    row = revisions.load_revision(context.store, request.issue, request.revision_id)
    assert row is not None
    translate = Translator(context.language)
    message = translate(
        localized(
            "request-waits",
            issue=str(request.issue),
            subject=row.manifest.issue.subject,
            until=translate.format_time(until),
        )
    )
    link = preview_url(context, request.issue, request.revision_id, expires=request.expires_at)
    return Event(
        "upcycle-news.issue.waiting",
        f"issue {request.issue}",
        message,
        {"preview": link, "run": run_page(context, request.run)},
    )
