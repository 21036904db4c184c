"""Pins that name no feed item: mostly a slip in the address, and the item would silently be missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Essay, Finding
from upcycle_news.storage import feeds as feed_rows
from upcycle_news.text.urls import canonical_link


def unknown_pins(context: AppContext, essays: Sequence[Essay]) -> Iterator[Finding]:
    """A warning for each pin of these essays that no feed has told so far, at its line.

    Where no feed was asked yet, as in CI, nothing is known and nothing is told.
    """
    pins = {canonical_link(pin) for essay in essays for pin in essay.pin}
    if not pins or not any(one.succeeded_at for one in feed_rows.states(context.store).values()):
        return
    known = {item.canonical for item in feed_rows.items_by_link(context.store, pins)}
    for essay in essays:
        for pin in essay.pin:
            if canonical_link(pin) not in known:
                where = f"{essay.source}:{_line(context, essay, pin)}"
                yield Finding(
                    "warning", "pin-unknown", where, localized("pin-unknown", link=pin[:120])
                )


def _line(context: AppContext, essay: Essay, pin: str) -> int:
    """Where the pin stands in the file as it is now."""
    try:
        text = (context.settings.home / essay.source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return 1
    return text.count("\n", 0, max(text.find(pin), 0)) + 1
