"""What the pages answer, and to whom they tell nothing."""

from __future__ import annotations

import hmac
import random
import re
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.models import EmailAddress, Subscriber, SubscriberStatus
from upcycle_news.services.subscribers import address_changes, subscriptions
from upcycle_news.storage import personal_data, subscribers, suppressions
from upcycle_news.subscribers.link_tokens import LinkSigner, Purpose

from ..delivery.memory_ledger import Clock
from ..publications import Publication, add_confirmed_subscribers
from .browser_session import browsing, missing
from .web_server import WebServer, running_server

ANNA = "anna@example.org"
AXE = Path(__file__).parents[2] / "tools/node/node_modules/axe-core/axe.min.js"


def person(context: AppContext, address: str = ANNA) -> Subscriber:
    subscriber = subscribers.find(context.store, EmailAddress.parse(address))
    assert subscriber is not None
    return subscriber


def link(context: AppContext, purpose: Purpose, number: int = 1, issue: int = 0) -> str:
    return f"/{purpose}/{context.link_signer.token(purpose, number, issue)}"


# --- responses do not disclose who is subscribed


def test_the_response_to_a_sign_up_is_the_same_for_every_address(
    context: AppContext, server: WebServer
) -> None:
    add_confirmed_subscribers(context, ANNA, "weg@example.org", "gesperrt@example.org")
    subscribers.unsubscribe(context.store, person(context, "weg@example.org"), now=context.clock())
    suppressions.suppress_all(
        context.store, ["gesperrt@example.org", "@boese.example"],
        reason="complaint", detail="", now=context.clock(),
    )  # fmt: skip
    addresses = ("neu@example.org", ANNA, "weg@example.org", "gesperrt@example.org")
    answers = [
        server.post("/subscribe", {"email": email, "language": "de"})
        for email in (*addresses, "x@boese.example", "neu@example.org")
    ]
    normalised = [({**a.headers, "date": ""}, a.status, a.text) for a in answers]
    assert all(answer == normalised[0] for answer in normalised)
    as_json = [
        server.post("/subscribe", {"email": email}, Accept="application/json")
        for email in addresses
    ]
    assert {(a.status, a.text) for a in as_json} == {(200, '{"ok":true}')}


def test_only_permitted_addresses_get_a_confirmation_mail(
    publication: Publication, context: AppContext, port: int
) -> None:
    add_confirmed_subscribers(context, ANNA, "weg@example.org")
    subscribers.unsubscribe(context.store, person(context, "weg@example.org"), now=context.clock())
    suppressions.suppress_all(
        context.store, ["gesperrt@example.org", "@boese.example"],
        reason="hard bounce", detail="", now=context.clock(),
    )  # fmt: skip
    suppressions.suppress_all(
        context.store, ["x@boese.example"], reason="unsubscribed", detail="", now=context.clock()
    )
    with running_server(context, port) as server:
        for who in ("neu", "anna", "weg", "gesperrt", "NEU"):
            server.post("/subscribe", {"email": f"{who}@example.org"})
        server.post("/subscribe", {"email": "x@boese.example"})
    assert publication.recipients() == ["neu@example.org", "weg@example.org"]


def test_repeated_sign_ups_send_one_mail_within_the_cooldown(
    publication: Publication, context: AppContext, port: int, clock: Clock
) -> None:
    with running_server(context, port) as server:
        for _ in range(5):
            server.post("/subscribe", {"email": ANNA})
    assert len(publication.mails()) == 1
    clock.now += timedelta(days=1)
    with running_server(context, port) as server:
        server.post("/subscribe", {"email": ANNA})
    assert len(publication.mails()) == 2


def test_a_bot_that_fills_the_honeypot_gets_the_usual_response_and_no_mail(
    publication: Publication, context: AppContext, port: int
) -> None:
    with running_server(context, port) as server:
        answer = server.post("/subscribe", {"email": ANNA, "website": "https://spam.example"})
    assert answer.status == 200
    assert publication.mails() == []
    assert subscribers.find(context.store, EmailAddress.parse(ANNA)) is None


def test_sign_ups_of_one_network_are_limited(context: AppContext, server: WebServer) -> None:
    """The server trusts X-Forwarded-For of the proxy on its own machine only."""
    at = {"X_Forwarded_For": "203.0.113.7"}
    statuses = [server.post("/subscribe", {"email": f"n{i}@example.org"}, **at).status
                for i in range(22)]  # fmt: skip
    assert statuses == [200] * 20 + [429] * 2
    neighbour = server.post("/subscribe", {"email": ANNA}, X_Forwarded_For="203.0.113.9")
    assert (neighbour.status, neighbour.headers["retry-after"]) == (429, "3600")
    assert server.post("/subscribe", {"email": ANNA}, X_Forwarded_For="198.51.100.1").status == 200
    assert server.post(link(context, Purpose.UNSUBSCRIBE), {}, **at).status == 200


@pytest.mark.parametrize("email", ["", "anna", "a@b@c", "anna@example.org\r\nBcc: x@example.org"])
def test_an_invalid_address_is_explained(
    context: AppContext, server: WebServer, email: str
) -> None:
    answer = server.post("/subscribe", {"email": email, "language": "de"})
    assert answer.status == 422
    assert "Das ist keine E-Mail-Adresse" in answer.text
    assert "x@example.org" not in answer.text


# --- links


def test_forged_links_are_404(context: AppContext, server: WebServer) -> None:
    add_confirmed_subscribers(context, ANNA, "bert@example.org")
    dice = random.Random(8058)
    real = context.link_signer.token(Purpose.UNSUBSCRIBE, 1, 3)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = LinkSigner({1: b"o" * 32}, "https://elsewhere.example")
    forged = set()
    while len(forged) < 9_000:
        letter, place = dice.choice(letters), dice.randrange(43)
        made = list(real)
        for _ in range(dice.randrange(1, 4)):
            made[place] = letter
            letter, place = dice.choice(letters), dice.randrange(43)
        forged.add("".join(made))
    forged |= {"".join(dice.choices(letters, k=43)) for _ in range(700)}
    forged |= {other.token(Purpose.UNSUBSCRIBE, n % 3, n) for n in range(300)}
    forged.discard(real)
    assert len(forged) >= 9_990
    for purpose in Purpose:
        assert all(context.link_signer.read(purpose, token) is None for token in forged)
    for token in dice.sample(sorted(forged), 150):
        assert server.post(f"/unsubscribe/{token}").status == 404
    for made_for in Purpose:
        token = context.link_signer.token(made_for, 1, 3)
        for purpose in set(Purpose) - {made_for}:
            assert server.get(f"/{purpose}/{token}").status == 404
            assert server.post(f"/{purpose}/{token}").status == 404
    assert person(context).status is SubscriberStatus.CONFIRMED


@pytest.mark.parametrize("tail", [".", ")", "%3E", "=", "/", "/.", ").", "_", "%22", "&gt;"])
def test_a_link_with_what_a_mail_program_left_at_its_end_still_leaves(
    context: AppContext, server: WebServer, tail: str
) -> None:
    add_confirmed_subscribers(context, ANNA)
    path = link(context, Purpose.UNSUBSCRIBE) + tail
    assert server.get(path).status == 200
    assert person(context).status is SubscriberStatus.CONFIRMED
    assert server.get(link(context, Purpose.PREFERENCES) + tail).status == 200
    assert server.post(path[: -len(tail)] + "A" + tail).status == 404
    assert server.post(path, {"List-Unsubscribe": "One-Click"}).status == 200
    assert person(context).status is SubscriberStatus.UNSUBSCRIBED
    for wrong in (f"/unsubscribe/{'A' * 43}{tail}", f"/unsubscribe/x/{path[13:]}", "/unsubscribe/"):
        assert server.post(wrong).status == 404


def test_signatures_are_compared_in_constant_time(context: AppContext) -> None:
    token = context.link_signer.token(Purpose.UNSUBSCRIBE, 1)
    with patch.object(hmac, "compare_digest", wraps=hmac.compare_digest) as compared:
        context.link_signer.read(
            Purpose.UNSUBSCRIBE, token[:-1] + ("A" if token[-1] != "A" else "E")
        )
        context.link_signer.read(Purpose.UNSUBSCRIBE, token)
    assert compared.call_count >= 1


def test_a_link_shows_its_own_subscriber_only(context: AppContext, server: WebServer) -> None:
    add_confirmed_subscribers(context, ANNA, "bert@example.org")
    assert server.post(link(context, Purpose.UNSUBSCRIBE, 2)).status == 200
    assert person(context).status is SubscriberStatus.CONFIRMED
    assert person(context, "bert@example.org").status is SubscriberStatus.UNSUBSCRIBED


def test_unsubscribe_links_of_erased_subscribers_still_work(
    context: AppContext, server: WebServer
) -> None:
    assert server.post(link(context, Purpose.UNSUBSCRIBE, 99)).status == 200
    assert server.get(link(context, Purpose.UNSUBSCRIBE, 99)).status == 200
    assert server.get(link(context, Purpose.PREFERENCES, 99)).status == 404


def test_a_confirmation_link_expires(
    publication: Publication, context: AppContext, port: int, clock: Clock
) -> None:
    with running_server(context, port) as server:
        server.post("/subscribe", {"email": ANNA, "language": "de"})
    [path] = set(re.findall(rb"/confirm/[A-Za-z0-9_-]{43}", publication.mails()[0]))
    clock.now += timedelta(days=8)
    with running_server(context, port) as server:
        assert server.get(path.decode()).status == 410
        assert "gilt nicht mehr" in server.post(path.decode(), Accept_Language="de").text
        assert person(context).status is SubscriberStatus.PENDING
        assert subscriptions.purge_expired(context).unconfirmed == 1
        assert subscribers.find(context.store, EmailAddress.parse(ANNA)) is None
        assert server.post(path.decode()).status == 404


# --- preferences


def test_a_subscriber_changes_topics_and_language_and_unsubscribes(
    context: AppContext, server: WebServer
) -> None:
    add_confirmed_subscribers(context, ANNA)
    path = link(context, Purpose.PREFERENCES)
    assert "Ihre Einstellungen" in server.get(path).text
    answer = server.post(path, "topic=Bestand&topic=Erfunden&language=en&do=save")
    assert "Saved." in answer.text
    assert (person(context).topics, person(context).language) == (("Bestand",), "en")
    record = personal_data.personal_data_of(context.store, person(context)).as_dict()
    assert record["chosen_at"] is not None
    assert server.post(path, {"do": "leave"}).status == 200
    assert person(context).status is SubscriberStatus.UNSUBSCRIBED
    assert "unsubscribed" in server.get(path).text


# --- the house rules


def test_every_response_has_the_security_headers(context: AppContext, server: WebServer) -> None:
    add_confirmed_subscribers(context, ANNA)
    paths = ["/subscribe", "/confirm/x", "/nowhere", "/healthz", link(context, Purpose.UNSUBSCRIBE)]
    for path in paths:
        headers = server.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "script" not in policy and "unsafe" not in policy
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "set-cookie" not in headers and "server" not in headers


def test_pages_load_nothing_foreign_and_no_script(context: AppContext, server: WebServer) -> None:
    for path in ("/subscribe", link(context, Purpose.UNSUBSCRIBE)):
        text = server.get(path).text.replace("https://verein.example.net/datenschutz", "")
        assert "<script" not in text and "http://" not in text and "https://" not in text


def test_a_body_larger_than_any_form_is_refused(context: AppContext, server: WebServer) -> None:
    add_confirmed_subscribers(context, ANNA)
    assert server.post("/subscribe", "email=" + "a" * 20_000).status == 413
    assert server.post(link(context, Purpose.UNSUBSCRIBE), "x" * 20_000).status == 413
    assert person(context).status is SubscriberStatus.CONFIRMED


def test_other_methods_do_nothing(context: AppContext, server: WebServer) -> None:
    add_confirmed_subscribers(context, ANNA)
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        assert server.request(method, link(context, Purpose.UNSUBSCRIBE)).status == 405
    assert server.request("HEAD", link(context, Purpose.UNSUBSCRIBE)).status == 200
    assert person(context).status is SubscriberStatus.CONFIRMED


def test_healthz_reports_the_state_of_the_store(context: AppContext, server: WebServer) -> None:
    assert server.get("/healthz").text == '{"status":"ok"}'


def test_a_confirmation_mail_that_failed_is_sent_later(
    publication: Publication, context: AppContext, port: int
) -> None:
    away = publication.context(
        RELAYS__MAIN__HOST="127.0.0.1", RELAYS__MAIN__PORT="9", RELAYS__MAIN__SECURITY="none"
    )
    with running_server(away, port) as server:
        assert server.post("/subscribe", {"email": ANNA}).status == 200
    assert publication.mails() == []
    assert subscriptions.purge_expired(context).mailed == 1
    assert publication.recipients() == [ANNA]
    assert subscriptions.purge_expired(context).mailed == 0


def address_changes_link(context: AppContext) -> str:
    """Ask for another address of Anna's; returns the path of the link in its mail."""
    token = link(context, Purpose.PREFERENCES).rpartition("/")[2]
    assert address_changes.request_change(context, token, EmailAddress.parse("neu@example.org"))
    assert subscriptions.purge_expired(context).mailed == 1
    return link(context, Purpose.ADDRESS, 1, 1)


@pytest.mark.chromium
def test_every_page_passes_axe_and_fits_a_phone(context: AppContext, server: WebServer) -> None:
    if not AXE.is_file():
        missing("no axe-core here (npm ci --prefix tools/node)")
    add_confirmed_subscribers(context, ANNA, "bert@example.org")
    context.store.close()
    address = address_changes_link(context)
    pages = [
        "/subscribe", "/subscribe?lang=en", "/nowhere", address,
        link(context, Purpose.UNSUBSCRIBE), link(context, Purpose.PREFERENCES),
    ]  # fmt: skip
    with browsing() as page:
        for path in pages:
            for width in (320, 900):
                for dark in (False, True):
                    page.look(width=width, dark=dark)
                    page.open(server.url + path)
                    assert page.overflow() <= 0
                    page.run(AXE.read_text(encoding="utf-8") + ";0")
                    violations = page.run(
                        "axe.run().then(r => r.violations.map(v => v.id + ': ' + "
                        "v.nodes.map(n => n.html).join(' | ')))"
                    )
                    assert violations == [], (path, width, dark)
