"""When a sign-up is answered with a mail, and what proves it later. Pure decisions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from upcycle_news.models import SubscriberStatus
from upcycle_news.storage.signups import Situation
from upcycle_news.storage.suppressions import LIFTED_BY_CONSENT


def may_ask(situation: Situation, *, now: datetime, cooldown: timedelta) -> bool:
    """Whether a confirmation mail goes out. The answer on the page never depends on it.

    Not to those who have the newsletter already, not to those who are suppressed for another
    reason than having left or been forgotten, and not twice within `cooldown`, so that nobody can
    fill a stranger's mailbox with our mail.
    """
    if situation.suppressed is not None and situation.suppressed not in LIFTED_BY_CONSENT:
        return False
    if situation.status is SubscriberStatus.CONFIRMED:
        return False
    return situation.asked_at is None or now - situation.asked_at >= cooldown


def token_hash(token: str) -> str:
    """What the store keeps of a confirmation link: proof without being a key."""
    return hashlib.sha256(f"upcycle_news/confirm/{token}".encode()).hexdigest()


def wording_version(language: str, texts: Iterable[str]) -> str:
    """Names the words that a person agreed to: they changed if this did."""
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    return f"{language}-{digest[:12]}"
