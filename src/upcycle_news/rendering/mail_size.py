"""The size of a mail's HTML part, and how large it may be."""

from __future__ import annotations

import quopri

WARN_HTML_BYTES = 80_000
"""Bytes of the encoded HTML part above which a check warns and `auto` shows only the opening."""

MAX_HTML_BYTES = 100_000
"""Bytes above which Gmail clips the mail, and with it the imprint and the links."""


def encoded_size(html: str) -> int:
    """Return the bytes of the HTML part as it is sent: UTF-8 in quoted-printable."""
    return len(quopri.encodestring(html.encode()))
