"""Takes what a provider or a mail server posts, and treats it as the reports that an inbox holds."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from upcycle_news.app.context import AppContext
from upcycle_news.bounces.parser import COUNTED, BounceKind, BounceReport
from upcycle_news.bounces.providers import PROVIDERS
from upcycle_news.bounces.providers.provider import EventRequest, ProviderEvent
from upcycle_news.bounces.unsubscribe_mail import wants_to_leave
from upcycle_news.config.settings import FILE_NAME
from upcycle_news.errors import SettingsError, UpcycleError
from upcycle_news.fileio import did_you_mean
from upcycle_news.i18n.messages import localized
from upcycle_news.observability.logging import Log
from upcycle_news.services.bounces.event_sources import MAIL, EventSource, open_sources
from upcycle_news.services.bounces.process import Collected, handle, with_notice
from upcycle_news.services.bounces.reports import (
    DeliveryReport,
    for_subscribers,
    new_report,
    settle,
)
from upcycle_news.storage import provider_events
from upcycle_news.storage.provider_events import NewEvent

log = Log(__name__)

_CHUNK = 500  # events of one transaction
_UNKNOWN = "unknown"
UNSIGNED = "unsigned"
"""The kind under which events that would act are counted when they carry no delivery key of ours."""
MATCHED = frozenset(kind.value for kind in (*COUNTED, BounceKind.UNSUBSCRIBED))
"""The kinds of events that act, under which those with a key are counted."""


def accept_events(
    context: AppContext, name: str, headers: Mapping[str, str], body: bytes
) -> Collected:
    """Apply every event of a request that was posted to the address of a source; return the counts.

    May be repeated, and in any order. Raises `SettingsError` for a source that does not exist,
    `WebhookRefused` for a request that is not the provider's, `WebhookUnreadable` for a body that is not
    as documented: then nothing of it was applied. `ProviderUnavailable` when it cannot be verified now.
    """
    sources = open_sources(context)
    if name not in sources:
        hint = did_you_mean(name, sources)
        raise SettingsError(
            FILE_NAME, None, localized("event-source-unknown", name=name[:40], hint=hint)
        )
    source = sources[name]
    if source.reader == MAIL:
        return _accept_mail(context, source, body)
    request = EventRequest(
        {key.lower(): value for key, value in headers.items()},
        body,
        source.keys,
        context.clock(),
        context.sns.fetch,
    )
    batch = PROVIDERS[source.reader].read_events(request)
    events = tuple(batch.events)  # all of it is read before any of it counts
    if batch.confirm_at:
        context.sns.fetch(batch.confirm_at)
        log.info("subscription confirmed", source=name)
    counts: Counter[str] = Counter()
    once_key = _key(source, "once", batch.once) if batch.once else ""
    for start in range(0, len(events), _CHUNK):
        counts.update(_take(context, source, events[start : start + _CHUNK], once_key))
        once_key = ""
    collected = Collected().plus(**counts)
    log.info("events received", source=name, **collected.as_dict())
    return collected


def _accept_mail(context: AppContext, source: EventSource, raw: bytes) -> Collected:
    """Apply one returned mail, which is the body of the request."""
    outcome, _ = handle(context, raw)
    counts = Collected().plus(**outcome)
    if "left_alone" in outcome and wants_to_leave(raw, context.settings.sender.unsubscribe_mailto):
        counts = counts.plus(wants_to_leave=1)
    [kind, *_] = [name for name, number in counts.as_dict().items() if number] or ["known"]
    provider_events.count_events(
        context.store, source.name, {(kind, "mail"): 1}, now=context.clock()
    )
    log.info("events received", source=source.name, **counts.as_dict())
    return with_notice(context, counts)


def _take(
    context: AppContext, source: EventSource, events: Sequence[ProviderEvent], once_key: str
) -> Counter[str]:
    """Apply some events in one transaction, and what follows from them after it."""
    deliveries = [_delivery_of(context, event.report) for event in events]
    about = [
        (event.report, delivery[1])
        for event, delivery in zip(events, deliveries, strict=True)
        if event.report is not None and delivery is not None
    ]
    compared = iter(for_subscribers(context, about))
    reports, new_events = [], []
    for event, delivery in zip(events, deliveries, strict=True):
        report = event.report
        if report is not None and delivery is not None:
            report = next(compared)
        reports.append(report)
        new_events.append(_new_event(source, replace(event, report=report), delivery))
    now = context.clock()
    taken = provider_events.take(context.store, source.name, new_events, once_key=once_key, now=now)
    counts: Counter[str] = Counter()
    recorded = []
    for index, (report, new) in enumerate(zip(reports, new_events, strict=True)):
        if index not in taken.new:
            counts["known"] += 1
        elif new.report is not None and report is not None:
            result = taken.recorded[index]
            recorded.append(DeliveryReport(report, new.report.subscriber, result))
        else:
            counts[_COUNT_OF.get(new.kind, "left_alone")] += 1
    unknown = sorted({new.name for new in new_events if new.kind == _UNKNOWN})
    if unknown:
        log.warning("events of unknown kinds", source=source.name, names=", ".join(unknown)[:400])
    counts.update(settle(context, recorded))
    return counts


_COUNT_OF = {
    _UNKNOWN: "unknown",
    UNSIGNED: "unsigned",
    BounceKind.OTHER.value: "ignored",
    BounceKind.DELIVERED.value: "delivered",
    BounceKind.DELAYED.value: "delayed",
    BounceKind.UNSUBSCRIBED.value: "unsubscribed",
}
"""The counts of events that are about no failed delivery."""


def _new_event(
    source: EventSource, event: ProviderEvent, delivery: tuple[int, int] | None
) -> NewEvent:
    """Return what is stored of an event; without our signature it is counted and does nothing."""
    report, name = event.report, _plain(event.name)
    if report is None:
        return NewEvent("", _UNKNOWN, name)
    if report.kind is BounceKind.OTHER:
        return NewEvent("", report.kind, name)
    identity = event.id.encode() or event.raw
    key = _key(source, report.kind, hashlib.sha256(identity).hexdigest())
    acts = report.kind in COUNTED or report.kind is BounceKind.UNSUBSCRIBED
    if acts and delivery is None:
        return NewEvent(key, UNSIGNED, name)
    if report.kind in COUNTED and delivery is not None:
        new = new_report(report, delivery, identity=key.encode(), raw=event.raw)
        return NewEvent(key, report.kind, name, report=new)
    leaves = delivery if report.kind is BounceKind.UNSUBSCRIBED else None
    return NewEvent(key, report.kind, name, leaves=leaves)


def _delivery_of(context: AppContext, report: BounceReport | None) -> tuple[int, int] | None:
    """Return issue number and subscriber id if the event carries a delivery key of ours."""
    if report is None or not report.delivery_key:
        return None
    try:
        return context.delivery_keys.read(report.delivery_key)
    except (UpcycleError, ValueError):
        return None


def _key(source: EventSource, kind: str, identity: str) -> str:
    """Return the key of an event: the same one posted to two sources of a provider is one."""
    return hashlib.sha256(f"{source.reader}/{kind}/{identity}".encode()).hexdigest()


def _plain(name: str) -> str:
    """Return a provider's word as it may stand in the log and the store: no address, 64 characters."""
    return re.sub(r"[^\w .:/-]", "?", name)[:64] or "?"
