"""Find the token in a mail by which a subscriber unsubscribes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.parser import BytesHeaderParser

from upcycle_news.bounces.parser import addresses_in

_SUBJECT = 1000
"""Characters of a subject that are looked at: a token has 43."""


def unsubscribe_tokens(raw: bytes, address: str) -> Iterator[str]:
    """What may be a token in the subject of a mail to `address`; never fails.

    Anybody may have written it: only its headers are read. Servers and people put words before a
    subject and mail folds it, so a token may begin at every letter.
    """
    headers = BytesHeaderParser().parsebytes(raw)
    to = [str(value) for name in ("to", "delivered-to") for value in headers.get_all(name, [])]
    if not any(found.lower() == address.lower() for text in to for found in addresses_in(text)):
        return
    text = "".join(str(headers.get("subject", "")).split())
    for found in re.finditer(r"(?=([A-Za-z0-9_-]{43}))", text[:_SUBJECT]):
        yield found[1]
