"""Post events to webhooks: each in the order of the log, at least once, by one process at a time.

A webhook has a position in the log, moved on when an event was taken. One that is not taken is tried again
with growing pauses, and all later ones wait behind it: so the order holds for each subscriber and each
issue. After `GIVE_UP_AFTER` the webhook stops and an alert tells; nothing is dropped unless a person says so.
A process that dies between answer and commit posts the event again, with the same id.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from upcycle_news.app.context import AppContext
from upcycle_news.config.sections import WebhookSettings
from upcycle_news.models import Event
from upcycle_news.models.webhook_secret import WebhookSecret
from upcycle_news.observability.logging import Log
from upcycle_news.services.webhooks.message import message_body, message_id
from upcycle_news.storage import event_log, locks, send_hold, subscribers, webhook_outbox
from upcycle_news.storage.webhook_outbox import WebhookCursor
from upcycle_news.transports.event_webhook import Answer, post_event

log = Log(__name__)

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=6)
GIVE_UP_AFTER = timedelta(days=3)
LEASE = timedelta(minutes=2)
"""How long a process has a webhook to itself; half of it is longer than any request."""
TURN_SECONDS = 5.0
"""How long a webhook is posted to while others wait: a slow receiver keeps none of them back."""
_BATCH = 100


@dataclass(frozen=True)
class WebhookRun:
    """What a run did for one webhook: events taken, and why it ended before the last one, if it did."""

    name: str
    taken: int = 0
    reason: str = ""
    stopped: bool = False


def deliver(
    context: AppContext,
    *,
    names: Collection[str] | None = None,
    stopping: Callable[[], bool] = lambda: False,
    seconds: float | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> tuple[WebhookRun, ...]:
    """Post what is due to all webhooks, or to those with these `names`; return what was done.

    No further request begins once `stopping` returns True or the `seconds` are over. Nothing is posted
    while the store is on hold after a restore or move: it may be a copy. What another process posts just
    now is left to it. Webhooks take turns, the one that was told longest ago first.
    """
    webhooks = {
        name: settings
        for name, settings in context.settings.webhooks.items()
        if is_usable(settings) and (names is None or name in names)
    }
    if not webhooks or send_hold.active_hold(context.store) is not None:
        return ()
    ends = None if seconds is None else monotonic() + seconds

    def ending() -> bool:
        return stopping() or (ends is not None and monotonic() >= ends)

    holder = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex}"
    waiting = deque(_longest_ago_first(context, webhooks))

    def turn_is_over(until: float) -> bool:
        return ending() or (bool(waiting) and monotonic() >= until)

    runs: dict[str, WebhookRun] = {}
    while waiting and not ending():
        name = waiting.popleft()
        ends_now = partial(turn_is_over, monotonic() + TURN_SECONDS)
        turn = _Delivery(context, name, webhooks[name], holder, ends_now)
        if (run := turn.run()) is None:
            continue
        runs[name] = replace(run, taken=run.taken + (runs[name].taken if name in runs else 0))
        if turn.was_ended:
            waiting.append(name)
    return tuple(runs[name] for name in webhooks if name in runs)


def _longest_ago_first(context: AppContext, names: Collection[str]) -> list[str]:
    """Return the webhooks by the time of the last event that they took, those without one first."""
    known = webhook_outbox.cursors(context.store, names)
    told = {name: cursor.delivered_at for name, cursor in known.items() if cursor.delivered_at}
    return sorted(names, key=lambda name: (name in told, told.get(name, context.clock())))


def is_usable(settings: WebhookSettings) -> bool:
    """Return True if a webhook has an address and a secret: nothing is posted unsigned."""
    return bool(settings.url.get_secret_value() and settings.secret.get_secret_value())


def begin_all(context: AppContext) -> dict[str, WebhookCursor]:
    """Return the state of each webhook in the settings; a new one begins behind the newest event."""
    store, now = context.store, context.clock()
    known = dict(webhook_outbox.cursors(store, context.settings.webhooks))
    for name in context.settings.webhooks:
        if name not in known:
            known[name] = webhook_outbox.begin(
                store, name, event_log.last_position(store, now=now), now=now
            )
    return known


def pause_after(attempts: int, answer: Answer, failing_for: timedelta) -> timedelta | None:
    """Return how long to wait after so many failed attempts; None to try no more.

    A receiver may ask for more (Retry-After), or say that it wants nothing (410).
    """
    if answer.is_gone or failing_for >= GIVE_UP_AFTER:
        return None
    pause = min(FIRST_PAUSE * (1 << min(attempts - 1, 20)), LONGEST_PAUSE)
    return max(pause, timedelta(seconds=answer.retry_after))


@dataclass
class _Delivery:
    """One run for one webhook."""

    context: AppContext
    name: str
    settings: WebhookSettings
    holder: str
    ending: Callable[[], bool]
    taken: int = 0
    was_ended: bool = False
    leased_until: datetime | None = None

    def run(self) -> WebhookRun | None:
        """Post what is due; None if nothing was to be done."""
        store, now = self.context.store, self.context.clock()
        cursor = begin_all(self.context)[self.name]
        webhook_outbox.mark_seen(store, cursor, now=now)
        if not cursor.is_due(now) or not event_log.since(store, cursor.position, 1, now=now):
            return None
        if not self._lock():
            return None
        try:
            return self._post_all()
        finally:
            locks.release(store, self._lock_name, self.holder)

    def _post_all(self) -> WebhookRun | None:
        # Again, now that nobody else moves it.
        cursor = webhook_outbox.cursor_of(self.context.store, self.name)
        while cursor is not None and cursor.is_due(self.context.clock()):
            batch = event_log.since(
                self.context.store, cursor.position, _BATCH, now=self.context.clock()
            )
            if not batch:
                break
            for event in batch:
                if event.kind.value not in self.settings.events:
                    after = self._skip(cursor, event, is_last=event is batch[-1])
                elif self.ending():
                    self.was_ended = True
                    return self._result(cursor)
                elif not self._lock():
                    return self._result(cursor)
                else:
                    after = self._post(cursor, event)
                if after is None:  # it was not taken, or another process has moved it
                    state = webhook_outbox.cursor_of(self.context.store, self.name)
                    return self._result(state)
                cursor = after
        return self._result(cursor)

    def _skip(self, cursor: WebhookCursor, event: Event, *, is_last: bool) -> WebhookCursor | None:
        """Pass over an event that is not for this webhook; written once for all that follow each other."""
        if not is_last:
            return cursor
        return self._advance(cursor, event, None)

    def _post(self, cursor: WebhookCursor, event: Event) -> WebhookCursor | None:
        now = self.context.clock()
        answer = post_message(
            self.settings, message_id(event), message_body(event, self._address(event)), now
        )
        if answer.taken:
            self.taken += 1
            return self._advance(cursor, event, self.context.clock())
        self._fail(cursor, event, answer)
        return None

    def _advance(
        self, cursor: WebhookCursor, event: Event, delivered_at: datetime | None
    ) -> WebhookCursor | None:
        moved = webhook_outbox.advance(
            self.context.store,
            self.name,
            since=cursor.position,
            to=event.position,
            delivered_at=delivered_at,
        )
        if not moved:
            return None
        if delivered_at is None:
            return replace(cursor, position=event.position)
        return replace(cursor, position=event.position, attempts=0, failing_since=None, reason="")

    def _fail(self, cursor: WebhookCursor, event: Event, answer: Answer) -> None:
        now, attempts = self.context.clock(), cursor.attempts + 1
        failing_for = now - (cursor.failing_since or now)
        pause = pause_after(attempts, answer, failing_for)
        webhook_outbox.record_failure(
            self.context.store,
            self.name,
            position=cursor.position,
            attempts=attempts,
            reason=str(answer.reason or ""),
            next_at=None if pause is None else now + pause,
            now=now,
        )
        level = log.error if pause is None else log.warning
        level(
            "webhook did not take an event",
            webhook=self.name,
            what=event.kind.value,
            attempt=attempts,
            why=answer.reason,
        )

    def _address(self, event: Event) -> str:
        """Return the address of an event's subscriber if the settings want it and the store still has it."""
        if not self.settings.include_addresses or event.subscriber is None:
            return ""
        subscriber = subscribers.by_id(self.context.store, event.subscriber)
        return "" if subscriber is None else subscriber.email.address

    def _lock(self) -> bool:
        """Acquire or renew the lease; a fresh one is not renewed. False if another process has it."""
        now = self.context.clock()
        if self.leased_until is not None and now < self.leased_until - LEASE / 2:
            return True
        until = now + LEASE
        if not locks.acquire(
            self.context.store, self._lock_name, self.holder, until=until, now=now
        ):
            return False
        self.leased_until = until
        return True

    @property
    def _lock_name(self) -> str:
        return f"webhook {self.name}"

    def _result(self, cursor: WebhookCursor | None) -> WebhookRun | None:
        if cursor is None:
            return None
        return WebhookRun(self.name, self.taken, cursor.reason, cursor.stopped)


def post_message(settings: WebhookSettings, message_id: str, body: bytes, now: datetime) -> Answer:
    """Sign a message and post it."""
    secret = WebhookSecret.parse(settings.secret.get_secret_value())
    return post_event(
        settings.url.get_secret_value(),
        secret.headers(message_id, int(now.timestamp()), body),
        body,
        seconds=settings.timeout,
        access=settings.access,
    )
