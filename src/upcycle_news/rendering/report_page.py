"""The report page: figures over time as one self-contained page, light and dark, without scripts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import jinja2
from markupsafe import Markup

from upcycle_news.i18n.messages import localized, supported_language
from upcycle_news.rendering.charts import Chart, draw

TEMPLATE = "report_page.html"


@dataclass(frozen=True)
class Table:
    """Rows under their columns; the first cell of a row says what the row is about."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Figure:
    """A chart with the sentence that says what it shows, and the table with all of its values.

    Without a chart, or with one that would show nothing, the table stands for itself.
    """

    caption: str
    table: Table
    chart: Chart | None = None

    @cached_property
    def drawings(self) -> tuple[tuple[str, Markup], ...]:
        """The chart for a desk and for a phone, each with its class; none without a chart."""
        if self.chart is None or self.chart.is_empty:
            return ()
        return (
            ("desk", Markup(draw(self.chart))),  # noqa: S704  escaped by `draw`
            ("phone", Markup(draw(self.chart, narrow=True))),  # noqa: S704
        )


@dataclass(frozen=True)
class Section:
    """A part of the page: what there is to say, then the figures.

    A section without figures says why: nothing was measured yet.
    """

    id: str
    title: str
    sentences: tuple[str, ...]
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True)
class ReportPage:
    """All that the page shows, as text in `language`. `totals` are (number, what it counts)."""

    language: str
    title: str
    as_of: str
    totals: tuple[tuple[str, str], ...]
    alerts: tuple[str, ...]
    sections: tuple[Section, ...]


def report_page(page: ReportPage) -> str:
    """Return the page as HTML. It loads nothing, from nowhere."""
    words = {
        "alert": localized("figures-alert"),
        "contents": localized("figures-contents"),
        "table": localized("figures-table"),
    }
    return _template().render(
        page=page,
        language=supported_language(page.language),
        t={name: text.in_language(page.language) for name, text in words.items()},
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE)
