"""`app.doctor`: what is wrong with the installation, what that means, and what to do."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from upcycle_news.app.context import AppContext
from upcycle_news.config.origins import Origin, origins
from upcycle_news.diagnostics import runner
from upcycle_news.diagnostics.formatting import report_lines, settings_lines
from upcycle_news.diagnostics.results import CheckResult, Report, State
from upcycle_news.errors import SettingsError
from upcycle_news.models import EmailAddress

# A check for a schedule loads reports and alerts, which nobody needs on the terminal.
if TYPE_CHECKING:
    from upcycle_news.diagnostics.scheduled import Checkup

__all__ = [
    "CheckResult",
    "Checkup",
    "Doctor",
    "Origin",
    "Report",
    "State",
    "report_lines",
    "report_unreadable",
    "settings_lines",
    "unknown_checks",
]


class Doctor:
    """Looks at relay, DNS, unsubscribing, store, machine, Prefect, content and settings."""

    def __init__(self, context: AppContext) -> None:
        """Make the group of an open publication; `App.doctor` is the usual way."""
        self._context = context

    def run(
        self, checks: Collection[str] = (), *, offline: bool = False, read_back: str = ""
    ) -> Report:
        """Run all checks, or the groups and checks named; nothing is sent or changed.

        With `read_back` a test mail goes over the relay to that address, whose mailbox has to be the one in
        `[inbox]`, and is read back from there, for two minutes at the most; raises `AddressError` for what is
        no address. `offline` asks nothing beyond this machine. What is wrong, and a check that fails, is a
        result and never an error; unknown names select nothing (see `unknown_checks`).
        """
        address = EmailAddress.parse(read_back) if read_back else None
        return runner.run_checks(self._context, checks, offline=offline, read_back=address)

    def check_up(self) -> Checkup:
        """Run all checks for a schedule: the run's result, a table, and an event for new problems.

        What was told is remembered until it has passed. No text of the result holds an address.
        """
        from upcycle_news.diagnostics import scheduled

        return scheduled.check_up(self._context)

    def settings(self) -> list[Origin]:
        """Return every setting with its value (secrets masked) and where it came from."""
        return origins(self._context.settings)


def unknown_checks(names: Collection[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which of `names` are no checks, and the names of all groups and checks."""
    known = runner.known_checks()
    return tuple(name for name in names if name not in known), known


def report_unreadable(error: SettingsError) -> Report:
    """Return the report of an installation whose settings cannot be read, so that no app opens."""
    return runner.unreadable(error)
