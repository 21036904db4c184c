"""Confirmation mails that could not leave at once, or must not."""

from __future__ import annotations

from datetime import timedelta

from upcycle_news.model import EmailAddress
from upcycle_news.steps import joining
from upcycle_news.store import records

from ..postroom.ledgers import Clock
from ..postroom.relays import BadDay
from ..publications import Publication, parsed

ANNA = "anna@example.org"


def test_an_address_that_nobody_takes_holds_up_no_other_sign_up(publication: Publication) -> None:
    """Anybody may enter one, and it would be the first in the queue for a week."""

    asked: list[str] = []

    def refuse(_: BadDay, who: str) -> str | None:
        asked.append(who.strip("<>").partition("@")[0])
        return {"weg": "550 5.1.1 no such user", "grau": "451 4.7.1 later"}.get(asked[-1])

    with BadDay(rcpt=refuse) as day:
        room = publication.room(
            RELAYS__MAIN__HOST="127.0.0.1", RELAYS__MAIN__PORT=str(day.relay().port),
            RELAYS__MAIN__SECURITY="none",
        )  # fmt: skip
        for who in ("weg@example.org", "grau@example.org", ANNA):
            joining.sign_up(room, EmailAddress.parse(who), language="de", source="web")
        assert joining.tidy(room).mailed == 1
        assert day.recipients == [ANNA]
        asked.clear()
        assert joining.tidy(room).mailed == 0
        assert asked == ["grau"]


def test_who_was_forgotten_before_the_mail_left_gets_none(publication: Publication) -> None:
    room = publication.room()
    email = EmailAddress.parse(ANNA)
    waiting = joining.sign_up(room, email, language="de", source="web")
    assert waiting is not None
    assert records.forget(room.store, email, now=room.clock())
    assert not joining.ask_to_confirm(room, waiting)
    assert publication.mails() == []


def test_two_who_mail_the_same_sign_up_send_one_mail(publication: Publication) -> None:
    room = publication.room()
    waiting = joining.sign_up(room, EmailAddress.parse(ANNA), language="de", source="web")
    assert waiting is not None
    assert joining.tidy(room).mailed == 1
    assert not joining.ask_to_confirm(room, waiting)
    assert len(publication.mails()) == 1


def test_who_signs_up_again_after_a_week_gets_a_mail_that_no_server_has_seen(
    publication: Publication, clock: Clock
) -> None:
    """Servers drop what has a Message-ID they know, and a deleted row's number comes again."""
    room = publication.room()
    for _ in range(2):
        joining.sign_up(room, EmailAddress.parse(ANNA), language="de", source="web")
        joining.tidy(room)
        clock.now += timedelta(days=8)
        assert joining.tidy(room).unconfirmed == 1
    first, second = (parsed(mail)["Message-ID"] for mail in publication.mails())
    assert first != second


def test_no_mail_leaves_with_a_link_that_leads_nowhere(publication: Publication) -> None:
    unfinished = publication.room(PUBLICATION__PUBLIC_URL="")
    joining.sign_up(unfinished, EmailAddress.parse(ANNA), language="de", source="web")
    assert joining.tidy(unfinished).mailed == 0
    assert publication.mails() == []
    assert joining.tidy(publication.room()).mailed == 1
