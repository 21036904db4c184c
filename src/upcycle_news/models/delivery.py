"""Delivery of an issue: leases, envelopes, SMTP replies, verdicts, quotas and delivery counts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import Enum, StrEnum
from typing import Any, Literal, Self

from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models.subscriber import EmailAddress
from upcycle_news.models.variants import Variant


class DeliveryState(StrEnum):
    """State of a delivery. QUEUED, SENDING and DEFERRED are pending, the others are final."""

    QUEUED = "queued"
    SENDING = "sending"
    DEFERRED = "deferred"
    SENT = "sent"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    SUPPRESSED = "suppressed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Delivery:
    """One issue to one subscriber, as stored. `address` is None once the subscriber was erased.

    `variant` is the number of what they get among the revision's variants.
    """

    issue: str
    subscriber: int
    address: EmailAddress | None
    state: DeliveryState
    code: int | None
    reason: str
    at: datetime
    variant: int = 0

    def as_dict(self) -> dict[str, str | int | None]:
        """Return the JSON object of `issue status --list`."""
        return {
            "subscriber": self.subscriber,
            "email": self.address.address if self.address else None,
            "state": self.state.value,
            "code": self.code,
            "reason": self.reason,
            "at": self.at.isoformat(timespec="seconds"),
        }


@dataclass(frozen=True)
class LeasedDelivery:
    """A delivery that one worker, and no other, may send now.

    `refused_before`: it was put off after a permanent refusal, so another one says nothing new.
    `variant` is the number of what it gets among the revision's variants.
    """

    delivery: int
    subscriber: int
    address: EmailAddress
    name: str
    attempt: int
    queued_at: datetime
    refused_before: bool = False
    variant: int = 0


@dataclass(frozen=True, repr=False)
class Envelope:
    """The SMTP envelope: one sender, one recipient (RFC 5321, 2.3.1)."""

    sender: str
    recipient: str


@dataclass(frozen=True)
class SmtpReply:
    """A reply of the relay. `text` is redacted where it is parsed, so it contains no address."""

    code: int
    text: str = ""
    enhanced: str = ""


@dataclass(frozen=True)
class Verdict:
    """The result of one send attempt as it is stored.

    `state` is the delivery's new state, `next_at` when a deferred one is due, `suppress` whether
    the address is to be suppressed. `stop` is a sentence when the whole issue has to stop; the
    delivery is then queued again, since the recipient did not cause it. `slow_relay` asks for a
    pause before the next message. `code`, `enhanced` and `reason` contain no address.
    """

    state: DeliveryState
    next_at: datetime | None = None
    suppress: bool = False
    stop: str | None = None
    slow_relay: bool = False
    code: int | None = None
    enhanced: str = ""
    reason: str = ""


class ClaimStatus(Enum):
    """How the ledger decides on a leased delivery that its worker wants to send now.

    `GRANTED`: marked as sending; the message may go on the wire. `LOST`: not this worker's any
    more, ended, or deferred for the quota of its domain. `ISSUE_HALTED`: the issue is paused,
    stopped or cancelled. `RATE_LIMITED`: a quota of the relay or the sender is used up.
    """

    GRANTED = "granted"
    LOST = "lost"
    ISSUE_HALTED = "issue halted"
    RATE_LIMITED = "rate limited"


@dataclass(frozen=True)
class ClaimResult:
    """The ledger's answer to one claim.

    `until` tells when a quota has room again: with `RATE_LIMITED` that of the relay or the sender,
    with `LOST` that of the recipient's domain, for which the delivery was deferred.
    """

    status: ClaimStatus
    until: datetime | None = None


_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Rate:
    """At most `limit` messages in any `seconds` seconds; written ``14/s``, ``30/min``, ``2/h``."""

    limit: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``NUMBER/UNIT``, the unit one of s, min, h and d; raises `UpcycleError`."""
        match = re.fullmatch(r"([1-9]\d{0,8})/(s|min|h|d)", text.strip())
        if match is None:
            raise UpcycleError(
                f"{text[:20]!r} is not a quota: write 14/s, 30/min, 1000/h or 50000/d"
            )
        return cls(int(match[1]), _UNITS[match[2]])

    def free_at(self, earlier: datetime) -> datetime:
        """Return when the next message may be sent; `earlier` is the time of the `limit`-th last one.

        With one message for each that leaves the span behind it, no span ever holds more than
        `limit`, wherever the relay's own clock begins to count.
        """
        return earlier + timedelta(seconds=self.seconds)


MAILBOX = "mailbox"
"""The name of the embedded mailbox as a relay; `[relays.mailbox]` is refused."""


@dataclass(frozen=True)
class Relay:
    """An SMTP relay. `timeout` is in seconds; 0 `processes`: chosen by the number of deliveries.

    `provider` names the service behind it, or is empty; `configuration_set`, `stream` and `tag` are that
    service's, as in the settings.
    """

    name: str
    host: str
    port: int
    security: Literal["none", "starttls", "tls"] = "starttls"
    username: str = ""
    password: str = field(default="", repr=False)
    connections: int = 1
    timeout: float = 30.0
    messages_per_connection: int = 0
    processes: int = 0
    provider: str = ""
    configuration_set: str = ""
    stream: str = ""
    tag: str = ""


class IssueState(StrEnum):
    """State of an issue. From SENDING on it is frozen; CLOSED and CANCELLED end it.

    `storage.issue_lifecycle` holds the transitions.
    """

    OPEN = "open"
    AWAITING_APPROVAL = "awaiting approval"
    APPROVED = "approved"
    SENDING = "sending"
    PAUSED = "paused"
    STOPPED = "stopped"
    CLOSED = "closed"
    CANCELLED = "cancelled"

    @property
    def is_frozen(self) -> bool:
        """True once deliveries have begun, or never will: the issue takes no other revision."""
        return self not in (self.OPEN, self.AWAITING_APPROVAL, self.APPROVED)

    @property
    def is_ended(self) -> bool:
        """True when nothing more is sent, unless `resend` reopens a closed issue."""
        return self in (self.CLOSED, self.CANCELLED)


@dataclass(frozen=True)
class VariantStatus:
    """Delivery counts of one of an issue's variants, by its number and what it is."""

    number: int
    variant: Variant
    audience: int
    counts: Mapping[DeliveryState, int]

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object in `issue status`."""
        topics = self.variant.topics
        return {
            "number": self.number,
            "variant": self.variant.key,
            "language": self.variant.language,
            "topics": None if topics is None else list(topics),
            "audience": self.audience,
            **{state: self.counts.get(DeliveryState(state), 0) for state in _COUNTED},
        }


_COUNTED = ("queued", "sending", "sent", "deferred", "rejected", "unknown", "suppressed",
            "cancelled")  # fmt: skip


@dataclass(frozen=True)
class LanguageStatus:
    """Delivery counts of an issue in one of its languages: the sum of the variants in it."""

    language: str
    audience: int
    counts: Mapping[DeliveryState, int]

    @property
    def closed(self) -> bool:
        """True when all deliveries in the language are final, and as many as its audience."""
        waiting = sum(self.counts.get(state, 0) for state in _WAITING)
        return waiting == 0 and self.audience == sum(self.counts.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object in `issue status`."""
        return {
            "language": self.language,
            "audience": self.audience,
            **{state: self.counts.get(DeliveryState(state), 0) for state in _COUNTED},
            "closed": self.closed,
        }


_WAITING = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED)


@dataclass(frozen=True)
class IssueStatus:
    """Delivery counts of an issue, checked against the audience stored when it was queued.

    `in_mailbox`: they are of the embedded mailbox on this machine, and no reader has the issue.
    `variants` has the same for each variant of an issue that has several; they add up to it. `without`:
    how many readers of each language got nothing of it, since it has nothing in theirs. `left_for_digest`
    readers get it in the digest of `digest_day`, which is None where nobody can have chosen one. They are None
    where nobody knows how many: the issue went out before the store was set back.
    """

    issue: str
    revision_id: str
    audience: int
    counts: Mapping[DeliveryState, int]
    state: IssueState
    in_mailbox: bool = field(default=False, compare=False)
    variants: tuple[VariantStatus, ...] = field(default=(), compare=False)
    without: Mapping[str, int] = field(default_factory=dict, compare=False)
    left_for_digest: int | None = field(default=0, compare=False)
    digest_day: date | None = field(default=None, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as the JSON of `issue status`; the keys and their order are stable.

        The last ones are there where they say something: `variants` and `languages` for an issue that has
        several, `without_issue` where readers of a language got nothing of it, `left_for_digest` and
        `digest_day` where a digest tells it.
        """
        variants = [variant.as_dict() for variant in self.variants]
        languages = [one.as_dict() for one in self.languages]
        return {
            "issue": self.issue,
            "hash": self.revision_id,
            "audience": self.audience,
            **{state: self.counts.get(DeliveryState(state), 0) for state in _COUNTED},
            "closed": self.closed,
            "state": self.state.value,
            **({"variants": variants} if variants else {}),
            **({"languages": languages} if len(languages) > 1 else {}),
            **({"without_issue": dict(self.without)} if self.without else {}),
            **digest_fields(self.left_for_digest, self.digest_day),
        }

    @property
    def languages(self) -> tuple[LanguageStatus, ...]:
        """The counts of each language of an issue with several variants; they add up to the whole."""
        sums: dict[str, LanguageStatus] = {}
        for one in self.variants:
            language = one.variant.language
            before = sums.get(language, LanguageStatus(language, 0, {}))
            counts = dict(before.counts)
            for state, count in one.counts.items():
                counts[state] = counts.get(state, 0) + count
            sums[language] = LanguageStatus(language, before.audience + one.audience, counts)
        return tuple(sums.values())

    @property
    def sent(self) -> int:
        """The number of deliveries that a relay accepted."""
        return self.counts.get(DeliveryState.SENT, 0)

    @property
    def waiting(self) -> int:
        """The number of deliveries that are queued, sending or deferred."""
        return sum(self.counts.get(state, 0) for state in _WAITING)

    @property
    def closed(self) -> bool:
        """True when all deliveries are final and their number equals the stored audience.

        That may be none where all who would get the issue get it in a digest.
        """
        final = sum(self.counts.values()) - self.waiting
        was_queued = self.audience > 0 or bool(self.left_for_digest)
        return was_queued and self.waiting == 0 and self.audience == final


def digest_fields(left: int | None, day: date | None) -> dict[str, Any]:
    """Return what JSON says of an issue that a digest tells; nothing of any other."""
    return {} if day is None else {"left_for_digest": left, "digest_day": day.isoformat()}


def digest_text(left: int | None, day: date | None) -> LocalizedText | None:
    """Return how many get an issue in the digest of which day, as a sentence; None where nobody does."""
    if day is None or left == 0:
        return None
    if left is None:
        return localized("left-for-digest-unknown", day=day)
    return localized("left-for-digest", count=left, day=day)
