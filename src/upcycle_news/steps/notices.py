"""Short letters to our own people: reminders and alarms, through our own relay."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from upcycle_news.errors import RelayError
from upcycle_news.logs import Log
from upcycle_news.model import Envelope
from upcycle_news.newsroom import Newsroom
from upcycle_news.postroom.outcomes import Accepted
from upcycle_news.postroom.smtp import open_connection
from upcycle_news.steps.told import Told
from upcycle_news.store import people

log = Log(__name__)


def told(count: int) -> Told:
    """The state of a run that wrote to our own people."""
    if count:
        return Told("completed", "Completed", f"{count} letters were accepted")
    return Told(
        "completed",
        "Nobody",
        "nobody was told: name the group of operators in cockpit.operators, and mark its members "
        "with 'upcycle-news subscribers add … --group'",
    )


def send_notice(room: Newsroom, group: str, subject: str, text: str) -> int:
    """Send a plain letter to each confirmed member of `group`; how many were accepted.

    A group without members gets nothing: an alarm must not fail for want of readers, and one dead
    address must not keep it from the others. Raises `RelayError` when nobody was reached.
    """
    members = people.group_members(room.store, group) if group else ()
    if not members:
        return 0
    letterhead = room.letterhead(room.publication)
    with room.relay() as relay:
        connection, accepted = open_connection(relay), 0
        try:
            for member in members:
                message = EmailMessage(policy=SMTP)
                message["From"] = f"{letterhead.list_name} <{letterhead.from_address}>"
                message["To"] = member.email.address
                message["Subject"] = " ".join(subject.split())
                message["Date"] = format_datetime(room.clock())
                message["Message-ID"] = make_msgid(domain=letterhead.message_id_domain)
                message["Auto-Submitted"] = "auto-generated"  # RFC 3834, section 5
                message.set_content(text)
                outcome = connection.send(
                    Envelope(letterhead.envelope_sender, member.email.address), message.as_bytes()
                )
                accepted += isinstance(outcome, Accepted)
        finally:
            connection.close()
    if not accepted:
        raise RelayError(f"a notice to the group '{group}' was accepted for none of them")
    if accepted < len(members):
        log.warning("not everybody got a notice", group=group, told=accepted, of=len(members))
    return accepted
