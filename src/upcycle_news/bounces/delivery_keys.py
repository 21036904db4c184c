"""Signed names of deliveries: what our mail carries and a report gives back, so that a forged one has no effect.

``3k-1-x7…`` holds subscriber, issue number and 65 bits of an HMAC over both, in letters that survive
servers that change upper to lower case, and that every provider takes in a tag.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_MAC = 13  # characters of five bits each
_LIMIT = 64


@dataclass(frozen=True, repr=False)
class DeliveryKeys:
    """Makes and parses delivery keys with the publication's secret `key`."""

    key: bytes

    def key_for(self, issue: int, subscriber: int) -> str:
        """Return the key of one delivery, from the issue's number (0: none) and the subscriber's id."""
        delivery = f"{_base36(subscriber)}-{_base36(issue)}"
        return f"{delivery}-{self._mac(delivery)}"

    def read(self, text: str) -> tuple[int, int]:
        """Return the issue's number and the subscriber's id; raises `UpcycleError` if not signed by us."""
        delivery, _, mac = text.strip().lower().rpartition("-")
        valid = hmac.compare_digest(mac.encode(), self._mac(delivery).encode())
        if not valid or len(text) > _LIMIT:
            raise UpcycleError(localized("delivery-key-foreign"))
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
