"""Parse a returned mail: a hard, soft or blocked bounce, a complaint, or none of these. Pure.

The machine-readable parts come first (RFC 3464, RFC 5965), then the words of servers that follow
no standard. What a person or their out-of-office assistant wrote is none of these.
"""

from __future__ import annotations

import email
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from email.message import Message
from enum import StrEnum

from upcycle_news.bounces.bounce_origin import links_in, returned_to, spellings
from upcycle_news.bounces.dsn import (
    RecipientStatus,
    recipient_statuses,
    refused_after_data,
    reply_in,
)
from upcycle_news.bounces.mail_parts import (
    fields_of,
    from_mailer,
    is_automatic,
    is_from_person,
    part_of_type,
)
from upcycle_news.bounces.notices import Notice, read_notice, refusal_beside
from upcycle_news.models import Envelope, SmtpReply
from upcycle_news.transports.outcomes import Stage
from upcycle_news.transports.refusal_classes import (
    RefusalClass,
    class_of_code,
    classify_refusal,
    names_another_reason,
)
from upcycle_news.transports.refusal_words import Topic, topics_in
from upcycle_news.transports.replies import redact_reply

MAX_BYTES = 5_000_000


class BounceKind(StrEnum):
    """The kind of a mail. Only the first five are about a delivery of ours that failed."""

    HARD = "hard"
    SOFT = "soft"
    UNCLEAR = "unclear"
    """From a mail system, not understood: soft, and never a reason to suppress by itself."""
    BLOCKED = "blocked"
    COMPLAINT = "complaint"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    FEEDBACK = "feedback"
    """Feedback of a provider that is no complaint (RFC 5965, section 7.3; RFC 6430, 6591)."""
    UNSUBSCRIBED = "unsubscribed"
    """The subscriber told the provider that they want no more mail: by its own link or its mail program."""
    AUTO_REPLY = "auto-reply"
    OTHER = "other"


COUNTED = frozenset(
    {
        *(BounceKind.HARD, BounceKind.SOFT, BounceKind.UNCLEAR),
        *(BounceKind.BLOCKED, BounceKind.COMPLAINT),
    }
)
COMPLAINTS = frozenset({"abuse", "fraud", "opt-out", "opt-out-list"})
"""Feedback types (RFC 5965, section 7.3) by which a subscriber asks for no more mail."""


@dataclass(frozen=True)
class BounceReport:
    """A parsed mail. `returned_to` are the addresses it may have been returned to.

    `code` is the RFC 3463 status or empty; `reason` is redact_reply; `links` are unsubscribe tokens of
    the mail it is about. `recipients` are the addresses that failed, as the report has them, and
    `notice` the text of a mail that was not understood. `delivery_key` is what a provider handed back of
    ours, not verified. `went_to` is the keyed hash of the subscriber's address among the recipients, once
    they are compared (`for_subscriber`).
    """

    kind: BounceKind
    code: str = ""
    reason: str = ""
    returned_to: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    recipients: tuple[str, ...] = field(default=(), repr=False)
    notice: str = field(default="", repr=False)
    delivery_key: str = ""
    went_to: str = ""


def parse_bounce(raw: bytes) -> BounceReport:
    """Parse a mail from the inbox; never fails, for anybody may have written it."""
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


def for_subscriber(
    report: BounceReport,
    address: str,
    earlier: Collection[str] = (),
    hash_of: Callable[[str], str] = lambda _: "",
) -> BounceReport:
    """Return the report as it counts for the subscriber with this address.

    Suppressing needs an address of the subscriber's own, the present one or one of the `earlier` ones,
    which are known by what `hash_of` returns for them: where another one failed (a forward, an alias, a
    copy; RFC 3464, section 2.3.2) the subscriber may well have received the mail. A mail that was
    not understood counts only if a refusal is quoted beside the address.
    """
    if report.recipients:
        failed = frozenset[str]().union(*map(spellings, report.recipients))
        own = failed & spellings(address)
        went_to = hash_of(address) if own else _first_of(earlier, map(hash_of, sorted(failed)))
        failed_elsewhere = report.kind is BounceKind.HARD and not own and not went_to
        kind = BounceKind.SOFT if failed_elsewhere else report.kind
        report = replace(report, kind=kind, went_to=went_to)
    if report.kind is BounceKind.OTHER and report.notice and refusal_beside(report.notice, address):
        return replace(report, kind=BounceKind.UNCLEAR)
    return report


def _first_of(known: Collection[str], keys: Iterable[str]) -> str:
    return next((key for key in keys if key in known), "")


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
    """Evaluate a delivery status notification; None if it has the status of no recipient."""
    statuses = recipient_statuses(message)
    failed = [status for status in statuses if status.failed]
    if not failed:
        if any(status.action == "delayed" for status in statuses):
            return BounceReport(BounceKind.DELAYED)
        return BounceReport(BounceKind.DELIVERED) if statuses else None
    notice = read_notice(message)
    return _merged([_failed(status, notice) for status in failed], len(failed) == len(statuses))


def _merged(reports: list[BounceReport], all_failed: bool) -> BounceReport:
    """Merge the reports of several recipients.

    Each of our mails has one recipient, so these are the addresses it was forwarded to. Where they
    do not agree, nothing is certain.
    """
    result = reports[0]
    if result.kind is BounceKind.HARD:
        milder_reports = [report for report in reports if report.kind is not BounceKind.HARD]
        result = milder_reports[0] if milder_reports else result
        if not all_failed and not milder_reports:
            result = replace(result, kind=BounceKind.SOFT)
    recipients = tuple(address for report in reports for address in report.recipients)
    return replace(result, recipients=recipients)


def _failed(status: RecipientStatus, notice: Notice) -> BounceReport:
    """Evaluate one failed recipient: the other server's reply counts before the status.

    Relays make their status up from the step that was refused (RFC 3464, section 2.3.6).
    """
    recipient = status.recipient or status.original
    reply = reply_in(status.diagnostic)
    in_diagnostic = reply is not None
    words = status.diagnostic
    if reply is None and not words.strip():
        words = notice.about(recipient)
        reply = reply_in(words)
    if reply is not None and not in_diagnostic:
        words = reply.text
    elif reply is None and not status.diagnostic.strip() and not names_another_reason(words):
        words = ""  # a polite frame only
    code, enhanced = _codes(status.status, reply)
    stage: Stage = "body" if refused_after_data(f"{words}\n{notice.text}") else "rcpt"
    kind = _kind(stage, code, enhanced, words)
    if kind is BounceKind.HARD and not _is_certain(status, reply, enhanced, in_diagnostic):
        kind = BounceKind.SOFT
    return BounceReport(
        kind,
        enhanced or status.status,
        redacted(status.diagnostic or words or notice.about(recipient), recipient),
        recipients=tuple(filter(None, (recipient,))),
    )


def _codes(status: str, reply: SmtpReply | None) -> tuple[int, str]:
    """Return the reply code, or 0, and the enhanced code; those of the diagnostic go first."""
    if reply is None:
        return (int(status[0]) * 100 if status[:1] in ("4", "5") else 0), status
    if reply.enhanced and not reply.enhanced.endswith(".0.0"):
        return reply.code, reply.enhanced
    if status[:1] == str(reply.code)[0]:
        return reply.code, status
    return reply.code, reply.enhanced


def _is_certain(
    status: RecipientStatus, reply: SmtpReply | None, enhanced: str, in_diagnostic: bool
) -> bool:
    """Return True if a code says that the address is dead, or the reply to RCPT plainly does.

    A status more exact than the reply beside it was made up by the relay.
    """
    if reply is None:
        return class_of_code(enhanced) is RefusalClass.RECIPIENT
    if reply.enhanced and class_of_code(reply.enhanced) is RefusalClass.RECIPIENT:
        return True
    return in_diagnostic and bool(status.status) and Topic.RECIPIENT in topics_in(status.diagnostic)


def _kind(stage: Stage, code: int, enhanced: str, words: str) -> BounceKind:
    """Return hard only where the address is the reason, blocked where we are, soft otherwise.

    With neither code, words alone are soft at most.
    """
    refusal_class = classify_refusal(stage, SmtpReply(code or 400, words, enhanced))
    if refusal_class in (RefusalClass.SENDER, RefusalClass.LIMIT, RefusalClass.CONTENT):
        return BounceKind.BLOCKED
    permanent = code >= 500 and not enhanced.startswith("4")
    return (
        BounceKind.HARD
        if refusal_class is RefusalClass.RECIPIENT and permanent
        else BounceKind.SOFT
    )


# --- no standard


def _from_notice(message: Message) -> BounceReport:
    """Evaluate a server's own words. Hard needs an enhanced code of a dead address."""
    notice = read_notice(message, returned_to(message))
    if not notice.known and not notice.mailer:
        return BounceReport(BounceKind.OTHER, notice=notice.text)
    if notice.arrived:
        return BounceReport(BounceKind.DELIVERED)
    if notice.delayed:
        return BounceReport(BounceKind.DELAYED)
    words = notice.about()
    reply = reply_in(words) or reply_in(notice.text)
    if reply is None:
        return _by_words_alone(notice, words)
    stage: Stage = "body" if refused_after_data(notice.text) else "rcpt"
    kind = _kind(stage, reply.code, reply.enhanced, reply.text)
    code_says_dead = class_of_code(reply.enhanced) is RefusalClass.RECIPIENT
    if kind is BounceKind.HARD and (notice.temporary or not code_says_dead):
        kind = BounceKind.SOFT
    if kind is BounceKind.SOFT and not notice.known and not reply.enhanced:
        kind = BounceKind.UNCLEAR
    return BounceReport(
        kind,
        reply.enhanced,
        redacted(words, next(iter(notice.recipients), "")),
        recipients=notice.recipients,
    )


def _by_words_alone(notice: Notice, words: str) -> BounceReport:
    """Evaluate a notice without any code: soft, blocked or unclear."""
    kind = _kind("rcpt", 0, "", words)
    if kind is BounceKind.SOFT and not notice.known:
        kind = BounceKind.UNCLEAR
    reason = redacted(words, next(iter(notice.recipients), ""))
    return BounceReport(kind, "", reason, recipients=notice.recipients, notice=notice.text)


def redacted(text: str, recipient: str) -> str:
    """Return the words of a server on one line, without addresses, cut to 400 characters."""
    return redact_reply(" ".join(text.split()), Envelope(sender="", recipient=recipient))[:400]
