"""A list whose consent nobody can show: each is asked once, and nobody is subscribed unasked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UpcycleError
from upcycle_news.models import EmailAddress, Subscriber, SubscriberStatus
from upcycle_news.services.subscribers import list_questions, lists, subscriptions
from upcycle_news.services.subscribers.confirmation_mails import count_limited
from upcycle_news.storage import personal_data, subscribers, suppressions

from ...delivery.memory_ledger import Clock
from ...publications import Publication, add_confirmed_subscribers, parse_mail, relay_variables
from ...transports.bad_relays import MisbehavingRelay

ANNA, BERT = "anna@example.org", "bert@example.org"


class Relay(MisbehavingRelay):
    """A relay that accepts everything."""

    @property
    def mails(self) -> list[bytes]:
        return [mail for _, mail in self.accepted]


@pytest.fixture(autouse=True)
def relay(monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """The relay of every publication here: the embedded mailbox asks nobody."""
    with Relay() as running:
        for name, value in relay_variables(running.relay().port).items():
            monkeypatch.setenv(f"UPCYCLE_NEWS_{name}", value)
        yield running


def write_list(publication: Publication, *lines: str, head: str = "email,name") -> Path:
    path = publication.home / "liste.csv"
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return path


def ask(context: AppContext, path: Path, **arguments: bool) -> lists.ImportReport:
    return list_questions.ask_list(context, path, **arguments)  # type: ignore[arg-type]


def person(context: AppContext, address: str = ANNA) -> Subscriber | None:
    return subscribers.find(context.store, EmailAddress.parse(address))


def link_in(mail: bytes) -> str:
    message = parse_mail(mail).get_body(("plain",))
    assert message is not None
    [token] = re.findall(r"/confirm/([\w-]{43})", message.get_content())
    return str(token)


def test_who_is_asked_is_subscribed_by_confirming_and_not_before(
    publication: Publication, relay: Relay
) -> None:
    context = publication.context()
    path = write_list(publication, f"{ANNA},Anna", f"{BERT},Bert")
    report = ask(context, path)
    assert (report.asked, report.added) == (2, 0)
    assert subscriptions.purge_expired(context).mailed == 2
    assert sorted(relay.recipients) == [ANNA, BERT]
    first = relay.mails[0]
    assert parse_mail(first)["Subject"] == "Möchten Sie Umbaupost bekommen?"
    anna = person(context)
    assert anna is not None
    assert (anna.status, anna.name) == (SubscriberStatus.PENDING, "Anna")
    assert subscriptions.confirm(context, link_in(first)).result.value == "now"
    anna = person(context)
    assert anna is not None and anna.status is SubscriberStatus.CONFIRMED
    [consent] = personal_data.personal_data_of(context.store, anna).consents
    assert consent.source == "list: liste.csv"
    assert consent.wording == subscriptions.consent_wording(context, "de", of_list=True)
    assert consent.confirmed_at is not None and consent.token_hash
    bert = person(context, BERT)
    assert bert is not None and bert.status is SubscriberStatus.PENDING


def test_nobody_is_asked_twice_ever(publication: Publication, clock: Clock, relay: Relay) -> None:
    context = publication.context()
    path = write_list(publication, f"{ANNA},Anna", "ANNA@example.org,Noch einmal")
    report = ask(context, path)
    assert report.asked == 1
    assert [(note.line, note.reason) for note in report.skipped] == [
        (3, "dieselbe Adresse steht weiter oben in der Liste")
    ]
    assert subscriptions.purge_expired(context).mailed == 1
    assert ask(context, path).asked == 0  # pending
    clock.now += timedelta(days=8)
    assert subscriptions.purge_expired(context).unconfirmed == 1
    assert person(context) is None
    again = ask(context, path)
    assert again.asked == 0
    assert "schon einmal gefragt" in again.skipped[0].reason
    assert subscriptions.purge_expired(context).mailed == 0
    assert len(relay.mails) == 1
    # A sign-up of their own is another matter, and so is a consent that somebody can show.
    email = EmailAddress.parse(ANNA)
    assert subscriptions.sign_up(context, email, language="de") is not None
    clock.now += timedelta(days=8)
    subscriptions.purge_expired(context)
    assert lists.import_list(context, path, consent="Karteikarte, 2019").added == 1


def test_a_dry_run_asks_nobody_and_remembers_nobody(publication: Publication) -> None:
    context = publication.context()
    path = write_list(publication, f"{ANNA},Anna")
    assert ask(context, path, dry_run=True).asked == 1
    assert person(context) is None
    assert subscriptions.purge_expired(context).mailed == 0
    assert ask(context, path).asked == 1


def test_who_left_is_suppressed_or_gets_the_newsletter_is_not_asked(
    publication: Publication,
) -> None:
    context = publication.context()
    left, forgotten, has = "weg@example.org", "vergessen@example.org", "hat@example.org"
    add_confirmed_subscribers(context, left, forgotten, has)
    leaver = person(context, left)
    assert leaver is not None
    subscribers.unsubscribe(context.store, leaver, now=context.clock())
    personal_data.erase_subscriber(
        context.store, EmailAddress.parse(forgotten), now=context.clock()
    )
    suppressions.suppress_all(
        context.store, ["@boese.example", "tot@example.org"], reason="bounced", now=context.clock()
    )
    people = (left, forgotten, has, "x@boese.example", "tot@example.org")
    report = ask(context, write_list(publication, *(f"{address}," for address in people)))
    assert report.asked == 0
    assert [note.reason.split(":")[0] for note in report.skipped] == [
        "hat sich abgemeldet", "wurde vergessen", "bekommt den Newsletter schon", "ist gesperrt",
        "ist gesperrt",
    ]  # fmt: skip
    assert subscriptions.purge_expired(context).mailed == 0


def test_who_is_suppressed_or_leaves_before_the_mail_goes_gets_none(
    publication: Publication, relay: Relay
) -> None:
    context = publication.context()
    ask(context, write_list(publication, f"{ANNA},", f"{BERT},"))
    suppressions.suppress_all(context.store, [ANNA], reason="by hand", now=context.clock())
    bert = person(context, BERT)
    assert bert is not None
    subscribers.unsubscribe(context.store, bert, now=context.clock())
    assert subscriptions.purge_expired(context).mailed == 0
    assert relay.mails == []


def test_a_list_waits_for_the_limits_and_nobody_on_it_expires_unasked(
    publication: Publication, clock: Clock, relay: Relay
) -> None:
    context = publication.context(
        AUDIENCE__CONFIRMATIONS_AT_ONCE="4", AUDIENCE__CONFIRMATIONS_PER_HOUR="8",
        AUDIENCE__CONFIRM_DAYS="1",
    )  # fmt: skip
    people = [f"leser{number}@ort{number}.example" for number in range(30)]
    assert ask(context, write_list(publication, *(f"{address}," for address in people))).asked == 30
    assert subscriptions.purge_expired(context).mailed == 2  # half of those at once
    assert count_limited(context) == 0  # that a list waits alerts nobody

    # The other half is for people who sign up, and these go first.
    for name in ("eins", "zwei", "drei"):
        email = EmailAddress.parse(f"{name}@example.org")
        assert subscriptions.sign_up(context, email, language="de") is not None
    assert subscriptions.purge_expired(context).mailed == 2
    assert {"eins@example.org", "zwei@example.org"} <= set(relay.recipients)

    hours = 0
    while len(relay.mails) < 33:
        clock.now += timedelta(hours=1)
        hours += 1
        assert subscriptions.purge_expired(context).mailed <= 8
        assert hours < 40
    assert hours > 10
    assert sorted({*people, *(f"{n}@example.org" for n in ("eins", "zwei", "drei"))}) == (
        sorted(relay.recipients)
    )
    # The last one has its whole day from the mail on, however long the list had waited.
    newest = relay.mails[-1]
    clock.now += timedelta(hours=23)
    assert subscriptions.confirm(context, link_in(newest)).result.value == "now"


def test_a_list_waits_for_longer_than_a_sign_up_may(
    publication: Publication, clock: Clock, relay: Relay
) -> None:
    away = publication.context(PUBLICATION__PUBLIC_URL="https://umbaupost.example.net")
    ask(away, write_list(publication, f"{ANNA},"))
    clock.now += timedelta(days=30)
    subscriptions.purge_expired(publication.context(PUBLICATION__PUBLIC_URL=""))
    assert person(away) is not None
    assert subscriptions.purge_expired(away).mailed == 1
    clock.now += timedelta(days=6)
    assert subscriptions.confirm(away, link_in(relay.mails[0])).result.value == "now"


def test_a_list_counts_against_the_quotas(publication: Publication, clock: Clock) -> None:
    context = publication.context(QUOTAS__SENDER='["3/d"]')
    people = (f"leser{number}@ort{number}.example," for number in range(5))
    ask(context, write_list(publication, *people))
    assert subscriptions.purge_expired(context).mailed == 3
    assert subscriptions.purge_expired(context).mailed == 0
    clock.now += timedelta(days=1, minutes=1)
    assert subscriptions.purge_expired(context).mailed == 2


def test_who_signs_up_meanwhile_gets_that_mail_and_no_second_one(
    publication: Publication, relay: Relay
) -> None:
    context = publication.context()
    ask(context, write_list(publication, f"{ANNA},Anna"))
    assert subscriptions.sign_up(context, EmailAddress.parse(ANNA), language="de") is not None
    assert subscriptions.purge_expired(context).mailed == 1
    assert subscriptions.purge_expired(context).mailed == 0
    [mail] = relay.mails
    assert parse_mail(mail)["Subject"].startswith("Bitte bestätigen")
    assert subscriptions.confirm(context, link_in(mail)).result.value == "now"


def test_a_no_in_the_list_is_no_for_a_question_as_well(publication: Publication) -> None:
    context = publication.context()
    path = write_list(
        publication, f"{ANNA},nein", f"{BERT},ja", head="email;Newsletter".replace(";", ",")
    )
    assert ask(context, path).asked == 1
    assert person(context) is None


def test_without_an_address_for_links_nobody_is_asked(publication: Publication) -> None:
    path = write_list(publication, f"{ANNA},")
    with pytest.raises(UpcycleError, match="nobody can be asked"):
        ask(publication.context(PUBLICATION__PUBLIC_URL=""), path)
    done = publication.run(
        "subscribers", "import", str(path), "--ask", code=1, PUBLICATION__PUBLIC_URL=""
    )
    assert "Es lässt sich niemand fragen" in done.err


def test_the_embedded_mailbox_asks_nobody_and_the_mails_wait_for_a_relay(
    publication: Publication, clock: Clock, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_list(publication, f"{ANNA},Anna")
    with monkeypatch.context() as without:
        for name in relay_variables(0):
            without.delenv(f"UPCYCLE_NEWS_{name}")
        done = publication.run("subscribers", "import", str(path), "--ask")
        assert "noch kein Relay eingerichtet" in done.err
        clock.now += timedelta(days=3650)  # commands run at real time
        report = subscriptions.purge_expired(publication.context())
        assert (report.mailed, report.waiting) == (0, 1)
        assert publication.mails() == []
    assert subscriptions.purge_expired(publication.context()).mailed == 1
    assert relay.recipients == [ANNA]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLICATION__PUBLIC_URL", "https://newsletter.example.org"),
        ("SENDER__ADDRESS", "redaktion@example.org"),
    ],
)
def test_nobody_is_asked_with_the_settings_that_init_wrote(
    publication: Publication, name: str, value: str
) -> None:
    path = write_list(publication, f"{ANNA},")
    done = publication.run("subscribers", "import", str(path), "--ask", code=1, **{name: value})
    assert "„upcycle-news init“" in done.err
    assert person(publication.context()) is None


def test_the_command_asks_and_says_what_happens_next(publication: Publication) -> None:
    path = write_list(publication, f"{ANNA},Anna")
    dry = publication.run("subscribers", "import", str(path), "--ask", "--dry-run")
    assert (
        dry.out
        == "Probelauf, gespeichert ist nichts: 1 zu fragen, 0 übersprungen, 0 nicht lesbar\n"
    )
    done = publication.run("subscribers", "import", str(path), "--ask")
    assert done.out == "1 zu fragen, 0 übersprungen, 0 nicht lesbar\n"
    assert "genau eine Mail" in done.err
    assert publication.run("subscribers", "import", str(path), "--ask", "--json").json["asked"] == 0
    # Neither a consent nor the question: nobody is taken.
    assert (
        "Die Einwilligung ist leer"
        in publication.run("subscribers", "import", str(path), code=2).err
    )


def test_people_are_asked_in_a_store_in_postgres_as_well(
    publication: Publication, any_store: str
) -> None:
    context = publication.context(STORE=any_store)
    path = write_list(publication, *(f"leser{number}@ort{number}.example," for number in range(3)))
    assert ask(context, path).asked == 3
    assert subscriptions.purge_expired(context).mailed == 3
    assert ask(context, path).asked == 0
