"""Warnings about pins that match no feed item: mostly a typing error that would go unnoticed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Essay, Finding
from upcycle_news.services.content.files import line_containing
from upcycle_news.storage import feeds as feed_rows
from upcycle_news.text.urls import canonical_link


def unknown_pins(context: AppContext, essays: Sequence[Essay]) -> Iterator[Finding]:
    """Yield a warning for each pin that is no item of any feed so far, with its line.

    Where no feed was collected yet, as in CI, there are none.
    """
    pins = {canonical_link(pin) for essay in essays for pin in essay.pin}
    if not pins or not any(
        state.succeeded_at for state in feed_rows.states(context.store).values()
    ):
        return
    known = {row.item.page for row in feed_rows.items_on_pages(context.store, pins)}
    for essay in essays:
        for pin in essay.pin:
            if canonical_link(pin) not in known:
                where = f"{essay.source}:{line_containing(context, essay, pin)}"
                yield Finding(
                    "warning", "pin-unknown", where, localized("pin-unknown", link=pin[:120])
                )
