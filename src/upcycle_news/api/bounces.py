"""`app.bounces`: what came back: reports from the inbox, and those that providers post."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from upcycle_news.app.context import AppContext
from upcycle_news.models.bounces import Bounce
from upcycle_news.services.bounces import event_sources, process
from upcycle_news.services.bounces.process import Collected, collection_result
from upcycle_news.services.bounces.provider_events import accept_events
from upcycle_news.services.monitoring.operators import notify_of_unread
from upcycle_news.services.subscribers.list_health import list_alert_sentences
from upcycle_news.storage import bounces, provider_activity
from upcycle_news.storage.provider_activity import SourceActivity

__all__ = ["Bounce", "Bounces", "Collected", "SourceActivity", "collection_result"]


class Bounces:
    """Reads the inbox, and shows the reports that were in it. Reports carry no addresses."""

    def __init__(self, context: AppContext) -> None:
        """Make the group of an open publication; `App.bounces` is the usual way."""
        self._context = context

    def collect(self) -> Collected:
        """Process every mail in the inbox, and count what was in it; may be repeated after a crash.

        Hard bounces and complaints suppress, soft ones suppress after several, mails to the unsubscribe
        address unsubscribe; people's mail stays as it was. The operators are told once of mails that
        want to leave without a link of ours. Raises `SettingsError` without an inbox, `UpcycleError`
        when it cannot be read.
        """
        counts = process.collect(self._context)
        notify_of_unread(self._context, counts.notice)
        return counts

    def collect_if_configured(self) -> Collected | None:
        """Process the inbox like `collect`; None where no inbox is configured."""
        return self.collect() if self._context.settings.inbox.is_set else None

    def list(self, *, issue: str = "", kind: str = "") -> Iterator[Bounce]:
        """Yield the reports, newest first, without their text.

        Of one `issue`, or one `kind` (hard, soft, blocked or complaint), if these are given.
        """
        return bounces.list_bounces(self._context.store, issue=issue, kind=kind)

    def raw_report(self, number: int) -> bytes:
        """Return the raw text of the report with this id; it may name people.

        Raises `UpcycleError` when there is no such report, or its text was deleted after
        `bounces.keep_days`.
        """
        return process.raw_report(self._context, number)

    def alerts(self) -> tuple[str, ...]:
        """Return a sentence for each of the newest issues with too many bounces or complaints."""
        return tuple(list_alert_sentences(self._context))

    def admits(self, source: str, secret: str) -> bool:
        """Return True if this is the secret of a source in `[events]`, or of `bounces.webhooks.mail`.

        A source without a secret does not exist. The time that it takes tells nothing about the secret.
        """
        return event_sources.admits(self._context, source, secret)

    def requests_per_minute(self) -> Mapping[str, int]:
        """Return how many requests a minute each source may post, by name."""
        sources = event_sources.open_sources(self._context)
        return {name: source.requests_per_minute for name, source in sources.items()}

    def accept(self, source: str, headers: Mapping[str, str], body: bytes) -> Collected:
        """Apply every event of a request that a source was admitted with, and count them; may be repeated.

        Raises `SettingsError` for a source that does not exist, `WebhookRefused` for
        a request that is not the provider's, `WebhookUnreadable` for a body that is not as documented;
        then nothing of it was applied. `ProviderUnavailable`: it cannot be verified now, and has to come again.
        """
        return accept_events(self._context, source, headers, body)

    def sources(self) -> tuple[SourceActivity, ...]:
        """Return what each source posted so far, and when the last event came."""
        return provider_activity.activity(self._context.store)
