"""Redact whatever may identify a person or grant access: the second line of defence of the logs.

The first is that code passes ids and not addresses. This one catches what libraries, servers and
mistakes put into messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from enum import Enum
from pathlib import PurePath
from typing import Any

GAP = "…"
_SHORTEST_SECRET = 4  # a shorter one would match parts of ordinary words
_LONGEST = 20_000  # characters of one text

# Every word around an @ (also as URL-encoded, quoted-printable and full-width), with the quotation
# marks and spaces that RFC 5322 (section 3.4.1) allows there.
_ADDRESS = re.compile(
    r"""(?:"[^"\r\n]*"|(?<![^\s<>"])[^\s<>"]*)[ \t]*(?:[@＠﹫]|%40|(?<=[^\W\d_])=40(?=[A-Za-z]))[ \t]*[^\s<>"]*""",
    re.IGNORECASE,
)
_PERSONAL_PATH = re.compile(
    r"/(confirm|unsubscribe|preferences|address|preview|report)/[^\s\"'<>]+"
)
# Of signed links, and of the HTTP API (`ucn_`, services/api_tokens).
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9_-])(?:(?:ucn_)?[A-Za-z0-9_-]{43}|[A-Za-z0-9_-]{51})(?![A-Za-z0-9_-])"
)
_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*", re.DOTALL)
_LOGIN = re.compile(r"(?i)\b((?:proxy-)?authorization|cookie|password|secret)(\s*[:=]\s*)\S.*")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` with … for addresses, signed links and tokens, logins, keys and `secrets`."""
    text = text[:_LONGEST]
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, GAP)
    text = _KEY.sub(GAP, text)
    text = _LOGIN.sub(rf"\1\2{GAP}", text)
    text = _PERSONAL_PATH.sub(rf"/\1/{GAP}", text)
    # Repeated: removing one address may join the halves of another.
    while (shorter := _ADDRESS.sub(GAP, text)) != text:
        text = shorter
    return _TOKEN.sub(GAP, text)


def redact_value(value: Any, secrets: Iterable[str] = ()) -> Any:
    """Return a redacted value of an event; what is not plain data becomes a string."""
    if value is None or isinstance(value, bool | int | float):
        return int(value) if isinstance(value, Enum) else value
    if isinstance(value, Mapping):
        return {
            redact(str(key), secrets): redact_value(inner, secrets) for key, inner in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_value(inner, secrets) for inner in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, str | Enum | PurePath):
        return redact(str(value), secrets)
    return redact(str(value), secrets)
