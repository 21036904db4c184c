"""Send the mails of sign-ups and changes of address that wait: within the limits, none twice.

The web pages send them as they come, the flows watch and tidy what is left over. Processes share the
queue and the limits in the store.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from upcycle_news.app.context import MAIN_RELAY, AppContext
from upcycle_news.bounces.outgoing import outgoing_for
from upcycle_news.errors import RelayError, SettingsError, StoreError, TemplateError, UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.mail.message import message_hash
from upcycle_news.mail.transactional import build_transactional_mail
from upcycle_news.models import (
    ConfirmationMailKind,
    EmailAddress,
    Envelope,
    Rate,
    Relay,
)
from upcycle_news.models.digest import RhythmOnConfirmation
from upcycle_news.observability.logging import Log
from upcycle_news.rendering.render import render_transactional
from upcycle_news.services.content.templates import publication_templates
from upcycle_news.services.process_identity import process_start, this_host
from upcycle_news.services.subscribers.mail_templates import TEMPLATES, complete_mail_templates
from upcycle_news.services.subscribers.topics import digest_interval
from upcycle_news.storage import confirmation_mails, send_hold, signups
from upcycle_news.storage.confirmation_mails import SCOPE_PREFIX, ClaimedMail, WaitingMail
from upcycle_news.storage.quotas import FullScope, Scope
from upcycle_news.subscribers import double_opt_in
from upcycle_news.subscribers.link_tokens import Purpose
from upcycle_news.transports.outcomes import (
    Accepted,
    LostBeforeBody,
    LostInBody,
    Outcome,
    Refused,
    UnsupportedAddress,
)
from upcycle_news.transports.refusal_classes import RefusalClass, classify_refusal
from upcycle_news.transports.smtp import open_connection
from upcycle_news.transports.smtp_session import SmtpConnection

log = Log(__name__)

_PURPOSES = {
    ConfirmationMailKind.SIGN_UP: Purpose.CONFIRM,
    ConfirmationMailKind.LIST: Purpose.CONFIRM,
    ConfirmationMailKind.CHANGE: Purpose.ADDRESS,
}
_LISTS_AT_ONCE = 1000
"""Mails of imported lists that one run looks at."""
_STORE_TRIES = 5  # the relay has the mail: a store that is locked must not make a second one of it


@dataclass(frozen=True)
class MailingReport:
    """How many mails were sent, and how many wait for the relay or for the limits."""

    mailed: int = 0
    waiting: int = 0

    def sentences(self, language: str) -> list[str]:
        """Return a sentence about what was sent; none when nothing was."""
        if not self.mailed:
            return []
        return [localized("confirmations-sent", count=self.mailed).in_language(language)]


class RecipientRefused(RelayError):  # noqa: N818 - a sentence reads better without "Error"
    """The relay refused this one address, which says nothing about others."""


def send_waiting(
    context: AppContext, *, due_only: bool = False, stopping: Callable[[], bool] = lambda: False
) -> MailingReport:
    """Send what waits, as far as the limits allow; what the relay does not accept waits on.

    With `due_only` only what is due: a mail that failed is not tried again at once. `stopping` is asked
    before each mail.
    """
    _release_dead(context)
    now = context.clock()
    mails = _young(
        context, confirmation_mails.waiting(context.store, due_at=now if due_only else None)
    )
    if context.configured_relay is not None:  # else nobody would have the one mail they ever get
        mails += confirmation_mails.waiting_of_lists(
            context.store, due_at=now, limit=_LISTS_AT_ONCE
        )
    mails = _since_hold(context, mails)
    mailed = _send_all(context, mails, stopping) if mails else 0
    return MailingReport(mailed, count_waiting(context))


def count_waiting(context: AppContext) -> int:
    """Return how many mails wait, for the relay or for the limits."""
    return confirmation_mails.count_waiting(context.store)


def count_limited(context: AppContext) -> int:
    """Return how many mails wait while the limits hold back one of them; 0 while they hold back none."""
    return confirmation_mails.count_limited(context.store)


def _young(context: AppContext, mails: Sequence[WaitingMail]) -> list[WaitingMail]:
    """Return the mails whose links would still work."""
    since = context.clock() - timedelta(days=context.settings.audience.confirm_days)
    return [mail for mail in mails if mail.asked_at >= since]


def _since_hold(context: AppContext, mails: list[WaitingMail]) -> list[WaitingMail]:
    """Return the mails that may go while the store is on hold: those asked for since it began.

    A restored store does not know which of the others were sent after its backup.
    """
    hold = send_hold.active_hold(context.store)
    if hold is None:
        return mails
    began = hold.started_at.replace(microsecond=0)  # as exactly as the mails' own times are kept
    return [mail for mail in mails if mail.asked_at >= began]


def _release_dead(context: AppContext) -> None:
    """Give back what processes of this machine had claimed that have ended since."""
    host = this_host()
    for holder in confirmation_mails.holders(context.store):
        name, _, process = holder.rpartition(" ")
        pid, _, start = process.partition("/")
        if name == host and pid.isdigit() and process_start(int(pid)) != start:
            confirmation_mails.release_held_by(context.store, holder)


def _send_all(
    context: AppContext, mails: Sequence[WaitingMail], stopping: Callable[[], bool]
) -> int:
    mailer = _Mailer(context)
    mailed = 0
    try:
        mailer.raise_unless_possible()
        if not mails or mailer.limits_are_full():
            return 0
        with context.relay() as relay, open_connection(relay) as connection:
            for mail in mails:
                if stopping() or connection.broken:
                    break
                result = mailer.send(connection, mail, relay)
                if result is Result.FULL:
                    break
                mailed += result is Result.MAILED
    except (RelayError, SettingsError) as error:  # whoever calls has other work that must not fail
        log.warning("confirmation mails wait", why=error, count=len(mails) - mailed)
    return mailed


def send_now(context: AppContext, *, consent: int) -> bool:
    """Send the mail of one sign-up now; False if there is nothing to send, or the limits are reached.

    Raises `RelayError` when the relay did not accept it, and `RecipientRefused` when the address is
    the reason.
    """
    mails = [
        mail
        for mail in confirmation_mails.waiting(context.store, consent=consent)
        if mail.kind is ConfirmationMailKind.SIGN_UP
    ]
    mailer = _Mailer(context)
    mailer.raise_unless_possible()
    for mail in mails:
        with context.relay() as relay, open_connection(relay) as connection:
            claimed = mailer.claim(mail)
            if isinstance(claimed, ClaimedMail):
                mailer.deliver(connection, claimed, relay)
                return True
    return False


class Result(StrEnum):
    """What became of one mail of several."""

    MAILED = "mailed"
    LEFT = "left"
    FULL = "full"


class _Mailer:
    """Claims, builds and sends single mails, and settles them in the store."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._holder = f"{this_host()} {os.getpid()}/{process_start(os.getpid())}"
        self._templates_by_language: dict[str, dict[str, str]] = {}

    def raise_unless_possible(self) -> None:
        settings = self._context.settings
        if not settings.publication.public_url or not settings.sender.address:
            raise RelayError(localized("confirmation-impossible"))

    def _templates(self, language: str) -> dict[str, str]:
        if language not in self._templates_by_language:
            loaded = complete_mail_templates(publication_templates(self._context), language)
            self._templates_by_language[language] = loaded
        return self._templates_by_language[language]

    # --- limits

    def limits_are_full(self) -> bool:
        """Return True while the limits of all mails together leave no room: then no relay is asked."""
        until = confirmation_mails.full_until(
            self._context.store, self._scopes_of_all(), self._context.clock()
        )
        return until is not None

    def _scopes_of_all(self) -> list[Scope]:
        return [Scope(f"{SCOPE_PREFIX} in all", _rates_of_all(self._context))]

    def _scopes(self, email: EmailAddress) -> list[Scope]:
        rate = _domain_rate(self._context)
        domain = Scope(f"{SCOPE_PREFIX} to {email.domain}", (rate,), is_domain=True)
        return [domain, *self._scopes_of_all()]

    def _scopes_of_lists(self, email: EmailAddress) -> list[Scope]:
        """Return the limits of a mail that nobody asked for: half of those of all, and the quotas.

        The other half is left to people who sign up.
        """
        settings = self._context.settings
        half = double_opt_in.confirmation_rates(
            max(settings.audience.confirmations_at_once // 2, 1),
            max(settings.audience.confirmations_per_hour // 2, 1),
        )
        quotas = self._context.quotas(MAIN_RELAY, settings.sender.address)
        return [
            *self._scopes(email),
            Scope(f"{SCOPE_PREFIX} of lists", half),
            *quotas.scopes(email),
        ]

    # --- one mail

    def send(self, connection: SmtpConnection, mail: WaitingMail, relay: Relay) -> Result:
        """Send a mail of several: a refused address does not keep it from the others.

        Raises `RelayError` when the relay is the reason.
        """
        claimed = self.claim(mail)
        if isinstance(claimed, FullScope):
            return Result.LEFT if claimed.scope.is_domain else Result.FULL
        if claimed is None:
            return Result.LEFT
        try:
            self.deliver(connection, claimed, relay)
        except RecipientRefused as error:
            # Anybody may enter an address that no server accepts: it must not block the others.
            log.warning("confirmation mail refused", mail=mail.id, kind=mail.kind, why=error)
            return Result.LEFT
        except TemplateError as error:  # of this kind of mail: the others may go
            log.error("confirmation mail not made", mail=mail.id, kind=mail.kind, why=error)
            return Result.LEFT
        return Result.MAILED

    def claim(self, mail: WaitingMail) -> ClaimedMail | FullScope | None:
        now = self._context.clock()
        relay = self._context.configured_relay
        # A reply may take the relay's timeout, and there are up to six of them.
        longest = timedelta(seconds=max(300.0, 10 * (relay.timeout if relay is not None else 0)))
        return confirmation_mails.claim(
            self._context.store,
            mail,
            scopes=(
                self._scopes_of_lists if mail.kind is ConfirmationMailKind.LIST else self._scopes
            ),
            token_hash=double_opt_in.token_hash(self._token(mail)),
            holder=self._holder,
            until=now + longest,
            now=now,
        )

    def _token(self, mail: WaitingMail) -> str:
        purpose = _PURPOSES.get(mail.kind)
        if purpose is None:
            return ""
        signer = self._context.link_signer
        return signer.token(purpose, mail.subscriber, mail.reference % 2**24)

    def deliver(self, connection: SmtpConnection, claimed: ClaimedMail, relay: Relay) -> None:
        """Hand a claimed mail to the relay and settle it.

        Raises `RecipientRefused` for a refusal of this address, `RelayError` for any other one.
        """
        mail, envelope_sender = (
            claimed.mail,
            self._context.sender_headers(self._context.publication).envelope_sender,
        )
        try:
            envelope = Envelope(envelope_sender, claimed.email.address)
            outcome = connection.send(envelope, self._message(claimed, relay))
        except UpcycleError:
            self._postpone(mail)
            raise
        self._settle(mail, outcome)

    def _settle(self, mail: WaitingMail, outcome: Outcome) -> None:
        if isinstance(outcome, Accepted):
            self._mark_mailed(mail)
            return
        if _concerns_address(outcome):
            now = self._context.clock()
            if confirmation_mails.mark_refused(self._context.store, mail, now=now):
                log.warning("refused in a wave, which may be the relay's: it waits", mail=mail.id)
        else:
            self._postpone(mail)
        sender_refused = isinstance(outcome, Refused) and outcome.stage == "mail"
        lost = isinstance(outcome, LostBeforeBody | LostInBody)
        raise (RelayError if lost or sender_refused else RecipientRefused)(
            localized("confirmation-refused", kind=type(outcome).__name__)
        )

    def _mark_mailed(self, mail: WaitingMail) -> None:
        for attempt in range(1, _STORE_TRIES + 1):
            try:
                confirmation_mails.mark_mailed(self._context.store, mail, self._context.clock())
            except StoreError:
                if attempt == _STORE_TRIES:
                    raise
                self._context.wait(1.0)
            else:
                return

    def _postpone(self, mail: WaitingMail) -> None:
        next_at = double_opt_in.next_attempt(mail.attempts, self._context.clock())
        confirmation_mails.postpone(self._context.store, mail, next_at=next_at)

    def _message(self, claimed: ClaimedMail, relay: Relay) -> bytes:
        context, mail = self._context, claimed.mail
        outgoing = outgoing_for(relay)
        publication = context.publication.in_language(claimed.language)
        purpose = _PURPOSES.get(mail.kind)
        url = context.link_signer.public_url
        rendered = render_transactional(
            self._templates(claimed.language),
            TEMPLATES[mail.kind],
            publication=publication,
            language=claimed.language,
            values={
                "link": f"{url}/{purpose}/{self._token(mail)}" if purpose else "",
                "days": context.settings.audience.confirm_days,
                "chosen_rhythm": self._chosen_rhythm(mail),
                "interval": digest_interval(context),
            },
        )
        # Ids are reused once their row is deleted, and servers drop a Message-ID they have seen. A mail
        # that is sent once more, because its reply was lost, has that of the first one.
        name = "confirm" if mail.kind is ConfirmationMailKind.SIGN_UP else mail.kind.value
        return build_transactional_mail(
            context.sender_headers(publication),
            to=claimed.email,
            language=claimed.language,
            subject=rendered.subject,
            text=rendered.text,
            html=outgoing.mark_html(rendered.html, signed=bool(context.dkim_signers)),
            message_hash=message_hash(
                context.message_id_key, f"{name}/{mail.asked_at.timestamp():.0f}", mail.reference
            ),
            date=context.clock(),
            signers=context.dkim_signers,
            unsigned=outgoing.replaced_headers,
            # Without a delivery key: ids of sign-ups that expired are given again, and an event about one
            # that comes late must not speak of another person.
            relay_headers=outgoing.headers(),
        )

    def _chosen_rhythm(self, mail: WaitingMail) -> RhythmOnConfirmation | None:
        """Return what a sign-up chose, and from when it holds if it is confirmed today."""
        if not mail.kind.is_about_consent:
            return None
        context = self._context
        return signups.rhythm_on_confirmation(
            context.store, context.today, digest_interval(context), consent=mail.reference
        )


def _concerns_address(outcome: Outcome) -> bool:
    """Return True if the address is the reason, so that a later attempt would fail as well."""
    if isinstance(outcome, Refused):
        gone = outcome.reply.code >= 500
        return gone and classify_refusal(outcome.stage, outcome.reply) is RefusalClass.RECIPIENT
    return isinstance(outcome, UnsupportedAddress)


def _rates_of_all(context: AppContext) -> tuple[Rate, ...]:
    audience = context.settings.audience
    return double_opt_in.confirmation_rates(
        audience.confirmations_at_once, audience.confirmations_per_hour
    )


def _domain_rate(context: AppContext) -> Rate:
    """Return the rate of confirmation mails to one recipient domain."""
    return Rate(context.settings.audience.confirmations_per_domain, 3600)


def count_request(context: AppContext, email: EmailAddress) -> timedelta:
    """Count that an address was entered on a page; returns how long its mail may have to wait.

    The same for every address of a domain, whatever is known of it: only how many were entered counts.
    """
    now, domain = context.clock(), f"@{email.domain}"
    scopes = {"": _rates_of_all(context)[0], domain: _domain_rate(context)}
    return max(
        double_opt_in.expected_delay(
            confirmation_mails.raise_level(context.store, scope, rate, now), rate
        )
        for scope, rate in scopes.items()
    )


def delete_old(context: AppContext, now: datetime) -> None:
    """Delete what is needed neither for a link nor for the cooldown any more."""
    audience = context.settings.audience
    cooldown = max(timedelta(minutes=audience.cooldown_minutes), timedelta(days=1))
    confirm = timedelta(days=audience.confirm_days)
    confirmation_mails.delete_old(
        context.store, before=now - max(cooldown, confirm), done_before=now - cooldown
    )
