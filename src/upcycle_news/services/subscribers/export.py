"""Export of the subscribers' signed links, for pages that are served elsewhere."""

from __future__ import annotations

import csv
import io

from upcycle_news.app.context import AppContext
from upcycle_news.models import SubscriberStatus
from upcycle_news.storage import subscribers
from upcycle_news.subscribers.csv_lists import escape_formula
from upcycle_news.subscribers.link_tokens import Purpose


def links_csv(context: AppContext) -> str:
    """Return CSV: address, unsubscribe token and, with a public URL, both links of each subscriber."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(("email", "unsubscribe_token", "unsubscribe", "preferences"))
    has_public_url = context.settings.publication.public_url
    for subscriber in subscribers.all_subscribers(context.store):
        if subscriber.status is not SubscriberStatus.CONFIRMED:
            continue
        token = context.link_signer.token(Purpose.UNSUBSCRIBE, subscriber.id)
        row = [subscriber.email.address, token]
        row += [
            context.subscriber_link(purpose, subscriber.id) if has_public_url else ""
            for purpose in (Purpose.UNSUBSCRIBE, Purpose.PREFERENCES)
        ]
        writer.writerow([escape_formula(cell) for cell in row])
    return buffer.getvalue()
