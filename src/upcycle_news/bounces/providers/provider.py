"""What a sending provider is to us: the headers that it wants, and the events that it posts back.

A provider rewrites the envelope sender, so bounces never reach our mailbox. Our mail carries a delivery
key in a header or metadata that the provider hands back with each event; only an event with a key that
we signed says something about a subscriber. Pure: time and fetched certificates are arguments.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from upcycle_news.bounces.dsn import reply_in
from upcycle_news.bounces.parser import BounceKind, BounceReport, redacted
from upcycle_news.errors import WebhookRefused, WebhookUnreadable
from upcycle_news.models import SmtpReply
from upcycle_news.transports.refusal_classes import RefusalClass, classify_refusal

KEY_HEADER = "X-Delivery-Key"
"""The header with the delivery key, for providers that hand back the headers of our mail."""

KEY_NAME = "delivery_key"
"""The name of the delivery key in metadata, variables and tags."""

CLOCK_SKEW = timedelta(minutes=10)
"""So far in the future the time of a signed request may lie."""

_STATUS_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?![.\d])")

Header = tuple[str, str]


@dataclass(frozen=True)
class OutgoingOptions:
    """What the settings of a relay say for its provider; empty: not given.

    `configuration_set` is Amazon SES's, `stream` Postmark's message stream, `tag` a word by which the
    provider's own pages tell mails apart.
    """

    configuration_set: str = ""
    stream: str = ""
    tag: str = ""


@dataclass(frozen=True)
class SourceKeys:
    """What the settings of an event source hold to recognise its provider; empty: not set.

    `username` and `password` are for HTTP basic authentication. `signing_key` is Mailgun's,
    `public_key` SendGrid's (base64 of a DER public key), `topic_arn` the topic of Amazon SNS.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    signing_key: str = field(default="", repr=False)
    public_key: str = ""
    topic_arn: str = ""


@dataclass(frozen=True)
class EventRequest:
    """A request that came to the secret address of a source. Names of `headers` are in lower case.

    `fetch` returns what lies at an address of the provider, such as its certificate; it raises
    `WebhookRefused` for any address but the provider's own.
    """

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    keys: SourceKeys
    now: datetime
    fetch: Callable[[str], bytes] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ProviderEvent:
    """One event: the provider's own word for it, and what it means to us.

    `report` is None for a word that we do not know, and of the kind OTHER for one that says nothing
    about whether a mail arrived (opens and clicks among them: of these no more than the word is read).
    `id` recognises a repetition; without one, `raw` does, the provider's own record, kept for inspection.
    """

    name: str
    report: BounceReport | None
    id: str = ""
    raw: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class EventBatch:
    """The events of one request, in the provider's order.

    `once` is a token that the provider never gives twice, or empty: a request that has it again must
    hold no event that is new. `confirm_at` is the address that confirms a subscription, or empty.
    """

    events: Iterator[ProviderEvent]
    once: str = ""
    confirm_at: str = ""


@dataclass(frozen=True)
class Provider:
    """A provider: its name in the settings and for people, what it wants, and what it posts.

    `outgoing_headers` returns the headers that a mail to it gets on top, from the relay's settings and
    the delivery key (empty for a mail that is no subscriber's): the documented switches against
    tracking, and the key where the provider hands it back. `read_events` verifies a request and returns its events; it
    raises `WebhookRefused` for one that is not the provider's and `WebhookUnreadable`, at the latest
    while its events are read, for a body that is not as documented. `needs` are the fields of
    `SourceKeys` without which nothing can be verified. `replaced_headers`, in lower case, are those of ours
    that it documents to write anew, so that no signature of ours may cover them; `untracked_link` is the
    attribute with which an ``a`` element asks it to leave that link alone.
    """

    name: str
    title: str
    outgoing_headers: Callable[[OutgoingOptions, str], tuple[Header, ...]]
    read_events: Callable[[EventRequest], EventBatch]
    needs: tuple[str, ...] = ()
    replaced_headers: tuple[str, ...] = ()
    untracked_link: str = ""


# --- what several providers share


def headers_with_values(headers: Mapping[str, str]) -> tuple[Header, ...]:
    """Return the headers that have a value, in their order."""
    return tuple((name, value) for name, value in headers.items() if value)


IRRELEVANT = BounceReport(BounceKind.OTHER)
"""The report of an event that says nothing about whether a mail arrived."""


def failure_report(
    verdict: BounceKind, words: str, *, recipient: str, delivery_key: str, enhanced: str = ""
) -> BounceReport:
    """Return the report of a failed delivery, from the provider's verdict and the words that it quotes.

    The quoted reply can make a verdict milder, never harsher: a *hard* one over words that speak of us is
    blocked, one over a full mailbox or a temporary code is soft.
    """
    reply = reply_in(words)
    code = reply.code if reply else 0
    enhanced = (reply.enhanced if reply else "") or _status_code(enhanced)
    permanent = not enhanced.startswith("4") and not 400 <= code < 500
    about = classify_refusal("rcpt", SmtpReply(code or 550, words, enhanced))
    kind = verdict
    if about in (RefusalClass.SENDER, RefusalClass.LIMIT, RefusalClass.CONTENT):
        kind = BounceKind.BLOCKED
    elif verdict is BounceKind.HARD and not (
        permanent and about in (RefusalClass.RECIPIENT, RefusalClass.UNCLEAR)
    ):
        kind = BounceKind.SOFT
    return BounceReport(
        kind,
        enhanced,
        redacted(words, recipient),
        recipients=tuple(filter(None, (recipient,))),
        delivery_key=delivery_key,
    )


def _status_code(text: str) -> str:
    """Return the code of RFC 3463 that a field holds; empty for anything else, which may be longer."""
    match = _STATUS_CODE.match(text.strip())
    return match[0] if match else ""


def require_basic_auth(request: EventRequest) -> None:
    """Raise `WebhookRefused` unless the request has the user and password of the settings, if these are set.

    The secret in the address has been compared by then (RFC 7617).
    """
    keys = request.keys
    if not keys.username and not keys.password:
        return
    expected = base64.b64encode(f"{keys.username}:{keys.password}".encode())
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode(), expected)
    if scheme.lower() != "basic" or not same:
        raise WebhookRefused("the request lacks the user and password of this source")


def require_recent(at: datetime, request: EventRequest, window: timedelta) -> None:
    """Raise `WebhookRefused` for a signed time that is older than `window`, or lies in the future."""
    if not request.now - window <= at <= request.now + CLOCK_SKEW:
        raise WebhookRefused("the signed time of the request is too old, or in the future")


def json_of(body: bytes) -> Any:
    """Return the JSON value of a body; raises `WebhookUnreadable`."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise WebhookUnreadable("the body is no JSON") from None


def json_object(value: Any) -> dict[str, Any]:
    """Return a JSON value that has to be an object; raises `WebhookUnreadable`."""
    if not isinstance(value, dict):
        raise WebhookUnreadable("an object is missing where the provider documents one")
    return value


def json_list(value: Any) -> list[Any]:
    """Return a JSON value that has to be a list; raises `WebhookUnreadable`."""
    if not isinstance(value, list):
        raise WebhookUnreadable("a list is missing where the provider documents one")
    return value


def json_records(body: bytes) -> list[Any]:
    """Return the records of a body that is a list of them, or a single one; raises `WebhookUnreadable`."""
    value = json_of(body)
    return value if isinstance(value, list) else [value]


def text_of(record: Mapping[str, Any], name: str, limit: int = 1000) -> str:
    """Return a text or number of a record as text, cut to `limit` characters; empty without it."""
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return storable(str(value)[:limit])


def storable(text: str) -> str:
    """Return a text without what JSON may hold and no store takes: halves of characters, and NUL.

    A provider that cuts a reply of another server may well halve a character.
    """
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def required_text(record: Mapping[str, Any], name: str) -> str:
    """Return a text that the provider documents for every event; raises `WebhookUnreadable` without it."""
    text = text_of(record, name)
    if not text:
        raise WebhookUnreadable(f"the provider's {name} is missing")
    return text


def events_of(
    records: Sequence[Any],
    irrelevant: Collection[str],
    report_of: Callable[[str, Mapping[str, Any]], BounceReport | None],
    id_of: Callable[[Mapping[str, Any]], str],
) -> Iterator[ProviderEvent]:
    """Yield the events of records with an `event` each: of those that are `irrelevant` the word is all that is read.

    `report_of` returns the report of a word and its record, None for a word that it does not know, `id_of` the
    event's id. Raises `WebhookUnreadable` for a record without a word.
    """
    for value in records:
        record = json_object(value)
        name = required_text(record, "event")
        if name in irrelevant:
            yield ProviderEvent(name, IRRELEVANT)
        elif (report := report_of(name, record)) is None:
            yield ProviderEvent(name, None)
        else:
            yield ProviderEvent(name, report, id_of(record), raw_of(record))


def event_id(*parts: str) -> str:
    """Return what recognises an event, made of several fields; empty when one of them is missing."""
    return "/".join(parts) if all(parts) else ""


def raw_of(record: Mapping[str, Any]) -> bytes:
    """Return a record as it is kept for inspection."""
    return json.dumps(record, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace")
