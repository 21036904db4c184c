"""Shortcodes that a site left in a post's text, such as ``[gallery ids="1,2"]`` (WordPress Shortcode API).

In a feed they should be what they stand for; those that are still there belong to nothing that a
mail could show. A word in brackets, such as ``[sic]``, is none: it has neither attributes nor an end.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

# Those that often stand alone, without an attribute.
_BARE = (
    "gallery|playlist|contact-form-7|contact-form|wpforms|ninja_form|mailpoet_form|newsletter_form|toc"
    "|embed|caption|wp_caption|audio|video|products|woocommerce_\\w+|vc_\\w+|et_pb_\\w+|su_\\w+"
)
# WordPress sets the quotation marks of attributes typographically where it does not know the code.
_VALUE = r"(?:[\"'“”„‟″′‘’»«][^\]]*?[\"'“”„‟″′‘’»«]|[^\s\]\"'“”„]+)"
_SHORTCODE = re.compile(
    rf"\[(?P<end>/?)(?P<name>[A-Za-z][\w-]*)(?P<attributes>(?:\s+[\w-]+\s*=\s*{_VALUE})*)\s*/?\]"
)
_IS_BARE = re.compile(_BARE)


def shortcode_names(text: str) -> frozenset[str]:
    """Return the names that are shortcodes in a text: with attributes, with an end, or well known."""
    matches = list(_SHORTCODE.finditer(text))
    closed = {match["name"] for match in matches if match["end"]}
    return frozenset(
        match["name"]
        for match in matches
        if match["attributes"]
        or _IS_BARE.fullmatch(match["name"])
        or (match["name"] in closed and not match["end"])
    )


def find_shortcodes(text: str, names: Collection[str]) -> Iterator[tuple[int, int]]:
    """Yield where each shortcode of these names begins and ends; what two enclose is text."""
    for match in _SHORTCODE.finditer(text):
        if match["name"] in names:
            yield match.span()
