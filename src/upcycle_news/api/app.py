"""An open publication: what every command, page and flow starts with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import localized

if TYPE_CHECKING:
    from upcycle_news.api.alerts import Alerts
    from upcycle_news.api.archive import Archive
    from upcycle_news.api.backups import Backups
    from upcycle_news.api.bounces import Bounces
    from upcycle_news.api.checks import CheckReport
    from upcycle_news.api.doctor import Doctor
    from upcycle_news.api.essays import Essays
    from upcycle_news.api.events import Events
    from upcycle_news.api.feeds import Feeds
    from upcycle_news.api.flows import Flows
    from upcycle_news.api.issues import Issues
    from upcycle_news.api.keys import Keys
    from upcycle_news.api.monitoring import Monitoring
    from upcycle_news.api.pages import Pages
    from upcycle_news.api.pull_requests import WrittenReview
    from upcycle_news.api.runs import Runs
    from upcycle_news.api.store import StoreAdmin
    from upcycle_news.api.subscribers import Subscribers
    from upcycle_news.api.suppressions import Suppressions
    from upcycle_news.api.templates import Templates
    from upcycle_news.api.tokens import Tokens
    from upcycle_news.api.webhooks import Webhooks
    from upcycle_news.api.welcome import Welcome
    from upcycle_news.config.settings import Settings
    from upcycle_news.models import Finding, IssueId


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

    @cached_property
    def issues(self) -> Issues:
        """Compose, preview, approve and send issues, and follow them."""
        from upcycle_news.api.issues import Issues

        return Issues(self._context)

    @cached_property
    def welcome(self) -> Welcome:
        """Preview and approve the welcome of new readers, and send its steps."""
        from upcycle_news.api.welcome import Welcome

        return Welcome(self._context)

    @cached_property
    def runs(self) -> Runs:
        """The steps of flow runs."""
        from upcycle_news.api.runs import Runs

        return Runs(self._context)

    def require_publication(self) -> None:
        """Raise `SettingsError` when the folder is no publication: newsletter.toml is not there."""
        from upcycle_news.config.settings import FILE_NAME
        from upcycle_news.errors import SettingsError

        home = self.settings.home
        if not (home / FILE_NAME).is_file():
            raise SettingsError(
                FILE_NAME,
                None,
                localized("publication-not-here", home=home),
            )

    @cached_property
    def essays(self) -> Essays:
        """Making, importing and listing essays."""
        from upcycle_news.api.essays import Essays

        return Essays(self._context)

    @cached_property
    def feeds(self) -> Feeds:
        """Collecting feeds, their health, and the list of them."""
        from upcycle_news.api.feeds import Feeds

        return Feeds(self._context)

    @cached_property
    def archive(self) -> Archive:
        """The web pages of what was sent: building, correcting, withdrawing."""
        from upcycle_news.api.archive import Archive

        return Archive(self._context)

    def check(self, issue: IssueId | str | None = None) -> CheckReport:
        """Check content, settings, templates and an issue (default: today's); nothing is sent.

        What is wrong is a finding, never an error. Raises `UpcycleError` for a text that is no
        issue id.
        """
        from upcycle_news.api.checks import run_checks

        return run_checks(self._context, issue)

    def review_pull_request(self, base: str, folder: Path) -> WrittenReview:
        """Check the publication, render what it changes since it parted from `base`, and write that.

        Files in `folder`: a page, a summary in Markdown, and GitLab's Code Quality report. Neither store
        nor feeds are used. Raises `UpcycleError` for a `base` that cannot be compared with.
        """
        from upcycle_news.api.pull_requests import write_pull_request

        return write_pull_request(self._context, base, folder)

    def check_settings(self) -> tuple[Finding, ...]:
        """Return what in the settings keeps any issue from being sent, or will once a relay is set."""
        from upcycle_news.services.checks.run import check_settings

        return tuple(check_settings(self._context))

    @cached_property
    def bounces(self) -> Bounces:
        """What came back: reports from the inbox and from providers that post them."""
        from upcycle_news.api.bounces import Bounces

        return Bounces(self._context)

    @cached_property
    def subscribers(self) -> Subscribers:
        """The list: add, import, export, sign-up, confirmation, preferences, unsubscribing, erasure."""
        from upcycle_news.api.subscribers import Subscribers

        return Subscribers(self._context)

    @cached_property
    def suppressions(self) -> Suppressions:
        """Addresses and domains that are never mailed."""
        from upcycle_news.api.suppressions import Suppressions

        return Suppressions(self._context)

    def check_ready(self) -> None:
        """Open the store and the keys that sign links, and make what is missing of them.

        Raises `StoreError` when the store does not answer.
        """
        from upcycle_news.storage.database import current_migration

        _ = self._context.link_signer
        current_migration(self._context.store)

    @cached_property
    def pages(self) -> Pages:
        """The web pages for subscribers; raises `TemplateError` when a template does not work."""
        from upcycle_news.api.pages import Pages

        return Pages(self._context)

    @cached_property
    def templates(self) -> Templates:
        """The templates: which are the publication's own, and copies of the look's."""
        from upcycle_news.api.templates import Templates

        return Templates(self._context)

    @cached_property
    def backups(self) -> Backups:
        """Backups of the store and the secrets, and restoring one."""
        from upcycle_news.api.backups import Backups

        return Backups(self._context)

    @cached_property
    def store(self) -> StoreAdmin:
        """The store: its migration, moving it to another database, its hold."""
        from upcycle_news.api.store import StoreAdmin

        return StoreAdmin(self._context)

    @cached_property
    def keys(self) -> Keys:
        """The keys that sign subscribers' links, and new keys for DKIM."""
        from upcycle_news.api.keys import Keys

        return Keys(self._context)

    @cached_property
    def flows(self) -> Flows:
        """Prefect's flows: one by hand, or all on their schedules."""
        from upcycle_news.api.flows import Flows

        return Flows(self._context)

    @cached_property
    def alerts(self) -> Alerts:
        """What operators are told of, and Prefect's automations that tell them."""
        from upcycle_news.api.alerts import Alerts

        return Alerts(self._context)

    @cached_property
    def events(self) -> Events:
        """What happened to subscribers and issues, for other programs."""
        from upcycle_news.api.events import Events

        return Events(self._context)

    @cached_property
    def tokens(self) -> Tokens:
        """Who may use the HTTP API, and what for."""
        from upcycle_news.api.tokens import Tokens

        return Tokens(self._context)

    @cached_property
    def webhooks(self) -> Webhooks:
        """Programs elsewhere that are told of events."""
        from upcycle_news.api.webhooks import Webhooks

        return Webhooks(self._context)

    @cached_property
    def monitoring(self) -> Monitoring:
        """The figures for Prometheus, and stopping this machine's workers."""
        from upcycle_news.api.monitoring import Monitoring

        return Monitoring(self._context)

    @cached_property
    def doctor(self) -> Doctor:
        """What is wrong with the installation, and what to do about it."""
        from upcycle_news.api.doctor import Doctor

        return Doctor(self._context)
