"""Alignment of the columns of a table, as classes: a page's policy forbids style attributes."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore


def table_alignment_plugin(parser: MarkdownIt) -> None:
    """Give cells the class ``right`` or ``center`` in place of markdown-it's ``style``."""
    parser.core.ruler.after("block", "table_alignment", _write_classes)


def _write_classes(state: StateCore) -> None:
    for token in state.tokens:
        if token.type in ("th_open", "td_open"):
            side = str(token.attrs.pop("style", "")).removeprefix("text-align:")
            if side in ("right", "center"):
                token.attrSet("class", side)
