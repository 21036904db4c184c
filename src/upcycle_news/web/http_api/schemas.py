"""What requests and answers of the HTTP API hold; the OpenAPI document is made of these classes."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from upcycle_news.models import (
    DeliveryState,
    Event,
    EventKind,
    IssueStatus,
    Subscriber,
    SubscriberStatus,
    Suppression,
)
from upcycle_news.models.digest import ReaderRhythm, Rhythm
from upcycle_news.models.personal_data import PersonalData

HIGHEST_ID = 2**31 - 1
MOST = 500
"""Of a list, in one answer."""

# Neither the store nor a log takes control characters; a consent may have lines.
_LINE = r"^[^\x00-\x1f\x7f-\x9f]*$"
_LINES = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$"

Address = Annotated[
    str,
    StringConstraints(min_length=3, max_length=320, pattern=_LINE),
    Field(description="An e-mail address.", examples=["anna@example.org"]),
]
Target = Annotated[
    str,
    StringConstraints(min_length=2, max_length=320, pattern=_LINE),
    Field(
        description="An address, a `@domain`, or the `#hash` of an erased address.",
        examples=["anna@example.org", "@example.org"],
    ),
]
Name = Annotated[str, StringConstraints(max_length=200, pattern=_LINE)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_LINE)]
Words = Annotated[list[Word], Field(max_length=50)]
Language = Literal["de", "en"]
RhythmName = Annotated[
    Literal["every_issue", "digest"],
    Field(
        description="Every issue, or the digest where the publication offers one. For who is new it holds at "
        "once, for others from the digest's next period on."
    ),
]
Revision = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{64}$"),
    Field(description="The id of a revision, as `issue preview` and GET /issues say it."),
]
Limit = Annotated[int, Field(ge=1, le=MOST, description="The most of them in this answer.")]
After = Annotated[
    int, Field(ge=0, le=HIGHEST_ID, description="Go on after this: `next` of the answer before.")
]


class Body(BaseModel):
    """A request: unknown members are refused, and no type is guessed."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Answer(BaseModel):
    """An answer."""

    model_config = ConfigDict(extra="forbid")


# --- subscribers


class NewSubscriber(Body):
    """Somebody who asks for the newsletter."""

    email: Address
    language: Language | None = None
    source: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_LINE)] = Field(
        description="Where they asked, kept with the consent.",
        examples=["form on https://example.org/contact"],
    )


class Accepted(Answer):
    """A sign-up was taken. The answer is the same whether the address is known, suppressed or new."""

    accepted: Literal[True] = True
    delay_seconds: int = Field(
        ge=0, description="How long the confirmation mail may have to wait for the limits."
    )


class ConsentGiven(Body):
    """The consent of somebody, as another program recorded it."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=_LINES)] = Field(
        description="The words that were agreed to."
    )
    source: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_LINE)] = Field(
        description="Where and how.", examples=["membership form 2026"]
    )
    given_at: AwareDatetime = Field(description="When, with the offset from UTC.")


class ConfirmedSubscriber(Body):
    """Somebody whose consent is documented elsewhere."""

    email: Address
    name: Name = ""
    language: Language | None = None
    topics: Words = Field(default_factory=list)
    groups: Words = Field(default_factory=list)
    rhythm: RhythmName | None = None
    consent: ConsentGiven


class Added(Answer):
    """What adding did, and the subscriber's id."""

    id: int
    result: Literal["added", "updated", "unchanged"]


class FindSubscriber(Body):
    """An address to look for: in the body, since addresses in URLs lie in logs."""

    email: Address


class SubscriberChange(Body):
    """What is to change; what is missing stays."""

    name: Name | None = None
    language: Language | None = None
    topics: Words | None = None
    groups: Words | None = None
    rhythm: RhythmName | None = None


class RhythmOut(Answer):
    """How often somebody gets mail. `coming` begins with the issues of `from_day`; both null where nothing changes."""

    present: Rhythm
    coming: Rhythm | None
    from_day: date | None


class SubscriberOut(Answer):
    """A subscriber."""

    id: int
    email: str
    name: str
    language: str
    status: SubscriberStatus
    topics: list[str]
    groups: list[str]
    rhythm: RhythmOut
    created_at: datetime | None

    @classmethod
    def of(cls, subscriber: Subscriber, rhythm: ReaderRhythm) -> SubscriberOut:
        """Return what is shown of a subscriber."""
        return cls(
            id=subscriber.id,
            email=subscriber.email.address,
            name=subscriber.name,
            language=subscriber.language,
            status=subscriber.status,
            topics=list(subscriber.topics),
            groups=list(subscriber.groups),
            rhythm=RhythmOut(
                present=rhythm.present, coming=rhythm.coming, from_day=rhythm.changes_on
            ),
            created_at=subscriber.created_at,
        )


class SubscriberQuery(Body):
    """Which subscribers."""

    after: After = 0
    limit: Limit = 100
    status: SubscriberStatus | None = Field(None, description="Only those with this status.")


class SubscriberList(Answer):
    """Subscribers by their ids; `next` is null at the end."""

    subscribers: list[SubscriberOut]
    next: int | None


class Unsubscribed(Answer):
    """`changed` is false for somebody who had unsubscribed before."""

    changed: bool


class ConsentOut(Answer):
    """A consent."""

    purpose: str
    source: str
    wording: str
    text: str
    given_at: datetime
    mailed_at: datetime | None
    confirmed_at: datetime | None
    ended_at: datetime | None


class DepartureOut(Answer):
    """When and how somebody unsubscribed."""

    at: datetime
    method: str


class SuppressionOut(Answer):
    """A suppression; `key` is an address, a `@domain` or a `#hash`."""

    key: str
    reason: str
    source: str
    at: datetime
    detail: str
    issue: str | None

    @classmethod
    def of(cls, suppression: Suppression) -> SuppressionOut:
        """Return what is shown of a suppression."""
        return cls(
            key=suppression.key,
            reason=suppression.reason,
            source=suppression.source.value,
            at=suppression.at,
            detail=suppression.detail,
            issue=suppression.issue or None,
        )


class BounceOut(Answer):
    """A report about a delivery, without its text."""

    issue: str
    kind: str
    code: str
    at: datetime


class DeliveryOut(Answer):
    """One issue to this subscriber."""

    issue: str
    state: DeliveryState
    code: int | None
    at: datetime


class History(Answer):
    """What happened to a subscriber, oldest first."""

    id: int
    status: SubscriberStatus
    consents: list[ConsentOut]
    departures: list[DepartureOut]
    suppression: SuppressionOut | None
    bounces: list[BounceOut]
    deliveries: list[DeliveryOut]

    @classmethod
    def of(cls, data: PersonalData) -> History:
        """Return the history in what is stored about a subscriber."""
        return cls(
            id=data.subscriber.id,
            status=data.subscriber.status,
            consents=[
                ConsentOut(**{name: getattr(one, name) for name in ConsentOut.model_fields})
                for one in data.consents
            ],
            departures=[DepartureOut(at=one.at, method=one.method) for one in data.unsubscribes],
            suppression=None if data.suppression is None else SuppressionOut.of(data.suppression),
            bounces=[
                BounceOut(issue=one.issue, kind=one.kind, code=one.code, at=one.at)
                for one in data.bounces
            ],
            deliveries=[
                DeliveryOut(issue=str(one.issue), state=one.state, code=one.code, at=one.at)
                for one in data.deliveries
            ],
        )


# --- suppressions


class SuppressionQuery(Body):
    """Which suppressions."""

    after: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9_-]{0,1000}$"),
        Field(
            description="`next` of the answer before, an opaque word; empty for the first answer."
        ),
    ] = ""
    limit: Limit = 100


class SuppressionList(Answer):
    """Suppressions, oldest first; `next` is null at the end."""

    suppressions: list[SuppressionOut]
    next: str | None


class FindSuppression(Body):
    """A target to look for: of an address also its domain's suppression, or that of its hash."""

    target: Target


class NewSuppression(Body):
    """A target that gets no mail any more."""

    target: Target
    reason: Annotated[str, StringConstraints(max_length=32, pattern=_LINE)] = ""


class Suppressed(Answer):
    """`changed` is false for a target that was suppressed before."""

    changed: bool


# --- issues


class IssueQuery(Body):
    """How many issues."""

    limit: Limit = 20


class IssueOut(Answer):
    """An issue with its deliveries by state; while `closed` is false they still change."""

    issue: str
    revision: str | None
    state: str
    audience: int
    queued: int
    sending: int
    sent: int
    deferred: int
    rejected: int
    unknown: int
    suppressed: int
    cancelled: int
    closed: bool
    in_mailbox: bool = Field(description="No reader has it: it lies in the embedded mailbox.")
    left_for_digest: int | None = Field(
        0, description="Readers who get it in a digest, not by itself; null: nobody knows how many."
    )
    digest_day: date | None = Field(None, description="The day of that digest.")

    @classmethod
    def of(cls, status: IssueStatus) -> IssueOut:
        """Return what is shown of an issue."""
        values: dict[str, Any] = status.as_dict()
        return cls(revision=values.pop("hash") or None, in_mailbox=status.in_mailbox, **values)


class IssueList(Answer):
    """Issues, newest first."""

    issues: list[IssueOut]


class RevisionNamed(Body):
    """The revision that is meant: an issue that has changed since is refused."""

    revision: Revision


class Approved(Answer):
    """An approval."""

    issue: str
    revision: str


# --- events


class EventQuery(Body):
    """From where on."""

    after: Annotated[
        str,
        StringConstraints(pattern=r"^[0-9]{1,18}$"),
        Field(description="`next` of the answer before; `0` for the first event."),
    ] = "0"
    limit: Limit = 100


class EventOut(Answer):
    """Something that happened. `cursor` names it for ever; `subscriber` is an id, never an address."""

    cursor: str
    at: datetime
    kind: EventKind
    subscriber: int | None
    issue: str | None
    detail: dict[str, str | int]

    @classmethod
    def of(cls, event: Event) -> EventOut:
        """Return what is shown of an event."""
        return cls(
            cursor=str(event.position),
            at=event.at,
            kind=event.kind,
            subscriber=event.subscriber,
            issue=event.issue,
            detail=dict(event.detail),
        )


class EventList(Answer):
    """Events, oldest first. Ask again with `next`; while `more` is true, at once."""

    events: list[EventOut]
    next: str
    more: bool


class Cursor(Answer):
    """Where the log ends now."""

    next: str


# --- problems


class FieldError(Answer):
    """What does not fit, and where (RFC 6901)."""

    pointer: str
    detail: str


class ProblemOut(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = Field(examples=["urn:upcycle-news:problem:forbidden"])
    title: str
    status: int
    detail: str | None = None
    language: str | None = Field(
        None, description="The language of `detail`, if it is not English."
    )
    scope: str | None = Field(None, description="The scope that the token lacks.")
    errors: list[FieldError] | None = None
