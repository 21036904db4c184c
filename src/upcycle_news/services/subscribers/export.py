"""Export of the subscribers' signed links, for pages that are served elsewhere."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from upcycle_news.app.context import AppContext
from upcycle_news.models import EmailAddress, SubscriberStatus
from upcycle_news.storage import subscribers
from upcycle_news.subscribers.csv_lists import escape_formula
from upcycle_news.subscribers.link_tokens import Purpose


@dataclass(frozen=True)
class SubscriberLinks:
    """The signed links of one subscriber; both URLs are empty without a public address."""

    email: EmailAddress
    unsubscribe_token: str
    unsubscribe: str
    preferences: str


def subscriber_links(context: AppContext) -> Iterator[SubscriberLinks]:
    """Yield the links of every confirmed subscriber, oldest first."""
    has_public_url = bool(context.settings.publication.public_url)
    for subscriber in subscribers.all_subscribers(context.store):
        if subscriber.status is not SubscriberStatus.CONFIRMED:
            continue
        urls = [
            context.subscriber_link(purpose, subscriber.id) if has_public_url else ""
            for purpose in (Purpose.UNSUBSCRIBE, Purpose.PREFERENCES)
        ]
        token = context.link_signer.token(Purpose.UNSUBSCRIBE, subscriber.id)
        yield SubscriberLinks(subscriber.email, token, *urls)


def links_csv(context: AppContext) -> str:
    """Return the links of every confirmed subscriber as CSV."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(("email", "unsubscribe_token", "unsubscribe", "preferences"))
    for links in subscriber_links(context):
        row = (links.email.address, links.unsubscribe_token, links.unsubscribe, links.preferences)
        writer.writerow([escape_formula(cell) for cell in row])
    return buffer.getvalue()
