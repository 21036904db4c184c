"""Short letters to our own people: reminders and alarms, through our own relay."""

from __future__ import annotations

from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from upcycle_news.app.context import AppContext
from upcycle_news.errors import RelayError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Envelope
from upcycle_news.models.runs import RunResult
from upcycle_news.observability.logging import Log
from upcycle_news.services.issues.preview_link import preview_url
from upcycle_news.services.markdown import Words
from upcycle_news.services.monitoring.alerts import Event
from upcycle_news.storage import approvals, revisions, subscribers
from upcycle_news.storage.approvals import Question
from upcycle_news.transports.outcomes import Accepted
from upcycle_news.transports.smtp import open_connection

log = Log(__name__)


def told(count: int) -> RunResult:
    """The state of a run that wrote to our own people."""
    if count:
        return RunResult("completed", "Completed", f"{count} letters were accepted")
    return RunResult(
        "completed",
        "Nobody",
        "nobody was told: name the group of operators in cockpit.operators, and mark its members "
        "with 'upcycle-news subscribers add … --group'",
    )


def send_notice(context: AppContext, group: str, subject: str, text: str) -> int:
    """Send a plain letter to each confirmed member of `group`; how many were accepted.

    A group without members gets nothing: an alarm must not fail for want of readers, and one dead
    address must not keep it from the others. Raises `RelayError` when nobody was reached.
    """
    members = subscribers.group_members(context.store, group) if group else ()
    if not members:
        return 0
    sender_headers = context.sender_headers(context.publication)
    with context.relay() as relay:
        connection, accepted = open_connection(relay), 0
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
                    Envelope(sender_headers.envelope_sender, member.email.address), message.as_bytes()
                )
                accepted += isinstance(outcome, Accepted)
        finally:
            connection.close()
    if not accepted:
        raise RelayError(f"a notice to the group '{group}' was accepted for none of them")
    if accepted < len(members):
        log.warning("not everybody got a notice", group=group, told=accepted, of=len(members))
    return accepted


log = Log(__name__)


def remind(context: AppContext) -> list[Event]:
    """Write to the group `cockpit.editors` once for each question that ends soon; what was told.

    While the relay is away, or takes nothing from us, a question is left to the next run.
    """
    found = []
    for question in approvals.waiting(context.store):
        left = question.until - context.clock()
        early = left > timedelta(hours=context.settings.cockpit.reminder_hours)
        if early or left <= timedelta() or question.reminded_at is not None:
            continue
        event = _event(context, question)
        subject, text = _letter(context, question, event.payload["preview"])
        try:
            send_notice(context, context.settings.cockpit.editors, subject, text)
        except RelayError as error:  # the alarms that are looked after next must not fail with it
            log.warning("nobody could be reminded", issue=question.issue, why=error)
            continue
        if approvals.remind(context.store, question.id, now=context.clock()):
            found.append(event)
    return found


def _letter(context: AppContext, question: Question, link: str) -> tuple[str, str]:
    """Subject and text, in the publication's language."""
    words = Words(context.settings.publication.language)
    local = words.moment(question.until.astimezone(context.settings.publication.zone))
    issue = str(question.issue)
    return (
        words(localized("reminder-subject", issue=issue, until=local)),
        words(localized("reminder-text", issue=issue, until=local, link=link)),
    )


def _event(context: AppContext, question: Question) -> Event:
    until = question.until.astimezone(context.settings.publication.zone)
    row = revisions.revision(context.store, question.issue, question.revision_id)
    assert row is not None
    message = (
        f"issue {question.issue} „{row.manifest.issue.subject}“ waits for an approval until "
        f"{until:%A, %d %B, %H:%M}"
    )
    link = preview_url(context, question.issue, question.revision_id, expires=question.until)
    return Event(
        "upcycle-news.issue.waiting", f"issue {question.issue}", message, {"preview": link}
    )
