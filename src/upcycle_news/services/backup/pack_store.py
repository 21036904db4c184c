"""Pack the deliveries of old issues, so that the store grows by bytes and not by rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UsageError
from upcycle_news.i18n.messages import localized
from upcycle_news.observability.logging import Log
from upcycle_news.services.backup.restore import raise_if_sending
from upcycle_news.storage import packed_deliveries

log = Log(__name__)


@dataclass(frozen=True)
class PackReport:
    """How many issues were packed, and how many of their deliveries."""

    issues: int = 0
    deliveries: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the JSON object of `store pack`."""
        return asdict(self)


def pack_old_deliveries(context: AppContext, *, closed_for: int | None = None) -> PackReport:
    """Pack the deliveries of the issues that were closed so many days ago; by default as is set.

    Each transaction moves a few thousand. Nothing is packed where packing is off, unless days are given.
    """
    days = context.settings.deliveries.pack_after_days if closed_for is None else closed_for
    if closed_for is None and not days:
        return PackReport()
    now = context.clock()
    due = packed_deliveries.issues_to_pack(context.store, closed_before=now - timedelta(days=days))
    packed = 0
    for issue in due:
        number = packed_deliveries.pack_issue(context.store, issue, now=now)
        log.info("deliveries packed", issue=issue, count=number)
        packed += number
    return PackReport(len(due), packed)


def pack_by_hand(
    context: AppContext, *, closed_for: int | None = None, shrink: bool = False
) -> PackReport:
    """Pack as `pack_old_deliveries` does; with `shrink` give the room back to the disk afterwards.

    Raises `UsageError` without days where packing is off, and with `shrink` `StoreError` while workers run.
    """
    if closed_for is None and not context.settings.deliveries.pack_after_days:
        raise UsageError(localized("pack-off"))
    if shrink:
        raise_if_sending(context, context.store)
    report = pack_old_deliveries(context, closed_for=closed_for)
    if shrink:
        context.store.shrink("deliveries")
    return report
