"""The title and the byline at the beginning of a body, which the head of the mail prints already."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from upcycle_news.text.bylines import leading_byline_author
from upcycle_news.text.typography import one_line

TITLE, AUTHOR = "title", "author"
"""Names in the environment of a parse: what stands in the front matter."""

_MARKS = re.compile(r"[*_`\\\"'‚‘’„“”«»‹›]|^#+ ")
_PICTURE = re.compile(r"!\[[^\[\]\n]*\]\([^()\n]*\)")
_FINAL = " .!:"
_NAME_OF_AUTHOR = re.compile(
    r"(?:von|text|autor|autorin|by|(?:ein )?(?:gast)?(?:beitrag|essay|text|artikel) von)(?::| ) ?(.+)"
)


def own_title_plugin(parser: MarkdownIt) -> None:
    """Drop a first heading or line that repeats the title, and a byline that repeats the author."""
    parser.core.ruler.after("block", "own_title", _drop_title)


def _drop_title(state: StateCore) -> None:
    title, author = (_key(str(state.env.get(name, ""))) for name in (TITLE, AUTHOR))
    above = 3 if _begins_with_picture(state.tokens) else 0  # a picture above the title stays
    tokens = state.tokens[above:]
    has_title = bool(title) and _drop_first_line(tokens, title, author, is_title=True)
    if author and (has_title or not above):
        _drop_first_line(tokens, title, author, is_title=False, below_title=has_title)
    state.tokens[above:] = tokens


def _begins_with_picture(tokens: Sequence[Token]) -> bool:
    return (
        len(tokens) > 3
        and tokens[0].type == "paragraph_open"
        and bool(_PICTURE.fullmatch(tokens[1].content))
    )


def _drop_first_line(
    tokens: list[Token], title: str, author: str, *, is_title: bool, below_title: bool = False
) -> bool:
    """Drop the first line of the first block where it is the title, or the byline; return whether it was."""
    if len(tokens) <= 3 or tokens[0].type not in ("heading_open", "paragraph_open"):
        return False
    opening, inline = tokens[:2]
    line, _, rest = inline.content.partition("\n")
    if is_title:
        final = _FINAL if opening.type == "heading_open" else ""
        repeats = _key(line).rstrip(final) == title.rstrip(final) and (
            not rest or _is_byline(rest.partition("\n")[0], author)
        )
    else:
        repeats = below_title or opening.type == "paragraph_open"
        repeats = repeats and _is_byline(line, author)
        repeats = repeats and (not rest or rest[:1].isupper() or not rest[:1].isalpha())
    if not repeats:
        return False
    if not rest:
        del tokens[:3]
        below = tokens[0]
        if (
            is_title
            and below.type == "hr"
            and opening.map
            and below.map == [opening.map[1], opening.map[1] + 1]
        ):
            del tokens[0]  # the line below a title that ends with a question mark
        return True
    inline.content = rest.lstrip()
    if opening.map:
        opening.map = inline.map = [opening.map[0] + 1, opening.map[1]]
    return True


def _is_byline(line: str, author: str) -> bool:
    """Return whether a line says nothing but that the author wrote it."""
    if not author:
        return False
    key = _key(line)
    if key == author:
        return True
    match = _NAME_OF_AUTHOR.fullmatch(key)
    named = leading_byline_author(_MARKS.sub("", line).strip()) or ""
    return bool(match and match[1].strip(" .") == author) or _key(named) == author


def _key(text: str) -> str:
    """Return a text as it is compared: without marks, case and white space."""
    return " ".join(_MARKS.sub("", one_line(text)).casefold().split())
