"""A publication with a digest: who chose it, and issues that are sent on their days."""

from __future__ import annotations

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from upcycle_news.app.context import AppContext
from upcycle_news.models import EmailAddress, IssueId
from upcycle_news.models.digest import Rhythm
from upcycle_news.services.delivery import send
from upcycle_news.services.delivery.manual_send import Approver, queue_issue
from upcycle_news.storage import rhythms, subscribers
from upcycle_news.storage.subscribers import NewSubscriber

from ...delivery.memory_ledger import Clock
from ...publications import Publication

ALWAYS = Approver("Anna", always=True)
BERLIN = ZoneInfo("Europe/Berlin")


def offer_digest(publication: Publication, interval: str = "monthly", settings: str = "") -> None:
    """Let readers choose a digest."""
    publication.change_setting(
        "[browser]", f'[digest]\ninterval = "{interval}"\n{settings}\n[browser]'
    )


def add_reader(
    publication: Publication,
    name: str,
    rhythm: Rhythm = Rhythm.DIGEST,
    *,
    language: str = "de",
    topics: tuple[str, ...] = (),
) -> int:
    """Add a reader who chose a rhythm when they signed up; returns their number."""
    email = EmailAddress.parse(f"{name}@example.org")
    publication.add_subscribers(NewSubscriber(email, language=language, topics=topics))
    context = publication.context()
    number = next(
        one.id
        for one in subscribers.all_subscribers(context.store)
        if one.email.address == email.address
    )
    choose(context, number, rhythm, is_new=True)
    return number


def choose(context: AppContext, number: int, rhythm: Rhythm, *, is_new: bool = False) -> None:
    with context.store.writing() as connection:
        rhythms.choose(
            connection,
            number,
            rhythm,
            today=context.today,
            interval=context.settings.digest.interval or None,
            is_new=is_new,
        )


def go_to(clock: Clock, day: date | str, at: time = time(8)) -> IssueId:
    """Set the clock to a time of a day in Berlin; returns the first issue of that day."""
    day = date.fromisoformat(day) if isinstance(day, str) else day
    clock.now = datetime.combine(day, at, BERLIN)
    return IssueId(day)


def send_one(context: AppContext, issue: IssueId) -> None:
    """Compose, approve, queue and deliver an issue of any kind."""
    queue_issue(context, issue, approver=ALWAYS, collect=False)
    send.deliver_issue(context, issue)
