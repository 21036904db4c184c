"""Pure decisions of the double opt-in: when a confirmation mail is sent, and what proves consent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from upcycle_news.models import SubscriberStatus
from upcycle_news.storage.signups import AddressStatus
from upcycle_news.storage.suppressions import LIFTED_BY_CONSENT


def may_send_confirmation(situation: AddressStatus, *, now: datetime, cooldown: timedelta) -> bool:
    """Return True if a confirmation mail is sent. The response of the page never depends on it.

    Not to confirmed subscribers, not to addresses suppressed for another reason than unsubscribing
    or erasure, and not twice within `cooldown`, so that nobody can flood a stranger's mailbox.
    """
    if situation.suppressed is not None and situation.suppressed not in LIFTED_BY_CONSENT:
        return False
    if situation.status is SubscriberStatus.CONFIRMED:
        return False
    return situation.asked_at is None or now - situation.asked_at >= cooldown


def token_hash(token: str) -> str:
    """Return the hash of a confirmation token that the store keeps: it proves a link, and opens none."""
    return hashlib.sha256(f"upcycle_news/confirm/{token}".encode()).hexdigest()


def consent_version(language: str, texts: Iterable[str]) -> str:
    """Return an identifier of the consent texts; it changes whenever one of them does."""
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    return f"{language}-{digest[:12]}"
