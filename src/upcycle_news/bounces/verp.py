"""Envelope senders that name the delivery and are signed: a forged bounce is worth nothing.

``bounces+3k-1-x7…@example.org`` says subscriber, issue number and 65 bits of an HMAC over both, in
letters that survive servers that change upper to lower case.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from upcycle_news.errors import UpcycleError

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_MAC = 13  # characters of five bits each
_LOCAL_LIMIT = 64  # RFC 5321, section 4.5.3.1.1


@dataclass(frozen=True, repr=False)
class BounceAddresses:
    """Makes and reads the envelope senders below `base`, an address such as bounces@example.org."""

    base: str
    key: bytes

    def __post_init__(self) -> None:
        """Refuse a base that leaves no room for what is put behind its +."""
        if len(self.base.rpartition("@")[0]) > 28:
            raise UpcycleError(
                "sender.envelope is too long to carry a signature (sender.verp): use at most 28 "
                "characters before the @"
            )

    def address_for(self, issue: int, subscriber: int) -> str:
        """The envelope sender of one delivery: the issue's number and the subscriber's id."""
        local, _, domain = self.base.rpartition("@")
        named = f"{_base36(subscriber)}-{_base36(issue)}"
        return f"{local}+{named}-{self._mac(named)}@{domain}"

    def read(self, address: str) -> tuple[int, int]:
        """The issue's number and the subscriber's id; raises `UpcycleError` unless it is ours."""
        local, _, domain = self.base.lower().rpartition("@")
        there, _, their_domain = address.strip().strip("<>").lower().rpartition("@")
        start, _, token = there.rpartition("+")
        named, _, mac = token.rpartition("-")
        ours = hmac.compare_digest(mac.encode(), self._mac(named).encode())
        if not ours or (start, their_domain) != (local, domain) or len(there) > _LOCAL_LIMIT:
            raise UpcycleError("this is not a bounce address of ours: it was made elsewhere")
        subscriber, _, issue = named.partition("-")
        return int(issue, 36), int(subscriber, 36)

    def _mac(self, named: str) -> str:
        digest = hmac.new(self.key, f"bounce/{named}".encode(), hashlib.sha256).digest()
        number = int.from_bytes(digest[:9])
        return "".join(_DIGITS[(number >> 5 * place) % 32] for place in range(_MAC))


def _base36(number: int) -> str:
    found = ""
    while number or not found:
        number, digit = divmod(number, 36)
        found = _DIGITS[digit] + found
    return found
