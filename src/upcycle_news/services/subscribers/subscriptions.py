"""Subscribing and unsubscribing: the double opt-in, and the actions of signed links."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import LANGUAGES, LocalizedText, localized
from upcycle_news.models import (
    ConfirmationResult,
    EmailAddress,
    Signup,
    Subscriber,
    SubscriberStatus,
    UnsubscribeMethod,
)
from upcycle_news.models.digest import Rhythm, RhythmOnConfirmation, RhythmOutlook
from upcycle_news.observability.logging import Log
from upcycle_news.rendering.template_strings import read_template_strings
from upcycle_news.services.content.templates import publication_templates
from upcycle_news.services.subscribers import address_changes, confirmation_mails
from upcycle_news.services.subscribers.lists import read_list
from upcycle_news.services.subscribers.mail_templates import complete_mail_templates
from upcycle_news.services.subscribers.topics import (
    digest_interval,
    offered_of,
    offered_rhythm,
)
from upcycle_news.storage import (
    bounces,
    dmarc_reports,
    event_log,
    idempotency,
    personal_data,
    provider_events,
    replies,
    rhythms,
    send_hold,
    signups,
    subscribers,
    webhook_outbox,
)
from upcycle_news.subscribers import double_opt_in
from upcycle_news.subscribers.link_tokens import Purpose, possible_tokens, trimmed

log = Log(__name__)

KEEP_EVENTS = timedelta(days=90)
"""How long the log of events is kept: as long a program that follows it may be away."""

# The texts shown before consent is given; their hash is the version kept with the consent.
_CONSENT_TEXTS = ("page_consent", "confirm_text", "confirm_button", "page_confirm_text")
_QUESTION_TEXTS = ("list_confirm_text", "list_confirm_button", "page_confirm_text")


@dataclass(frozen=True)
class CleanupReport:
    """Deleted sign-ups and bounce reports that expired, and confirmation mails that were sent.

    `waiting` are those that could not be sent: the relay did not take them, or the limits hold them back.
    `forgotten` left long ago and were erased; `packed` are the deliveries of old issues that were packed.
    """

    unconfirmed: int = 0
    mailed: int = 0
    reports: int = 0
    waiting: int = 0
    forgotten: int = 0
    packed: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the JSON object of `subscribers tidy`."""
        return asdict(self)

    def sentence(self) -> LocalizedText:
        """Return the counts as a sentence."""
        return localized(
            "tidied",
            unconfirmed=self.unconfirmed,
            reports=self.reports,
            forgotten=self.forgotten,
            packed=localized("count-deliveries", count=self.packed),
            mailed=self.mailed,
            waiting=self.waiting,
        )

    def __str__(self) -> str:
        return str(self.sentence())


@dataclass(frozen=True)
class LinkCounts:
    """How many lines held an unsubscribe link of ours, and how many something else."""

    valid: int
    foreign: int


@dataclass(frozen=True)
class Confirmation:
    """What following a confirmation link did; `preferences_token` is for the next link.

    No `subscriber`, no token: the link is not ours, or its subscriber was erased. `chosen_rhythm` is what an
    unconfirmed sign-up chose, `rhythm` what holds once it is confirmed; each None otherwise.
    """

    result: ConfirmationResult
    subscriber: Subscriber | None
    preferences_token: str = ""
    chosen_rhythm: RhythmOnConfirmation | None = None
    rhythm: RhythmOutlook | None = None


@dataclass(frozen=True)
class SubscriberLink:
    """Whose link it is, and of which issue (0: none). `subscriber` is None once they were erased."""

    subscriber: Subscriber | None
    issue_number: int
    preferences_token: str


@dataclass(frozen=True)
class Preferences:
    """A subscriber with the topics that the publication offers; they have chosen some of them.

    `change_waiting`: a new address of theirs can be confirmed. `rhythm` says how often they get mail, what
    comes and from when.
    """

    subscriber: Subscriber
    offered: tuple[str, ...]
    change_waiting: bool = False
    rhythm: RhythmOutlook = field(default_factory=RhythmOutlook)


def sign_up(
    context: AppContext,
    email: EmailAddress,
    *,
    language: str,
    topics: Collection[str] | None = None,
    rhythm: Rhythm | None = None,
    wording: str = "",
    source: str = "",
    ip: str = "",
) -> Signup | None:
    """Store a sign-up; None if no confirmation mail may be sent. Nothing is sent yet.

    Language, topics and rhythm hold from the confirmation on; of `topics` those that are offered count, none of
    them means all, and None that the form did not ask. A `rhythm` counts where the digest is offered. `wording` is the version of the consent that a form
    elsewhere shows (default: that of our own page), `source` says where the form stands; `ip` is stored only if the settings say so.
    """
    now = context.clock()
    cooldown = timedelta(minutes=context.settings.audience.cooldown_minutes)
    return signups.start_signup(
        context.store,
        email,
        may_ask=lambda situation: double_opt_in.may_send_confirmation(
            situation,
            now=now,
            cooldown=cooldown,
            per_mailbox=context.settings.audience.confirmations_per_mailbox,
        ),
        mailbox_key=double_opt_in.mailbox_key(email),
        mailbox_since=now - cooldown,
        language=language,
        topics=None if topics is None else offered_of(context, topics),
        rhythm=offered_rhythm(context, rhythm),
        source=source or f"web: {context.link_signer.public_url}/subscribe",
        wording=(
            wording
            if double_opt_in.is_consent_version(wording)
            else consent_wording(context, language)
        ),
        ip=ip if context.settings.audience.keep_ip else "",
        now=now,
    )


def consent_wording(context: AppContext, language: str, *, of_list: bool = False) -> str:
    """Return the version of the consent texts in this language: of our form, or of the mail to a list."""
    words = read_template_strings(
        complete_mail_templates(publication_templates(context), language), language
    )
    keys = _QUESTION_TEXTS if of_list else _CONSENT_TEXTS
    texts = (words.catalogue.get(key, "") for key in keys)
    return double_opt_in.consent_version(language, texts)


def send_confirmation_mail(context: AppContext, signup: Signup) -> bool:
    """Send the confirmation link; False if it was sent, waits for the limits, or they were erased.

    Raises `RelayError` when it was not accepted. It is tried again later, unless the address is
    the reason.
    """
    return confirmation_mails.send_now(context, consent=signup.consent)


def confirm(context: AppContext, token: str, *, act: bool = True) -> Confirmation:
    """Follow a confirmation link, or only look it up with `act` False."""
    parsed = context.link_signer.read(Purpose.CONFIRM, token)
    if parsed is None:
        return Confirmation(ConfirmationResult.UNKNOWN, None)
    token_hash, now = double_opt_in.token_hash(trimmed(token)), context.clock()
    interval, valid_for = digest_interval(context), _valid_for(context)
    chosen: RhythmOnConfirmation | None = None
    if act:
        result = signups.confirm(
            context.store,
            token_hash,
            now=now,
            valid_for=valid_for,
            today=context.today,
            interval=interval,
        )
    else:
        result = signups.confirmation_status(
            context.store, token_hash, now=now, valid_for=valid_for
        )
        chosen = signups.rhythm_on_confirmation(
            context.store, context.today, interval, token_hash=token_hash
        )
    subscriber = subscribers.by_id(context.store, parsed.subscriber)
    asked_in = signups.language_of_signup(context.store, token_hash)
    if subscriber is not None and asked_in:  # who comes back reads the page as the mail about it
        subscriber = replace(subscriber, language=asked_in)
    confirmed = subscriber is not None and subscriber.status is SubscriberStatus.CONFIRMED
    return Confirmation(
        result,
        subscriber,
        context.link_signer.token(Purpose.PREFERENCES, parsed.subscriber),
        chosen_rhythm=chosen if result is ConfirmationResult.NOW else None,
        rhythm=rhythm_outlook(context, parsed.subscriber) if confirmed else None,
    )


def rhythm_outlook(context: AppContext, subscriber: int) -> RhythmOutlook:
    """Return how often a subscriber gets mail today, what comes, and from which day."""
    return rhythms.outlook(context.store, subscriber, context.today, digest_interval(context))


def _valid_for(context: AppContext) -> timedelta:
    return timedelta(days=context.settings.audience.confirm_days)


def read_link(context: AppContext, purpose: Purpose, token: str) -> SubscriberLink | None:
    """Return whose link it is; None if it is altered, foreign or for another purpose."""
    parsed = context.link_signer.read(purpose, token)
    if parsed is None:
        return None
    return SubscriberLink(
        subscriber=subscribers.by_id(context.store, parsed.subscriber),
        issue_number=parsed.issue,
        preferences_token=context.link_signer.token(
            Purpose.PREFERENCES, parsed.subscriber, parsed.issue
        ),
    )


def unsubscribe_by_token(
    context: AppContext, token: str, method: UnsubscribeMethod
) -> SubscriberLink | None:
    """Unsubscribe the owner of a link; repeating it, or after an erasure, changes nothing.

    The token is that of an unsubscribe link, or of a preferences link with that method. None, and
    nothing changed, for a token that is not ours or for another purpose.
    """
    by_preferences = method is UnsubscribeMethod.PREFERENCES
    link = read_link(context, Purpose.PREFERENCES if by_preferences else Purpose.UNSUBSCRIBE, token)
    if link is None or link.subscriber is None:
        return link
    if link.subscriber.status is not SubscriberStatus.UNSUBSCRIBED:
        unsubscribe(context, link.subscriber, method, issue_number=link.issue_number)
    return link


def unsubscribe(
    context: AppContext, subscriber: Subscriber, method: UnsubscribeMethod, *, issue_number: int = 0
) -> bool:
    """Unsubscribe at once, by the link of an issue or by none (0); False if that was done already."""
    changed = subscribers.unsubscribe(
        context.store, subscriber, now=context.clock(), method=method, issue=issue_number
    )
    if changed:
        log.info("unsubscribed", way=method, issue_number=issue_number)
    return changed


def unsubscribe_by_links(context: AppContext, links: Path | Iterable[str]) -> LinkCounts:
    """Unsubscribe by links or tokens, one a line of a file, that a page elsewhere collected.

    Raises `ContentError` when the file cannot be read.
    """
    lines = (
        read_list(links).decode(errors="replace").splitlines() if isinstance(links, Path) else links
    )
    valid = foreign = 0
    for line in lines:
        if not line.strip():
            continue
        found = (
            unsubscribe_by_token(context, token, UnsubscribeMethod.PAGE)
            for token in possible_tokens(line)
        )
        if any(link is not None for link in found):
            valid += 1
        else:
            foreign += 1
    return LinkCounts(valid, foreign)


def preferences(context: AppContext, token: str) -> Preferences | None:
    """Return the preferences behind a link; None if it is not ours or its subscriber was erased."""
    link = read_link(context, Purpose.PREFERENCES, token)
    if link is None or link.subscriber is None:
        return None
    return Preferences(
        link.subscriber,
        context.settings.audience.topics,
        address_changes.is_change_waiting(context, link.subscriber),
        rhythm_outlook(context, link.subscriber.id),
    )


def change_preferences(
    context: AppContext,
    token: str,
    *,
    language: str,
    topics: Collection[str],
    rhythm: Rhythm | None = None,
) -> Preferences | None:
    """Store what a subscriber chose by a preferences link; returns the preferences as they are then.

    Of `topics` those that are offered count; topics of the subscriber that are not offered (from a
    list, or no longer) stay. An unknown `language` changes nothing of it, and neither does a `rhythm` where
    no digest is offered; one that is holds from the digest's next period on. Nothing is stored for one who
    is not confirmed; None as with `preferences`.
    """
    before = preferences(context, token)
    if before is None or before.subscriber.status is not SubscriberStatus.CONFIRMED:
        return before
    subscriber, offered = before.subscriber, before.offered
    chosen = [*offered_of(context, topics)]
    chosen += [topic for topic in subscriber.topics if topic not in offered]
    subscribers.set_preferences(
        context.store,
        subscriber,
        language=language if language in LANGUAGES else subscriber.language,
        topics=chosen,
        now=context.clock(),
        rhythm=offered_rhythm(context, rhythm),
        today=context.today,
        interval=digest_interval(context),
    )
    return preferences(context, token)


def purge_expired(context: AppContext) -> CleanupReport:
    """Delete expired sign-ups, bounce reports and who left long ago; send confirmation mails.

    Old sums of DMARC reports, and the marks of old replies, go without being counted: they name no reader.
    """
    now = context.clock()
    mailing = confirmation_mails.send_waiting(context)
    expired = signups.delete_unconfirmed(context.store, before=now - _valid_for(context))
    address_changes.delete_expired(context)
    confirmation_mails.delete_old(context, now)
    event_log.delete_old(context.store, before=now - KEEP_EVENTS, now=now)
    idempotency.delete_old(context.store, now=now)
    provider_events.prune(context.store, before=now - provider_events.REMEMBERED)
    dmarc_reports.delete_old(context.store, now=now)
    replies.delete_marks(context.store, now=now)
    webhook_outbox.delete_unused(context.store, now=now)
    return CleanupReport(
        unconfirmed=expired,
        mailed=mailing.mailed,
        waiting=confirmation_mails.count_waiting(context),
        forgotten=_forget_left(context),
        reports=bounces.drop_raw(
            context.store, before=now - timedelta(days=context.settings.bounces.keep_days)
        ),
    )


def _forget_left(context: AppContext) -> int:
    """Forget those who left `audience.keep_left_days` ago; nobody while a store may be out of date."""
    days = context.settings.audience.keep_left_days
    if not days or send_hold.active_hold(context.store):
        return 0  # a restored store does not know who came back after the backup
    now = context.clock()
    forgotten = personal_data.forget_left(context.store, before=now - timedelta(days=days), now=now)
    if forgotten:
        log.info("those who left were forgotten", count=forgotten)
    return forgotten
