"""The operations of the HTTP API: a table that routing, scopes and the OpenAPI document are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import BaseModel

from upcycle_news.api import App
from upcycle_news.errors import AddressError, IssueError, UpcycleError
from upcycle_news.models import (
    EmailAddress,
    IssueId,
    IssueStatus,
    Subscriber,
    SuppressionSource,
    UnsubscribeMethod,
)
from upcycle_news.models.api_tokens import ApiScope, ApiToken
from upcycle_news.models.digest import Rhythm
from upcycle_news.web.http_api import schemas
from upcycle_news.web.http_api.problems import Problem, invalid

T = TypeVar("T")

_CLOCKS_DIFFER = timedelta(minutes=5)
_FIRST_CONSENTS = datetime(1990, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Call:
    """A request whose token, path and body are right. `wake` lets confirmation mails go out."""

    app: App
    token: ApiToken
    path: Mapping[str, str]
    query: Any = None
    body: Any = None
    wake: Callable[[], None] = lambda: None

    @property
    def by(self) -> str:
        """Who did it, as it is kept with an issue."""
        return f"token {self.token.name}"


@dataclass(frozen=True)
class Operation:
    """One method of one path; `run` returns the answer's body, None for none.

    An operation that `writes` is carried out once for an idempotency key, and its answer is stored: it
    holds no personal data. `problems` are those beside what any operation may answer.
    """

    method: str
    path: str
    name: str
    summary: str
    scope: ApiScope
    run: Callable[[Call], BaseModel | None]
    result: type[BaseModel] | None = None
    status: int = 200
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    writes: bool = False
    problems: tuple[str, ...] = field(default=())


# --- subscribers


def add_subscriber(call: Call) -> BaseModel:
    """Take a sign-up, as the form does."""
    app, body = call.app, call.body
    email = _address(body.email, "/email")
    if not body.source.strip():
        raise invalid([{"pointer": "/source", "detail": "must not be blank"}])
    delay = app.subscribers.count_request(email)
    signup = app.subscribers.sign_up(
        email, language=body.language or app.language, source=body.source
    )
    if signup is not None:
        call.wake()
    return schemas.Accepted(delay_seconds=int(delay.total_seconds()))


def add_confirmed_subscriber(call: Call) -> BaseModel:
    """Add somebody whose consent is documented."""
    app, body = call.app, call.body
    email = _address(body.email, "/email")
    consent = body.consent
    if consent.given_at > app.now + _CLOCKS_DIFFER:
        raise invalid([{"pointer": "/consent/given_at", "detail": "lies in the future"}])
    if consent.given_at < _FIRST_CONSENTS:  # a field that another program left empty
        raise invalid([{"pointer": "/consent/given_at", "detail": "is no time of a consent"}])
    if not consent.source.strip() or not consent.text.strip():
        raise invalid([{"pointer": "/consent", "detail": "source and text must not be blank"}])
    result = app.subscribers.add(
        email,
        consent=consent.source,
        given_at=min(consent.given_at, app.now),
        consent_text=consent.text,
        name=body.name,
        language=body.language or "",
        topics=body.topics,
        groups=body.groups,
        rhythm=_offered(app, body.rhythm),
    )
    subscriber = _found(app.subscribers.find(email))
    return schemas.Added(id=subscriber.id, result=result.value)


def find_subscriber(call: Call) -> BaseModel:
    """Find a subscriber by the address."""
    email = _address(call.body.email, "/email")
    return _shown(call, _found(call.app.subscribers.find(email)))


def list_subscribers(call: Call) -> BaseModel:
    """List subscribers."""
    query = call.query
    rows = call.app.subscribers.page(after=query.after, limit=query.limit + 1, status=query.status)
    shown = rows[: query.limit]
    return schemas.SubscriberList(
        subscribers=[
            schemas.SubscriberOut.of(row, rhythm)
            for row, rhythm in call.app.subscribers.with_rhythms(shown)
        ],
        next=shown[-1].id if len(rows) > len(shown) else None,
    )


def get_subscriber(call: Call) -> BaseModel:
    """Return a subscriber."""
    return _shown(call, _subscriber(call))


def change_subscriber(call: Call) -> None:
    """Change name, language, topics, groups or rhythm."""
    number = _number(call)
    values = call.body.model_dump(exclude_unset=True, exclude_none=True)
    if "rhythm" in values:
        values["rhythm"] = _offered(call.app, values["rhythm"])
    _found(call.app.subscribers.change(number, **values))


def unsubscribe(call: Call) -> BaseModel:
    """Unsubscribe."""
    changed = call.app.subscribers.unsubscribe(
        _subscriber(call).email, method=UnsubscribeMethod.API
    )
    return schemas.Unsubscribed(changed=changed)


def forget(call: Call) -> None:
    """Erase."""
    call.app.subscribers.forget(_subscriber(call).email)


def get_history(call: Call) -> BaseModel:
    """Return what happened to a subscriber."""
    return schemas.History.of(call.app.subscribers.show(_subscriber(call).email))


def _shown(call: Call, subscriber: Subscriber) -> BaseModel:
    return schemas.SubscriberOut.of(subscriber, call.app.subscribers.rhythm(subscriber.id).rhythm)


def _offered(app: App, rhythm: str | None) -> Rhythm | None:
    """Return a rhythm that was named; a `Problem` for the digest where the publication offers none."""
    if rhythm == Rhythm.DIGEST and not app.settings.digest.interval:
        raise invalid([{"pointer": "/rhythm", "detail": "this publication offers no digest"}])
    return None if rhythm is None else Rhythm(rhythm)


def _subscriber(call: Call) -> Subscriber:
    return _found(call.app.subscribers.by_id(_number(call)))


def _number(call: Call) -> int:
    number = int(call.path["id"])
    if not 0 < number <= schemas.HIGHEST_ID:
        raise Problem("not-found")
    return number


def _found(value: T | None) -> T:
    if value is None:
        raise Problem("not-found")
    return value


def _address(text: str, pointer: str) -> EmailAddress:
    try:
        return EmailAddress.parse(text)
    except AddressError as error:
        raise invalid([{"pointer": pointer, "detail": str(error)}]) from None


# --- suppressions


def list_suppressions(call: Call) -> BaseModel:
    """List suppressions."""
    query = call.query
    try:
        page = call.app.suppressions.page(after=query.after, limit=query.limit)
    except ValueError:
        raise invalid(
            [{"pointer": "/after", "detail": "is not `next` of an answer of this publication"}]
        ) from None
    return schemas.SuppressionList(
        suppressions=[schemas.SuppressionOut.of(row) for row in page.suppressions],
        next=page.next or None,
    )


def find_suppression(call: Call) -> BaseModel:
    """Find a suppression."""
    found = _found(_on_target(call.app.suppressions.find, call.body.target))
    return schemas.SuppressionOut.of(found)


def add_suppression(call: Call) -> BaseModel:
    """Suppress a target."""
    report = call.app.suppressions.add(
        call.body.target, reason=call.body.reason, source=SuppressionSource.API
    )
    if report.invalid:
        raise _no_target()
    return schemas.Suppressed(changed=bool(report.suppressed))


def remove_suppression(call: Call) -> None:
    """Lift a suppression."""
    _found(_on_target(call.app.suppressions.find, call.body.target))
    _on_target(call.app.suppressions.remove, call.body.target)


def _on_target(act: Callable[[str], T], target: str) -> T:
    try:
        return act(target)
    except AddressError:
        raise _no_target() from None


def _no_target() -> Problem:
    what = "is no address, no @domain and no #hash"
    return invalid([{"pointer": "/target", "detail": what}])


# --- issues


def list_issues(call: Call) -> BaseModel:
    """List issues."""
    newest = call.app.issues.all(last=call.query.limit)
    return schemas.IssueList(issues=[schemas.IssueOut.of(one) for one in reversed(newest)])


def get_issue(call: Call) -> BaseModel:
    """Return an issue with its sums."""
    return schemas.IssueOut.of(_issue(call))


def approve_issue(call: Call) -> BaseModel:
    """Approve the newest revision, if it is the one that is named."""
    revision = call.body.revision
    decision = call.app.issues.approve(_issue(call).issue, by=call.by, revision_id=revision)
    return schemas.Approved(issue=str(decision.issue), revision=decision.revision_id)


def send_issue(call: Call) -> BaseModel:
    """Queue an approved revision."""
    status = call.app.issues.queue(_issue(call).issue, revision_id=call.body.revision, by=call.by)
    return schemas.IssueOut.of(status)


def _issue(call: Call) -> IssueStatus:
    """Return the status of the issue in the path."""
    try:
        issue = IssueId.parse(call.path["issue"])
    except UpcycleError:
        raise Problem("not-found") from None
    try:
        return call.app.issues.status(issue)
    except IssueError:
        raise Problem("not-found") from None


# --- events


def list_events(call: Call) -> BaseModel:
    """Return the events after a cursor."""
    position = int(call.query.after)
    if not call.app.events.is_known(position):
        raise Problem(
            "cursor-gone",
            "Its event was deleted after 90 days, or a backup has replaced the store since. Read what "
            "you follow anew, and go on from GET /events/latest.",
        )
    rows = call.app.events.since(position, call.query.limit + 1)
    shown = rows[: call.query.limit]
    return schemas.EventList(
        events=[schemas.EventOut.of(row) for row in shown],
        next=str(shown[-1].position if shown else position),
        more=len(rows) > len(shown),
    )


def latest_event(call: Call) -> BaseModel:
    """Return where the log ends now."""
    return schemas.Cursor(next=str(call.app.events.last_position()))


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST", "/subscribers", "addSubscriber",
        "Add a pending subscriber, who gets a confirmation mail within the limits of the form.",
        ApiScope.SUBSCRIBERS_WRITE, add_subscriber, schemas.Accepted, 202,
        body=schemas.NewSubscriber, writes=True,
    ),
    Operation(
        "POST", "/subscribers/confirmed", "addConfirmedSubscriber",
        "Add a subscriber whose consent another program has; who left or is suppressed is refused.",
        ApiScope.SUBSCRIBERS_CONFIRM, add_confirmed_subscriber, schemas.Added, 200,
        body=schemas.ConfirmedSubscriber, writes=True, problems=("refused",),
    ),
    Operation(
        "POST", "/subscribers/find", "findSubscriber", "Find a subscriber by the address.",
        ApiScope.SUBSCRIBERS_READ, find_subscriber, schemas.SubscriberOut,
        body=schemas.FindSubscriber,
    ),
    Operation(
        "GET", "/subscribers", "listSubscribers", "List subscribers by their ids.",
        ApiScope.SUBSCRIBERS_READ, list_subscribers, schemas.SubscriberList,
        query=schemas.SubscriberQuery,
    ),
    Operation(
        "GET", "/subscribers/{id}", "getSubscriber", "Return a subscriber.",
        ApiScope.SUBSCRIBERS_READ, get_subscriber, schemas.SubscriberOut,
    ),
    Operation(
        "PATCH", "/subscribers/{id}", "changeSubscriber",
        "Change name, language, topics, groups or rhythm; no imported list replaces language, topics and "
        "rhythm then.",
        ApiScope.SUBSCRIBERS_WRITE, change_subscriber, None, 204,
        body=schemas.SubscriberChange, writes=True,
    ),
    Operation(
        "POST", "/subscribers/{id}/unsubscribe", "unsubscribeSubscriber",
        "Unsubscribe at once; only the subscriber can come back.",
        ApiScope.SUBSCRIBERS_WRITE, unsubscribe, schemas.Unsubscribed, writes=True,
    ),
    Operation(
        "DELETE", "/subscribers/{id}", "forgetSubscriber",
        "Erase a subscriber; a keyed hash of the address stays, so that no list brings them back.",
        ApiScope.SUBSCRIBERS_FORGET, forget, None, 204, writes=True,
    ),
    Operation(
        "GET", "/subscribers/{id}/history", "getSubscriberHistory",
        "Return consents, departures, suppression, bounces and deliveries of a subscriber.",
        ApiScope.SUBSCRIBERS_READ, get_history, schemas.History,
    ),
    Operation(
        "GET", "/suppressions", "listSuppressions", "List suppressions, oldest first.",
        ApiScope.SUPPRESSIONS_READ, list_suppressions, schemas.SuppressionList,
        query=schemas.SuppressionQuery,
    ),
    Operation(
        "POST", "/suppressions/find", "findSuppression",
        "Find out whether a target is suppressed, and why.",
        ApiScope.SUPPRESSIONS_READ, find_suppression, schemas.SuppressionOut,
        body=schemas.FindSuppression,
    ),
    Operation(
        "POST", "/suppressions", "addSuppression", "Suppress a target: it gets no mail any more.",
        ApiScope.SUPPRESSIONS_WRITE, add_suppression, schemas.Suppressed,
        body=schemas.NewSuppression, writes=True,
    ),
    Operation(
        "POST", "/suppressions/remove", "removeSuppression",
        "Lift the suppression of a target; it gets mail again only with consent.",
        ApiScope.SUPPRESSIONS_WRITE, remove_suppression, None, 204,
        body=schemas.FindSuppression, writes=True, problems=("not-found", "refused"),
    ),
    Operation(
        "GET", "/issues", "listIssues", "List the newest issues with their sums.",
        ApiScope.ISSUES_READ, list_issues, schemas.IssueList, query=schemas.IssueQuery,
    ),
    Operation(
        "GET", "/issues/{issue}", "getIssue", "Return an issue with its deliveries by state.",
        ApiScope.ISSUES_READ, get_issue, schemas.IssueOut,
    ),
    Operation(
        "POST", "/issues/{issue}/approve", "approveIssue",
        "Approve the newest revision of an issue; refused as on the command line.",
        ApiScope.ISSUES_APPROVE, approve_issue, schemas.Approved,
        body=schemas.RevisionNamed, writes=True, problems=("refused",),
    ),
    Operation(
        "POST", "/issues/{issue}/send", "sendIssue",
        "Queue an approved revision; the flows deliver-pending and watch deliver it.",
        ApiScope.ISSUES_SEND, send_issue, schemas.IssueOut, 202,
        body=schemas.RevisionNamed, writes=True, problems=("refused",),
    ),
    Operation(
        "GET", "/events", "listEvents", "Return what happened after a cursor, oldest first.",
        ApiScope.EVENTS_READ, list_events, schemas.EventList,
        query=schemas.EventQuery, problems=("cursor-gone",),
    ),
    Operation(
        "GET", "/events/latest", "latestEvent",
        "Return the cursor from which only later events follow.",
        ApiScope.EVENTS_READ, latest_event, schemas.Cursor,
    ),
)  # fmt: skip
