"""Render the report: as text for a terminal, and as Markdown for Prefect's pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from textwrap import wrap

from upcycle_news.config.origins import Origin
from upcycle_news.diagnostics.results import CheckResult, Report, State

_TITLES = {
    "settings": "Settings",
    "machine": "Machine",
    "store": "Store",
    "relay": "Relay",
    "dns": "The sender's domain in DNS",
    "leaving": "Leaving the newsletter",
    "prefect": "Prefect",
    "content": "Content",
}
_COLUMN = 9  # the longest state, and a space
_INDENT = 2 + _COLUMN

Paint = Callable[[str, State], str]


def report_lines(report: Report, width: int, paint: Paint) -> Iterator[str]:
    """Yield the report in lines of at most `width` characters; `paint` colours the word of a state.

    DNS records stand alone and are never broken, so that they can be copied.
    """
    for name, results in report.groups:
        yield _TITLES.get(name, name)
        for result in results:
            yield from _result_lines(result, width, paint)
        yield ""
    yield report.summary()


def _result_lines(result: CheckResult, width: int, paint: Paint) -> Iterator[str]:
    first, *rest = _wrapped(result.finding, width)
    word = paint(f"{result.state:<{_COLUMN}}", result.state)
    yield f"  {word}{first}"
    yield from (" " * _INDENT + line for line in rest)
    for label, text in (("means: ", result.impact), ("cure:  ", result.fix)):
        if not text:
            continue
        first, *rest = _wrapped(text, width - len(label))
        yield " " * _INDENT + label + first
        yield from (" " * (_INDENT + len(label)) + line for line in rest)
    for record in result.records:
        yield f"    {record.as_zone_line()}"


def _wrapped(text: str, width: int) -> list[str]:
    available = max(width - _INDENT, 30)
    return wrap(text, available, break_long_words=False, break_on_hyphens=False) or [""]


def markdown(report: Report) -> str:
    """Return the report as a Markdown table for a Prefect artifact, the worst state first."""
    order = (State.PROBLEM, State.WARNING, State.SKIPPED, State.OK)
    results = sorted(report.results, key=lambda result: order.index(result.state))
    table = [
        f"**{report.summary()}**",
        "",
        "| state | found | what it means | cure |",
        "|---|---|---|---|",
    ]
    for result in results:
        fix = " ".join([result.fix, *(f"`{record.as_zone_line()}`" for record in result.records)])
        cells = (str(result.state), result.finding, result.impact, fix)
        table.append("| " + " | ".join(cell.replace("|", "\\|").strip() for cell in cells) + " |")
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
