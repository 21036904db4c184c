"""Pure decisions of the double opt-in: when a confirmation mail is sent, and what proves consent."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from upcycle_news.models import (
    EmailAddress,
    Rate,
    SubscriberStatus,
    Suppression,
    SuppressionSource,
)
from upcycle_news.storage.address_changes import ChangeRequest
from upcycle_news.storage.signups import AddressStatus
from upcycle_news.storage.suppressions import LIFTED_BY_CONSENT

# Whose mailboxes ignore dots in the local part, under which domains (Gmail's help, "Dots don't matter").
_DOTS_IGNORED = {"gmail.com": "gmail.com", "googlemail.com": "gmail.com"}
# They speak of a mailbox; whatever else suppresses an address speaks of the person.
_ABOUT_MAILBOX = (SuppressionSource.BOUNCE, SuppressionSource.SMTP)


def may_send_confirmation(
    situation: AddressStatus, *, now: datetime, cooldown: timedelta, per_mailbox: int
) -> bool:
    """Return True if a confirmation mail is sent. The response of the page never depends on it.

    Not to confirmed subscribers, not to addresses suppressed for another reason than unsubscribing,
    erasure or moving, not twice within `cooldown`, and not to more than `per_mailbox` addresses of
    one mailbox in that time, so that nobody can flood a stranger's mailbox.
    """
    if _is_suppressed(situation) or situation.status is SubscriberStatus.CONFIRMED:
        return False
    return _may_ask(situation, now, cooldown, per_mailbox)


def may_send_change(
    request: ChangeRequest, *, now: datetime, cooldown: timedelta, per_mailbox: int
) -> bool:
    """Return True if the new address of a subscriber is asked to confirm; the page never shows it.

    The rules of `may_send_confirmation` hold, and those of `may_change_address`.
    """
    return may_change_address(request) and _may_ask(request.new, now, cooldown, per_mailbox)


def may_change_address(request: ChangeRequest) -> bool:
    """Return True if a subscriber may have the new address.

    Not one that is suppressed, and not one that another subscriber has or left with: coming back with
    that one is a sign-up. Not while the subscriber is suppressed for what a person did or decided, such
    as a complaint: a change of address must not undo it. A mailbox that failed is the reason to move.
    """
    if _is_suppressed(request.new):
        return False
    if request.new.status not in (None, SubscriberStatus.PENDING):
        return False
    return not _holds_for_person(request.suppression)


def _is_suppressed(situation: AddressStatus) -> bool:
    return situation.suppressed is not None and situation.suppressed not in LIFTED_BY_CONSENT


def _may_ask(
    situation: AddressStatus, now: datetime, cooldown: timedelta, per_mailbox: int
) -> bool:
    if situation.mailbox_asked >= per_mailbox:
        return False
    return situation.asked_at is None or now - situation.asked_at >= cooldown


def _holds_for_person(suppression: Suppression | None) -> bool:
    if suppression is None or suppression.key.startswith("@"):
        return False  # a domain's: the new address has another one, or is suppressed itself
    return suppression.source not in _ABOUT_MAILBOX


def mailbox_key(email: EmailAddress) -> str:
    """Return a key that all addresses of one mailbox share: without ``+tag`` (RFC 5233, subaddress)."""
    local, _, domain = email.key.rpartition("@")
    base = local.partition("+")[0] or local
    if domain in _DOTS_IGNORED:
        base, domain = base.replace(".", "") or base, _DOTS_IGNORED[domain]
    return f"{base}@{domain}"


def confirmation_rates(at_once: int, per_hour: int) -> tuple[Rate, ...]:
    """Return the rates of all confirmation mails together, the narrower one first.

    `at_once` may go at once, and as many again when they have left the time behind in which
    `per_hour` allows them.
    """
    burst = Rate(at_once, max(1, math.ceil(3600 * at_once / per_hour)))
    return (burst, Rate(per_hour, 3600))


def expected_delay(level: float, rate: Rate) -> timedelta:
    """Return how long a mail may wait with so many asked for: none as long as they fit into `rate`."""
    rounds = math.ceil((level - rate.limit) / rate.limit) if level > rate.limit else 0
    return timedelta(seconds=rounds * rate.seconds)


def next_attempt(attempts: int, now: datetime) -> datetime:
    """Return when a mail that was not accepted `attempts` times before is due again.

    A minute, doubling up to an hour.
    """
    return now + timedelta(minutes=min(2 ** min(attempts, 6), 60))


def token_hash(token: str) -> str:
    """Return the hash of a confirmation token that the store keeps: it proves a link, and opens none."""
    return hashlib.sha256(f"upcycle_news/confirm/{token}".encode()).hexdigest()


def is_consent_version(text: str) -> bool:
    """Return whether a text looks as what `consent_version` returns."""
    return re.fullmatch(r"[a-z]{2}-[0-9a-f]{12}", text, re.ASCII) is not None


def consent_version(language: str, texts: Iterable[str]) -> str:
    """Return an identifier of the consent texts; it changes whenever one of them does."""
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    return f"{language}-{digest[:12]}"
