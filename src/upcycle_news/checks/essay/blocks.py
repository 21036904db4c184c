"""Headings, tables and code: blocks whose rows, levels or ends are not what they look like."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markdown_it.rules_block.table import escapedSplit
from markdown_it.token import Token

from upcycle_news.checks.essay.parsed import Block
from upcycle_news.checks.essay.registry import EssayInput, essay_check
from upcycle_news.checks.findings import error, warning
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Finding

# What Obsidian and others draw or compute; a mail shows its source.
_DRAWN = frozenset(["dataview", "dataviewjs", "graphviz", "math", "mermaid", "plantuml", "query"])
_MARGIN = re.compile(r"[ \t>]*")


@essay_check
def _heading_order(check_input: EssayInput) -> Iterator[Finding]:
    previous = 0
    for token in check_input.parsed.tokens:
        if token.type == "heading_open":
            level = int(token.tag[1])
            if previous and level > previous + 1:
                yield warning(
                    "heading-order",
                    check_input.at(_line(token)),
                    localized(
                        "heading-order",
                        level=level,
                        previous=previous,
                        better="#" * (previous + 1),
                        written="#" * level,
                    ),
                )
            previous = level


@essay_check
def _code(check_input: EssayInput) -> Iterator[Finding]:
    """Yield program text by indentation, and a fence that takes in the rest of the essay."""
    lines = check_input.parsed.lines
    for token in check_input.parsed.tokens:
        where = check_input.at(_line(token))
        if token.type == "code_block":
            yield warning("code-indented", where, localized("code-indented"))
        elif token.type == "fence" and token.map and not _is_closed(token, lines):
            yield error("code-open", where, localized("code-open", fence=token.markup))
        elif token.type == "fence" and (kind := token.info.strip().lower()) in _DRAWN:
            yield warning("diagram", where, localized("diagram", kind=kind))


def _is_closed(fence: Token, lines: Sequence[str]) -> bool:
    start, end = fence.map or (0, 0)
    last = lines[end - 1] if end - 1 > start else ""
    return _MARGIN.sub("", last, count=1).rstrip().startswith(fence.markup)


@essay_check
def _tables(check_input: EssayInput) -> Iterator[Finding]:
    """Yield rows of a table with cells that are shown nowhere, and lines that became a row."""
    lines = check_input.parsed.lines
    for token in check_input.parsed.tokens:
        if token.type != "table_open" or token.map is None:
            continue
        start, end = token.map
        columns = len(_cells(lines[start]))
        for number in range(start + 2, end):
            where, cells = check_input.at(number + 1), _cells(lines[number])
            if any(cells[columns:]):
                lost = " | ".join(cells[columns:])[:60]
                text = localized("table-cells", count=len(cells), columns=columns, lost=lost)
                yield error("table-cells", where, text)
            elif "|" not in lines[number]:
                yield warning("table-text", where, localized("table-text"))


@essay_check
def _broken_tables(check_input: EssayInput) -> Iterator[Finding]:
    """Yield tables that are none: readers would see a paragraph of pipes (GFM, Tables)."""
    for block in check_input.parsed.blocks:
        if block.kind == "paragraph" and block.typed.count("|") > 1:
            yield from _broken_table(check_input, block)


def _broken_table(check_input: EssayInput, block: Block) -> Iterator[Finding]:
    rows = [(number, typed) for number, _, typed in block.lines() if "|" in typed]
    for above, (number, typed) in zip([None, *rows], rows, strict=False):
        if "-" in typed and not typed.strip(" \t|:-"):
            columns, cells = len(_cells(typed)), len(_cells(above[1])) if above else 0
            text = localized("table-delimiters", columns=columns, cells=cells)
            if not above:
                text = localized("table-no-head")
            elif columns == cells:
                text = _wanted_delimiters(cells)
            yield error("table-broken", check_input.at(number), text)
            return
    begin = [row for row in rows if row[1].lstrip().startswith("|")]
    if len(begin) > 1:
        number, typed = begin[0]
        text = _wanted_delimiters(len(_cells(typed)))
        yield error("table-broken", check_input.at(number), text)


def _wanted_delimiters(columns: int) -> LocalizedText:
    return localized("table-no-delimiters", delimiters=f"|{'---|' * min(columns, 20)}")


def _cells(line: str) -> list[str]:
    """Return the cells of a row, without the margin of a quotation or a list around it."""
    cells = escapedSplit(_MARGIN.sub("", line, count=1).strip())
    if cells and not cells[0].strip():
        cells.pop(0)
    if cells and not cells[-1].strip():
        cells.pop()
    return [cell.strip() for cell in cells]


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 1
