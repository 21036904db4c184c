"""Confirmation mails that could not be sent at once, or must not."""

from __future__ import annotations

from datetime import timedelta

from upcycle_news.models import EmailAddress
from upcycle_news.services.subscribers import subscriptions
from upcycle_news.storage import personal_data

from ..delivery.memory_ledger import Clock
from ..publications import Publication, parse_mail
from ..transports.bad_relays import MisbehavingRelay

ANNA = "anna@example.org"


def test_a_refused_address_does_not_block_other_sign_ups(publication: Publication) -> None:
    """Anybody may enter one, and it would be the first in the queue for a week."""

    requests: list[str] = []

    def refuse(_: MisbehavingRelay, who: str) -> str | None:
        requests.append(who.strip("<>").partition("@")[0])
        return {"weg": "550 5.1.1 no such user", "grau": "451 4.7.1 later"}.get(requests[-1])

    with MisbehavingRelay(rcpt=refuse) as day:
        context = publication.context(
            RELAYS__MAIN__HOST="127.0.0.1", RELAYS__MAIN__PORT=str(day.relay().port),
            RELAYS__MAIN__SECURITY="none",
        )  # fmt: skip
        for who in ("weg@example.org", "grau@example.org", ANNA):
            subscriptions.sign_up(context, EmailAddress.parse(who), language="de", source="web")
        assert subscriptions.purge_expired(context).mailed == 1
        assert day.recipients == [ANNA]
        requests.clear()
        assert subscriptions.purge_expired(context).mailed == 0
        assert requests == ["grau"]


def test_an_address_erased_before_its_confirmation_mail_gets_none(publication: Publication) -> None:
    context = publication.context()
    email = EmailAddress.parse(ANNA)
    waiting = subscriptions.sign_up(context, email, language="de", source="web")
    assert waiting is not None
    assert personal_data.erase_subscriber(context.store, email, now=context.clock())
    assert not subscriptions.send_confirmation_mail(context, waiting)
    assert publication.mails() == []


def test_two_processes_send_one_confirmation_mail_for_a_sign_up(publication: Publication) -> None:
    context = publication.context()
    waiting = subscriptions.sign_up(context, EmailAddress.parse(ANNA), language="de", source="web")
    assert waiting is not None
    assert subscriptions.purge_expired(context).mailed == 1
    assert not subscriptions.send_confirmation_mail(context, waiting)
    assert len(publication.mails()) == 1


def test_a_later_sign_up_gets_a_confirmation_mail_with_a_new_message_id(
    publication: Publication, clock: Clock
) -> None:
    """Servers drop what has a Message-ID they know, and a deleted row's number comes again."""
    context = publication.context()
    for _ in range(2):
        subscriptions.sign_up(context, EmailAddress.parse(ANNA), language="de", source="web")
        subscriptions.purge_expired(context)
        clock.now += timedelta(days=8)
        assert subscriptions.purge_expired(context).unconfirmed == 1
    first, second = (parse_mail(mail)["Message-ID"] for mail in publication.mails())
    assert first != second


def test_no_confirmation_mail_is_sent_without_a_public_url(publication: Publication) -> None:
    unfinished = publication.context(PUBLICATION__PUBLIC_URL="")
    subscriptions.sign_up(unfinished, EmailAddress.parse(ANNA), language="de", source="web")
    assert subscriptions.purge_expired(unfinished).mailed == 0
    assert publication.mails() == []
    assert subscriptions.purge_expired(publication.context()).mailed == 1
