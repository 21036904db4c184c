"""The values that travel between the rooms, frozen and parsed at the door.

Every room knows this module and its own; no room knows another. All datetimes are aware and in
UTC, all dates are days in the publication's time zone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal, Self

from upcycle_news.errors import AddressError, UpcycleError

# --- what goes into an issue --------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class IssueId:
    """One mailing: ``2026-11-26``, and ``2026-11-26-2`` for the second one of that day."""

    day: date
    ordinal: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an issue id; raises `UpcycleError` with the form that is expected."""
        match = re.fullmatch(r"(\d{4}-\d{2}-\d{2})(?:-([1-9]\d?))?", text.strip())
        try:
            if match is None:
                raise ValueError(text)
            day = date.fromisoformat(match[1])
        except ValueError:
            raise UpcycleError(
                f"{text[:40]!r} is not an issue id: write the day, such as 2026-11-26, "
                "or 2026-11-26-2 for the second issue of that day"
            ) from None
        return cls(day, int(match[2] or 1))

    def __str__(self) -> str:
        return self.day.isoformat() + (f"-{self.ordinal}" if self.ordinal > 1 else "")


@dataclass(frozen=True)
class ImageRef:
    """An image of an essay: a path below content/images and the text for those who do not see it."""

    path: str
    alt: str


Length = Literal["full", "teaser", "auto"]
"""How much of the leading essay a mail shows; `auto` is full as long as the mail stays small."""


@dataclass(frozen=True)
class Essay:
    """An essay as read from its Markdown file. `source` is relative to the publication's root.

    `length` is None where the publication's setting decides.
    """

    slug: str
    source: str
    title: str
    author: str
    date: date
    language: str
    summary: str
    body: str
    topics: tuple[str, ...] = ()
    image: ImageRef | None = None
    status: Literal["draft", "ready"] = "ready"
    pin: tuple[str, ...] = ()
    ban: tuple[str, ...] = ()
    body_line: int = 1
    length: Length | None = None


@dataclass(frozen=True)
class Feed:
    """A feed as an editor listed it in feeds.toml. `limit`: items an issue takes of it at the most."""

    name: str
    url: str
    topics: tuple[str, ...] = ()
    weight: float = 1.0
    language: str = "de"
    limit: int | None = None
    active: bool = True


DateSource = Literal["feed", "german", "first seen"]


@dataclass(frozen=True)
class FeedItem:
    """One item of a feed, as plain text: titles and summaries carry no markup at all.

    `key` is the identity within its feed, `canonical` the link without tracking parameters: an
    item with either of them in an earlier issue is not news.
    """

    key: str
    feed: str
    link: str
    canonical: str
    title: str
    summary: str
    date: datetime
    date_source: DateSource
    language: str = "de"
    topics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Story:
    """Items of several feeds that tell the same; `items[0]` is the one that is shown."""

    items: tuple[FeedItem, ...]

    @property
    def lead(self) -> FeedItem:
        """The item that stands for the story."""
        return self.items[0]


@dataclass(frozen=True)
class Related:
    """A story chosen for an issue: how well it fits (0 upwards) and the words that say why.

    `essay` is the slug of the essay it belongs to, empty in an issue without essays.
    """

    story: Story
    score: float
    reasons: tuple[str, ...] = ()
    essay: str = ""


@dataclass(frozen=True)
class Issue:
    """What one mailing contains. `essays[0]` leads and is shown in full."""

    id: IssueId
    language: str
    subject: str
    preheader: str
    essays: tuple[Essay, ...]
    related: tuple[Related, ...] = ()
    topics: tuple[str, ...] = ()


# --- what it looks like -------------------------------------------------------------------------


@dataclass(frozen=True)
class Publication:
    """The settings that show in a mail. `public_url` has no slash at its end.

    `images` says whether pictures travel in the mail or lie below `public_url`, `hosts` from which
    others a mail may load something.
    """

    name: str
    tagline: str
    language: str
    timezone: str
    public_url: str
    imprint: tuple[str, ...]
    closing_note: str = ""
    sender_name: str = ""
    sender_address: str = ""
    reply_to: str = ""
    length: Length = "auto"
    images: Literal["embedded", "hosted"] = "embedded"
    hosts: tuple[str, ...] = ()


class Placeholder(StrEnum):
    """What stands in a rendered issue where each reader gets a link of their own."""

    UNSUBSCRIBE = "https://reader.invalid/unsubscribe"
    PREFERENCES = "https://reader.invalid/preferences"


@dataclass(frozen=True)
class Manifest:
    """All inputs of one revision of an issue: rendering it again gives the same bytes.

    `templates` maps paths below templates/ to their texts, `images` paths below content/images to
    their bytes.
    """

    issue: Issue
    publication: Publication
    templates: Mapping[str, str]
    images: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class InlineImage:
    """An image that travels in the mail, shown by ``cid:`` and its `cid`."""

    cid: str
    content_type: str
    data: bytes


@dataclass(frozen=True)
class RenderedIssue:
    """An issue as bytes for everybody: personal links are still `Placeholder` values."""

    issue: IssueId
    language: str
    subject: str
    html: str
    text: str
    mjml: str
    images: tuple[InlineImage, ...] = ()


@dataclass(frozen=True)
class Finding:
    """Something preflight noticed. An error refuses the issue, a warning does not."""

    level: Literal["error", "warning"]
    code: str
    where: str
    message: str


# --- who may be written to ----------------------------------------------------------------------


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


# --- how it gets there --------------------------------------------------------------------------


class DeliveryState(StrEnum):
    """Where one delivery stands; the first three can still change by themselves."""

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
    """One issue to one subscriber, as it stands. `address` is None when the person was forgotten."""

    issue: str
    subscriber: int
    address: EmailAddress | None
    state: DeliveryState
    code: int | None
    reason: str
    at: datetime


@dataclass(frozen=True)
class Claim:
    """A delivery that this sender, and no other, may now put on the wire."""

    delivery: int
    subscriber: int
    address: EmailAddress
    name: str
    attempt: int
    queued_at: datetime


@dataclass(frozen=True, repr=False)
class Envelope:
    """What SMTP sees: one sender, one recipient."""

    sender: str
    recipient: str


@dataclass(frozen=True)
class SmtpReply:
    """What the relay answered. `text` is redacted where it is parsed: it carries no address."""

    code: int
    text: str = ""
    enhanced: str = ""


@dataclass(frozen=True)
class Verdict:
    """What to write down about one attempt.

    `state` is where the delivery stands now, `next_at` when a deferred one is due, `suppress`
    whether the person is not to be written to again. `stop` is a sentence when the whole issue has
    to stop; the delivery is then queued again, as it was not the person's fault. `slow_relay`
    asks for a pause before the next message. `code`, `enhanced` and `reason` carry no address.
    """

    state: DeliveryState
    next_at: datetime | None = None
    suppress: bool = False
    stop: str | None = None
    slow_relay: bool = False
    code: int | None = None
    enhanced: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Leave:
    """The ledger's answer when a sender asks whether a delivery may go on the wire now.

    ``go``: it is marked as sending. ``gone``: it is not this sender's any more, or has ended.
    ``held``: the issue is paused, stopped or cancelled. ``later``: a quota of the relay or the
    sender is used up until `until`. With ``gone``, `until` is when the quota of the recipient's
    domain, for which the delivery waits, has room again.
    """

    kind: Literal["go", "gone", "held", "later"]
    until: datetime | None = None


_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Rate:
    """So many messages in any span of so many seconds; written ``14/s``, ``30/min``, ``2/h``."""

    limit: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``NUMBER/UNIT``, the unit one of s, min, h and d; raises `UpcycleError`."""
        match = re.fullmatch(r"([1-9]\d{0,8})/(s|min|h|d)", text.strip())
        if match is None:
            raise UpcycleError(f"{text[:20]!r} is not a quota: write 14/s, 30/min, 1000/h or 50000/d")
        return cls(int(match[1]), _UNITS[match[2]])

    def free_at(self, earlier: datetime) -> datetime:
        """When the next message may go, `earlier` being the time of the `limit`-th last one.

        With one message for each that leaves the span behind it, no span ever holds more than
        `limit`, wherever the relay's own clock begins to count.
        """
        return earlier + timedelta(seconds=self.seconds)


@dataclass(frozen=True)
class Relay:
    """The SMTP server we hand over to. `timeout` is in seconds."""

    name: str
    host: str
    port: int
    security: Literal["none", "starttls", "tls"] = "starttls"
    username: str = ""
    password: str = field(default="", repr=False)
    connections: int = 1
    timeout: float = 30.0
    messages_per_connection: int = 0


@dataclass(frozen=True)
class IssueStatus:
    """The closing sum of an issue, counted against the audience stored when it was queued."""

    issue: str
    hash: str
    audience: int
    counts: Mapping[DeliveryState, int]

    def as_dict(self) -> dict[str, str | int | bool]:
        """The sum as programs read it; the keys and their order are stable."""
        order = ("queued", "sending", "sent", "deferred", "rejected", "unknown", "suppressed",
                 "cancelled")  # fmt: skip
        return {
            "issue": self.issue,
            "hash": self.hash,
            "audience": self.audience,
            **{state: self.counts.get(DeliveryState(state), 0) for state in order},
            "closed": self.closed,
        }

    @property
    def closed(self) -> bool:
        """True when the issue was queued, everybody has reached an end, and the sum adds up."""
        ends = (
            DeliveryState.SENT,
            DeliveryState.REJECTED,
            DeliveryState.UNKNOWN,
            DeliveryState.SUPPRESSED,
            DeliveryState.CANCELLED,
        )
        waiting = sum(self.counts.get(state, 0) for state in DeliveryState if state not in ends)
        done = sum(self.counts.get(state, 0) for state in ends)
        return self.audience > 0 and waiting == 0 and self.audience == done
