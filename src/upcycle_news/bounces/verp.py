"""Signed envelope senders that identify the delivery (VERP): ``bounces+3k-1-x7…@example.org``.

What stands after the + is a delivery key (`delivery_keys`).
"""

from __future__ import annotations

from dataclasses import dataclass

from upcycle_news.bounces.delivery_keys import DeliveryKeys
from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized

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
        return f"{local}+{DeliveryKeys(self.key).key_for(issue, subscriber)}@{domain}"

    def read(self, address: str) -> tuple[int, int]:
        """Return the issue's number and the subscriber's id; raises `UpcycleError` if not signed by us."""
        local, _, domain = self.base.lower().rpartition("@")
        tagged, _, its_domain = address.strip().strip("<>").lower().rpartition("@")
        its_local, _, token = tagged.rpartition("+")
        if (its_local, its_domain) != (local, domain) or len(tagged) > _LOCAL_LIMIT:
            raise UpcycleError(localized("bounce-address-foreign"))
        try:
            return DeliveryKeys(self.key).read(token)
        except UpcycleError:
            raise UpcycleError(localized("bounce-address-foreign")) from None
