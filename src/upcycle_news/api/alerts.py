"""`app.alerts`: what operators are told of, and the automations in Prefect that tell them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.prefect_api.client import PrefectClient, read_automations
from upcycle_news.storage.alerts import OpenAlert, list_alerts

__all__ = ["Alerts", "AppliedAutomation", "OpenAlert"]


@dataclass(frozen=True)
class AppliedAutomation:
    """An automation that Prefect has now; `is_new` when it had none of this name."""

    name: str
    is_new: bool


class Alerts:
    """Lists the alerts that are open, and applies automations to Prefect."""

    def __init__(self, context: AppContext) -> None:
        """Make the group of an open publication; `App.alerts` is the usual way."""
        self._context = context

    def list(self) -> tuple[OpenAlert, ...]:
        """Return what was told and has not passed: event, subject and time, oldest first."""
        every = list_alerts(self._context.store)  # also what is only remembered as done once
        return tuple(alert for alert in every if alert.event.startswith("upcycle-news."))

    def apply(self, file: Path) -> Iterator[AppliedAutomation]:
        """Create or renew the automations of a file in Prefect, and yield each when it is done.

        May be repeated at any time. Raises `UpcycleError` for a file that holds none and when no
        server is known, and `PrefectApiError`, which is one, when it does not answer or refuses.
        """
        client = PrefectClient.find(self._context.settings.state / "prefect")
        if client is None:
            raise UpcycleError(localized("prefect-unknown"))
        for automation in read_automations(file, client.deployment_id):
            yield AppliedAutomation(automation["name"], client.save_automation(automation))
