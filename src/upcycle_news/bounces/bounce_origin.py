"""Find out which delivery a returned mail is about. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from email.message import Message
from urllib.parse import unquote

from upcycle_news.bounces.mail_parts import fields_of, text_of

_TOKEN = re.compile(r"(?:/unsubscribe/|[?&]subject=)([A-Za-z0-9_-]{43})(?![A-Za-z0-9_-])")
_ARRIVAL = (
    "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to",
    "apparently-to", "to",
)  # fmt: skip


def returned_to(message: Message) -> Iterator[str]:
    """Yield the addresses the report was delivered to, then the envelope senders of the mail inside."""
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
    """Yield what looks like an address, within the lengths of RFC 5321, which keeps the time linear."""
    for match in re.finditer(r"[^\s<>,;:\"()@]{1,64}@[^\s<>,;\"()]{1,255}", text):
        yield match[0]


def links_in(message: Message) -> Iterator[str]:
    """Yield the tokens of our unsubscribe links, by web or by mail, in the mail that is attached."""
    for part in message.walk():
        for value in part.get_all("list-unsubscribe", []):
            for match in _TOKEN.finditer("".join(str(value).split())):
                yield match[1]
        # Its headers as a text, or its text where a provider has removed the headers.
        if part is not message and part.get_content_maintype() == "text":
            for match in _TOKEN.finditer(re.sub(r"\r?\n[ \t]+", "", text_of(part))):
                yield match[1]


def spellings(address: str) -> frozenset[str]:
    """Return the spellings an address may come back in: letter case, IDNA, xtext (RFC 3461)."""
    addresses = set()
    for variant in (address, re.sub(r"\+([0-9A-F]{2})", r"%\1", address)):
        local, _, domain = unquote(variant).strip("<> \t\"'").casefold().rpartition("@")
        domain = domain.rstrip(".")
        with suppress(UnicodeError):
            domain = domain.encode("idna").decode("ascii")
        addresses.add(f"{local.strip(chr(34))}@{domain}")
    return frozenset(addresses)
