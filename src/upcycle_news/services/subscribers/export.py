"""Each reader's own links as a list, for pages that answer elsewhere."""

from __future__ import annotations

import csv
import io

from upcycle_news.app.context import AppContext
from upcycle_news.models import SubscriberStatus
from upcycle_news.storage import subscribers
from upcycle_news.subscribers.csv_lists import escape_formula
from upcycle_news.subscribers.link_tokens import Purpose


def links_csv(context: AppContext) -> str:
    """Address, unsubscribe token and, with a public address, both links of every reader."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(("email", "unsubscribe_token", "unsubscribe", "preferences"))
    public = context.settings.publication.public_url
    for person in subscribers.all_people(context.store):
        if person.status is not SubscriberStatus.CONFIRMED:
            continue
        token = context.link_signer.token(Purpose.UNSUBSCRIBE, person.id)
        row = [person.email.address, token]
        row += [
            context.subscriber_link(purpose, person.id) if public else ""
            for purpose in (Purpose.UNSUBSCRIBE, Purpose.PREFERENCES)
        ]
        writer.writerow([escape_formula(cell) for cell in row])
    return out.getvalue()
