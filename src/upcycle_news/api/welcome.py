"""`app.welcome`: the steps that new readers get after the confirmation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.services.welcome import send, steps
from upcycle_news.services.welcome.send import WelcomeReport
from upcycle_news.services.welcome.steps import WelcomeStep

__all__ = ["Welcome", "WelcomeReport", "WelcomeStep"]


class Welcome:
    """Preview and approve the files of content/welcome, and send the steps that are due."""

    def __init__(self, context: AppContext) -> None:
        """Make the group of an open publication; `App.welcome` is the usual way."""
        self._context = context

    def steps(self) -> tuple[WelcomeStep, ...]:
        """Return the steps in their order, with what is approved and how it went.

        Raises `ContentError` that names everything that is wrong with the files.
        """
        return steps.steps(self._context)

    def preview(self) -> tuple[WelcomeStep, ...]:
        """Freeze what each step says now, and write it where `preview_file` says; returns the steps."""
        return steps.preview(self._context)

    def preview_file(self, step: str) -> Path:
        """Return the page that shows a step once it was previewed."""
        return steps.preview_path(self._context, step)

    def approve(self, *names: str, by: str) -> tuple[WelcomeStep, ...]:
        """Approve what was previewed of these steps, or of all of them; once each until it changes.

        A step whose file changed waits for its approval while the approved form goes on. Raises
        `IssueError` for one that does not exist or changed since its preview.
        """
        return steps.approve(self._context, names, by=by)

    def send_due(self, *, stopping: Callable[[], bool] = lambda: False) -> WelcomeReport:
        """Send every step that is due, each reader each step once; may be repeated at any time.

        Those who confirmed by a link get them, after the approval and while they are subscribed.
        Raises `UpcycleError` while nothing may be sent, such as after a restore.
        """
        return send.send_due(self._context, stopping=stopping)
