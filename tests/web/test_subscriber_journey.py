"""From the sign-up page to the last issue, with real HTTP, real SMTP and a real browser."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.models import EmailAddress, SubscriberStatus
from upcycle_news.storage import personal_data, subscribers

from ..delivery.memory_ledger import Clock
from ..publications import Publication, parse_mail, send_issue
from ..waiting import wait_until
from .browser_session import browsing
from .web_server import WebServer

READER = "leserin@example.org"


def mails(publication: Publication, count: int) -> list[bytes]:
    """Wait for `count` mails; the confirmation is sent in a thread, after the response."""
    wait_until(
        lambda: len(publication.mails()) >= count, "a mail is missing", seconds=15, interval=0.02
    )
    received = publication.mails()
    assert len(received) == count
    return received


def links(mail: bytes) -> list[str]:
    """Every web address in a mail: in its headers, its text and its HTML."""
    message = parse_mail(mail)
    html = str(message.get_body(("html",)).get_content())
    texts = [str(message.get("List-Unsubscribe", "")), *re.findall(r'(?:href|src)="([^"]+)"', html)]
    texts.append(str(message.get_body(("plain",)).get_content()))
    return sorted({link for text in texts for link in re.findall(r"https?://[^\s\"'<>]+", text)})


def link_with(links: list[str], part: str) -> str:
    [link] = [link for link in links if part in link]
    return link


def status(context: AppContext, address: str = READER) -> SubscriberStatus | None:
    person = subscribers.find(context.store, EmailAddress.parse(address))
    return person.status if person else None


def scan(server: WebServer, mail: bytes) -> None:
    """Open every link of a mail, as link scanners do before it is read."""
    for link in links(mail):
        if link.startswith(server.url):
            for method in ("HEAD", "GET", "GET", "OPTIONS"):
                server.request(method, link)


@pytest.mark.chromium
def test_a_subscriber_signs_up_confirms_and_unsubscribes_with_one_click(
    publication: Publication, context: AppContext, server: WebServer, clock: Clock
) -> None:
    with browsing() as page:
        page.without_javascript()
        page.look(width=320)
        page.open(f"{server.url}/subscribe?lang=de")
        page.type("#email", READER)
        page.click("button")
        assert "Schauen Sie in Ihr Postfach" in page.text()
        assert status(context) is SubscriberStatus.PENDING

        [asking] = mails(publication, 1)
        assert parse_mail(asking)["To"].addresses[0].addr_spec == READER
        page.open(link_with(links(asking), "/confirm/"))
        assert status(context) is SubscriberStatus.PENDING
        page.click("button")
        assert "Willkommen!" in page.text()
        assert all(url.startswith((server.url, "about:")) for url in page.requests)
    assert status(context) is SubscriberStatus.CONFIRMED

    publication.write_essay()
    assert send_issue(context).closed
    issue = mails(publication, 2)[1]
    out = re.findall(r"<(https?://[^>]+)>", parse_mail(issue)["List-Unsubscribe"])
    answer = server.post(out[0], "List-Unsubscribe=One-Click")
    assert (answer.status, "location" in answer.headers, "set-cookie" in answer.headers) == (
        200,
        False,
        False,
    )
    assert server.post(out[0], "List-Unsubscribe=One-Click").status == 200
    assert status(context) is SubscriberStatus.UNSUBSCRIBED

    publication.add_subscribers("bleibt@example.org")
    publication.write_essay("Was danach kam")
    clock.now += timedelta(days=1)
    assert send_issue(context, "2026-11-27").closed
    assert parse_mail(mails(publication, 3)[2])["To"].addresses[0].addr_spec == "bleibt@example.org"


def test_a_scanner_that_opens_every_link_first_changes_nothing(
    publication: Publication, context: AppContext, server: WebServer
) -> None:
    assert server.post("/subscribe", {"email": READER}).status == 200
    [asking] = mails(publication, 1)
    scan(server, asking)
    assert status(context) is SubscriberStatus.PENDING
    assert server.post(link_with(links(asking), "/confirm/")).status == 200
    assert status(context) is SubscriberStatus.CONFIRMED

    publication.write_essay()
    assert send_issue(context).closed
    issue = mails(publication, 2)[1]
    assert sum(link.startswith(server.url) for link in links(issue)) >= 2
    scan(server, issue)
    assert status(context) is SubscriberStatus.CONFIRMED
    assert (
        server.post(link_with(links(issue), "/unsubscribe/"), "List-Unsubscribe=One-Click").status
        == 200
    )
    assert status(context) is SubscriberStatus.UNSUBSCRIBED


def test_the_confirmation_mail_is_plain_proof_and_no_advertisement(
    publication: Publication, context: AppContext, server: WebServer
) -> None:
    server.post("/subscribe", {"email": READER, "language": "de"})
    [mail] = mails(publication, 1)
    message = parse_mail(mail)
    assert message["Subject"] == "Bitte bestätigen: Umbaupost"
    assert message["Auto-Submitted"] == "auto-generated"
    assert "List-Unsubscribe" not in message
    assert {link.partition("/confirm/")[0] for link in links(mail)} == {server.url}
    assert "Umbau e. V., Lange Straße 1" in str(message.get_body(("plain",)).get_content())
    assert READER not in mail.decode().partition("\r\n\r\n")[2]

    server.post(link_with(links(mail), "/confirm/"))
    person = subscribers.find(context.store, EmailAddress.parse(READER))
    assert person is not None
    [consent] = personal_data.personal_data_of(context.store, person).as_dict()["consents"]
    assert consent["given_at"] == "2026-11-26T06:00:00+00:00"
    assert consent["confirmed_at"] == "2026-11-26T06:00:00+00:00"
    assert consent["source"] == f"web: {server.url}/subscribe"
    assert re.fullmatch(r"de-[0-9a-f]{12}", consent["wording"])
    assert re.fullmatch(r"[0-9a-f]{64}", consent["token_hash"])
    assert consent["ip"] == ""


def test_subscribing_again_is_a_new_consent_and_the_old_one_stays_ended(
    publication: Publication, context: AppContext, server: WebServer
) -> None:
    server.post("/subscribe", {"email": READER})
    first = link_with(links(mails(publication, 1)[0]), "/confirm/")
    server.post(first)
    person = subscribers.find(context.store, EmailAddress.parse(READER))
    assert person is not None
    subscribers.unsubscribe(context.store, person, now=context.clock())
    assert server.post(first).status == 410
    assert status(context) is SubscriberStatus.UNSUBSCRIBED

    server.post("/subscribe", {"email": READER})
    second = link_with(links(mails(publication, 2)[1]), "/confirm/")
    assert second != first
    assert status(context) is SubscriberStatus.UNSUBSCRIBED
    server.post(second)
    assert status(context) is SubscriberStatus.CONFIRMED
    agreed = personal_data.personal_data_of(context.store, person).as_dict()["consents"]
    assert [bool(consent["ended_at"]) for consent in agreed] == [True, False]
