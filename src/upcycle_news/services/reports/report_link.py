"""The report page: made, written to a file, and behind a signed, expiring link."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import write_atomically
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.rendering.charts import can_draw
from upcycle_news.rendering.report_page import report_page
from upcycle_news.services.reports.figures import collect_figures
from upcycle_news.services.reports.report_sections import ReportWriter
from upcycle_news.services.subscribers.wave_suppressions import pending_sentence
from upcycle_news.subscribers.link_tokens import is_report_token, report_token
from upcycle_news.text.escaped_markdown import Translator

VALID_FOR = timedelta(days=30)
"""How long a link works. Each run makes its own, so the newest report always has one that does."""


def report_html(context: AppContext) -> str:
    """Return the report page as it is now.

    Raises `StoreError`, and `UpcycleError` where the extra that draws the charts is not installed.
    """
    if not can_draw():
        raise UpcycleError(localized("figures-need-report"))
    settings = context.settings.publication
    writer = ReportWriter(Translator(context.language), settings.zone)
    page = writer.page(
        collect_figures(context), name=settings.name, waiting=pending_sentence(context)
    )
    return report_page(page)


def write_report(context: AppContext, file: Path | None = None) -> Path:
    """Write the report page to `file` (default: report.html in the state folder); return where it is.

    Raises `UpcycleError` when it cannot be written, and `StoreError`.
    """
    target = file or context.settings.state / "report.html"
    write_atomically(target, report_html(context).encode())
    return target


def linked_report(context: AppContext, token: str) -> str | None:
    """Return the page of a report link; None for a token that is altered, foreign or expired.

    None as well where nothing can be drawn: the runs that say the link have the extra, this process has not.
    """
    if not can_draw() or not is_report_token(context.link_signer.keys, token, now=context.clock()):
        return None
    return report_html(context)


def link_sentence(context: AppContext) -> LocalizedText:
    """Return the sentence for a run's report, in Markdown: the link, or without an address the command.

    Where the charts cannot be drawn it says what to install.
    """
    if not can_draw():
        return localized("figures-need-report")
    url = context.settings.publication.public_url
    if not url:
        return localized("figures-link-none")
    expires = context.clock() + VALID_FOR
    day = expires.astimezone(context.settings.publication.zone).date()
    token = report_token(context.link_signer.keys, expires=expires)
    return localized(
        "figures-link",
        url=f"{url}/report/{token}",
        until=Translator(context.language).format_day(day),
    )
