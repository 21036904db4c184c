"""Joining and leaving: the double opt-in, and what a reader's signed link may do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from upcycle_news.app.context import AppContext
from upcycle_news.errors import RelayError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.mail.message import message_hash
from upcycle_news.mail.transactional import compose_letter
from upcycle_news.models import (
    EmailAddress,
    Envelope,
    Subscriber,
    SubscriberStatus,
)
from upcycle_news.observability.logging import Log
from upcycle_news.rendering.render import render_letter
from upcycle_news.rendering.template_strings import read_words
from upcycle_news.rendering.templates import load_templates
from upcycle_news.storage import send_hold, signups, subscribers
from upcycle_news.storage.signups import Confirmed, Signup
from upcycle_news.storage.subscribers import Way
from upcycle_news.subscribers import double_opt_in
from upcycle_news.subscribers.link_tokens import Purpose, Token
from upcycle_news.transports.outcomes import (
    Accepted,
    CannotCarry,
    Outcome,
    Refused,
)
from upcycle_news.transports.refusal_classes import RefusalClass, classify_refusal
from upcycle_news.transports.smtp import open_connection

log = Log(__name__)

LETTER = "confirm"
# The words a person sees before they agree; their hash is the version kept with the consent.
_AGREED_TO = ("page_consent", "confirm_text", "confirm_button", "page_confirm_text")


@dataclass(frozen=True)
class Tidied:
    """What was deleted because its time was over, and how many mails were tried again."""

    unconfirmed: int = 0
    mailed: int = 0
    reports: int = 0


def sign_up(
    context: AppContext, email: EmailAddress, *, language: str, source: str, ip: str = ""
) -> Signup | None:
    """Write down a sign-up; None when no mail must go out. Nothing is sent yet."""
    now = context.clock()
    cooldown = timedelta(minutes=context.settings.audience.cooldown_minutes)
    return signups.begin(
        context.store,
        email,
        may_ask=lambda found: double_opt_in.may_ask(found, now=now, cooldown=cooldown),
        language=language,
        source=source,
        wording=wording(context, language),
        ip=ip if context.settings.audience.keep_ip else "",
        now=now,
    )


def wording(context: AppContext, language: str) -> str:
    """The version of the words that are agreed to."""
    words = read_words(load_templates(context.templates), language)
    texts = (words.catalogue.get(key, "") for key in _AGREED_TO)
    return double_opt_in.wording_version(language, texts)


class LetterRefused(RelayError):  # noqa: N818 - a sentence reads better without "Error"
    """The relay did not want the mail to this one address, which says nothing about others."""


def ask_to_confirm(context: AppContext, signup: Signup) -> bool:
    """Send the mail with the confirmation link; False when it has left, or its person, meanwhile.

    Raises `RelayError` when it was not accepted. It is tried again later, unless the address is
    the reason.
    """
    told = context.settings
    if not told.publication.public_url or not told.sender.address:
        raise RelayError(
            "no confirmation mail can leave: set publication.public_url and sender.address"
        )
    token = context.signer.token(Purpose.CONFIRM, signup.subscriber, signup.consent % 2**24)
    publication = context.publication
    letter = render_letter(
        load_templates(context.templates),
        LETTER,
        publication=publication,
        language=signup.language,
        values={
            "link": f"{context.signer.public_url}/{Purpose.CONFIRM}/{token}",
            "days": context.settings.audience.confirm_days,
        },
    )
    letterhead = context.letterhead(publication)
    message = compose_letter(
        letterhead,
        to=signup.email,
        language=signup.language,
        subject=letter.subject,
        text=letter.text,
        html=letter.html,
        # Numbers come again once their row is deleted, and servers drop a Message-ID they know.
        message_hash=message_hash(
            context.message_id_key, f"confirm/{signup.given_at.timestamp():.0f}", signup.consent
        ),
        date=context.clock(),
        signers=context.dkim_signers,
    )
    # Before the mail leaves: a reader may be faster than our next commit.
    if not signups.mailed(context.store, signup, double_opt_in.token_hash(token), context.clock()):
        return False
    try:
        outcome = _hand_over(
            context, Envelope(letterhead.envelope_sender, signup.email.address), message
        )
    except RelayError:
        signups.not_mailed(context.store, signup)
        raise
    if not isinstance(outcome, Accepted):
        if not _of_the_address(outcome):
            signups.not_mailed(context.store, signup)
        ours = isinstance(outcome, Refused) and outcome.stage == "mail"
        alone = isinstance(outcome, Refused | CannotCarry) and not ours
        raise (LetterRefused if alone else RelayError)(
            f"the confirmation mail was not accepted ({type(outcome).__name__})"
        )
    return True


def _hand_over(context: AppContext, envelope: Envelope, message: bytes) -> Outcome:
    with context.relay() as relay, open_connection(relay) as connection:
        return connection.send(envelope, message)


def _of_the_address(outcome: Outcome) -> bool:
    """Whether no other day will change it: the address does not exist, or we cannot reach it."""
    if isinstance(outcome, Refused):
        gone = outcome.reply.code >= 500
        return gone and classify_refusal(outcome.stage, outcome.reply) is RefusalClass.RECIPIENT
    return isinstance(outcome, CannotCarry)


def ask_the_waiting(context: AppContext) -> int:
    """Send confirmation mails that could not leave when they should have; how many left."""
    if send_hold.standing(context.store):
        return 0  # a restored store does not know which of them left after all
    since = context.clock() - timedelta(days=context.settings.audience.confirm_days)
    left = 0
    for signup in signups.unmailed(context.store, since=since):
        try:
            left += ask_to_confirm(context, signup)
        except LetterRefused as error:
            # Anybody may enter an address that nobody takes: it must not hold up the others.
            log.warning("a confirmation mail was refused", sign_up=signup.consent, why=error)
        except RelayError as error:
            log.warning("a sign-up keeps waiting", sign_up=signup.consent, why=error)
            break  # the relay is not well: the next run tries again
    return left


def confirm(
    context: AppContext, token: str, *, act: bool = True
) -> tuple[Confirmed, Subscriber | None]:
    """Act on a confirmation link, or only look; what became of it and whose it is."""
    read = context.signer.read(Purpose.CONFIRM, token)
    if read is None:
        return Confirmed.UNKNOWN, None
    follow = signups.confirm if act else signups.standing
    done = follow(
        context.store,
        double_opt_in.token_hash(token),
        now=context.clock(),
        valid_for=_valid_for(context),
    )
    return done, subscribers.by_number(context.store, read.subscriber)


def _valid_for(context: AppContext) -> timedelta:
    return timedelta(days=context.settings.audience.confirm_days)


def reader(
    context: AppContext, purpose: Purpose, token: str
) -> tuple[Token, Subscriber | None] | None:
    """Whose link this is; None for a token that is altered, foreign or for another purpose."""
    read = context.signer.read(purpose, token)
    return None if read is None else (read, subscribers.by_number(context.store, read.subscriber))


def leave(context: AppContext, token: Token, person: Subscriber | None, way: Way) -> None:
    """Let the link's reader go; done already and forgotten already are done as well."""
    if person is not None and person.status is not SubscriberStatus.UNSUBSCRIBED:
        subscribers.unsubscribe(
            context.store, person, now=context.clock(), way=way, issue=token.issue
        )
        log.info("a reader left", way=way, issue_number=token.issue)


def how_readers_leave(context: AppContext) -> LocalizedText:
    """Which way out of the newsletter is in force, for whoever checks the publication."""
    told = context.settings
    if told.publication.public_url:
        address = told.publication.public_url
        if told.sender.unsubscribe_mailto:
            return localized("leave-both", address=address)
        return localized("leave-click", address=address)
    if context.leaves_by_mail:
        return localized("leave-mail", address=told.sender.unsubscribe_mailto)
    return localized("leave-nowhere")


def tidy(context: AppContext) -> Tidied:
    """Delete what was never confirmed and reports that are too old; mail those who still wait."""
    from upcycle_news.storage import bounces

    now = context.clock()
    mailed = ask_the_waiting(context)
    return Tidied(
        unconfirmed=signups.delete_unconfirmed(context.store, before=now - _valid_for(context)),
        mailed=mailed,
        reports=bounces.drop_raw(
            context.store, before=now - timedelta(days=context.settings.bounces.keep_days)
        ),
    )
