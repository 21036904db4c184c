"""Remind the editors of an approval that ends soon, by mail."""

from __future__ import annotations

from datetime import timedelta

from upcycle_news.errors import RelayError
from upcycle_news.logs import Log
from upcycle_news.newsroom import Newsroom
from upcycle_news.sayings import say
from upcycle_news.steps.notices import send_notice
from upcycle_news.steps.previewing import preview_url
from upcycle_news.steps.reporting_text import Words
from upcycle_news.steps.watching import Event
from upcycle_news.store import approvals, revisions
from upcycle_news.store.approvals import Question

log = Log(__name__)


def remind(room: Newsroom) -> list[Event]:
    """Write to the group `cockpit.editors` once for each question that ends soon; what was told.

    While the relay is away, or takes nothing from us, a question is left to the next run.
    """
    found = []
    for question in approvals.waiting(room.store):
        left = question.until - room.clock()
        early = left > timedelta(hours=room.settings.cockpit.reminder_hours)
        if early or left <= timedelta() or question.reminded_at is not None:
            continue
        event = _event(room, question)
        subject, text = _letter(room, question, event.payload["preview"])
        try:
            send_notice(room, room.settings.cockpit.editors, subject, text)
        except RelayError as error:  # the alarms that are looked after next must not fail with it
            log.warning("nobody could be reminded", issue=question.issue, why=error)
            continue
        if approvals.remind(room.store, question.id, now=room.clock()):
            found.append(event)
    return found


def _letter(room: Newsroom, question: Question, link: str) -> tuple[str, str]:
    """Subject and text, in the publication's language."""
    words = Words(room.settings.publication.language)
    local = words.moment(question.until.astimezone(room.settings.publication.zone))
    issue = str(question.issue)
    return (
        words(say("reminder-subject", issue=issue, until=local)),
        words(say("reminder-text", issue=issue, until=local, link=link)),
    )


def _event(room: Newsroom, question: Question) -> Event:
    until = question.until.astimezone(room.settings.publication.zone)
    row = revisions.revision(room.store, question.issue, question.hash)
    assert row is not None
    message = (
        f"issue {question.issue} „{row.manifest.issue.subject}“ waits for an approval until "
        f"{until:%A, %d %B, %H:%M}"
    )
    link = preview_url(room, question.issue, question.hash, expires=question.until)
    return Event(
        "upcycle-news.issue.waiting", f"issue {question.issue}", message, {"preview": link}
    )
