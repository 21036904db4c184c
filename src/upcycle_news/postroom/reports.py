"""What a mail that came back says: bounced for good, for now, complained, or none of that. Pure.

The machine-readable parts come first (RFC 3464, RFC 5965), then the words of servers that follow
no standard. Whatever a person or their holiday assistant wrote is none of it.
"""

from __future__ import annotations

import email
from dataclasses import dataclass, field, replace
from email.message import Message
from enum import StrEnum

from upcycle_news.model import Envelope, SmtpReply
from upcycle_news.postroom.bounce_origin import links_in, returned_to, spellings
from upcycle_news.postroom.dsn import (
    RecipientStatus,
    recipient_statuses,
    refused_after_data,
    reply_in,
)
from upcycle_news.postroom.mail_parts import (
    fields_of,
    from_mailer,
    is_automatic,
    is_from_person,
    part_of_type,
)
from upcycle_news.postroom.notices import Notice, read_notice, refusal_beside
from upcycle_news.postroom.outcomes import Stage
from upcycle_news.postroom.refusal_words import Topic, said_in
from upcycle_news.postroom.refusals import (
    RefusalClass,
    class_of_code,
    classify_refusal,
    speaks_of_something_else,
)
from upcycle_news.postroom.replies import redacted

MAX_BYTES = 5_000_000


class BounceKind(StrEnum):
    """What a mail is. Only the first five are about a delivery of ours that went wrong."""

    HARD = "hard"
    SOFT = "soft"
    UNCLEAR = "unclear"
    """From a mail system and not understood: soft, and never a reason to suppress by itself."""
    BLOCKED = "blocked"
    COMPLAINT = "complaint"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    FEEDBACK = "feedback"
    """Of a provider, and no complaint (RFC 5965, section 7.3; RFC 6430, 6591)."""
    AUTO_REPLY = "auto-reply"
    OTHER = "other"


COUNTED = frozenset(
    {
        *(BounceKind.HARD, BounceKind.SOFT, BounceKind.UNCLEAR),
        *(BounceKind.BLOCKED, BounceKind.COMPLAINT),
    }
)
COMPLAINTS = frozenset({"abuse", "fraud", "opt-out", "opt-out-list"})
"""Feedback types (RFC 5965, section 7.3) by which a reader asks for no more mail."""


@dataclass(frozen=True)
class BounceReport:
    """A mail, read. `returned_to` are the addresses it may have been returned to.

    `code` is the RFC 3463 status or empty; `reason` is redacted; `links` are unsubscribe tokens of
    the mail it is about. `recipients` are the addresses that failed, as the report has them, and
    `notice` what a server wrote that nobody understands.
    """

    kind: BounceKind
    code: str = ""
    reason: str = ""
    returned_to: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    recipients: tuple[str, ...] = field(default=(), repr=False)
    notice: str = field(default="", repr=False)


def parse_bounce(raw: bytes) -> BounceReport:
    """Read a mail from the inbox; never fails, for anybody may have written it."""
    if len(raw) > MAX_BYTES:
        return BounceReport(BounceKind.OTHER)
    try:
        message = email.message_from_bytes(raw)
        report = _read(message)
        return replace(
            report, returned_to=tuple(returned_to(message)), links=tuple(links_in(message))
        )
    except Exception:  # the parser's corners: a hostile mail must not stop the others
        return BounceReport(BounceKind.OTHER)


def for_reader(report: BounceReport, address: str) -> BounceReport:
    """The report as it counts for the reader whose delivery it is about.

    Suppressing needs the reader's own address: where another one failed (a forward, an alias, a
    copy; RFC 3464, section 2.3.2) the reader may well have got the mail. And a mail that nobody
    understands counts only where a refusal stands beside the address.
    """
    ours = spellings(address)
    named = report.kind is BounceKind.HARD and report.recipients
    if named and not any(spellings(one) & ours for one in report.recipients):
        return replace(report, kind=BounceKind.SOFT)
    if report.kind is BounceKind.OTHER and report.notice and refusal_beside(report.notice, address):
        return replace(report, kind=BounceKind.UNCLEAR)
    return report


def _read(message: Message) -> BounceReport:
    if (feedback := part_of_type(message, "message/feedback-report")) is not None:
        return _from_feedback(feedback)
    if part_of_type(message, "message/disposition-notification") is not None:
        return BounceReport(BounceKind.AUTO_REPLY)
    mailer = from_mailer(message)
    # Exim marks its bounces as auto-replied, too.
    if not mailer and is_automatic(message) and message.get_content_subtype() != "report":
        return BounceReport(BounceKind.AUTO_REPLY)
    if is_from_person(message):
        return BounceReport(BounceKind.OTHER)
    return _from_statuses(message) or _from_notice(message)


def _from_feedback(part: Message) -> BounceReport:
    kind = str(fields_of(part).get("feedback-type", "")).strip().lower()
    if kind in COMPLAINTS:
        return BounceReport(BounceKind.COMPLAINT, "", kind)
    return BounceReport(BounceKind.FEEDBACK)


# --- RFC 3464


def _from_statuses(message: Message) -> BounceReport | None:
    """What a delivery status notification says; None where it says nothing of a recipient."""
    statuses = recipient_statuses(message)
    failed = [one for one in statuses if one.failed]
    if not failed:
        if any(one.action == "delayed" for one in statuses):
            return BounceReport(BounceKind.DELAYED)
        return BounceReport(BounceKind.DELIVERED) if statuses else None
    notice = read_notice(message)
    return _together([_failed(one, notice) for one in failed], len(failed) == len(statuses))


def _together(reports: list[BounceReport], all_failed: bool) -> BounceReport:
    """One report of several recipients: each of our mails has one, so these are who it went on to.

    Where they do not agree, nothing is certain of any of them.
    """
    first = reports[0]
    if first.kind is BounceKind.HARD:
        milder = [one for one in reports if one.kind is not BounceKind.HARD]
        first = milder[0] if milder else first
        if not all_failed and not milder:
            first = replace(first, kind=BounceKind.SOFT)
    recipients = tuple(address for one in reports for address in one.recipients)
    return replace(first, recipients=recipients)


def _failed(one: RecipientStatus, notice: Notice) -> BounceReport:
    """What became of one recipient: what the other server said counts before the status.

    Relays make their status up from the step that was refused (RFC 3464, section 2.3.6).
    """
    said = reply_in(one.diagnostic)
    quoted = said is not None
    words = one.diagnostic
    if said is None and not words.strip():
        words = notice.about(one.recipient or one.original)
        said = reply_in(words)
    if said is not None and not quoted:
        words = said.text
    elif said is None and not one.diagnostic.strip() and not speaks_of_something_else(words):
        words = ""  # politeness
    code, enhanced = _codes(one.status, said)
    stage: Stage = "body" if refused_after_data(f"{words}\n{notice.text}") else "rcpt"
    kind = _kind(stage, code, enhanced, words)
    if kind is BounceKind.HARD and not _certain(one, said, enhanced, quoted):
        kind = BounceKind.SOFT
    shown = one.diagnostic or words or notice.about(one.recipient or one.original)
    recipient = one.recipient or one.original
    return BounceReport(
        kind,
        enhanced or one.status,
        _redacted(shown, recipient),
        recipients=tuple(filter(None, (recipient,))),
    )


def _codes(status: str, said: SmtpReply | None) -> tuple[int, str]:
    """The reply code, or 0, and the enhanced code that hold; the diagnostic's own go first."""
    if said is None:
        return (int(status[0]) * 100 if status[:1] in ("4", "5") else 0), status
    if said.enhanced and not said.enhanced.endswith(".0.0"):
        return said.code, said.enhanced
    if status[:1] == str(said.code)[0]:
        return said.code, status
    return said.code, said.enhanced


def _certain(one: RecipientStatus, said: SmtpReply | None, enhanced: str, quoted: bool) -> bool:
    """True if a code says that the address is dead, or the quoted reply to RCPT plainly does.

    A status that is more exact than the reply it stands with was made up by the relay.
    """
    if said is None:
        return class_of_code(enhanced) is RefusalClass.RECIPIENT
    if said.enhanced and class_of_code(said.enhanced) is RefusalClass.RECIPIENT:
        return True
    return quoted and bool(one.status) and Topic.RECIPIENT in said_in(one.diagnostic)


def _kind(stage: Stage, code: int, enhanced: str, words: str) -> BounceKind:
    """Hard only where the address is the reason; blocked where we are; else it may pass.

    With neither code, words alone are soft at the most.
    """
    found = classify_refusal(stage, SmtpReply(code or 400, words, enhanced))
    if found in (RefusalClass.SENDER, RefusalClass.LIMIT, RefusalClass.CONTENT):
        return BounceKind.BLOCKED
    permanent = code >= 500 and not enhanced.startswith("4")
    return BounceKind.HARD if found is RefusalClass.RECIPIENT and permanent else BounceKind.SOFT


# --- no standard


def _from_notice(message: Message) -> BounceReport:
    """What a server's own words say. Hard needs an enhanced code that names the address dead."""
    notice = read_notice(message, returned_to(message))
    if not notice.known and not notice.mailer:
        return BounceReport(BounceKind.OTHER, notice=notice.text)
    if notice.arrived:
        return BounceReport(BounceKind.DELIVERED)
    if notice.delayed:
        return BounceReport(BounceKind.DELAYED)
    words = notice.about()
    said = reply_in(words) or reply_in(notice.text)
    if said is None:
        return _by_words_alone(notice, words)
    stage: Stage = "body" if refused_after_data(notice.text) else "rcpt"
    kind = _kind(stage, said.code, said.enhanced, said.text)
    exact = class_of_code(said.enhanced) is RefusalClass.RECIPIENT
    if kind is BounceKind.HARD and (notice.temporary or not exact):
        kind = BounceKind.SOFT
    if kind is BounceKind.SOFT and not notice.known and not said.enhanced:
        kind = BounceKind.UNCLEAR
    return BounceReport(
        kind,
        said.enhanced,
        _redacted(words, next(iter(notice.recipients), "")),
        recipients=notice.recipients,
    )


def _by_words_alone(notice: Notice, words: str) -> BounceReport:
    """No code at all: soft, blocked, or not understood."""
    kind = _kind("rcpt", 0, "", words)
    if kind is BounceKind.SOFT and not notice.known:
        kind = BounceKind.UNCLEAR
    reason = _redacted(words, next(iter(notice.recipients), ""))
    return BounceReport(kind, "", reason, recipients=notice.recipients, notice=notice.text)


def _redacted(text: str, recipient: str) -> str:
    return redacted(" ".join(text.split()), Envelope(sender="", recipient=recipient))[:400]
