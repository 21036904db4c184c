"""Warnings about links that match no feed item: mostly a typing error that would go unnoticed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Essay, Finding
from upcycle_news.services.content.files import line_containing
from upcycle_news.storage import feeds as feed_rows
from upcycle_news.text.urls import canonical_link


def unknown_pins(context: AppContext, essays: Sequence[Essay]) -> Iterator[Finding]:
    """Yield a warning for each pin that is no item of any feed so far, with its line."""
    for essay in essays:
        pins = {pin: f"{essay.source}:{line_containing(context, essay, pin)}" for pin in essay.pin}
        for link, where in unknown_links(context, pins):
            yield Finding("warning", "pin-unknown", where, localized("pin-unknown", link=link))


def unknown_links(context: AppContext, links: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield those of the links, shortened, and their places that are no item of any feed so far.

    Where no feed was collected yet, as in CI, there are none.
    """
    pages = {canonical_link(link) for link in links}
    if not pages or not any(
        state.succeeded_at for state in feed_rows.states(context.store).values()
    ):
        return
    known = {row.item.page for row in feed_rows.items_on_pages(context.store, pages)}
    for link, where in links.items():
        if canonical_link(link) not in known:
            yield link[:120], where
