"""Findings about the providers behind the relays: settings without which their events are never heard of."""

from __future__ import annotations

from collections.abc import Iterator

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Finding
from upcycle_news.services.issues.settings_findings import settings_finding


def check_providers(context: AppContext) -> Iterator[Finding]:
    """Yield a warning for each relay whose provider has nowhere to report bounces and complaints to."""
    settings = context.settings
    heard = {source.provider for source in settings.events.values()}
    for name, relay in settings.relays.items():
        if not relay.host or not relay.provider:
            continue
        place, page = f"relays.{name}.provider", f"docs/providers/{relay.provider}.md"
        if relay.provider not in heard:
            from upcycle_news.bounces.providers import PROVIDERS  # late: most have no such relay

            title = PROVIDERS[relay.provider].title
            text = localized("provider-no-events", name=name, provider=title, page=page)
            yield settings_finding(context, "warning", "provider-events", text, place)
        if relay.provider == "ses" and not relay.configuration_set:
            text = localized("provider-no-configuration-set", name=name, page=page)
            yield settings_finding(context, "warning", "provider-configuration", text, place)
