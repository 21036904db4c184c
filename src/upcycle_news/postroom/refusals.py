"""Whom a refusal speaks of: the recipient, their mailbox, the sender, a limit, or the message. Pure.

One table for replies at SMTP time and for reports that come back later. The enhanced status code
(RFC 3463, 5248, 7293, 7505) decides where there is one, and the words may only make it milder:
relays put 5.1.1 in front of everything that was refused at RCPT. Nobody is called gone unless a
code or plain words say so and nothing else in the reply contradicts it.
"""

from __future__ import annotations

import re
from enum import StrEnum

from upcycle_news.model import SmtpReply
from upcycle_news.postroom import refusal_words as words
from upcycle_news.postroom.outcomes import Stage

SLOW_DOWN = frozenset({421, 450, 451, 452, 454})
"""Replies after which the relay as a whole gets a pause."""


class RefusalClass(StrEnum):
    """Whom a refusal speaks of, from the most certain to the least."""

    RECIPIENT = "recipient"
    """The address does not exist (any more)."""
    MAILBOX = "mailbox"
    """The recipient exists and does not take this now: full, disabled, too large for them."""
    LIMIT = "limit"
    """A provider's limit of mails, recipients or connections in some time: later, and slower."""
    SENDER = "sender"
    """Us: account, address, IP address, DNS, authentication, reputation, policy."""
    SIZE = "size"
    """The message is too large for the server."""
    CONTENT = "content"
    """The message is not taken for what stands in it (RFC 3463, X.6)."""
    UNCLEAR = "unclear"
    """It does not say."""


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
    """What an enhanced status code says by itself, whatever its first digit."""
    detail = enhanced.partition(".")[2]
    for pattern, found in _BY_CODE:
        if re.fullmatch(pattern, detail):
            return found
    return RefusalClass.UNCLEAR


def classify_refusal(stage: Stage, reply: SmtpReply) -> RefusalClass:
    """Whom the 4xx or 5xx `reply` at `stage` speaks of; for reports `stage` is ``rcpt``."""
    said = words.said_in(reply.text)
    if reply.code in _AUTHENTICATION:
        return RefusalClass.SENDER
    by_code = class_of_code(reply.enhanced)
    if stage == "mail":  # nobody has named a recipient yet
        return _at_mail(by_code, said, reply.code)
    match by_code:
        case RefusalClass.RECIPIENT:
            return _unless_contradicted(reply.enhanced, said)
        case RefusalClass.UNCLEAR:
            return _by_words(stage, said, reply)
        case RefusalClass.SENDER:
            return _of_the_sender(reply.enhanced, said)
        case _:
            return _milder(by_code, said)


def _at_mail(by_code: RefusalClass, said: frozenset[words.Topic], code: int) -> RefusalClass:
    if words.Topic.LIMIT in said:
        return RefusalClass.LIMIT
    if by_code is RefusalClass.SIZE or code == 552 or words.Topic.SIZE in said:
        return RefusalClass.SIZE  # RFC 1870, section 6.1
    return RefusalClass.SENDER


def _unless_contradicted(enhanced: str, said: frozenset[words.Topic]) -> RefusalClass:
    """The code says that the address is dead: true unless the words speak of something else."""
    if enhanced.endswith(".2.1") and words.Topic.LATER not in said:
        said -= {words.Topic.SUSPENDED}  # just what 5.2.1 means
    other = _first(said, _STRONG)
    if other is not None:
        return RefusalClass.UNCLEAR if words.Topic.RECIPIENT in said else other
    if words.Topic.RECIPIENT not in said and said & _WEAK:
        return RefusalClass.UNCLEAR
    return RefusalClass.RECIPIENT


def _of_the_sender(enhanced: str, said: frozenset[words.Topic]) -> RefusalClass:
    """5.7.1 is what many servers say to everything; a plainer code than that is meant."""
    if words.Topic.LIMIT in said:
        return RefusalClass.LIMIT
    if words.Topic.SUSPENDED in said:
        return RefusalClass.MAILBOX
    if words.Topic.BLOCKED in said or not re.search(r"\.7\.[01]$", enhanced):
        return RefusalClass.SENDER
    if said & {words.Topic.FULL, words.Topic.WISHES}:
        return RefusalClass.MAILBOX
    return RefusalClass.UNCLEAR if words.Topic.RECIPIENT in said else RefusalClass.SENDER


def _milder(by_code: RefusalClass, said: frozenset[words.Topic]) -> RefusalClass:
    """A code of the mailbox or the message; what blames the sender goes before it."""
    if words.Topic.LIMIT in said:
        return RefusalClass.LIMIT
    return RefusalClass.SENDER if words.Topic.BLOCKED in said else by_code


def _by_words(stage: Stage, said: frozenset[words.Topic], reply: SmtpReply) -> RefusalClass:
    """No code that says anything: the words are all there is."""
    strong = _first(said, _STRONG)
    if strong is not None and words.Topic.RECIPIENT not in said:
        return strong
    if strong is not None:
        return RefusalClass.UNCLEAR if strong is RefusalClass.MAILBOX else strong
    if words.Topic.RECIPIENT in said:
        return RefusalClass.RECIPIENT if _may_name_the_dead(stage, reply) else RefusalClass.UNCLEAR
    if reply.code == 552:  # RFC 5321, section 4.2.3: exceeded storage allocation
        return RefusalClass.MAILBOX if stage == "rcpt" else RefusalClass.SIZE
    denied = words.Topic.DENIED in said and reply.code >= 500
    return RefusalClass.SENDER if denied else RefusalClass.UNCLEAR


def _may_name_the_dead(stage: Stage, reply: SmtpReply) -> bool:
    """Words need a permanent reply to RCPT, and no code that speaks of something else.

    After the message itself "unknown user" is what filters of phone companies say.
    """
    return stage == "rcpt" and reply.code >= 500 and reply.enhanced in ("", "5.0.0", "5.1.0")


_STRONG: tuple[tuple[words.Topic, RefusalClass], ...] = (
    (words.Topic.LIMIT, RefusalClass.LIMIT),
    (words.Topic.SUSPENDED, RefusalClass.MAILBOX),
    (words.Topic.BLOCKED, RefusalClass.SENDER),
    (words.Topic.FULL, RefusalClass.MAILBOX),
    (words.Topic.SIZE, RefusalClass.SIZE),
    (words.Topic.WISHES, RefusalClass.MAILBOX),
)
"""In this order, where a reply speaks of several."""
_WEAK = frozenset({words.Topic.DENIED, words.Topic.LATER, words.Topic.TO_US})


def speaks_of_something_else(text: str) -> bool:
    """True if the words name a reason that is not the recipient's address."""
    return _first(words.said_in(text), _STRONG) is not None


def _first(
    said: frozenset[words.Topic], order: tuple[tuple[words.Topic, RefusalClass], ...]
) -> RefusalClass | None:
    return next((found for topic, found in order if topic in said), None)


# --- what stops an issue


def stops_issue(stage: Stage, reply: SmtpReply) -> bool:
    """Whether a refusal concerns every mail of the issue: the account, the sender, the message.

    A refusal at RCPT may be one recipient's (RFC 3463, X.7.1), unless it says that we may not
    relay at all.
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
    "mail": "the sender",
    "rcpt": "a recipient",
    "data": "the message",
    "body": "the message",
}


def stop_sentence(stage: Stage, reply: SmtpReply) -> str:
    """Why the issue stops, and the cure."""
    said = " ".join(part for part in (str(reply.code), reply.enhanced, reply.text) if part)
    return (
        f"the relay refused {_STEP[stage]} for a reason that concerns us, not the reader "
        f"({said}): {_cure(stage, reply)}, then resume the issue; nobody was suppressed"
    )


def _cure(stage: Stage, reply: SmtpReply) -> str:
    if classify_refusal(stage, reply) is RefusalClass.SIZE:
        return "make the issue smaller or ask the relay for a higher size limit"
    if stage == "mail" or reply.enhanced in ("5.1.7", "5.1.8"):
        return "check the sender address and whether the account may use it"
    if reply.code in _AUTHENTICATION or re.search(r"relay", reply.text, re.IGNORECASE):
        return "check user name and password of the relay and whether it may relay for us"
    return "ask the relay's operator, and check SPF, DKIM, DMARC and the content"
