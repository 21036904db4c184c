"""Whom a permanent refusal speaks of: the person, this one delivery, or us. Pure.

The enhanced status (RFC 3463) decides where there is one; it was invented because the words and
the plain codes mean something else on every server.
"""

from __future__ import annotations

import re
from typing import Literal

from upcycle_news.models import SmtpReply
from upcycle_news.transports.outcomes import Stage

Subject = Literal["person", "delivery", "us"]

SLOW_DOWN = frozenset({421, 450, 451, 452, 454})
"""Replies after which the relay as a whole gets a pause."""

# Bad mailbox, bad domain, bad syntax, a domain that takes no mail (RFC 7505), mailbox disabled.
_PERSON = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.10", "5.2.1"})
# Bad sender address (RFC 3463, section 3.2), message too big, content, security and policy.
_US = re.compile(r"5\.(1\.[78]|3\.4|6\.\d+|7\.\d+)\Z")
_MAILBOX_FULL = re.compile(r"(mailbox|inbox|postfach)\W.{0,30}\b(full|voll)\b|quota", re.IGNORECASE)
_OUR_QUOTA = re.compile(
    r"\b(daily|hourly|sending|outgoing|rate)\b.{0,30}\b(quota|limit)", re.IGNORECASE
)
_BLAMES_US = re.compile(
    r"\b(relay(ing)?|denied|blocked|block ?list|black ?list|blacklisted|spam|policy|reputation"
    r"|spf|dkim|dmarc|authenticat\w*|too (large|big)|exceeds?)\b",
    re.IGNORECASE,
)
_WHO = r"(user|mailbox|mail box|recipient|account|address|addressee|empfänger|benutzer)"
_NO_SUCH_USER = re.compile(
    rf"no such ({_WHO}|person|local)"
    rf"|unknown {_WHO}|unbekannter {_WHO}"
    rf"|\b{_WHO}\b[^.;:]{{0,60}}\b(unknown|not found|unbekannt|does ?n[o']t exist|does not exist)"
    r"|\buser doesn't have an? .{1,40} account",
    re.IGNORECASE,
)
_SENDER = re.compile(r"\b(sender|return path|mail from)\b", re.IGNORECASE)


def classify_refusal(stage: Stage, reply: SmtpReply) -> Subject:
    """Whom the 5xx `reply` at `stage` speaks of."""
    if stage == "mail":
        return "us"
    known = reply.enhanced if reply.enhanced != "5.0.0" else ""
    if known in _PERSON:
        return "person"
    if _US.match(known) or _OUR_QUOTA.search(reply.text):
        return "us"
    if known.startswith("5.2.") or (reply.code == 552 and _MAILBOX_FULL.search(reply.text)):
        return "delivery"
    if reply.code == 552 or stage in ("data", "body"):
        return "us"
    if known:
        return "delivery"
    return _by_wording(reply)


def _by_wording(reply: SmtpReply) -> Subject:
    """A refused recipient without an enhanced status: the words are all there is."""
    if reply.code in {530, 535}:  # RFC 4954: authentication
        return "us"
    if _NO_SUCH_USER.search(reply.text) and not _SENDER.search(reply.text):
        return "person"
    if _BLAMES_US.search(reply.text):
        return "us"
    return "delivery"


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
    if reply.code == 552 or reply.enhanced == "5.3.4":
        return "make the issue smaller or ask the relay for a higher size limit"
    if stage == "mail" or reply.enhanced in ("5.1.7", "5.1.8"):
        return "check the sender address and whether the account may use it"
    if reply.code in {530, 535} or re.search(r"relay", reply.text, re.IGNORECASE):
        return "check user name and password of the relay and whether it may relay for us"
    return "ask the relay's operator, and check SPF, DKIM, DMARC and the content"
