"""Readers choose how often they get mail: on the form, here and elsewhere, and on the page of preferences."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from html import unescape

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.models import EmailAddress, Subscriber, SubscriberStatus
from upcycle_news.models.digest import ReaderRhythm, Rhythm
from upcycle_news.services.subscribers import signup_form
from upcycle_news.storage import personal_data, rhythms, subscribers
from upcycle_news.storage.subscribers import NewSubscriber
from upcycle_news.subscribers.link_tokens import Purpose

from ..delivery.memory_ledger import Clock
from ..publications import Publication, add_confirmed_subscribers, parse_mail
from .test_subscriber_journey import link_with, links, mails
from .web_server import WebServer, running_server

ANNA = "anna@example.org"
DIGEST = ReaderRhythm(Rhythm.DIGEST)
TO_DIGEST = ReaderRhythm(Rhythm.EVERY_ISSUE, Rhythm.DIGEST, date(2026, 12, 1))


@pytest.fixture
def context(publication: Publication, port: int) -> AppContext:
    publication.change_setting("https://umbaupost.example.net", f"http://127.0.0.1:{port}")
    return publication.context(
        AUDIENCE__TOPICS='["Bestand", "Kleinstadt"]', DIGEST__INTERVAL="monthly"
    )


@pytest.fixture
def without(context: AppContext, publication: Publication) -> AppContext:
    """The same publication after the digest was switched off."""
    return publication.context()


@pytest.fixture
def server(context: AppContext, port: int) -> Iterator[WebServer]:
    with running_server(context, port) as made:
        yield made


def person(context: AppContext) -> Subscriber:
    found = subscribers.find(context.store, EmailAddress.parse(ANNA))
    assert found is not None
    return found


def rhythm(context: AppContext) -> ReaderRhythm:
    return rhythms.rhythm_of(context.store, person(context).id, context.today)


def preferences(context: AppContext) -> str:
    return f"/preferences/{context.link_signer.token(Purpose.PREFERENCES, person(context).id)}"


def add(context: AppContext, chosen: Rhythm | None = None) -> None:
    subscribers.add_subscribers(
        context.store, [NewSubscriber(EmailAddress.parse(ANNA), rhythm=chosen)], source="a list",
        now=context.clock(), dry_run=False, today=context.today, interval="monthly",
    )  # fmt: skip


def words(html: str) -> str:
    return " ".join(unescape(html).replace("\u00a0", " ").split())


# --- preferences


def test_the_page_names_the_day_of_a_switch_and_of_the_next_digest(
    context: AppContext, server: WebServer, clock: Clock
) -> None:
    add(context)
    page = words(server.get(preferences(context)).text)
    assert 'name="rhythm" value="every_issue" checked> Jede Ausgabe' in page
    assert 'name="rhythm" value="digest"> Monatlich gesammelt' in page
    assert "Was Sie jetzt wählen, gilt ab dem 1. Dezember 2026." in page
    assert "Sammlung" not in page
    saved = words(server.post(preferences(context), "rhythm=digest&language=de&do=save").text)
    coming = "Ab dem 1. Dezember 2026 bekommen Sie die Ausgaben gesammelt; bis dahin jede einzeln."
    assert coming in saved and "Die erste Sammlung kommt am 1. Januar 2027." in saved
    assert 'value="digest" checked' in saved
    assert rhythm(context) == TO_DIGEST
    clock.now = datetime(2026, 12, 1, 8, tzinfo=UTC)
    page = words(server.get(preferences(context)).text)
    assert "Die nächste Sammlung kommt am 1. Januar 2027." in page and coming not in page
    english = words(server.post(preferences(context), "rhythm=every_issue&language=en").text)
    assert "From January 1, 2027 on you get every issue by itself" in english
    assert "is in the digest of January 1, 2027" in english
    assert "A monthly digest" in english
    english = words(server.post(preferences(context), "rhythm=digest&language=en").text)
    assert "The next digest comes on January 1, 2027." in english and rhythm(context) == DIGEST


def test_a_form_that_does_not_ask_changes_no_rhythm(context: AppContext, server: WebServer) -> None:
    add(context, Rhythm.DIGEST)
    for form in ("topic=Bestand&language=en", "topic=Bestand&rhythm=hourly", "rhythm="):
        assert server.post(preferences(context), form).status == 200
        assert rhythm(context) == DIGEST


def test_who_is_not_subscribed_changes_nothing(context: AppContext, server: WebServer) -> None:
    add(context)
    path = preferences(context)
    subscribers.unsubscribe(context.store, person(context), now=context.clock())
    server.post(path, "rhythm=digest&language=en")
    assert rhythm(context) == ReaderRhythm()
    server.post("/subscribe", "email=pending@example.org")
    pending = subscribers.find(context.store, EmailAddress("pending@example.org"))
    assert pending is not None and pending.status is SubscriberStatus.PENDING
    token = context.link_signer.token(Purpose.PREFERENCES, pending.id)
    server.post(f"/preferences/{token}", "rhythm=digest")
    known = rhythms.rhythms_of(context.store, [pending.id], context.today)
    assert known == {}


def test_after_the_digest_was_switched_off_its_readers_are_told_what_comes(
    context: AppContext, without: AppContext, port: int, clock: Clock
) -> None:
    add(context, Rhythm.DIGEST)
    add_confirmed_subscribers(context, "bert@example.org")
    other = f"/preferences/{context.link_signer.token(Purpose.PREFERENCES, 2)}"
    with running_server(without, port) as server:
        page = words(server.get(preferences(context)).text)
        assert 'name="rhythm"' not in page
        assert "Am 1. Dezember 2026 kommt die letzte Sammlung; danach" in page
        assert "Sammlung" not in server.get(other).text
        clock.now = datetime(2026, 12, 2, 8, tzinfo=UTC)
        page = words(server.get(preferences(context)).text)
        assert "Die gibt es zurzeit nicht; Sie bekommen jede Ausgabe einzeln." in page
        server.post(preferences(context), "rhythm=every_issue&language=de")
        assert rhythm(context) == DIGEST  # nothing is offered, so nothing is stored
        assert 'name="rhythm"' not in server.get("/subscribe").text


# --- sign-up


def test_what_was_chosen_holds_from_the_confirmation_on(
    publication: Publication, context: AppContext, server: WebServer
) -> None:
    page = words(server.get("/subscribe?lang=de").text)
    assert 'name="rhythm" value="every_issue" checked> Jede Ausgabe' in page
    server.post("/subscribe", f"email={ANNA}&language=de&topic=&topic=Bestand&rhythm=digest")
    assert rhythm(context) == ReaderRhythm()
    record = personal_data.personal_data_of(context.store, person(context)).as_dict()
    assert record["consents"][0]["chosen_rhythm"] == "digest"
    [asking] = mails(publication, 1)
    text = words(parse_mail(asking).get_body(("plain",)).get_content())  # type: ignore[union-attr]
    assert "Gewählt haben Sie: Monatlich gesammelt." in text and "vor dem" not in text
    confirming = link_with(links(asking), "/confirm/")
    asked = words(server.get(confirming).text)
    assert "Gewählt haben Sie: Monatlich gesammelt." in asked
    done = words(server.post(confirming).text)
    assert "kommen gesammelt." in done
    assert "Die nächste Sammlung kommt am 1. Dezember 2026." in done
    assert rhythm(context) == DIGEST
    record = personal_data.personal_data_of(context.store, person(context)).as_dict()
    assert record["consents"][0]["chosen_rhythm"] is None and record["chosen_at"]


def test_who_comes_back_is_told_from_which_day_it_holds(
    publication: Publication, context: AppContext, server: WebServer
) -> None:
    add(context)
    subscribers.unsubscribe(context.store, person(context), now=context.clock())
    server.post("/subscribe", f"email={ANNA}&language=de&rhythm=digest")
    [asking] = mails(publication, 1)
    message = parse_mail(asking)
    for kind in ("plain", "html"):
        body = words(message.get_body((kind,)).get_content())  # type: ignore[union-attr]
        assert "Bestätigen Sie vor dem 1. Dezember 2026, gilt das von diesem Tag an" in body
    confirming = link_with(links(asking), "/confirm/")
    assert "vor dem 1. Dezember 2026" in words(server.get(confirming).text)
    done = words(server.post(confirming).text)
    assert "Ab dem 1. Dezember 2026 bekommen Sie die Ausgaben gesammelt" in done
    assert rhythm(context) == TO_DIGEST


def test_a_stranger_cannot_change_how_often_a_subscriber_gets_mail(
    publication: Publication, context: AppContext, server: WebServer
) -> None:
    add(context)
    server.post("/subscribe", f"email={ANNA}&rhythm=digest")
    assert rhythm(context) == ReaderRhythm() and publication.mails() == []


def test_a_rhythm_that_is_not_offered_is_ignored(
    publication: Publication, context: AppContext, without: AppContext, port: int
) -> None:
    with running_server(without, port) as server:
        server.post("/subscribe", f"email={ANNA}&rhythm=digest")
        [asking] = mails(publication, 1)
        server.post(link_with(links(asking), "/confirm/"))
    [consent] = personal_data.personal_data_of(context.store, person(context)).consents
    assert consent.chosen_rhythm is None and rhythm(context) == ReaderRhythm()
    assert b"Gew" not in asking.split(b"\r\n\r\n", 1)[0]


def test_a_wrong_address_costs_no_choice(server: WebServer) -> None:
    answer = server.post("/subscribe", "email=anna&language=de&rhythm=digest")
    assert answer.status == 422 and 'value="digest" checked' in answer.text


def test_the_form_for_other_sites_asks_where_a_digest_is_offered(
    context: AppContext, without: AppContext
) -> None:
    html = signup_form.form_for_other_sites(context)
    assert '<input type="radio" name="rhythm" value="every_issue" checked> Jede Ausgabe' in html
    assert '<input type="radio" name="rhythm" value="digest"> Monatlich gesammelt' in html
    assert "A monthly digest" in signup_form.form_for_other_sites(context, "en")
    assert "rhythm" not in signup_form.form_for_other_sites(without)
