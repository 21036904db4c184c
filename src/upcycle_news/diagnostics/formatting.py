"""The report for people: on a terminal, and as Markdown for Prefect's pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from textwrap import wrap

from upcycle_news.config.origins import Origin
from upcycle_news.diagnostics.results import Line, Report, State

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


def lines(report: Report, width: int, paint: Paint) -> Iterator[str]:
    """The report in lines of at most `width`; `paint` colours the word of a state.

    What is well takes one line. Records stand alone and are never broken, so that they can be
    copied.
    """
    for name, found in report.groups:
        yield _TITLES.get(name, name)
        for line in found:
            yield from _line(line, width, paint)
        yield ""
    yield report.summary()


def _line(line: Line, width: int, paint: Paint) -> Iterator[str]:
    first, *rest = _wrapped(line.found, width)
    word = paint(f"{line.state:<{_COLUMN}}", line.state)
    yield f"  {word}{first}"
    yield from (" " * _INDENT + one for one in rest)
    for mark, text in (("means: ", line.meaning), ("cure:  ", line.cure)):
        if not text:
            continue
        first, *rest = _wrapped(text, width - len(mark))
        yield " " * _INDENT + mark + first
        yield from (" " * (_INDENT + len(mark)) + one for one in rest)
    for record in line.records:
        yield f"    {record.as_zone_line()}"


def _wrapped(text: str, width: int) -> list[str]:
    context = max(width - _INDENT, 30)
    return wrap(text, context, break_long_words=False, break_on_hyphens=False) or [""]


def markdown(report: Report) -> str:
    """The report as a table, the worst first, for an artifact."""
    order = (State.PROBLEM, State.WARNING, State.SKIPPED, State.OK)
    rows = sorted(report.lines, key=lambda line: order.index(line.state))
    table = [
        f"**{report.summary()}**",
        "",
        "| state | found | what it means | cure |",
        "|---|---|---|---|",
    ]
    for line in rows:
        cure = " ".join([line.cure, *(f"`{one.as_zone_line()}`" for one in line.records)])
        cells = (str(line.state), line.found, line.meaning, cure)
        table.append("| " + " | ".join(cell.replace("|", "\\|").strip() for cell in cells) + " |")
    return "\n".join(table)


def settings_lines(origins: list[Origin]) -> Iterator[str]:
    """Every setting with its value and where it came from."""
    for one in origins:
        value = one.value if isinstance(one.value, str) else str(one.value)
        where = one.kind
        if one.where:
            where = one.where if one.kind.endswith(".toml") else f"{one.kind}: {one.where}"
        yield (
            f"{one.key} = {value!r}  ({where})"
            if isinstance(one.value, str)
            else (f"{one.key} = {value}  ({where})")
        )
