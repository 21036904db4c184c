"""What a refusal concerns: the recipient, their mailbox, the sender, a limit, or the message. Pure.

One table for replies at SMTP time and for reports that come back later. The enhanced status code
(RFC 3463, 5248, 7293, 7505) decides where there is one, and the words may only make it milder:
relays put 5.1.1 in front of everything that was refused at RCPT. An address counts as dead only if
a code or plain words say so and nothing else in the reply contradicts it.
"""

from __future__ import annotations

import re
from enum import StrEnum

from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import SmtpReply
from upcycle_news.transports import refusal_words as words
from upcycle_news.transports.outcomes import Stage

SLOW_DOWN = frozenset({421, 450, 451, 452, 454})
"""Replies after which the relay as a whole gets a pause."""


class RefusalClass(StrEnum):
    """What a refusal concerns."""

    RECIPIENT = "recipient"
    """The address does not exist (any more)."""
    MAILBOX = "mailbox"
    """The recipient exists and does not accept this now: full, disabled, too large for them."""
    LIMIT = "limit"
    """A provider's limit of mails, recipients or connections in some time: later, and slower."""
    SENDER = "sender"
    """Us: account, address, IP address, DNS, authentication, reputation, policy."""
    SIZE = "size"
    """The message is too large for the server."""
    CONTENT = "content"
    """The message is refused for its content (RFC 3463, X.6)."""
    UNCLEAR = "unclear"
    """The reply does not say."""


_BY_CODE: tuple[tuple[str, RefusalClass], ...] = (
    # Bad mailbox, domain, syntax; moved away; a domain that takes no mail (RFC 7505); disabled.
    (r"1\.(1|2|3|6|10)|2\.1", RefusalClass.RECIPIENT),
    (r"7\.1[78]", RefusalClass.RECIPIENT),  # the mailbox, or the domain, has a new owner (RFC 7293)
    (r"2\.[234]", RefusalClass.MAILBOX),  # full, too large for this mailbox, list expansion
    (r"1\.[78]", RefusalClass.SENDER),  # the sender's address (RFC 3463, section 3.2)
    (r"3\.4", RefusalClass.SIZE),
    (r"5\.3", RefusalClass.LIMIT),  # too many recipients
    (r"6\.\d+", RefusalClass.CONTENT),
    (r"7\.\d+", RefusalClass.SENDER),
)
_AUTHENTICATION = frozenset({530, 534, 535, 538})
"""Replies of RFC 4954: the relay does not know us."""


def class_of_code(enhanced: str) -> RefusalClass:
    """Return the class of an enhanced status code by itself, whatever its first digit."""
    detail = enhanced.partition(".")[2]
    for pattern, refusal_class in _BY_CODE:
        if re.fullmatch(pattern, detail):
            return refusal_class
    return RefusalClass.UNCLEAR


def classify_refusal(stage: Stage, reply: SmtpReply) -> RefusalClass:
    """Return what the 4xx or 5xx `reply` at `stage` concerns; for reports `stage` is ``rcpt``."""
    topics = words.topics_in(reply.text)
    if reply.code in _AUTHENTICATION:
        return RefusalClass.SENDER
    by_code = class_of_code(reply.enhanced)
    if stage == "mail":  # no recipient was given yet
        return _at_mail(by_code, topics, reply.code)
    match by_code:
        case RefusalClass.RECIPIENT:
            return _unless_contradicted(reply.enhanced, topics)
        case RefusalClass.UNCLEAR:
            return _by_words(stage, topics, reply)
        case RefusalClass.SENDER:
            return _of_the_sender(reply.enhanced, topics)
        case _:
            return _milder(by_code, topics)


def _at_mail(by_code: RefusalClass, topics: frozenset[words.Topic], code: int) -> RefusalClass:
    if words.Topic.LIMIT in topics:
        return RefusalClass.LIMIT
    if by_code is RefusalClass.SIZE or code == 552 or words.Topic.SIZE in topics:
        return RefusalClass.SIZE  # RFC 1870, section 6.1
    return RefusalClass.SENDER


def _unless_contradicted(enhanced: str, topics: frozenset[words.Topic]) -> RefusalClass:
    """Evaluate a code of a dead address: it holds unless the words give another reason."""
    if enhanced.endswith(".2.1") and words.Topic.LATER not in topics:
        topics -= {words.Topic.SUSPENDED}  # just what 5.2.1 means
    other = _first(topics, _STRONG)
    if other is not None:
        return RefusalClass.UNCLEAR if words.Topic.RECIPIENT in topics else other
    if words.Topic.RECIPIENT not in topics and topics & _WEAK:
        return RefusalClass.UNCLEAR
    return RefusalClass.RECIPIENT


def _of_the_sender(enhanced: str, topics: frozenset[words.Topic]) -> RefusalClass:
    """Evaluate X.7.x: many servers reply 5.7.1 to everything, more exact codes hold."""
    if words.Topic.LIMIT in topics:
        return RefusalClass.LIMIT
    if words.Topic.SUSPENDED in topics:
        return RefusalClass.MAILBOX
    if words.Topic.BLOCKED in topics or not re.search(r"\.7\.[01]$", enhanced):
        return RefusalClass.SENDER
    if topics & {words.Topic.FULL, words.Topic.RECIPIENT_RULES}:
        return RefusalClass.MAILBOX
    return RefusalClass.UNCLEAR if words.Topic.RECIPIENT in topics else RefusalClass.SENDER


def _milder(by_code: RefusalClass, topics: frozenset[words.Topic]) -> RefusalClass:
    """Evaluate a code of the mailbox or the message; words that blame the sender go first."""
    if words.Topic.LIMIT in topics:
        return RefusalClass.LIMIT
    return RefusalClass.SENDER if words.Topic.BLOCKED in topics else by_code


def _by_words(stage: Stage, topics: frozenset[words.Topic], reply: SmtpReply) -> RefusalClass:
    """Evaluate the words alone, where no code says anything."""
    reason = _first(topics, _STRONG)
    if reason is not None and words.Topic.RECIPIENT not in topics:
        return reason
    if reason is not None:
        return RefusalClass.UNCLEAR if reason is RefusalClass.MAILBOX else reason
    if words.Topic.RECIPIENT in topics:
        return (
            RefusalClass.RECIPIENT
            if _words_suffice_for_dead(stage, reply)
            else RefusalClass.UNCLEAR
        )
    if reply.code == 552:  # RFC 5321, section 4.2.3: exceeded storage allocation
        return RefusalClass.MAILBOX if stage == "rcpt" else RefusalClass.SIZE
    denied = words.Topic.DENIED in topics and reply.code >= 500
    return RefusalClass.SENDER if denied else RefusalClass.UNCLEAR


def _words_suffice_for_dead(stage: Stage, reply: SmtpReply) -> bool:
    """Return True for a permanent reply to RCPT without a code of something else.

    After the message itself, filters of phone companies reply "unknown user".
    """
    return stage == "rcpt" and reply.code >= 500 and reply.enhanced in ("", "5.0.0", "5.1.0")


_STRONG: tuple[tuple[words.Topic, RefusalClass], ...] = (
    (words.Topic.LIMIT, RefusalClass.LIMIT),
    (words.Topic.SUSPENDED, RefusalClass.MAILBOX),
    (words.Topic.BLOCKED, RefusalClass.SENDER),
    (words.Topic.FULL, RefusalClass.MAILBOX),
    (words.Topic.SIZE, RefusalClass.SIZE),
    (words.Topic.RECIPIENT_RULES, RefusalClass.MAILBOX),
)
"""In this order, where a reply names several."""
_WEAK = frozenset({words.Topic.DENIED, words.Topic.LATER, words.Topic.TO_SENDER})


def names_another_reason(text: str) -> bool:
    """Return True if the words name a reason other than the recipient's address."""
    return _first(words.topics_in(text), _STRONG) is not None


def _first(
    topics: frozenset[words.Topic], order: tuple[tuple[words.Topic, RefusalClass], ...]
) -> RefusalClass | None:
    return next((refusal_class for topic, refusal_class in order if topic in topics), None)


# --- what stops an issue


def stops_issue(stage: Stage, reply: SmtpReply) -> bool:
    """Return True if a refusal concerns every mail of the issue: account, sender or message.

    A refusal at RCPT may concern one recipient only (RFC 3463, X.7.1), unless it says that we may
    not relay at all.
    """
    kind = classify_refusal(stage, reply)
    if kind in (RefusalClass.LIMIT, RefusalClass.MAILBOX, RefusalClass.RECIPIENT):
        return False
    if stage == "rcpt":
        return kind is RefusalClass.SENDER and (
            reply.code in _AUTHENTICATION
            or bool(re.search(r"\.1\.[78]$", reply.enhanced))
            or words.concerns_every_mail(reply.text)
        )
    return not (kind is RefusalClass.UNCLEAR and reply.enhanced.startswith("5.2."))


_STEP = {
    "mail": localized("step-sender"),
    "rcpt": localized("step-recipient"),
    "data": localized("step-message"),
    "body": localized("step-message"),
}


def stop_sentence(stage: Stage, reply: SmtpReply) -> str:
    """Return the sentence that says why the issue stops, and the cure, in English, as the store keeps it."""
    quoted = " ".join(part for part in (str(reply.code), reply.enhanced, reply.text) if part)
    return str(
        localized("reason-refuses-us", step=_STEP[stage], quoted=quoted, cure=_cure(stage, reply))
    )


def _cure(stage: Stage, reply: SmtpReply) -> LocalizedText:
    if classify_refusal(stage, reply) is RefusalClass.SIZE:
        return localized("cure-size")
    if stage == "mail" or reply.enhanced in ("5.1.7", "5.1.8"):
        return localized("cure-sender")
    if reply.code in _AUTHENTICATION or re.search(r"relay", reply.text, re.IGNORECASE):
        return localized("cure-login")
    return localized("cure-operator")
