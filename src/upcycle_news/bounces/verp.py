"""Signed envelope senders that identify the delivery (VERP): a forged bounce has no effect.

``bounces+3k-1-x7…@example.org`` holds subscriber, issue number and 65 bits of an HMAC over both, in
letters that survive servers that change upper to lower case.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_MAC = 13  # characters of five bits each
_LOCAL_LIMIT = 64  # RFC 5321, section 4.5.3.1.1


@dataclass(frozen=True, repr=False)
class BounceAddresses:
    """Makes and parses the envelope senders below `base`, an address such as bounces@example.org."""

    base: str
    key: bytes

    def __post_init__(self) -> None:
        """Refuse a base that is too long for what is added after its +."""
        if len(self.base.rpartition("@")[0]) > 28:
            raise UpcycleError(localized("envelope-too-long"))

    def address_for(self, issue: int, subscriber: int) -> str:
        """Return the envelope sender of one delivery, from the issue's number and the subscriber's id."""
        local, _, domain = self.base.rpartition("@")
        delivery = f"{_base36(subscriber)}-{_base36(issue)}"
        return f"{local}+{delivery}-{self._mac(delivery)}@{domain}"

    def read(self, address: str) -> tuple[int, int]:
        """Return the issue's number and the subscriber's id; raises `UpcycleError` if not signed by us."""
        local, _, domain = self.base.lower().rpartition("@")
        tagged, _, its_domain = address.strip().strip("<>").lower().rpartition("@")
        its_local, _, token = tagged.rpartition("+")
        delivery, _, mac = token.rpartition("-")
        valid = hmac.compare_digest(mac.encode(), self._mac(delivery).encode())
        if not valid or (its_local, its_domain) != (local, domain) or len(tagged) > _LOCAL_LIMIT:
            raise UpcycleError(localized("bounce-address-foreign"))
        subscriber, _, issue = delivery.partition("-")
        return int(issue, 36), int(subscriber, 36)

    def _mac(self, delivery: str) -> str:
        digest = hmac.new(self.key, f"bounce/{delivery}".encode(), hashlib.sha256).digest()
        number = int.from_bytes(digest[:9])
        return "".join(_DIGITS[(number >> 5 * place) % 32] for place in range(_MAC))


def _base36(number: int) -> str:
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits
