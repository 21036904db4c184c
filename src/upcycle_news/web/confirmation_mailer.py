"""Sends the mails of sign-ups while the web pages run, in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable

from upcycle_news.api import App
from upcycle_news.web.background_work import BackgroundWork

LOOK_SECONDS = 60.0
"""How often the thread looks for what became due, or has room within the limits by now."""


class ConfirmationMailer(BackgroundWork):
    """A thread that sends what waits when it is woken, and now and then."""

    def __init__(self, app: App, *, look_seconds: float = LOOK_SECONDS) -> None:
        def send(stopping: Callable[[], bool]) -> None:
            app.subscribers.send_confirmations(due_only=True, stopping=stopping)

        super().__init__(
            "confirmation-mails",
            send,
            look_seconds=look_seconds,
            waiting="confirmation mails wait",
        )
