"""Who may be written to: addresses, subscribers and their consent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from upcycle_news.errors import AddressError


@dataclass(frozen=True, repr=False)
class EmailAddress:
    """A deliverable address in its normal form; printing it by accident shows nothing."""

    address: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Validate and normalise (RFC 5321, RFC 6531; no DNS); raises `AddressError`."""
        from email_validator import EmailNotValidError, validate_email

        try:
            found = validate_email(
                text.strip(" \t"), check_deliverability=False, test_environment=True
            )
        except EmailNotValidError as error:
            # The library's sentences may quote the domain: keep to its class of complaint.
            raise AddressError(_complaint(text)) from error
        return cls(found.ascii_email or found.normalized)

    @property
    def domain(self) -> str:
        """The part behind the @, lower case."""
        return self.address.rpartition("@")[2].lower()

    @property
    def key(self) -> str:
        """What makes two spellings one person: the whole address in lower case."""
        return self.address.lower()

    def __repr__(self) -> str:
        return "EmailAddress('…')"

    __str__ = __repr__


def _complaint(text: str) -> str:
    """Say what is wrong with an address without repeating it."""
    cure = "write it as name@example.org"
    if re.search(r"[\r\n]", text):
        return f"an address must not contain a line break; {cure}"
    if re.search(r"[\x00-\x1f\x7f]", text):
        return f"an address must not contain control characters; {cure}"
    if text.count("@") != 1:
        return f"an address has exactly one @; {cure}"
    return f"not a valid e-mail address; {cure}"


class SubscriberStatus(StrEnum):
    """Only `CONFIRMED` people get mail."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    UNSUBSCRIBED = "unsubscribed"


@dataclass(frozen=True)
class Subscriber:
    """A person who subscribed, is asked to confirm, or has left. `groups` marks testers."""

    id: int
    email: EmailAddress
    status: SubscriberStatus
    name: str = ""
    language: str = "de"
    topics: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    created_at: datetime | None = None


@dataclass(frozen=True)
class Consent:
    """Why we may write to a person: the wording or source, and when it was given."""

    subscriber: int
    purpose: str
    source: str
    given_at: datetime
    confirmed_at: datetime | None = None
