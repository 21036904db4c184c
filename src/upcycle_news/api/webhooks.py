"""`app.webhooks`: programs elsewhere that are told of events."""

from __future__ import annotations

from collections.abc import Callable

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import LocalizedText
from upcycle_news.services.webhooks import deliver, status
from upcycle_news.services.webhooks.deliver import WebhookRun
from upcycle_news.services.webhooks.message import message_id
from upcycle_news.services.webhooks.status import WebhookStatus

__all__ = ["WebhookRun", "WebhookStatus", "Webhooks"]


class Webhooks:
    """Posts events to the webhooks of the settings, and shows how these are doing. No address of a reader is shown."""

    def __init__(self, context: AppContext) -> None:
        """Make the group of an open publication; `App.webhooks` is the usual way."""
        self._context = context

    def list(self) -> tuple[WebhookStatus, ...]:
        """Return how each webhook is doing, in the order of the settings."""
        return status.statuses(self._context)

    def describe(self, webhook: WebhookStatus) -> LocalizedText:
        """Return how a webhook is doing, as a sentence."""
        return webhook.sentence(status.secret_variable(webhook.name))

    def deliver(
        self, *, seconds: float | None = None, stopping: Callable[[], bool] = lambda: False
    ) -> tuple[WebhookRun, ...]:
        """Post what is due, in order; return what was done for webhooks that had something to be told.

        No further request begins after `seconds`, or once `stopping` returns True. What another process posts
        just now is left to it; after a crash an event may come twice, with one id.
        """
        return deliver.deliver(self._context, seconds=seconds, stopping=stopping)

    def test(self, name: str) -> LocalizedText:
        """Post a signed message that says nothing, and return that it was taken.

        Raises `SettingsError` for a webhook that is not in the settings or has no secret, `UpcycleError` with
        the reason when it was not taken.
        """
        return status.send_test(self._context, name)

    def retry(self, name: str | None = None) -> tuple[WebhookRun, ...]:
        """Post now what waits, to one webhook or to all, also where it is not due or has stopped.

        Raises `SettingsError` for a webhook that is not in the settings or cannot be posted to,
        `SendHoldError` while nothing goes out, `UpcycleError` when another process posts just now.
        """
        return status.retry(self._context, name)

    def skip(self, name: str) -> str | None:
        """Let a webhook go without the event that it waits with; return its id, None if none waits.

        For an event that the receiver will never take. Raises `SettingsError` for a webhook that is not in the
        settings, `UpcycleError` when it gets on just now.
        """
        event = status.skip(self._context, name)
        return None if event is None else message_id(event)
