"""How readers can leave as things are set, as a sentence."""

from __future__ import annotations

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import LocalizedText, localized


def describe_unsubscribe_methods(context: AppContext) -> LocalizedText:
    """Return a sentence that says how subscribers can unsubscribe, for `check` and doctor."""
    settings = context.settings
    if settings.publication.public_url:
        address = settings.publication.public_url
        if settings.sender.unsubscribe_mailto:
            return localized("leave-both", address=address)
        return localized("leave-click", address=address)
    if context.unsubscribes_by_mail:
        return localized("leave-mail", address=settings.sender.unsubscribe_mailto)
    return localized("leave-nowhere")
