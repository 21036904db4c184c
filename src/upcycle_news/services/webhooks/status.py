"""How webhooks are doing, trying one, and letting one that has stopped go on."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from upcycle_news.app.context import AppContext
from upcycle_news.config.sections import WebhookSettings
from upcycle_news.config.settings import FILE_NAME, PREFIX
from upcycle_news.errors import SettingsError, UpcycleError
from upcycle_news.fileio import did_you_mean
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.i18n.recognition import recognise
from upcycle_news.models import Event
from upcycle_news.observability.logging import Log
from upcycle_news.services.webhooks.deliver import (
    WebhookRun,
    begin_all,
    deliver,
    is_usable,
    post_message,
)
from upcycle_news.services.webhooks.message import message_id, test_body
from upcycle_news.storage import event_log, send_hold, webhook_outbox
from upcycle_news.storage.webhook_outbox import WebhookCursor

log = Log(__name__)

ALERT_AFTER = timedelta(hours=1)
"""Operators are told of a webhook that has taken nothing for so long."""


@dataclass(frozen=True)
class WebhookStatus:
    """How a webhook is doing. `host` is all that is said of its address, which may hold a secret.

    `waiting` counts the events that it has not taken. `failing_since` is None while all is well;
    `reason` is an English sentence about the last attempt that failed, of which there were `attempts`.
    """

    name: str
    host: str
    events: tuple[str, ...]
    usable: bool
    waiting: int = 0
    attempts: int = 0
    failing_since: datetime | None = None
    next_at: datetime | None = None
    reason: str = ""
    stopped: bool = False
    delivered_at: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of `webhooks list`."""
        return {
            "name": self.name,
            "host": self.host,
            "events": list(self.events),
            "state": self.state,
            "waiting": self.waiting,
            "attempts": self.attempts,
            "failing_since": _iso(self.failing_since),
            "next_at": _iso(self.next_at),
            "reason": self.reason,
            "delivered_at": _iso(self.delivered_at),
        }

    @property
    def state(self) -> str:
        """Return ``unusable``, ``stopped``, ``failing`` or ``ok``."""
        if not self.usable:
            return "unusable"
        if self.stopped:
            return "stopped"
        return "failing" if self.failing_since is not None else "ok"

    def sentence(self, variable: str) -> LocalizedText:
        """Return how it is doing as a sentence; `variable` is where its secret belongs."""
        match self.state:
            case "unusable":
                return localized("webhook-unusable", name=self.name, variable=variable)
            case "stopped":
                return localized(
                    "webhook-stopped",
                    name=self.name,
                    since=self.failing_since,
                    why=recognise(self.reason, "feeds"),
                    waiting=localized("count-events", count=self.waiting),
                )
            case "failing":
                return localized(
                    "webhook-failing",
                    name=self.name,
                    since=self.failing_since,
                    why=recognise(self.reason, "feeds"),
                    waiting=localized("count-events", count=self.waiting),
                )
        if self.delivered_at is None:
            return localized(
                "webhook-new",
                name=self.name,
                host=self.host,
                waiting=localized("count-events", count=self.waiting),
            )
        return localized(
            "webhook-ok",
            name=self.name,
            host=self.host,
            at=self.delivered_at,
            waiting=localized("count-events", count=self.waiting),
        )


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")


def statuses(context: AppContext) -> tuple[WebhookStatus, ...]:
    """Return how each webhook in the settings is doing, in their order; nothing is written."""
    if not context.settings.webhooks:
        return ()
    known = webhook_outbox.cursors(context.store, context.settings.webhooks)
    return tuple(
        _status(context, name, settings, known.get(name))
        for name, settings in context.settings.webhooks.items()
    )


def _status(
    context: AppContext, name: str, settings: WebhookSettings, cursor: WebhookCursor | None
) -> WebhookStatus:
    """Return how a webhook is doing; without a cursor it has not begun, and nothing waits."""
    status = WebhookStatus(
        name=name,
        host=urlsplit(settings.url.get_secret_value()).hostname or "",
        events=tuple(settings.events),
        usable=is_usable(settings),
    )
    if cursor is None:
        return status
    return replace(
        status,
        waiting=webhook_outbox.count_waiting(context.store, cursor.position, settings.events),
        attempts=cursor.attempts,
        failing_since=cursor.failing_since,
        next_at=cursor.next_at,
        reason=cursor.reason,
        stopped=cursor.stopped,
        delivered_at=cursor.delivered_at,
    )


def secret_variable(name: str) -> str:
    """Return the environment variable with the secret of a webhook."""
    return f"{PREFIX}WEBHOOKS__{name.upper()}__SECRET"


def send_test(context: AppContext, name: str) -> LocalizedText:
    """Post a message that says nothing to a webhook, and say that it was taken.

    No position moves. Raises `SettingsError` for one that is not in the settings or cannot be posted to,
    `UpcycleError` when it was not taken.
    """
    settings = context.settings.webhooks[_known(context, name)]
    _require_usable(name, settings)
    now = context.clock()
    answer = post_message(settings, f"evt_test_{uuid.uuid4().hex}", test_body(now), now)
    if not answer.taken:
        raise UpcycleError(localized("webhook-test-failed", name=name, why=answer.reason))
    return localized("webhook-test-taken", name=name, status=answer.status)


def _require_usable(name: str, settings: WebhookSettings) -> None:
    """Raise `SettingsError` for a webhook without an address or a secret."""
    if not is_usable(settings):
        variable = secret_variable(name)
        raise SettingsError(
            FILE_NAME, None, localized("webhook-unusable", name=name, variable=variable)
        )


def retry(context: AppContext, name: str | None = None) -> tuple[WebhookRun, ...]:
    """Post now what waits, to one webhook or to all, also where it is not due or has stopped.

    Raises `SettingsError` for one that is not in the settings or cannot be posted to, `SendHoldError` while
    nothing goes out, and `UpcycleError` when another process posts to one just now: that goes on by itself.
    """
    names = [_known(context, name)] if name is not None else list(context.settings.webhooks)
    for one in names:
        _require_usable(one, context.settings.webhooks[one])
    send_hold.raise_if_store_held(context.store)
    begin_all(context)
    for one in names:
        webhook_outbox.reset(context.store, one)
    runs = deliver(context, names=names)
    done = {run.name for run in runs}
    for status in statuses(context):
        if status.name in names and status.name not in done and status.waiting:
            raise UpcycleError(localized("webhook-busy", name=status.name))
    return runs


def skip(context: AppContext, name: str) -> Event | None:
    """Let a webhook go without the event that it waits with; return that, None if none waits.

    For an event that the receiver will never take. Raises `SettingsError` for a webhook that is not in
    the settings.
    """
    settings = context.settings.webhooks[_known(context, name)]
    store, now = context.store, context.clock()
    cursor = begin_all(context)[name]
    position = cursor.position
    while batch := event_log.since(store, position, 100, now=now):
        for event in batch:
            position = event.position
            if event.kind.value in settings.events:
                if not webhook_outbox.advance(
                    store, name, since=cursor.position, to=position, delivered_at=None
                ):
                    raise UpcycleError(localized("webhook-busy", name=name))
                webhook_outbox.reset(store, name)
                log.warning(
                    "webhook goes without an event",
                    webhook=name,
                    what=event.kind.value,
                    id=message_id(event),
                )
                return event
    return None


def _known(context: AppContext, name: str) -> str:
    if name not in context.settings.webhooks:
        hint = did_you_mean(name, context.settings.webhooks)
        raise SettingsError(
            FILE_NAME, None, localized("webhook-missing", name=name[:40], hint=hint)
        )
    return name
