"""Readers change their own address: confirmed at the new one, the old one told, nobody disclosed."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.models import (
    EmailAddress,
    Subscriber,
    SubscriberStatus,
    SuppressionSource,
)
from upcycle_news.services.subscribers import address_changes, lists, subscriptions
from upcycle_news.storage import personal_data, signups, subscribers, suppressions
from upcycle_news.storage.subscribers import NewSubscriber
from upcycle_news.subscribers.link_tokens import Purpose

from ..delivery.memory_ledger import Clock
from ..publications import Publication, add_confirmed_subscribers, parse_mail, send_issue
from .browser_session import browsing
from .web_server import Response, WebServer, running_server

OLD, NEW = "anna@alt.example", "anna@neu.example"
LINK = re.compile(r"/address/[A-Za-z0-9_-]{43}")


@pytest.fixture
def reader(context: AppContext) -> Subscriber:
    anna = NewSubscriber(EmailAddress.parse(OLD), name="Anna", topics=("Bestand",))
    add_confirmed_subscribers(context, anna)
    return find(context, OLD)


def find(context: AppContext, address: str) -> Subscriber:
    subscriber = subscribers.find(context.store, EmailAddress.parse(address))
    assert subscriber is not None
    return subscriber


def is_known(context: AppContext, address: str) -> bool:
    return subscribers.find(context.store, EmailAddress.parse(address)) is not None


def preferences(context: AppContext, number: int = 1) -> str:
    return f"/preferences/{context.link_signer.token(Purpose.PREFERENCES, number)}"


def ask(server: WebServer, context: AppContext, address: str, **headers: str) -> Response:
    form = {"do": "address", "address": address}
    return server.post(preferences(context), form, **headers)


def link_in(publication: Publication, address: str = NEW) -> str:
    """Return the path of the link in the newest mail to an address."""
    mails = [parse_mail(mail) for mail in publication.mails()]
    texts = [m.as_string() for m in mails if address in str(m["To"])]
    (path,) = set(LINK.findall(texts[-1].replace("=\n", "")))
    return str(path)


def test_a_reader_changes_the_address_and_keeps_the_rest(
    publication: Publication, context: AppContext, port: int, reader: Subscriber
) -> None:
    publication.write_essay()
    assert send_issue(context).closed
    with running_server(context, port) as server:
        answer = ask(server, context, NEW)
        assert "Schauen Sie in das neue Postfach" in answer.text and NEW not in answer.text
        assert "wartet noch auf ihre Bestätigung" in server.get(preferences(context)).text
    assert is_known(context, OLD) and not is_known(context, NEW)
    path = link_in(publication)
    with running_server(context, port) as server:
        assert "Diese Adresse verwenden?" in server.get(path).text
        assert is_known(context, OLD)  # a GET changes nothing
        assert "Ihre Adresse ist geändert" in server.post(path).text
        assert "Ihre Adresse ist geändert" in server.post(path).text  # again: nothing more
        assert "wartet noch" not in server.get(preferences(context)).text
    now = find(context, NEW)
    assert (now.id, now.name, now.topics) == (reader.id, "Anna", ("Bestand",))
    assert not is_known(context, OLD)
    record = personal_data.personal_data_of(context.store, now)
    assert len(record.deliveries) == len(record.consents) == 1
    (change,) = record.as_dict()["address_changes"]
    assert change["mailed_at"] and change["confirmed_at"]
    assert change["new"] is None and change["old"] is None  # told, and not kept
    assert publication.recipients() == [OLD, OLD, NEW]  # the issue and the notice, the question
    told = parse_mail(publication.mails()[-1])
    assert NEW not in told.as_string() and "andere Adresse" in str(told["Subject"])


def test_the_next_issue_goes_to_the_new_address_only(
    publication: Publication, context: AppContext, port: int, reader: Subscriber
) -> None:
    with running_server(context, port) as server:
        ask(server, context, NEW)
    with running_server(context, port) as server:
        server.post(link_in(publication))
    publication.write_essay()
    assert send_issue(context).sent == 1
    assert NEW in str(parse_mail(publication.mails()[-1])["To"])


def test_a_publication_without_templates_for_these_mails_sends_the_bundled_ones(
    publication: Publication, context: AppContext, port: int, reader: Subscriber
) -> None:
    for path in (publication.home / "templates").glob("address_c*"):
        path.unlink()
    words = publication.home / "templates/texts.de.toml"
    kept = [line for line in words.read_text().splitlines() if not line.startswith("address_c")]
    words.write_text("\n".join(kept))
    with running_server(context, port) as server:
        ask(server, context, NEW)
    with running_server(context, port) as server:
        assert "Ihre Adresse ist geändert" in server.post(link_in(publication)).text
    assert publication.recipients() == [OLD, NEW]
    assert "andere Adresse" in str(parse_mail(publication.mails()[-1])["Subject"])


def test_the_answer_is_the_same_for_every_address_and_only_a_free_one_gets_mail(
    publication: Publication, context: AppContext, port: int, clock: Clock, reader: Subscriber
) -> None:
    add_confirmed_subscribers(context, "da@example.org", "weg@example.org")
    subscribers.unsubscribe(context.store, find(context, "weg@example.org"), now=clock())
    suppressions.suppress_all(
        context.store, ["zu@example.org", "@boese.example"], reason="complaint", now=clock()
    )
    signups.start_signup(
        context.store, EmailAddress.parse("halb@example.org"), may_ask=lambda _: True,
        language="de", source="web", wording="", ip="", now=clock() - timedelta(days=2),
    )  # fmt: skip
    pages, later = set(), []
    addresses = ("da@example.org", "weg@example.org", "zu@example.org", "x@boese.example", OLD)
    for address in (*addresses, "halb@example.org", NEW):
        clock.now += timedelta(days=1)
        with running_server(context, port) as server:
            pages.add(ask(server, context, address).text)
            later.append("wartet noch" in server.get(preferences(context)).text)
    assert len(pages) == 1 and set(later) == {True}
    assert [r for r in publication.recipients() if r != "halb@example.org"] == [NEW]
    assert "halb@example.org" in publication.recipients()


def test_a_link_works_once_within_its_days_and_only_the_newest_one(
    publication: Publication, context: AppContext, port: int, clock: Clock, reader: Subscriber
) -> None:
    with running_server(context, port) as server:
        ask(server, context, "erste@neu.example")
    first = link_in(publication, "erste@neu.example")
    with running_server(context, port) as server:
        ask(server, context, NEW)
    second = link_in(publication)
    with running_server(context, port) as server:
        assert server.post(first).status == 410
        assert "gilt nicht mehr" in server.get(first).text
    clock.now += timedelta(days=8)
    with running_server(context, port) as server:
        assert server.post(second).status == 410
        assert "wartet noch" not in server.get(preferences(context)).text
    subscriptions.purge_expired(context)
    assert is_known(context, OLD) and not is_known(context, NEW)
    record = personal_data.personal_data_of(context.store, find(context, OLD)).as_dict()
    assert all(change["new"] is None for change in record["address_changes"])


def test_a_cancelled_change_changes_nothing(
    publication: Publication, context: AppContext, port: int, reader: Subscriber
) -> None:
    with running_server(context, port) as server:
        ask(server, context, NEW)
    with running_server(context, port) as server:
        kept = server.post(preferences(context), {"do": "keep"})
        assert "Ihre Adresse bleibt" in kept.text and "wartet noch" not in kept.text
        assert server.post(link_in(publication)).status == 410
    assert is_known(context, OLD) and not is_known(context, NEW)


def test_a_change_that_is_cancelled_before_its_mail_sends_none(
    publication: Publication, context: AppContext, reader: Subscriber
) -> None:
    token = preferences(context).rpartition("/")[2]
    assert address_changes.request_change(context, token, EmailAddress.parse(NEW)) is not None
    assert address_changes.cancel_change(context, token)
    assert subscriptions.purge_expired(context).mailed == 0
    assert publication.mails() == []


def test_an_old_link_after_the_change_went_back_changes_nothing(
    publication: Publication, context: AppContext, port: int, clock: Clock, reader: Subscriber
) -> None:
    """Replay: there and back, and then the first link once more."""
    with running_server(context, port) as server:
        ask(server, context, NEW)
    there = link_in(publication)
    with running_server(context, port) as server:
        server.post(there)
        clock.now += timedelta(days=1)
        ask(server, context, OLD)
    back = link_in(publication, OLD)
    with running_server(context, port) as server:
        assert server.post(back).status == 200
        assert is_known(context, OLD)
        server.post(there)
    assert is_known(context, OLD) and not is_known(context, NEW)


def test_somebody_elses_address_is_not_taken_even_if_it_joined_meanwhile(
    publication: Publication, context: AppContext, port: int, reader: Subscriber
) -> None:
    with running_server(context, port) as server:
        ask(server, context, NEW)
    add_confirmed_subscribers(context, NEW)
    with running_server(context, port) as server:
        answer = server.post(link_in(publication))
    assert answer.status == 409 and "neu" in answer.text
    assert is_known(context, OLD) and find(context, NEW).id != reader.id


def test_a_sign_up_of_the_new_address_that_waits_gives_way(
    publication: Publication, context: AppContext, port: int, clock: Clock, reader: Subscriber
) -> None:
    with running_server(context, port) as server:
        server.post("/subscribe", {"email": NEW})
    clock.now += timedelta(days=1)
    with running_server(context, port) as server:
        ask(server, context, NEW)
    with running_server(context, port) as server:
        assert server.post(link_in(publication)).status == 200
    assert find(context, NEW).id == reader.id


def test_who_left_or_was_erased_changes_nothing(
    publication: Publication, context: AppContext, port: int, clock: Clock, reader: Subscriber
) -> None:
    with running_server(context, port) as server:
        ask(server, context, NEW)
    path = link_in(publication)
    subscribers.unsubscribe(context.store, reader, now=clock())
    with running_server(context, port) as server:
        assert server.post(path).status == 410
        assert "abgemeldet" in ask(server, context, "andere@neu.example").text
        lists.erase(context, EmailAddress.parse(OLD))
        assert server.get(path).status == 404 == ask(server, context, NEW).status
    assert len(publication.mails()) == 1


def test_a_complaint_goes_along_and_a_dead_mailbox_does_not(
    publication: Publication, context: AppContext, port: int, clock: Clock, reader: Subscriber
) -> None:
    suppressions.suppress_all(
        context.store, [OLD], reason="hard bounce", source=SuppressionSource.BOUNCE, now=clock()
    )
    add_confirmed_subscribers(context, "sauer@example.org")
    suppressions.suppress_all(
        context.store, ["sauer@example.org"], reason="complaint",
        source=SuppressionSource.COMPLAINT, now=clock(),
    )  # fmt: skip
    sour = preferences(context, find(context, "sauer@example.org").id)
    with running_server(context, port) as server:
        assert ask(server, context, NEW).text == server.post(
            sour, {"do": "address", "address": "sauer@neu.example"}
        ).text.replace(sour, preferences(context))
    assert publication.recipients() == [NEW]
    with running_server(context, port) as server:
        assert server.post(link_in(publication)).status == 200
    publication.write_essay()
    assert send_issue(context).sent == 1  # the new address is written to
    kept = {s.key: s.reason for s in suppressions.all_suppressions(context.store)}
    assert kept[OLD] == "hard bounce"


def test_the_limits_of_sign_ups_hold_for_changes(
    publication: Publication, context: AppContext, port: int, reader: Subscriber
) -> None:
    with running_server(context, port) as server:
        server.post("/subscribe", {"email": NEW})  # asked within the cooldown: not a second time
        statuses = [
            ask(server, context, address).status
            for address in (NEW, "zwei@neu.example", "drei@neu.example", "vier@neu.example")
        ]
        assert statuses == [200, 200, 200, 429]
        assert "morgen wieder" in ask(server, context, "fuenf@neu.example").text
        assert ask(server, context, "kein Name").status == 422
        network = {"X_Forwarded_For": "198.18.7.9"}
        many = [ask(server, context, "kein Name", **network).status for _ in range(21)]
        assert many == [422] * 20 + [429]
    # The first request ended with the second one, and so on: only what was not ended is sent.
    assert "drei@neu.example" in publication.recipients() and NEW in publication.recipients()
    assert len(publication.recipients()) == len(set(publication.recipients())) <= 3


def test_forged_and_foreign_links_open_nothing(
    context: AppContext, server: WebServer, reader: Subscriber
) -> None:
    for purpose in (Purpose.PREFERENCES, Purpose.CONFIRM):
        token = context.link_signer.token(purpose, 1)
        assert server.get(f"/address/{token}").status == 404
        assert server.post(f"/address/{token}").status == 404
    token = context.link_signer.token(Purpose.ADDRESS, 1, 7)  # ours, and never sent
    assert server.post(f"/address/{token}").status == 404
    for path in ("unsubscribe", "confirm"):
        token = context.link_signer.token(Purpose(path), 1)
        form = {"do": "address", "address": NEW}
        assert server.post(f"/preferences/{token}", form).status == 404


def test_erasure_and_lists_know_the_old_address(
    publication: Publication, context: AppContext, port: int, clock: Clock, reader: Subscriber
) -> None:
    with running_server(context, port) as server:
        ask(server, context, NEW)
    with running_server(context, port) as server:
        server.post(link_in(publication))
    (publication.home / "alt.csv").write_text(f"email\n{OLD}\n", encoding="utf-8")
    report = lists.import_list(context, publication.home / "alt.csv", consent="alte Liste")
    assert report.added == 0 and len(report.skipped) == 1
    assert OLD not in lists.export_list(context) and NEW in lists.export_list(context)
    lists.erase(context, EmailAddress.parse(OLD))
    assert not is_known(context, NEW)
    assert lists.import_list(context, publication.home / "alt.csv", consent="x").added == 0
    context.store.close()
    data = b"".join(path.read_bytes() for path in (publication.home / "var").glob("upcycle.db*"))
    assert NEW.encode() not in data and OLD.encode() not in data


def test_the_old_address_may_join_again(
    publication: Publication, context: AppContext, port: int, clock: Clock, reader: Subscriber
) -> None:
    with running_server(context, port) as server:
        ask(server, context, NEW)
    with running_server(context, port) as server:
        server.post(link_in(publication))
        server.post("/subscribe", {"email": OLD})
    confirm = parse_mail(publication.mails()[-1]).as_string().replace("=\n", "")
    (path,) = set(re.findall(r"/confirm/[A-Za-z0-9_-]{43}", confirm))
    with running_server(context, port) as server:
        assert server.post(path).status == 200
    assert find(context, OLD).status is SubscriberStatus.CONFIRMED
    assert list(suppressions.all_suppressions(context.store)) == []


@pytest.mark.chromium
def test_a_reader_without_javascript_changes_the_address_with_mouse_and_keys(
    publication: Publication, context: AppContext, port: int, reader: Subscriber
) -> None:
    with running_server(context, port) as server, browsing() as page:
        page.without_javascript()
        page.look(width=390, dark=True)
        page.open(server.url + preferences(context))
        page.type("#address", NEW)
        page.click("button[value=address]")
        assert "Schauen Sie in das neue Postfach" in page.text()
        page.click("main a")
        assert "wartet noch auf ihre Bestätigung" in page.text()
        page.click("button[value=keep]")
        assert "Ihre Adresse bleibt, wie sie war." in page.text()
        page.type("#address", "anna@dritte.example")
        page.click("button[value=address]")
    path = link_in(publication, "anna@dritte.example")
    with running_server(context, port) as server, browsing() as page:
        page.look(width=1200)
        page.open(server.url + path)
        page.click("main button")
        assert "Ihre Adresse ist geändert" in page.text()
        assert all(url.startswith(server.url) for url in page.requests)
    assert find(context, "anna@dritte.example").id == reader.id
