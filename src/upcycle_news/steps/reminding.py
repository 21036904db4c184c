"""Remind the editors of an approval that ends soon, by mail."""

from __future__ import annotations

from datetime import timedelta

from upcycle_news.newsroom import Newsroom
from upcycle_news.postroom.outcomes import RelayUnreachable
from upcycle_news.steps.notices import send_notice
from upcycle_news.steps.previewing import preview_url
from upcycle_news.steps.reporting_text import Words
from upcycle_news.steps.watching import Event
from upcycle_news.store import approvals, revisions
from upcycle_news.store.approvals import Question


def remind(room: Newsroom) -> list[Event]:
    """Write to the group `cockpit.editors` once for each question that ends soon; what was told.

    While the relay is away a question is left to the next run.
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
        except RelayUnreachable:
            continue
        if approvals.remind(room.store, question.id, now=room.clock()):
            found.append(event)
    return found


def _letter(room: Newsroom, question: Question, link: str) -> tuple[str, str]:
    """Subject and text, in the publication's language."""
    words = Words(room.settings.publication.language)
    local = words.moment(question.until.astimezone(room.settings.publication.zone))
    issue = question.issue
    if words.language == "de":
        return (
            f"Ausgabe {issue} wartet auf Ihre Freigabe bis {local} Uhr",
            f"Ausgabe {issue} wartet auf eine Freigabe. Antwortet bis {local} Uhr niemand, wird sie "
            f"nicht verschickt.\n\nAnsehen:\n{link}\n\nFreigeben: in Prefect den wartenden Lauf "
            f"öffnen und „Resume“ wählen,\noder mit: upcycle-news issue approve {issue}\n",
        )
    return (
        f"Issue {issue} waits for your approval until {local}",
        f"Issue {issue} waits for an approval. If nobody answers until {local}, it is not sent."
        f"\n\nLook at it:\n{link}\n\nApprove it: open the waiting run in Prefect and choose "
        f'"Resume",\nor use: upcycle-news issue approve {issue}\n',
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
