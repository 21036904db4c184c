"""The sign-up form, on our page and on others: what it asks, and from where its answer may be read."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.models import EmailAddress, Subscriber, SubscriberStatus
from upcycle_news.models.digest import Rhythm
from upcycle_news.services.subscribers import signup_form, subscriptions
from upcycle_news.storage import personal_data, rhythms, subscribers
from upcycle_news.storage.subscribers import NewSubscriber
from upcycle_news.subscribers.link_tokens import Purpose

from ..delivery.memory_ledger import Clock
from ..publications import Publication, add_confirmed_subscribers
from ..waiting import wait_until
from .browser_session import Page, browsing, missing
from .test_subscriber_journey import link_with, links, mails
from .web_server import WebServer, running_server

ANNA = "anna@example.org"
PARTNER = "https://www.partner.example"
OFFERED = {"AUDIENCE__TOPICS": '["Bestand", "Kleinstadt"]', "DIGEST__INTERVAL": "monthly"}
AXE = Path(__file__).parents[2] / "tools/node/node_modules/axe-core/axe.min.js"


def person(context: AppContext, address: str = ANNA) -> Subscriber:
    found = subscribers.find(context.store, EmailAddress.parse(address))
    assert found is not None
    return found


def how_often(context: AppContext) -> Rhythm:
    return rhythms.rhythm_of(context.store, person(context).id, context.today).present


def confirm(publication: Publication, server: WebServer, count: int = 1) -> None:
    mail = mails(publication, count)[-1]
    assert server.post(link_with(links(mail), "/confirm/")).status == 200


@pytest.fixture
def named(publication: Publication, port: int) -> Iterator[WebServer]:
    """A server whose settings name the site of a partner."""
    publication.change_setting("https://umbaupost.example.net", f"http://127.0.0.1:{port}")
    context = publication.context(WEB__SIGNUP_ORIGINS=f'["{PARTNER}/"]')
    with running_server(context, port) as server:
        yield server


# --- what it asks


def test_what_was_chosen_holds_from_the_confirmation_on(
    publication: Publication, context: AppContext, server: WebServer
) -> None:
    page = server.get("/subscribe?lang=de").text
    assert page.count('name="topic"') == 3  # two of them, and the one that says that it was asked
    answer = server.post(
        "/subscribe", f"email={ANNA}&language=en&topic=&topic=Bestand&topic=Erfunden"
    )
    assert answer.status == 200
    waiting = person(context)
    assert (waiting.status, waiting.topics) == (SubscriberStatus.PENDING, ())
    record = personal_data.personal_data_of(context.store, waiting).as_dict()
    assert record["consents"][0]["chosen_topics"] == ("Bestand",)
    confirm(publication, server)
    assert (person(context).topics, person(context).language) == (("Bestand",), "en")
    record = personal_data.personal_data_of(context.store, person(context)).as_dict()
    assert record["chosen_at"] is not None  # no imported list replaces it
    assert record["consents"][0]["chosen_topics"] is None


@pytest.mark.parametrize(
    ("form", "topics", "language"),
    [
        ("", ("Kleinstadt",), "de"),  # a form that asks for no topics
        ("&topic=", (), "de"),  # one that asks, and none is ticked: all of them
        ("&topic=&topic=Bestand&language=en", ("Bestand",), "en"),
    ],
)
def test_who_comes_back_gets_what_the_form_asked_and_nobody_changes_it_before(
    publication: Publication,
    context: AppContext,
    server: WebServer,
    form: str,
    topics: tuple[str, ...],
    language: str,
) -> None:
    add_confirmed_subscribers(
        context, NewSubscriber(EmailAddress.parse(ANNA), topics=("Kleinstadt",), language="de")
    )
    subscribers.unsubscribe(context.store, person(context), now=context.clock())
    server.post("/subscribe", f"email={ANNA}{form}", Accept_Language="de")
    assert (person(context).topics, person(context).language) == (("Kleinstadt",), "de")
    confirm(publication, server)
    assert person(context).status is SubscriberStatus.CONFIRMED
    assert (person(context).topics, person(context).language) == (topics, language)


def test_a_stranger_cannot_change_what_a_subscriber_chose(
    context: AppContext, server: WebServer
) -> None:
    add_confirmed_subscribers(context, NewSubscriber(EmailAddress.parse(ANNA), topics=("Bestand",)))
    server.post("/subscribe", f"email={ANNA}&topic=&topic=Kleinstadt&language=en")
    assert (person(context).topics, person(context).language) == (("Bestand",), "de")


def test_a_wrong_address_costs_no_choice(server: WebServer) -> None:
    answer = server.post("/subscribe", "email=anna&language=de&topic=&topic=Kleinstadt")
    assert answer.status == 422
    assert 'value="Kleinstadt" checked' in answer.text
    assert 'value="Bestand" checked' not in answer.text


def test_the_form_leads_to_the_page_about_privacy_and_goes_on_without(
    publication: Publication, port: int
) -> None:
    publication.change_setting('privacy_url = "https://verein.example.net/datenschutz"', "")
    publication.change_setting("https://umbaupost.example.net", f"http://127.0.0.1:{port}")
    with running_server(publication.context(), port) as server:
        assert "Datenschutz" not in server.get("/subscribe?lang=de").text
        assert server.post("/subscribe", {"email": ANNA}).status == 200
    assert "privacy-url-missing" in publication.run("check").output
    publication.change_setting(
        "[imprint]", '[imprint]\nprivacy_url = "https://verein.example.net/datenschutz"'
    )
    with running_server(publication.context(), port) as server:
        page = server.get("/subscribe?lang=de").text
        assert 'href="https://verein.example.net/datenschutz">Datenschutz</a>' in page
    assert "privacy-url-missing" not in publication.run("check").output


# --- who may read the answer


def test_only_a_named_origin_may_read_the_answer_and_only_of_the_form(named: WebServer) -> None:
    form = {"email": ANNA}
    answer = named.post("/subscribe", form, Origin=PARTNER, Accept="application/json")
    assert answer.headers["access-control-allow-origin"] == PARTNER
    assert "access-control-allow-credentials" not in answer.headers
    for status, fields in ((422, {"email": "anna"}), (413, {"email": "a" * 20_000})):
        answer = named.post("/subscribe", fields, Origin=PARTNER)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, PARTNER)
    others = (
        "https://partner.example", "http://www.partner.example", f"{PARTNER}:8443", f"{PARTNER}.evil.example",
        "https://evil.example", "https://WWW.partner.example", f"{PARTNER}/", "null", "*", "",
    )  # fmt: skip
    for origin in others:
        answer = named.post("/subscribe", form, Origin=origin)
        assert answer.status == 200
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["vary"] == "Origin"
    for path in ("/subscribe", "/unsubscribe/x", "/preferences/x", "/", "/healthz"):
        assert "access-control-allow-origin" not in named.get(path, Origin=PARTNER).headers


def test_a_browser_may_ask_before_for_the_form_alone(named: WebServer) -> None:
    asked = {"Access_Control_Request_Method": "POST"}
    answer = named.request("OPTIONS", "/subscribe", Origin=PARTNER, **asked)
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == PARTNER
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert "upcycle-news-form" in answer.headers["access-control-allow-headers"]
    assert named.request("OPTIONS", "/subscribe", Origin=PARTNER).status == 405
    for path in ("/unsubscribe/x", "/preferences/x", "/confirm/x"):
        assert named.request("OPTIONS", path, Origin=PARTNER, **asked).status == 405
    refused = named.request("OPTIONS", "/subscribe", Origin="https://evil.example", **asked)
    assert refused.status == 405
    assert "access-control-allow-origin" not in refused.headers


def test_without_a_named_origin_nobody_may_read_it(server: WebServer) -> None:
    asked = {"Access_Control_Request_Method": "POST"}
    assert server.request("OPTIONS", "/subscribe", Origin=server.url, **asked).status == 405
    assert "vary" not in server.post("/subscribe", {"email": ANNA}, Origin=PARTNER).headers


def test_to_a_foreign_page_every_address_looks_alike(
    publication: Publication, named: WebServer
) -> None:
    context = publication.context()
    add_confirmed_subscribers(context, ANNA, "weg@example.org")
    subscribers.unsubscribe(context.store, person(context, "weg@example.org"), now=context.clock())
    answers = [
        named.post("/subscribe", form, Origin=PARTNER, Accept="application/json")
        for form in (
            {"email": "neu@example.org"}, {"email": ANNA}, {"email": "weg@example.org"},
            {"email": "robot@example.org", "website": "https://spam.example"},
        )
    ]  # fmt: skip
    assert {(a.status, a.text, str({**a.headers, "date": ""})) for a in answers} == {
        (200, '{"ok":true}', str({**answers[0].headers, "date": ""}))
    }
    assert subscribers.find(context.store, EmailAddress.parse("robot@example.org")) is None


def test_the_proof_of_consent_names_the_page_and_the_words_that_were_shown(
    publication: Publication, named: WebServer
) -> None:
    context = publication.context()
    shown = "de-0123456789ab"
    named.post("/subscribe", {"email": ANNA, "wording": shown}, Origin=PARTNER)
    named.post("/subscribe", {"email": "bert@example.org", "wording": "<b>"}, Origin="null")
    [ours] = personal_data.personal_data_of(context.store, person(context)).consents
    [other] = personal_data.personal_data_of(
        context.store, person(context, "bert@example.org")
    ).consents
    assert (ours.source, ours.wording) == (f"web: {PARTNER}", shown)
    assert other.source.endswith("/subscribe")
    assert other.wording == subscriptions.consent_wording(context, "de")


# --- the form for other sites


@contextmanager
def foreign_site(html: str) -> Iterator[str]:
    """Serve a page of somebody else on another port, which is another origin."""
    page = (
        "<!doctype html><html lang=de><meta charset=utf-8>"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Laden</title><main><h1>Laden</h1>{html}</main>"
    )

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as site:
        thread = threading.Thread(target=site.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{site.server_port}"
        site.shutdown()
        thread.join(60)


def test_the_snippet_says_everything_that_our_page_says(publication: Publication) -> None:
    html = publication.run("subscribers", "snippet", AUDIENCE__TOPICS='["Bau & Bestand"]').out
    assert 'action="https://umbaupost.example.net/subscribe"' in html
    assert 'src="https://umbaupost.example.net/signup.js"' in html
    assert 'name="topic" value="Bau &amp; Bestand"> Bau &amp; Bestand</label>' in html
    assert 'name="language" value="de" checked' in html
    assert 'href="https://verein.example.net/datenschutz"' in html
    assert "Abbestellen kann ich jederzeit" in html
    assert 'name="website"' in html
    assert "style" not in html
    named = publication.run("subscribers", "snippet", PUBLICATION__NAME="PRIVACY {button} & Co").out
    assert "PRIVACY {button} &amp; Co" in named and named.count("verein.example.net") == 1
    english = publication.run("subscribers", "snippet", "--language", "en").out
    assert 'value="en" checked' in english and "unsubscribe" in english.lower()
    assert "de, en" in publication.run("subscribers", "snippet", "--language", "fr", code=2).err
    publication.change_setting('public_url = "https://umbaupost.example.net"', "")
    assert "public_url" in publication.run("subscribers", "snippet", code=2).err


def _foreign_page(publication: Publication, port: int) -> tuple[AppContext, str]:
    publication.change_setting("https://umbaupost.example.net", f"http://127.0.0.1:{port}")
    context = publication.context(**OFFERED)
    return context, signup_form.form_for_other_sites(context)


def _fill(page: Page, site: str) -> None:
    page.open(site)
    page.type("input[name=email]", ANNA)
    page.tick("input[value=Bestand]")
    page.tick("input[value=digest]")


@pytest.mark.chromium
def test_a_foreign_page_is_not_left_where_its_site_is_named(
    publication: Publication, port: int
) -> None:
    _, html = _foreign_page(publication, port)
    with foreign_site(html) as site, browsing() as page:
        context = publication.context(**OFFERED, WEB__SIGNUP_ORIGINS=f'["{site}"]')
        with running_server(context, port) as server:
            page.look(width=320)
            page.open(site)
            page.type("input[name=email]", "anna@example")
            page.run("document.querySelector('form').noValidate = true")
            page.tick("button")
            wait_until(lambda: "name@example.org" in page.text(), "no sentence")
            assert page.run("document.activeElement.name") == "email"
            _fill(page, site)
            page.tick("button")
            wait_until(
                lambda: "liegt dort gleich eine Mail" in page.text(), "no answer", seconds=15
            )
            assert page.run("location.origin") == site
            assert page.run("document.querySelector('[name=email]').value") == ""
            confirm(publication, server)
            if not AXE.is_file():
                missing("no axe-core here (npm ci --prefix tools/node)")
            page.run(AXE.read_text(encoding="utf-8") + ";0")
            found = page.run(
                "axe.run('form').then(r => r.violations.map(v => v.id + ': ' + "
                "v.nodes.map(n => n.html).join(' | ')))"
            )
            assert found == []
        assert person(context).topics == ("Bestand",)
        assert how_often(context) is Rhythm.DIGEST
        [consent] = personal_data.personal_data_of(context.store, person(context)).consents
        assert consent.source == f"web: {site}"


@pytest.mark.chromium
@pytest.mark.parametrize("scripts", [False, True], ids=["without JavaScript", "not named"])
def test_a_foreign_page_leads_to_ours_without_javascript_and_where_it_is_not_named(
    publication: Publication, port: int, clock: Clock, scripts: bool
) -> None:
    context, html = _foreign_page(publication, port)
    with (
        running_server(context, port) as server,
        foreign_site(html) as site,
        browsing() as page,
    ):
        if not scripts:
            page.without_javascript()
        _fill(page, site)
        page.click("button")
        assert "Schauen Sie in Ihr Postfach" in page.text()
        confirm(publication, server)
    assert person(context).topics == ("Bestand",)
    assert how_often(context) is Rhythm.DIGEST
    assert len(publication.mails()) == 1


def test_the_script_is_for_the_pages_of_others_and_the_only_one(server: WebServer) -> None:
    answer = server.get("/signup.js")
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "http" not in answer.text.replace("https", "http").replace("http-", "")
    assert server.post("/signup.js").status == 405
    assert "<script" not in server.get("/subscribe").text


def test_a_topic_is_called_by_its_label_wherever_it_can_be_chosen(
    context: AppContext, server: WebServer
) -> None:
    add_confirmed_subscribers(context, ANNA)
    token = context.link_signer.token(Purpose.PREFERENCES, 1)
    for path in ("/subscribe", f"/preferences/{token}"):
        assert '<input type="checkbox" name="topic" value="Bestand"> Bestand</label>' in (
            server.get(path).text
        )
