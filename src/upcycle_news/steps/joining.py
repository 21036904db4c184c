"""Joining and leaving: the double opt-in, and what a reader's signed link may do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from upcycle_news.audience import consent
from upcycle_news.audience.links import Purpose, Token
from upcycle_news.errors import RelayError
from upcycle_news.logs import Log
from upcycle_news.model import EmailAddress, Envelope, Subscriber, SubscriberStatus
from upcycle_news.newsroom import Newsroom
from upcycle_news.postroom.letter import compose_letter
from upcycle_news.postroom.message import message_hash
from upcycle_news.postroom.outcomes import Accepted, CannotCarry, Outcome, Refused
from upcycle_news.postroom.refusals import RefusalClass, classify_refusal
from upcycle_news.postroom.smtp import open_connection
from upcycle_news.press.letters import render_letter
from upcycle_news.press.templates import load_templates
from upcycle_news.press.words import read_words
from upcycle_news.sayings import Saying, say
from upcycle_news.store import consents, pauses, people
from upcycle_news.store.consents import Confirmed, Signup
from upcycle_news.store.people import Way

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
    room: Newsroom, email: EmailAddress, *, language: str, source: str, ip: str = ""
) -> Signup | None:
    """Write down a sign-up; None when no mail must go out. Nothing is sent yet."""
    now = room.clock()
    cooldown = timedelta(minutes=room.settings.audience.cooldown_minutes)
    return consents.begin(
        room.store,
        email,
        may_ask=lambda found: consent.may_ask(found, now=now, cooldown=cooldown),
        language=language,
        source=source,
        wording=wording(room, language),
        ip=ip if room.settings.audience.keep_ip else "",
        now=now,
    )


def wording(room: Newsroom, language: str) -> str:
    """The version of the words that are agreed to."""
    words = read_words(load_templates(room.templates), language)
    texts = (words.catalogue.get(key, "") for key in _AGREED_TO)
    return consent.wording_version(language, texts)


class LetterRefused(RelayError):  # noqa: N818 - a sentence reads better without "Error"
    """The relay did not want the mail to this one address, which says nothing about others."""


def ask_to_confirm(room: Newsroom, signup: Signup) -> bool:
    """Send the mail with the confirmation link; False when it has left, or its person, meanwhile.

    Raises `RelayError` when it was not accepted. It is tried again later, unless the address is
    the reason.
    """
    told = room.settings
    if not told.publication.public_url or not told.sender.address:
        raise RelayError(
            "no confirmation mail can leave: set publication.public_url and sender.address"
        )
    token = room.signer.token(Purpose.CONFIRM, signup.subscriber, signup.consent % 2**24)
    publication = room.publication
    letter = render_letter(
        load_templates(room.templates),
        LETTER,
        publication=publication,
        language=signup.language,
        values={
            "link": f"{room.signer.public_url}/{Purpose.CONFIRM}/{token}",
            "days": room.settings.audience.confirm_days,
        },
    )
    letterhead = room.letterhead(publication)
    message = compose_letter(
        letterhead,
        to=signup.email,
        language=signup.language,
        subject=letter.subject,
        text=letter.text,
        html=letter.html,
        # Numbers come again once their row is deleted, and servers drop a Message-ID they know.
        message_hash=message_hash(
            room.message_id_key, f"confirm/{signup.given_at.timestamp():.0f}", signup.consent
        ),
        date=room.clock(),
        signers=room.dkim_signers,
    )
    # Before the mail leaves: a reader may be faster than our next commit.
    if not consents.mailed(room.store, signup, consent.token_hash(token), room.clock()):
        return False
    try:
        outcome = _hand_over(
            room, Envelope(letterhead.envelope_sender, signup.email.address), message
        )
    except RelayError:
        consents.not_mailed(room.store, signup)
        raise
    if not isinstance(outcome, Accepted):
        if not _of_the_address(outcome):
            consents.not_mailed(room.store, signup)
        ours = isinstance(outcome, Refused) and outcome.stage == "mail"
        alone = isinstance(outcome, Refused | CannotCarry) and not ours
        raise (LetterRefused if alone else RelayError)(
            f"the confirmation mail was not accepted ({type(outcome).__name__})"
        )
    return True


def _hand_over(room: Newsroom, envelope: Envelope, message: bytes) -> Outcome:
    with room.relay() as relay, open_connection(relay) as connection:
        return connection.send(envelope, message)


def _of_the_address(outcome: Outcome) -> bool:
    """Whether no other day will change it: the address does not exist, or we cannot reach it."""
    if isinstance(outcome, Refused):
        gone = outcome.reply.code >= 500
        return gone and classify_refusal(outcome.stage, outcome.reply) is RefusalClass.RECIPIENT
    return isinstance(outcome, CannotCarry)


def ask_the_waiting(room: Newsroom) -> int:
    """Send confirmation mails that could not leave when they should have; how many left."""
    if pauses.standing(room.store):
        return 0  # a restored store does not know which of them left after all
    since = room.clock() - timedelta(days=room.settings.audience.confirm_days)
    left = 0
    for signup in consents.unmailed(room.store, since=since):
        try:
            left += ask_to_confirm(room, signup)
        except LetterRefused as error:
            # Anybody may enter an address that nobody takes: it must not hold up the others.
            log.warning("a confirmation mail was refused", sign_up=signup.consent, why=error)
        except RelayError as error:
            log.warning("a sign-up keeps waiting", sign_up=signup.consent, why=error)
            break  # the relay is not well: the next run tries again
    return left


def confirm(room: Newsroom, token: str, *, act: bool = True) -> tuple[Confirmed, Subscriber | None]:
    """Act on a confirmation link, or only look; what became of it and whose it is."""
    read = room.signer.read(Purpose.CONFIRM, token)
    if read is None:
        return Confirmed.UNKNOWN, None
    follow = consents.confirm if act else consents.standing
    done = follow(
        room.store, consent.token_hash(token), now=room.clock(), valid_for=_valid_for(room)
    )
    return done, people.by_number(room.store, read.subscriber)


def _valid_for(room: Newsroom) -> timedelta:
    return timedelta(days=room.settings.audience.confirm_days)


def reader(room: Newsroom, purpose: Purpose, token: str) -> tuple[Token, Subscriber | None] | None:
    """Whose link this is; None for a token that is altered, foreign or for another purpose."""
    read = room.signer.read(purpose, token)
    return None if read is None else (read, people.by_number(room.store, read.subscriber))


def leave(room: Newsroom, token: Token, person: Subscriber | None, way: Way) -> None:
    """Let the link's reader go; done already and forgotten already are done as well."""
    if person is not None and person.status is not SubscriberStatus.UNSUBSCRIBED:
        people.unsubscribe(room.store, person, now=room.clock(), way=way, issue=token.issue)
        log.info("a reader left", way=way, issue_number=token.issue)


def how_readers_leave(room: Newsroom) -> Saying:
    """Which way out of the newsletter is in force, for whoever checks the publication."""
    told = room.settings
    if told.publication.public_url:
        address = told.publication.public_url
        if told.sender.unsubscribe_mailto:
            return say("leave-both", address=address)
        return say("leave-click", address=address)
    if room.leaves_by_mail:
        return say("leave-mail", address=told.sender.unsubscribe_mailto)
    return say("leave-nowhere")


def tidy(room: Newsroom) -> Tidied:
    """Delete what was never confirmed and reports that are too old; mail those who still wait."""
    from upcycle_news.store import bounces

    now = room.clock()
    mailed = ask_the_waiting(room)
    return Tidied(
        unconfirmed=consents.delete_unconfirmed(room.store, before=now - _valid_for(room)),
        mailed=mailed,
        reports=bounces.drop_raw(
            room.store, before=now - timedelta(days=room.settings.bounces.keep_days)
        ),
    )
