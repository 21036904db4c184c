"""An open publication: what every command, page and flow starts with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from upcycle_news.app.context import AppContext

if TYPE_CHECKING:
    from upcycle_news.config.settings import Settings


def open_app(home: Path | None = None, *, clock: Callable[[], datetime] | None = None) -> App:
    """Open the publication in `home` (default: UPCYCLE_NEWS_HOME, then the current folder).

    `clock` returns the time in UTC and is the wall clock unless a test sets it. Close the result or
    use it in a `with`. Raises `SettingsError` with the line of the mistake in newsletter.toml.
    """
    context = AppContext.open(home)
    return App(context if clock is None else AppContext(context.settings, clock))


class App:
    """A publication and its verbs, grouped by what they act on. Each group is made when first used.

    All verbs raise `UpcycleError` (or a class below it) with one sentence that says what is wrong,
    where, and what to do; in an `App` that sentence is in the publication's language.
    """

    def __init__(self, context: AppContext) -> None:
        """Wrap an open context; `open_app` is the usual way."""
        self._context = context

    def __enter__(self) -> App:
        return self

    def __exit__(
        self,
        kind: object = None,
        error: BaseException | None = None,
        traceback: object = None,
    ) -> None:
        self._context.__exit__(kind, error, traceback)

    def close(self) -> None:
        """Close the store's connections."""
        self._context.__exit__()

    @property
    def settings(self) -> Settings:
        """The settings of newsletter.toml and the environment, validated."""
        return self._context.settings

    @property
    def language(self) -> str:
        """The publication's language, such as ``de``: its editors read their findings in it."""
        return self._context.language

    @property
    def today(self) -> date:
        """The day in the publication's time zone."""
        return self._context.today

    @property
    def now(self) -> datetime:
        """The time of the app's clock, in UTC."""
        return self._context.clock()
