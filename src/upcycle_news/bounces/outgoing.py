"""What a mail over a relay gets on top for the provider behind it: headers, and marks on its links. Pure.

A relay without a provider gets none of it: its mails stay what they were, byte for byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from upcycle_news.models import Relay, RenderedIssue

if TYPE_CHECKING:
    from upcycle_news.bounces.providers.provider import Header, OutgoingOptions, Provider

_LINK = re.compile(r"<a(?=\s[^>]*?\bhref\s*=)", re.IGNORECASE)


@dataclass(frozen=True)
class Outgoing:
    """The additions of one relay; make it with `outgoing_for`."""

    provider: Provider | None = None
    options: OutgoingOptions | None = None

    def headers(self, delivery_key: str = "") -> tuple[Header, ...]:
        """Return the headers of one mail; without a key the provider's events cannot be matched to it."""
        if self.provider is None or self.options is None:
            return ()
        return self.provider.outgoing_headers(self.options, delivery_key)

    @property
    def replaced_headers(self) -> tuple[str, ...]:
        """The headers, in lower case, that the provider replaces: DKIM must not cover them."""
        return self.provider.replaced_headers if self.provider else ()

    def mark_html(self, html: str, *, signed: bool = False) -> str:
        """Return HTML whose links ask the provider to leave them alone, where it knows such a mark.

        Not in a mail that we have `signed` ourselves: the provider takes its marks out of the body, and
        then no signature of ours would hold.
        """
        mark = self.provider.untracked_link if self.provider and not signed else ""
        return _LINK.sub(lambda match: f"{match[0]} {mark}", html) if mark else html

    def mark_links(self, rendered: RenderedIssue, *, signed: bool = False) -> RenderedIssue:
        """Return an issue with its links marked as by `mark_html`."""
        html = self.mark_html(rendered.html, signed=signed)
        return rendered if html == rendered.html else replace(rendered, html=html)


def outgoing_for(relay: Relay) -> Outgoing:
    """Return what mails over `relay` get on top."""
    if not relay.provider:
        return Outgoing()
    from upcycle_news.bounces.providers import PROVIDERS  # late: most relays have no provider
    from upcycle_news.bounces.providers.provider import OutgoingOptions

    options = OutgoingOptions(relay.configuration_set, relay.stream, relay.tag)
    return Outgoing(PROVIDERS.get(relay.provider), options)
