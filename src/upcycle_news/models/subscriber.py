"""Subscribers, their addresses and their consent."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Self

from upcycle_news.errors import AddressError
from upcycle_news.i18n.messages import LocalizedText, localized

_MAX_OCTETS = 254
"""Of an address (RFC 5321, section 4.5.3.1.3, without the angle brackets)."""
_PLAIN_LOCAL = re.compile(r"(?=.{1,64}$)[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*")
"""A local part that validation leaves as it is, unless it names a role (`_has_one_spelling`)."""
_PLAIN_DOMAIN = re.compile(
    r"(?!.*--)(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}"
)
"""A domain that validation leaves as it is, unless it is a special one."""
_SPECIAL_DOMAINS = frozenset({"arpa", "invalid", "local", "localhost", "onion"})
"""Top-level domains that validation refuses (RFC 6761, 6762 and 7686)."""


def _validated(text: str) -> str:
    """Return the normalised address, its domain in ASCII; raises `EmailNotValidError`."""
    from email_validator import validate_email

    validated = validate_email(text, check_deliverability=False, test_environment=True)
    # A local part with umlauts has no ASCII form; its domain has one, under which it is suppressed.
    return f"{validated.local_part}@{validated.ascii_domain}"


@lru_cache(maxsize=32_768)
def _ascii_domain(domain: str) -> str:
    if _PLAIN_DOMAIN.fullmatch(domain) and domain.rpartition(".")[2] not in _SPECIAL_DOMAINS:
        return domain  # without loading the library, which takes longer than most commands' work
    return _validated(f"a@{domain}").partition("@")[2]


def _has_one_spelling(local: str) -> bool:
    """Return True for the roles of RFC 2142, such as ``Postmaster``, which are written in lower case."""
    if local == local.lower():
        return False  # as it is written already
    from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES

    return local.lower() in CASE_INSENSITIVE_MAILBOX_NAMES


@dataclass(frozen=True, repr=False)
class EmailAddress:
    """A valid address in normalised form; its repr is redacted, so that logs show none."""

    address: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Validate and normalise (RFC 5321, RFC 6531; no DNS); raises `AddressError`."""
        plain = text.strip(" \t")
        local, _, domain = plain.rpartition("@")
        try:
            if _PLAIN_LOCAL.fullmatch(local) and not _has_one_spelling(local):
                # Long lists repeat few domains: each is validated once.
                address = f"{local}@{_ascii_domain(domain)}"
                if len(address) <= _MAX_OCTETS:
                    return cls(address)
            return cls(_validated(plain))
        except ValueError as error:  # the library's own errors are such
            # The library's sentences may quote the domain: keep to its class of complaint.
            raise AddressError(_complaint(text)) from error

    @property
    def domain(self) -> str:
        """The part behind the @, lower case."""
        return self.address.rpartition("@")[2].lower()

    @property
    def key(self) -> str:
        """The address in lower case: spellings with the same key are one subscriber."""
        return self.address.lower()

    def __repr__(self) -> str:
        return "EmailAddress('…')"

    __str__ = __repr__


def _complaint(text: str) -> LocalizedText:
    """Return what is wrong with an address, without quoting it."""
    if re.search(r"[\r\n]", text):
        return localized("address-line-break")
    if re.search(r"[\x00-\x1f\x7f]", text):
        return localized("address-control")
    if text.count("@") != 1:
        return localized("address-at-sign")
    return localized("address-invalid")


class SubscriberStatus(StrEnum):
    """State of a subscription; only `CONFIRMED` subscribers get mail."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    UNSUBSCRIBED = "unsubscribed"


@dataclass(frozen=True)
class Subscriber:
    """A pending, confirmed or former subscriber. `groups` marks testers, editors and operators."""

    id: int
    email: EmailAddress
    status: SubscriberStatus
    name: str = ""
    language: str = "de"
    topics: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    created_at: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of `subscribers list`."""
        return {
            "id": self.id,
            "email": self.email.address,
            "name": self.name,
            "language": self.language,
            "status": self.status.value,
            "topics": list(self.topics),
            "groups": list(self.groups),
            "created_at": self.created_at and self.created_at.isoformat(timespec="seconds"),
        }


class UnsubscribeMethod(StrEnum):
    """How a subscriber unsubscribed."""

    PAGE = "page"
    ONE_CLICK = "one-click"
    PREFERENCES = "preferences"
    MAIL = "mail"
    COMMAND = "command"
    API = "api"
    PROVIDER = "provider"


class SuppressionSource(StrEnum):
    """What a suppression came from.

    `BOUNCE` and `COMPLAINT`: a report in the inbox. `SMTP`: a refusal by the relay while sending.
    `COMMAND`: an operator, for one address or domain. `API`: a program, over the HTTP API. `LIST`: a list of another system. `ERASURE`:
    the subscriber was erased. `CHANGE`: the subscriber has another address since.
    """

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    SMTP = "smtp"
    COMMAND = "command"
    API = "api"
    LIST = "list"
    ERASURE = "erasure"
    CHANGE = "change"


@dataclass(frozen=True)
class Suppression:
    """What is never mailed: `key` is an address in lower case, ``@domain`` or ``#hash``.

    `issue` and `delivery` name what bounced or was refused, where that is known. The repr shows no
    key, so that logs hold no address.
    """

    key: str = field(repr=False)
    reason: str
    source: SuppressionSource
    at: datetime
    detail: str = ""
    issue: str = ""
    delivery: int | None = None

    def as_dict(self) -> dict[str, str | int | None]:
        """Return the JSON object of `subscribers suppressions`."""
        return {
            "key": self.key,
            "reason": self.reason,
            "detail": self.detail,
            "at": self.at.isoformat(timespec="seconds"),
            "source": self.source.value,
            "issue": self.issue,
            "delivery": self.delivery,
        }


@dataclass(frozen=True)
class Consent:
    """A consent record: its source and wording, and when it was given, confirmed and ended.

    `mailed_at` is when the confirmation mail was sent, `token_hash` proves the link in it, `ip` is
    kept only if the settings say so. `text` is what was agreed to, where another program asked for it.
    `chosen_language`, `chosen_topics` and `chosen_rhythm` are what was chosen on the form, as long as the
    confirmation has not made it the subscriber's own.
    """

    purpose: str
    source: str
    wording: str
    given_at: datetime
    mailed_at: datetime | None = None
    confirmed_at: datetime | None = None
    ended_at: datetime | None = None
    token_hash: str = ""
    ip: str = ""
    text: str = ""
    chosen_language: str | None = None
    chosen_topics: tuple[str, ...] | None = None
    chosen_rhythm: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of one consent in `subscribers show`; times in ISO 8601."""
        return {
            key: value.isoformat(timespec="seconds") if isinstance(value, datetime) else value
            for key, value in asdict(self).items()
        }


@dataclass(frozen=True)
class Signup:
    """A sign-up that waits for its mail or its confirmation."""

    consent: int
    subscriber: int
    email: EmailAddress
    language: str
    given_at: datetime


class ConfirmationResult(StrEnum):
    """The result of following a confirmation link. `REFUSED`: the address may not be written to.

    Only a change of address is refused: to one that is suppressed, or somebody else's by now.
    """

    NOW = "now"
    ALREADY = "already"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    REFUSED = "refused"


class ConfirmationMailKind(StrEnum):
    """What a mail of a sign-up or a change of address is about.

    `SIGN_UP`, `LIST` and `CHANGE` ask the owner of an address to confirm, `LIST` those on a list without
    proof of consent; `CHANGED` tells the old address.
    """

    SIGN_UP = "sign-up"
    LIST = "list"
    CHANGE = "change"
    CHANGED = "changed"

    @property
    def is_about_consent(self) -> bool:
        """Whether confirming it makes a consent hold."""
        return self in (ConfirmationMailKind.SIGN_UP, ConfirmationMailKind.LIST)


@dataclass(frozen=True)
class AddressChange:
    """A change of address that a subscriber asked for.

    `new_email` is None once it was confirmed or ended, `old_email` once the old address was told of
    it. `token_hash` proves the link that the new address got.
    """

    id: int
    subscriber: int
    requested_at: datetime
    new_email: EmailAddress | None = None
    old_email: EmailAddress | None = None
    mailed_at: datetime | None = None
    confirmed_at: datetime | None = None
    ended_at: datetime | None = None
    token_hash: str = ""


@dataclass(frozen=True)
class Unsubscribe:
    """When a subscriber unsubscribed, and how."""

    at: datetime
    method: UnsubscribeMethod
