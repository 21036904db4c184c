"""Call-outs, as Obsidian and GitHub write them: ``> [!note] Title``."""

from __future__ import annotations

import re
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_MARKER = re.compile(r"\[!([A-Za-z][\w-]*)\][+-]?[ \t]*([^\n]*)(?:\n|$)")

_TITLES = {
    "de": {
        "note": "Hinweis", "info": "Info", "tip": "Tipp", "hint": "Tipp", "important": "Wichtig",
        "warning": "Achtung", "caution": "Vorsicht", "attention": "Achtung", "danger": "Vorsicht",
        "question": "Frage", "help": "Hilfe", "faq": "Fragen", "example": "Beispiel", "quote": "Zitat",
        "cite": "Zitat", "abstract": "Kurz gesagt", "summary": "Kurz gesagt", "tldr": "Kurz gesagt",
        "todo": "Zu tun", "success": "Geschafft", "check": "Geschafft", "done": "Geschafft",
    },
}  # fmt: skip


def callout_plugin(parser: MarkdownIt, *, language: str) -> None:
    """Read a call-out as a quotation block of the class ``callout`` whose first paragraph is its title.

    Without a title of its own it is called after its kind, in `language`.
    """
    titles = _TITLES.get(language, {})

    def find_callouts(state: StateCore) -> None:
        position = 0
        while position + 2 < len(state.tokens):
            opening, _, inline = state.tokens[position : position + 3]
            inside = opening.type == "blockquote_open" and inline.type == "inline"
            if inside and (match := _MARKER.match(inline.content)):
                title = match[2].strip() or titles.get(match[1].lower(), match[1].capitalize())
                _begin(state.tokens, position, title, inline.content[match.end() :])
            position += 1

    parser.core.ruler.after("block", "callouts", find_callouts)
    parser.core.ruler.after("inline", "callout_titles", _set_titles)


def _begin(tokens: list[Token], position: int, title: str, rest: str) -> None:
    """Turn the blockquote at a position into a call-out: its title, then the rest of the paragraph."""
    tokens[position].attrSet("class", "callout")
    opening, inline, closing = tokens[position + 1 : position + 4]
    opening.attrSet("class", "callout-title")
    inline.content = title
    if not rest.strip():
        return
    line = (inline.map or [0])[0]
    inline.map = opening.map = [line, line + 1]
    body = [
        Token("paragraph_open", "p", 1),
        Token("inline", "", 0),
        Token("paragraph_close", "p", -1),
    ]
    for token, model in zip(body, (opening, inline, closing), strict=True):
        token.block, token.level = True, model.level
    body[0].map = body[1].map = [line + 1, line + 1 + rest.count("\n") + 1]
    body[1].content, body[1].children = rest, []
    tokens[position + 4 : position + 4] = body


def _set_titles(state: StateCore) -> None:
    for opening, inline in pairwise(state.tokens):
        if opening.attrs.get("class") == "callout-title" and inline.children is not None:
            start, end = Token("strong_open", "strong", 1), Token("strong_close", "strong", -1)
            start.markup = end.markup = "**"
            inline.children = [start, *inline.children, end]
