"""A publication in two languages over HTTP: forms with labels, and the archive of each language."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.models import EmailAddress, Subscriber
from upcycle_news.storage import subscribers
from upcycle_news.subscribers.link_tokens import Purpose

from ..publications import Publication, add_confirmed_subscribers, send_issue
from ..two_languages import add_readers, make_bilingual, write_translated
from .browser_session import browsing, missing
from .web_server import WebServer, running_server

ANNA = "anna@example.org"
AXE = Path(__file__).parents[2] / "tools/node/node_modules/axe-core/axe.min.js"


@pytest.fixture
def bilingual(publication: Publication, port: int) -> Publication:
    publication.change_setting("https://umbaupost.example.net", f"http://127.0.0.1:{port}")
    make_bilingual(publication)
    return publication


@pytest.fixture
def context(bilingual: Publication) -> AppContext:
    return bilingual.context()


@pytest.fixture
def server(context: AppContext, port: int) -> Iterator[WebServer]:
    with running_server(context, port) as made:
        yield made


def person(context: AppContext, address: str = ANNA) -> Subscriber:
    found = subscribers.find(context.store, EmailAddress.parse(address))
    assert found is not None
    return found


def preferences(context: AppContext) -> str:
    return context.subscriber_link(Purpose.PREFERENCES, person(context).id)


def test_readers_see_topics_and_languages_by_their_labels(
    context: AppContext, server: WebServer
) -> None:
    add_confirmed_subscribers(context, ANNA)
    german = server.get(preferences(context)).text
    assert "Bauen &amp; Umbauen" in german
    assert "In welcher Sprache möchten Sie lesen?" in german
    assert "Englisch" in german
    answer = server.post(preferences(context), "topic=bauen&language=en&do=save").text
    assert (person(context).topics, person(context).language) == (("bauen",), "en")
    assert 'value="bauen" checked> Building' in answer
    assert "Conversion Post" in answer
    assert "Musterstadt, Germany" in answer


def test_who_signs_up_may_choose_language_and_topics(
    context: AppContext, server: WebServer
) -> None:
    form = server.get("/subscribe?lang=en").text
    assert "Building" in form
    assert 'value="en" checked' in form
    asked = [("email", ANNA), ("language", "en"), ("topic", "bauen"), ("topic", "erfunden")]
    assert server.post("/subscribe", urlencode(asked)).status == 200
    # Topics hold from the confirmation on (test_signup_form).
    assert (person(context).topics, person(context).language) == ((), "en")


def test_a_sign_up_changes_nothing_of_somebody_who_is_there(
    context: AppContext, server: WebServer
) -> None:
    add_confirmed_subscribers(context, ANNA)
    assert server.post("/subscribe", f"email={ANNA}&language=en&topic=bauen").status == 200
    assert (person(context).topics, person(context).language) == ((), "de")


def test_a_form_that_is_shown_again_keeps_what_was_chosen(
    context: AppContext, server: WebServer
) -> None:
    answer = server.post("/subscribe", "email=nothing&language=en&topic=bauen")
    assert answer.status == 422
    assert 'value="bauen" checked' in answer.text
    assert 'value="en" checked' in answer.text


def test_the_archive_of_each_language_is_served(
    bilingual: Publication, context: AppContext, server: WebServer
) -> None:
    write_translated(bilingual)
    add_readers(bilingual)
    send_issue(context)
    page = server.get("/en/archive/2026-11-26/")
    assert page.status == 200
    assert "In Praise of the Screw" in page.text
    assert server.get("/en/feed.xml").headers["content-type"].startswith("application/atom+xml")
    assert server.get("/en/archive").status == 308
    assert server.get("/en/essays/nowhere/").status == 404
    assert server.get("/en/search/form.js").headers["content-type"].startswith("text/javascript")


def test_a_page_that_another_machine_sent_is_built_in_each_language(
    bilingual: Publication, context: AppContext, server: WebServer
) -> None:
    write_translated(bilingual)
    add_readers(bilingual)
    send_issue(context)
    (context.archive_folder / "en/archive/2026-11-26/index.html").unlink()
    assert "In Praise of the Screw" in server.get("/en/archive/2026-11-26/").text


@pytest.mark.chromium
def test_the_forms_and_pages_of_both_languages_pass_axe_and_fit_a_phone(
    bilingual: Publication, context: AppContext, server: WebServer
) -> None:
    if not AXE.is_file():
        missing("no axe-core here (npm ci --prefix tools/node)")
    write_translated(bilingual)
    add_readers(bilingual)
    send_issue(context)
    pages = ["/subscribe?lang=de", "/subscribe?lang=en", preferences(context),
             "/archive/2026-11-26/", "/en/archive/2026-11-26/", "/en/essays/schraube/"]  # fmt: skip
    with browsing() as page:
        for path in pages:
            for width in (320, 900):
                for dark in (False, True):
                    page.look(width=width, dark=dark)
                    page.open(path if "://" in path else server.url + path)
                    assert page.overflow() <= 0
                    page.run(AXE.read_text(encoding="utf-8") + ";0")
                    violations = page.run(
                        "axe.run().then(r => r.violations.map(v => v.id + ': ' + "
                        "v.nodes.map(n => n.html).join(' | ')))"
                    )
                    assert violations == [], (path, width, dark)
