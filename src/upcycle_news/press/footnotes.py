"""Footnotes as HTML: plain numbers in a mail, links on a web page."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from html import escape
from typing import Any

from markdown_it.token import Token
from markdown_it.utils import OptionsDict

NOTE_RULES = ("ref", "block_open", "block_close", "open", "close", "anchor")
"""What replaces the rules of the footnote plugin, by their names without the prefix."""


class FootnoteRules:
    """The renderer's part about notes; `note_words` in its environment asks for links.

    In a mail a note's number is no link: anchors lead nowhere in most mail programs.
    """

    def footnote_ref(
        self,
        tokens: Sequence[Token],
        idx: int,
        options: OptionsDict,
        env: MutableMapping[str, Any],
    ) -> str:
        number, again = tokens[idx].meta["id"] + 1, tokens[idx].meta.get("subId", 0)
        if not env["note_words"]:
            return f"<sup>{number}</sup>"
        name = escape(f"{env['note_words'][0]} {number}")
        place = f' id="zu-{number}"' if not again else ""
        return f'<sup{place}><a href="#note-{number}" aria-label="{name}">{number}</a></sup>'

    def footnote_block_open(self, *_: Any) -> str:
        return '<ol class="notes">\n'

    def footnote_block_close(self, *_: Any) -> str:
        return "</ol>\n"

    def footnote_open(
        self,
        tokens: Sequence[Token],
        idx: int,
        options: OptionsDict,
        env: MutableMapping[str, Any],
    ) -> str:
        return f'<li id="note-{tokens[idx].meta["id"] + 1}">' if env["note_words"] else "<li>"

    def footnote_close(self, *_: Any) -> str:
        return "</li>\n"

    def footnote_anchor(
        self,
        tokens: Sequence[Token],
        idx: int,
        options: OptionsDict,
        env: MutableMapping[str, Any],
    ) -> str:
        if not env["note_words"] or tokens[idx].meta.get("subId", 0):
            return ""
        number, name = tokens[idx].meta["id"] + 1, escape(env["note_words"][1])
        return f' <a class="back" href="#zu-{number}" aria-label="{name} {number}">↑</a>'
