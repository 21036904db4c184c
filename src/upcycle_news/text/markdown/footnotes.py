"""Footnotes, ``[^1]`` with ``[^1]: …``, as the plugin of markdown-it reads them; none within another."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin


def flat_footnotes_plugin(parser: MarkdownIt) -> None:
    """Add footnotes. One that is defined within another follows it: the plugin would tear them apart."""
    parser.use(footnote_plugin)
    parser.core.ruler.after("block", "flat_footnotes", _flatten)


def _flatten(state: StateCore) -> None:
    shown: list[Token] = []
    inner: list[Token] = []  # footnotes that were defined within the one that is open
    open_notes: list[list[Token]] = []
    for token in state.tokens:
        if token.type == "footnote_reference_open":
            open_notes.append([])
        (open_notes[-1] if open_notes else shown).append(token)
        if token.type == "footnote_reference_close":
            note = open_notes.pop()
            if open_notes:
                inner += note
            else:
                shown += [*note, *inner]
                inner = []
    state.tokens[:] = shown
