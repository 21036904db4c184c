"""The sources that may post events to the web pages, as the settings name them, and who is one of them."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from upcycle_news.app.context import AppContext
from upcycle_news.bounces.providers.provider import SourceKeys
from upcycle_news.config.sections import EventSourceSettings
from upcycle_news.config.settings import EVENTS_BY_MAIL

MAIL = EVENTS_BY_MAIL
"""The source, and the reader, of returned mails that a mail server posts: `bounces.webhooks.mail`."""

MAIL_REQUESTS_PER_MINUTE = 3000


@dataclass(frozen=True)
class EventSource:
    """A source: its name, the provider that reads what it posts (or `MAIL`), and how it is recognised."""

    name: str
    reader: str
    secret: str = field(repr=False)
    keys: SourceKeys = field(default_factory=SourceKeys)
    requests_per_minute: int = MAIL_REQUESTS_PER_MINUTE


def open_sources(context: AppContext) -> Mapping[str, EventSource]:
    """Return the sources that have a secret, by name: the others do not exist for the web pages."""
    sources = [_source(name, settings) for name, settings in context.settings.events.items()]
    if (secret := context.settings.bounces.webhooks.get(MAIL)) is not None:
        sources.append(EventSource(MAIL, MAIL, secret.get_secret_value()))
    return {source.name: source for source in sources if source.secret}


def admits(context: AppContext, name: str, secret: str) -> bool:
    """Return True if this is the secret of the source; the time that it takes tells nothing about it."""
    source = open_sources(context).get(name)
    expected = source.secret if source else "\0"
    same = hmac.compare_digest(secret.encode(), expected.encode())
    return same and source is not None


def _source(name: str, settings: EventSourceSettings) -> EventSource:
    keys = SourceKeys(
        username=settings.username,
        password=settings.password.get_secret_value(),
        signing_key=settings.signing_key.get_secret_value(),
        public_key=settings.public_key,
        topic_arn=settings.topic_arn,
    )
    secret = settings.secret.get_secret_value()
    return EventSource(name, settings.provider, secret, keys, settings.requests_per_minute)
