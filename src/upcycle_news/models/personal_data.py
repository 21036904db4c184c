"""Everything that is stored about one subscriber: the answer to a request for access (GDPR, Art. 15)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from upcycle_news.models.bounces import Bounce
from upcycle_news.models.delivery import Delivery, DeliveryState
from upcycle_news.models.digest import RhythmStart
from upcycle_news.models.subscriber import (
    AddressChange,
    Consent,
    Subscriber,
    Suppression,
    Unsubscribe,
)


@dataclass(frozen=True)
class WelcomeDelivery:
    """A step of the welcome that was queued for a subscriber, and what became of it."""

    step: str
    state: DeliveryState
    code: int | None
    reason: str
    at: datetime


@dataclass(frozen=True)
class PersonalData:
    """A subscriber with all rows about them, oldest first.

    `suppression` is that of the address itself, else that of its domain or its hash.
    `preferences_set_at` is when the subscriber chose language, topics or rhythm, `rhythms` since when
    which rhythm holds; without one every issue is sent.
    """

    subscriber: Subscriber
    preferences_set_at: datetime | None
    consents: tuple[Consent, ...]
    unsubscribes: tuple[Unsubscribe, ...]
    suppression: Suppression | None
    bounces: tuple[Bounce, ...]
    deliveries: tuple[Delivery, ...]
    address_changes: tuple[AddressChange, ...] = ()
    welcome: tuple[WelcomeDelivery, ...] = ()
    rhythms: tuple[RhythmStart, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of `subscribers show`; times in ISO 8601, to the second."""
        subscriber = self.subscriber
        return {
            "id": subscriber.id,
            "email": subscriber.email.address,
            "name": subscriber.name,
            "language": subscriber.language,
            "status": subscriber.status.value,
            "topics": list(subscriber.topics),
            "groups": list(subscriber.groups),
            "created_at": _iso(subscriber.created_at),
            "chosen_at": _iso(self.preferences_set_at),
            "rhythms": [
                {"from": one.from_day.isoformat(), "rhythm": one.rhythm.value}
                for one in self.rhythms
            ],
            "consents": [consent.as_dict() for consent in self.consents],
            "address_changes": [_address_change(change) for change in self.address_changes],
            "departures": [
                {"at": _iso(row.at), "way": row.method.value} for row in self.unsubscribes
            ],
            "suppression": None if self.suppression is None else _suppression(self.suppression),
            "bounces": [_bounce(row) for row in self.bounces],
            "deliveries": [
                {
                    "issue": row.issue,
                    "state": row.state.value,
                    "code": row.code,
                    "reason": row.reason,
                    "at": _iso(row.at),
                    "variant": row.variant,
                }
                for row in self.deliveries
            ],
            "welcome": [
                {
                    "step": row.step,
                    "state": row.state.value,
                    "code": row.code,
                    "reason": row.reason,
                    "at": _iso(row.at),
                }
                for row in self.welcome
            ],
        }


def _address_change(change: AddressChange) -> dict[str, Any]:
    return {
        "requested_at": _iso(change.requested_at),
        "mailed_at": _iso(change.mailed_at),
        "confirmed_at": _iso(change.confirmed_at),
        "ended_at": _iso(change.ended_at),
        "new": None if change.new_email is None else change.new_email.address,
        "old": None if change.old_email is None else change.old_email.address,
        "token_hash": change.token_hash,
    }


def _bounce(row: Bounce) -> dict[str, Any]:
    return {
        "id": row.id,
        "issue": row.issue,
        "kind": row.kind,
        "code": row.code,
        "reason": row.reason,
        "at": _iso(row.at),
        "report": None if row.raw is None else row.raw.decode("utf-8", "replace"),
    }


def _suppression(suppression: Suppression) -> dict[str, Any]:
    by = {"@": "domain", "#": "hash"}.get(suppression.key[:1], "address")
    return {
        "by": by,
        "reason": suppression.reason,
        "detail": suppression.detail,
        "at": _iso(suppression.at),
        "source": suppression.source.value,
        "issue": suppression.issue,
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
