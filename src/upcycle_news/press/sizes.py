"""How large the HTML part of a mail is on its way, and how large it may be."""

from __future__ import annotations

import quopri

LARGE = 80_000
"""Bytes of the encoded HTML part from which we warn, and `auto` shows an essay's opening only."""

TOO_LARGE = 100_000
"""Bytes from which Gmail would cut the mail off, and with it the imprint and the links."""


def encoded_size(html: str) -> int:
    """Bytes of the HTML part as it travels: quoted-printable, UTF-8."""
    return len(quopri.encodestring(html.encode()))
