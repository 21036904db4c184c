"""Footnotes, ``[^1]`` with ``[^1]: …``, as the plugin of markdown-it reads them; never one in another."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.footnote.index import footnote_def

_INSIDE = "inside_footnote"  # in the environment of a parse


def flat_footnotes_plugin(parser: MarkdownIt) -> None:
    """Add footnotes; a definition within a footnote is text, since the plugin would tear the two apart."""
    parser.use(footnote_plugin)
    parser.block.ruler.at("footnote_def", _definition, {"alt": ["paragraph", "reference"]})


def _definition(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if state.env.get(_INSIDE):
        return False
    state.env[_INSIDE] = True
    try:
        return bool(footnote_def(state, start, end, silent))
    finally:
        state.env[_INSIDE] = False
