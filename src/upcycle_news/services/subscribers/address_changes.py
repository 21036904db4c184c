"""Readers change their own address: asked for on the preferences page, confirmed at the new address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from upcycle_news.app.context import AppContext
from upcycle_news.models import ConfirmationResult, EmailAddress, Subscriber
from upcycle_news.observability.logging import Log
from upcycle_news.storage import address_changes, subscribers
from upcycle_news.storage.address_changes import ChangeRequest
from upcycle_news.subscribers import double_opt_in
from upcycle_news.subscribers.link_tokens import Purpose, trimmed

log = Log(__name__)

REQUESTS_PER_COOLDOWN = 3
"""So often a subscriber may enter a new address in `audience.cooldown_minutes`: each mails a stranger."""


class ChangeAnswer(StrEnum):
    """What a request for another address led to; it does not tell whether the address is known."""

    ASKED = "asked"
    TOO_MANY = "too many"


@dataclass(frozen=True)
class ChangeConfirmation:
    """What following the link to a new address did; `preferences_token` is for the next link.

    No `subscriber`: the link is not ours, or its subscriber was erased.
    """

    result: ConfirmationResult
    subscriber: Subscriber | None
    preferences_token: str = ""


def request_change(context: AppContext, token: str, email: EmailAddress) -> ChangeAnswer | None:
    """Ask the owner of a new address to confirm it, by a preferences link; nothing is sent yet.

    An earlier request of the subscriber ends. None for a link that is not ours, and for a subscriber
    who was erased or gets no mail. The answer is the same whether the new address may be asked.
    """
    parsed = context.link_signer.read(Purpose.PREFERENCES, token)
    if parsed is None:
        return None
    audience, now = context.settings.audience, context.clock()
    cooldown = timedelta(minutes=audience.cooldown_minutes)
    stored = address_changes.request(
        context.store,
        parsed.subscriber,
        email,
        may_ask=lambda request: double_opt_in.may_send_change(
            request,
            now=now,
            cooldown=cooldown,
            per_mailbox=audience.confirmations_per_mailbox,
        ),
        too_many=_too_many,
        mailbox_key=double_opt_in.mailbox_key(email),
        since=now - cooldown,
        now=now,
    )
    if stored is None:
        return None
    return ChangeAnswer.ASKED if stored else ChangeAnswer.TOO_MANY


def _too_many(request: ChangeRequest) -> bool:
    return request.requested >= REQUESTS_PER_COOLDOWN


def cancel_change(context: AppContext, token: str) -> bool | None:
    """Cancel the change that waits, by a preferences link; False if none does, None for no link."""
    parsed = context.link_signer.read(Purpose.PREFERENCES, token)
    if parsed is None:
        return None
    return address_changes.cancel(context.store, parsed.subscriber, now=context.clock())


def is_change_waiting(context: AppContext, subscriber: Subscriber) -> bool:
    """Return True while a change of the subscriber's address can be confirmed."""
    since = context.clock() - _valid_for(context)
    return address_changes.is_waiting(context.store, subscriber.id, since=since)


def confirm_change(context: AppContext, token: str, *, act: bool = True) -> ChangeConfirmation:
    """Follow the link to a new address, or only look it up with `act` False."""
    parsed = context.link_signer.read(Purpose.ADDRESS, token)
    if parsed is None:
        return ChangeConfirmation(ConfirmationResult.UNKNOWN, None)
    follow = address_changes.confirm if act else address_changes.change_status
    result = follow(
        context.store,
        double_opt_in.token_hash(trimmed(token)),
        may_change=double_opt_in.may_change_address,
        now=context.clock(),
        valid_for=_valid_for(context),
    )
    if act and result is ConfirmationResult.NOW:
        log.info("address changed")
    return ChangeConfirmation(
        result,
        subscribers.by_id(context.store, parsed.subscriber),
        context.link_signer.token(Purpose.PREFERENCES, parsed.subscriber),
    )


def delete_expired(context: AppContext) -> int:
    """End changes of address that nobody confirmed in time; returns how many."""
    now = context.clock()
    cooldown = timedelta(minutes=context.settings.audience.cooldown_minutes)
    return address_changes.delete_unconfirmed(
        context.store,
        before=now - _valid_for(context),
        ended_before=now - max(cooldown, _valid_for(context)),
        now=now,
    )


def _valid_for(context: AppContext) -> timedelta:
    return timedelta(days=context.settings.audience.confirm_days)
