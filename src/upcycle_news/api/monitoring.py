"""`app.monitoring`: the figures for Prometheus and for people, and stopping this machine's workers."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.services.delivery import drain as draining
from upcycle_news.services.delivery.drain import DrainResult
from upcycle_news.services.monitoring.metrics import CONTENT_TYPE, MetricsExporter
from upcycle_news.services.reports import report_link

__all__ = ["CONTENT_TYPE", "DrainResult", "Monitoring"]


class Monitoring:
    """Counts what goes on, and drains workers. Keep it: its cache makes the next count cheap."""

    def __init__(self, context: AppContext) -> None:
        """Make the group of an open publication; `App.monitoring` is the usual way."""
        self._context = context

    @cached_property
    def _exporter(self) -> MetricsExporter:
        return MetricsExporter(self._context)

    def metrics(self) -> bytes:
        """Return the figures in Prometheus' text format (`CONTENT_TYPE`); no address is in them."""
        return self._exporter.text()

    def write_report(self, file: Path | None = None) -> Path:
        """Write the page of figures over time (default: report.html in the state folder); return where.

        One file that loads nothing, in the publication's language, without addresses. Raises
        `UpcycleError` when it cannot be written, and `StoreError`.
        """
        return report_link.write_report(self._context, file)

    def linked_report(self, token: str) -> str | None:
        """Return the page behind a run's report link; None when it is altered, foreign or has expired."""
        return report_link.linked_report(self._context, token)

    def drain(self, seconds: float = 60.0) -> DrainResult:
        """Ask the workers of this machine to stop, and wait up to `seconds` for their processes.

        They finish the mails in transit; the rest stays queued. Workers elsewhere are left alone.
        """
        return draining.drain(self._context, seconds=seconds)
