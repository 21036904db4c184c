"""Sign-ups from everywhere: so many mails at once and an hour, and a sentence for honest visitors."""

from __future__ import annotations

from datetime import timedelta

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.models import EmailAddress
from upcycle_news.services.monitoring import alerts
from upcycle_news.services.subscribers import confirmation_mails, subscriptions
from upcycle_news.storage import suppressions

from ..delivery.memory_ledger import Clock
from ..publications import Publication, add_confirmed_subscribers, relay_variables
from ..transports.bad_relays import MisbehavingRelay
from .web_server import WebServer, running_server

BUSY = "kann deshalb bis zu"


def sign_up(server: WebServer, number: int, address: str, **headers: str) -> str:
    """Sign up from a network of its own, as the proxy says; returns the page."""
    answer = server.post(
        "/subscribe", {"email": address, "language": "de"},
        X_Forwarded_For=f"198.18.{number}.9", **headers,
    )  # fmt: skip
    assert answer.status == 200
    return answer.text


def test_of_120_sign_ups_from_120_networks_thirty_are_mailed_and_the_rest_waits(
    publication: Publication, context: AppContext, port: int, clock: Clock
) -> None:
    with running_server(context, port) as server:
        pages = [sign_up(server, n, f"n{n}@ort{n}.example") for n in range(120)]
    assert len(publication.mails()) == 30
    assert [BUSY in page for page in pages] == [False] * 30 + [True] * 90
    assert "bis zu 10 Minuten" in pages[30] and "bis zu 20 Minuten" in pages[-1]
    clock.now += timedelta(minutes=5, seconds=59)
    assert subscriptions.purge_expired(context).waiting == 90
    for mailed in (30, 30, 30, 0):
        clock.now += timedelta(minutes=6)
        assert subscriptions.purge_expired(context).mailed == mailed
    assert len(set(publication.recipients())) == 120 == len(publication.mails())


def test_an_hour_holds_three_hundred_mails_whoever_sends_them(
    publication: Publication, context: AppContext, clock: Clock
) -> None:
    for number in range(340):
        email = EmailAddress.parse(f"n{number}@ort{number}.example")
        assert subscriptions.sign_up(context, email, language="de") is not None
    mailed = []
    for _ in range(12):
        mailed.append(subscriptions.purge_expired(publication.context()).mailed)
        clock.now += timedelta(minutes=5)
    assert max(mailed) == 30 and sum(mailed) <= 300
    clock.now += timedelta(hours=1)
    assert subscriptions.purge_expired(context).mailed == 30


def test_25_people_from_25_networks_get_theirs_at_once(
    publication: Publication, context: AppContext, port: int
) -> None:
    with running_server(context, port) as server:
        pages = [sign_up(server, n, f"leserin{n}@example.org") for n in range(25)]
    assert len(publication.mails()) == 25
    assert not [page for page in pages if BUSY in page]


def test_a_mailbox_with_plus_addresses_is_asked_three_times(
    publication: Publication, context: AppContext, port: int, clock: Clock
) -> None:
    with running_server(context, port) as server:
        pages = {sign_up(server, n, f"Anna+{n}@example.org") for n in range(1, 10)}
        pages.add(sign_up(server, 10, "anna@example.org"))
        sign_up(server, 11, "berta@example.org")
    assert len(pages) == 1
    assert publication.recipients() == [
        *(f"Anna+{n}@example.org" for n in (1, 2, 3)),
        "berta@example.org",
    ]
    clock.now += timedelta(days=1)
    with running_server(context, port) as server:
        sign_up(server, 12, "anna+9@example.org")
    assert len(publication.mails()) == 5


def test_one_recipient_domain_does_not_keep_the_others_waiting(
    publication: Publication, port: int, context: AppContext
) -> None:
    few = publication.context(AUDIENCE__CONFIRMATIONS_PER_DOMAIN="4")
    with running_server(few, port) as server:
        pages = [sign_up(server, n, f"n{n}@opfer.example") for n in range(8)]
        sign_up(server, 9, "anna@example.org")
    assert publication.recipients() == ["anna@example.org", *(f"n{n}@opfer.example" for n in range(4))]  # fmt: skip
    assert [BUSY in page for page in pages] == [False] * 4 + [True] * 4
    assert "bis zu 60 Minuten" in pages[-1]


def test_how_long_a_mail_may_take_does_not_tell_who_is_known(
    context: AppContext, port: int, clock: Clock
) -> None:
    add_confirmed_subscribers(context, *(f"n{n}@example.org" for n in range(60)))
    with running_server(context, port) as server:
        known = [sign_up(server, n, f"n{n}@example.org") for n in range(60)]
        clock.now += timedelta(hours=2)
        unknown = [sign_up(server, 60 + n, f"neu{n}@example.org") for n in range(60)]
        as_json = server.post(
            "/subscribe", {"email": "neu@example.org"}, Accept="application/json",
            X_Forwarded_For="198.18.200.9",
        )  # fmt: skip
    assert known == unknown and BUSY in known[-1]
    assert as_json.text == '{"ok":true,"minutes":15}'


def test_operators_hear_of_it_once_until_nothing_waits_for_the_limits(
    publication: Publication, context: AppContext, port: int, clock: Clock
) -> None:
    def told() -> list[str]:
        events = alerts.new_events(context)
        return [event.message for event in events if event.name == "upcycle-news.signups.limited"]

    with running_server(context, port) as server:
        for number in range(30):
            sign_up(server, number, f"n{number}@ort{number}.example")
    assert told() == []
    for round_ in (1, 2):
        for number in range(31):
            email = EmailAddress.parse(f"r{round_}n{number}@ort.example")
            subscriptions.sign_up(context, email, language="de")
        subscriptions.purge_expired(context)
        (sentence,) = told()
        assert "Mails zur Bestätigung warten" in sentence and "confirmations_per_hour" in sentence
        assert told() == []
        for _ in range(3):
            clock.now += timedelta(minutes=20)
            subscriptions.purge_expired(context)
        assert told() == []
        for number in range(30):
            subscriptions.sign_up(
                context, EmailAddress.parse(f"f{round_}n{number}@fort.example"), language="de"
            )
        subscriptions.purge_expired(context)


def test_the_flow_watch_sends_what_waits_and_says_so(publication: Publication) -> None:
    context = publication.context()
    for name in ("anna", "berta"):
        email = EmailAddress.parse(f"{name}@example.org")
        subscriptions.sign_up(context, email, language="de")
    report = confirmation_mails.send_waiting(context, due_only=True)
    assert report.sentences("de") == [
        "2 Mails zur Bestätigung, die gewartet hatten, gingen hinaus."
    ]
    assert confirmation_mails.send_waiting(context, due_only=True).sentences("de") == []
    assert len(publication.mails()) == 2


def _refused_then_not(
    publication: Publication, clock: Clock, reply: str, *, count: int, domain: str = ""
) -> tuple[int, int]:
    """Sign up `count` people while a relay refuses all, and again an hour later; returns how many it mailed."""
    for number in range(count):
        email = EmailAddress.parse(f"n{number}@{domain or f'ort{number}.example'}")
        assert subscriptions.sign_up(publication.context(), email, language="de") is not None
    with MisbehavingRelay(rcpt=lambda relay, address: reply) as relay:
        context = publication.context(**relay_variables(relay.controller.port))
        assert confirmation_mails.send_waiting(context, due_only=True).mailed == 0
    clock.now += timedelta(hours=1)
    with MisbehavingRelay() as relay:
        context = publication.context(**relay_variables(relay.controller.port))
        mailed = confirmation_mails.send_waiting(context, due_only=True).mailed
        return mailed, confirmation_mails.count_waiting(context)


@pytest.mark.parametrize("domain", ["", "firma.example"], ids=["many-domains", "one-domain"])
def test_a_wave_of_refusals_gives_up_nobodys_confirmation(
    publication: Publication, clock: Clock, domain: str
) -> None:
    mailed = _refused_then_not(
        publication, clock, "550 5.1.1 no such user", count=12, domain=domain
    )
    assert mailed == (12, 0)
    assert list(suppressions.all_suppressions(publication.context().store)) == []


def test_few_refused_addresses_are_not_tried_again(publication: Publication, clock: Clock) -> None:
    assert _refused_then_not(publication, clock, "550 5.1.1 no such user", count=9) == (0, 0)


def test_a_wave_that_does_not_end_is_given_up(publication: Publication, clock: Clock) -> None:
    for number in range(12):
        email = EmailAddress.parse(f"n{number}@ort{number}.example")
        subscriptions.sign_up(publication.context(), email, language="de")
    with MisbehavingRelay(rcpt=lambda relay, address: "550 5.1.1 no such user") as relay:
        context = publication.context(**relay_variables(relay.controller.port))
        for _ in range(5 * 24):
            confirmation_mails.send_waiting(context, due_only=True)
            clock.now += timedelta(hours=1)
        assert confirmation_mails.count_waiting(context) == 0
        assert relay.commands.count("rcpt") <= 12 * 7


def test_a_reply_about_us_never_ends_a_confirmation(publication: Publication, clock: Clock) -> None:
    assert _refused_then_not(publication, clock, "550 your address is listed", count=3) == (3, 0)
