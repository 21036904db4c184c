"""Render the report: as text for a terminal, and as Markdown for Prefect's pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from textwrap import wrap

from upcycle_news.config.origins import Origin
from upcycle_news.diagnostics.results import CheckResult, Report, State
from upcycle_news.i18n.messages import localized

_TITLES = {
    "settings": localized("doctor-group-settings"),
    "machine": localized("doctor-group-machine"),
    "store": localized("doctor-group-store"),
    "relay": localized("doctor-group-relay"),
    "dns": localized("doctor-group-dns"),
    "reports": localized("doctor-group-reports"),
    "leaving": localized("doctor-group-leaving"),
    "prefect": localized("doctor-group-prefect"),
    "webhooks": localized("doctor-group-webhooks"),
    "content": localized("doctor-group-content"),
}
_STATES = {
    State.OK: localized("doctor-state-ok"),
    State.WARNING: localized("doctor-state-warning"),
    State.PROBLEM: localized("doctor-state-problem"),
    State.SKIPPED: localized("doctor-state-skipped"),
}
_COLUMN = 9  # the longest state in any language, and a space
_INDENT = 2 + _COLUMN
_LABEL = 7  # "means: "

Paint = Callable[[str, State], str]


def report_lines(report: Report, width: int, paint: Paint, language: str = "en") -> Iterator[str]:
    """Yield the report in lines of at most `width` characters; `paint` colours the word of a state.

    DNS records stand alone and are never broken, so that they can be copied.
    """
    for name, results in report.groups:
        yield _TITLES[name].in_language(language)
        for result in results:
            yield from _result_lines(result, width, paint, language)
        yield ""
    yield report.summary().in_language(language)


def _result_lines(result: CheckResult, width: int, paint: Paint, language: str) -> Iterator[str]:
    first, *rest = _wrapped(result.finding.in_language(language), width)
    word = _STATES[result.state].in_language(language)
    yield f"  {paint(f'{word:<{_COLUMN}}', result.state)}{first}"
    yield from (" " * _INDENT + line for line in rest)
    labels = (localized("doctor-means"), localized("doctor-cure"))
    for label_text, text in zip(labels, (result.impact, result.fix), strict=True):
        if text is None:
            continue
        label = f"{label_text.in_language(language)}: ".ljust(_LABEL)
        first, *rest = _wrapped(text.in_language(language), width - len(label))
        yield " " * _INDENT + label + first
        yield from (" " * (_INDENT + len(label)) + line for line in rest)
    for record in result.records:
        yield f"    {record.as_zone_line()}"


def _wrapped(text: str, width: int) -> list[str]:
    available = max(width - _INDENT, 30)
    return wrap(text, available, break_long_words=False, break_on_hyphens=False) or [""]


def markdown(report: Report, language: str = "en") -> str:
    """Return the report as a Markdown table for a Prefect artifact, the worst state first."""
    order = (State.PROBLEM, State.WARNING, State.SKIPPED, State.OK)
    results = sorted(report.results, key=lambda result: order.index(result.state))
    table = [
        f"**{report.summary().in_language(language)}**",
        "",
        localized("doctor-table-head").in_language(language),
        "|---|---|---|---|",
    ]
    for result in results:
        texts = (_STATES[result.state], result.finding, result.impact, result.fix)
        state, finding, impact, fix = (text.in_language(language) if text else "" for text in texts)
        fix = " ".join([fix, *(f"`{record.as_zone_line()}`" for record in result.records)])
        cells = (cell.replace("|", "\\|").strip() for cell in (state, finding, impact, fix))
        table.append("| " + " | ".join(cells) + " |")
    return "\n".join(table)


def settings_lines(origins: list[Origin]) -> Iterator[str]:
    """Yield a line for each setting with its value and where the value came from."""
    for origin in origins:
        source = origin.kind
        if origin.where:
            is_file = origin.kind.endswith(".toml")
            source = origin.where if is_file else f"{origin.kind}: {origin.where}"
        value = repr(origin.value) if isinstance(origin.value, str) else str(origin.value)
        yield f"{origin.key} = {value}  ({source})"
