"""Takes the reports that a provider posts, and treats them as those that an inbox holds."""

from __future__ import annotations

from collections.abc import Mapping

from upcycle_news.app.context import AppContext
from upcycle_news.bounces.unsubscribe_mail import wants_to_leave
from upcycle_news.bounces.webhooks import WEBHOOKS
from upcycle_news.bounces.webhooks.request import WebhookRequest
from upcycle_news.errors import SettingsError
from upcycle_news.fileio import did_you_mean
from upcycle_news.i18n.messages import localized
from upcycle_news.observability.logging import Log
from upcycle_news.services.bounces.process import (
    Collected,
    apply_report,
    unsubscribes_by_mail,
    with_notice,
)

log = Log(__name__)


def has_webhook(context: AppContext, source: str) -> bool:
    """Return True if there is such a source and its secret is set."""
    secret = context.settings.bounces.webhooks.get(source)
    return source in WEBHOOKS and secret is not None and bool(secret.get_secret_value())


def accept_request(
    context: AppContext, source: str, headers: Mapping[str, str], body: bytes
) -> Collected:
    """Apply every report of a provider's request; return the counts. Safe to repeat.

    Raises `SettingsError` for a source without a reader or a secret, `WebhookRefused` for a request
    that is not the provider's, `WebhookUnreadable` for a body that is not as documented; then nothing
    of it was applied.
    """
    if not has_webhook(context, source):
        hint = did_you_mean(source, WEBHOOKS)
        raise SettingsError(
            "newsletter.toml", None, localized("webhook-no-secret", name=source[:40], hint=hint)
        )
    secret = context.settings.bounces.webhooks[source].get_secret_value()
    names = {name.lower(): value for name, value in headers.items()}
    request = WebhookRequest(names, body, secret, context.clock())
    address = context.settings.sender.unsubscribe_mailto
    counts = Collected()
    for event in tuple(WEBHOOKS[source](request)):  # all of it is read before any of it counts
        if unsubscribes_by_mail(context, event.raw):
            counts = counts.plus(unsubscribed=1)
            continue
        outcome, _ = apply_report(context, event.report, event.raw)
        counts = counts.plus(**outcome)
        if "left_alone" in outcome and wants_to_leave(event.raw, address):
            counts = counts.plus(wants_to_leave=1)
    log.info("bounces received", source=source, **counts.as_dict())
    return with_notice(context, counts)
