"""Whose delivery a mail that came back is about. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from email.message import Message
from urllib.parse import unquote

from upcycle_news.postroom.mail_parts import fields_of, text_of

_TOKEN = re.compile(r"(?:/unsubscribe/|[?&]subject=)([A-Za-z0-9_-]{43})(?![A-Za-z0-9_-])")
_ARRIVAL = (
    "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to",
    "apparently-to", "to",
)  # fmt: skip


def returned_to(message: Message) -> Iterator[str]:
    """Where the report was delivered, then what the mail inside says it was sent from."""
    for name in _ARRIVAL:
        for value in message.get_all(name, []):
            yield from addresses_in(str(value))
    for part in message.walk():
        if part is message:
            continue
        if part.get_content_type() == "message/feedback-report":
            yield from addresses_in(str(fields_of(part).get("original-mail-from", "")))
        for value in part.get_all("return-path", []):
            yield from addresses_in(str(value))


def addresses_in(text: str) -> Iterator[str]:
    """What looks like an address, at most as long as RFC 5321 lets one be: the time is linear."""
    for found in re.finditer(r"[^\s<>,;:\"()@]{1,64}@[^\s<>,;\"()]{1,255}", text):
        yield found[0]


def links_in(message: Message) -> Iterator[str]:
    """The tokens of our links to leave, by web or by mail, in the mail that is brought along."""
    for part in message.walk():
        for value in part.get_all("list-unsubscribe", []):
            for found in _TOKEN.finditer("".join(str(value).split())):
                yield found[1]
        # Its headers as a text, or its text where a provider has taken the headers out.
        if part is not message and part.get_content_maintype() == "text":
            for found in _TOKEN.finditer(re.sub(r"\r?\n[ \t]+", "", text_of(part))):
                yield found[1]


def spellings(address: str) -> frozenset[str]:
    """The spellings under which an address may come back: letter case, IDNA, xtext (RFC 3461)."""
    found = set()
    for one in (address, re.sub(r"\+([0-9A-F]{2})", r"%\1", address)):
        local, _, domain = unquote(one).strip("<> \t\"'").casefold().rpartition("@")
        domain = domain.rstrip(".")
        with suppress(UnicodeError):
            domain = domain.encode("idna").decode("ascii")
        found.add(f"{local.strip(chr(34))}@{domain}")
    return frozenset(found)
