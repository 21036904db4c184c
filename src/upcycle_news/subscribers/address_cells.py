"""Addresses as people and programs write them into a cell: with a name, brackets, ``mailto:``. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

from upcycle_news.models import EmailAddress
from upcycle_news.subscribers.list_words import visible

_BRACKETS = re.compile(r"([^<>]*)<([^<>]*)>")
_PLAIN = re.compile(
    r"[A-Za-z0-9_.+-]+@[A-Za-z0-9.-]+"
)  # as nearly all are written: nothing to take off
_QUOTES = (('"', '"'), ("'", "'"), ("„", "“"), ("“", "”"), ("‚", "‘"), ("‘", "’"))


class AddressCell(NamedTuple):
    """An address, and the name that stands before it (``Anna <anna@example.org>``), if any does."""

    email: EmailAddress
    name: str = ""


def parse_address_cell(text: str) -> AddressCell:
    """Read the one address of a cell; raises `AddressError`, whose sentence does not repeat it."""
    plain, name = bare_address(text), ""
    if "<" in plain and (match := _BRACKETS.fullmatch(plain)):
        name, plain = _unquoted(visible(match[1])), bare_address(match[2])
    return AddressCell(EmailAddress.parse(plain), name)


def bare_address(text: str) -> str:
    """Return the text without invisible characters, quotation marks around it, and ``mailto:``.

    What follows the address of a ``mailto:`` link is left out, and its escapes are undone (RFC 6068).
    """
    if _PLAIN.fullmatch(text):
        return text
    plain = _unquoted(visible(text))
    if plain[:7].lower() == "mailto:":
        plain = unquote(plain[7:].partition("?")[0])
    return plain


def _unquoted(text: str) -> str:
    for opening, closing in _QUOTES:
        if len(text) > 1 and text.startswith(opening) and text.endswith(closing):
            return visible(text[1:-1])
    return text
