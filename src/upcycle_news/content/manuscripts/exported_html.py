"""Turns what Word and Google Docs write into HTML into what HTML has for it: titles, lists, no comments."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from upcycle_news.content.manuscripts.document import Losses
from upcycle_news.content.manuscripts.notes import remove

_LEVEL = re.compile(r"(?:^|\s)lst-(kix_\w+)-(\d)(?:\s|$)")
_ROLES = {"title": "title", "MsoTitle": "title", "MsoCaption": "caption", "caption": "caption"}
_QUOTES = ("MsoQuote", "MsoIntenseQuote")


def tidy_exported(root: Any, losses: Losses) -> None:
    """Change a page in place; comments are left out and counted."""
    _drop_comments(root, losses)
    _name_roles(root)
    _nest_lists(root)
    for link in list(root.iter("a")):  # what leads to a heading, for those who copy addresses
        is_mark = "".join(link.itertext()).strip() in ("#", "¶", "§", "🔗")
        if is_mark and (link.get("href") or "").startswith("#"):
            remove(link)


def _drop_comments(root: Any, losses: Losses) -> None:
    """Take out the comments at the end of a page and what refers to them."""
    comments = [
        element
        for element in root.iter("div")
        if re.search(r"mso-element:\s*comment(?!-)", element.get("style") or "")
    ]
    for link in list(root.iter("a")):
        if re.fullmatch(r"#_msoanchor_\d+|#cmnt_ref\d+", link.get("href") or ""):
            block = _block_around(link)
            if not any(comment in set(block.iterancestors()) | {block} for comment in comments):
                comments.append(block)
    references = [
        link
        for link in root.iter("a")
        if re.fullmatch(r"#_msocom_\d+|#cmnt\d+", link.get("href") or "")
    ]
    losses.count("comments", len(comments))
    for element in [*comments, *references]:
        if element.getparent() is not None:
            remove(element)


def _block_around(link: Any) -> Any:
    """Return the ``div`` that a comment has for itself, else its paragraph."""
    paragraph = next(link.iterancestors("p", "div", "li"), link)
    box = paragraph.getparent()
    is_own = box is not None and box.tag == "div" and box[0] is paragraph
    others = [other for other in box.iter("a") if other is not link] if is_own else [link]
    return paragraph if any((other.get("href") or "").startswith("#") for other in others) else box


def _name_roles(root: Any) -> None:
    """Name the paragraphs that are a title or a caption, and put quotations into ``blockquote``."""
    for paragraph in list(root.iter("p")):
        names = (paragraph.get("class") or "").split()
        role = next((_ROLES[name] for name in names if name in _ROLES), "")
        if role:
            paragraph.set("class", role)
        elif any(name.startswith(_QUOTES) for name in names):
            paragraph.tag = "blockquote"


def _nest_lists(root: Any) -> None:
    """Put Google Docs' lists into one another: there each level, and what follows it, is a list alone."""
    for element in list(root.iter("ul", "ol")):
        match = _LEVEL.search(element.get("class") or "")
        above = element.getprevious()
        above_match = _LEVEL.search(above.get("class") or "") if above is not None else None
        if match is None or above_match is None or (above.tail or "").strip() or not len(above):
            continue
        level, holder, depth = int(match[2]), above, int(above_match[2])
        if level < depth or (match[1] != above_match[1] and level == depth):
            continue
        while depth < level and len(holder):
            below = [child for child in holder[-1] if child.tag in ("ul", "ol")]
            if not below:
                break
            holder, depth = below[-1], depth + 1
        if depth == level:
            if holder.tag != element.tag:
                continue
            _number(element)
            holder.extend(list(element))
            remove(element)
        else:
            tail, element.tail = element.tail, None
            above.tail = (above.tail or "") + (tail or "")
            holder[-1].append(element)


def _number(element: Any) -> None:
    """Write the first number of a list into its first item, which moves to another list."""
    if element.tag == "ol" and element.get("start") and len(element):
        first = next((child for child in element if child.tag == "li"), etree.Element("li"))
        first.set("value", element.get("start"))
