"""Posts events to webhooks while the web pages run, in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable

from upcycle_news.api import App
from upcycle_news.web.background_work import BackgroundWork

LOOK_SECONDS = 5.0
"""How often the thread looks for events; a look without any is a few reads of the store."""


class WebhookSender(BackgroundWork):
    """A thread that posts what is due, every few seconds; it does nothing without a webhook in the settings."""

    def __init__(self, app: App, *, look_seconds: float = LOOK_SECONDS) -> None:
        def post(stopping: Callable[[], bool]) -> None:
            app.webhooks.deliver(stopping=lambda: stopping() or self._ending.is_set())

        super().__init__(
            "webhooks", post, look_seconds=look_seconds, waiting="events wait for webhooks"
        )
        self._has_any = bool(app.settings.webhooks)

    def start(self) -> None:
        """Begin with what waits already, if there is a webhook at all."""
        if self._has_any:
            super().start()
