"""Find the token in a mail by which a subscriber unsubscribes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.parser import BytesHeaderParser

from upcycle_news.bounces.bounce_origin import addresses_in
from upcycle_news.bounces.mail_parts import decode_header_text

_ARRIVAL = ("to", "cc", "delivered-to", "x-original-to", "envelope-to", "x-delivered-to")
_SUBJECT = 1000
"""Characters of a subject that are looked at: a token has 43."""


def unsubscribe_tokens(raw: bytes, address: str) -> Iterator[str]:
    """Yield possible tokens in the subject of a mail to `address`; never fails.

    Anybody may have written it: only its headers are read. Servers and people put words before a
    subject and mail folds and encodes it (RFC 2047), so a token may begin at every letter.
    """
    headers = BytesHeaderParser().parsebytes(raw)
    to = [str(value) for name in _ARRIVAL for value in headers.get_all(name, [])]
    if not any(other.lower() == address.lower() for text in to for other in addresses_in(text)):
        return
    text = "".join(decode_header_text(str(headers.get("subject", ""))[: 4 * _SUBJECT]).split())
    for match in re.finditer(r"(?=([A-Za-z0-9_-]{43}))", text[:_SUBJECT]):
        yield match[1]
