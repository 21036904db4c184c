"""A publication in two languages over HTTP: forms with labels, and the archive of each language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import func, select

from upcycle_news.app.context import AppContext
from upcycle_news.models import EmailAddress, IssueId, Subscriber
from upcycle_news.services.issues import questions
from upcycle_news.services.subscribers import confirmation_mails, subscriptions
from upcycle_news.storage import question_answers, subscribers
from upcycle_news.storage.schema import address_changes
from upcycle_news.subscribers.link_tokens import Purpose
from upcycle_news.web import app

from ..publications import Publication, add_confirmed_subscribers, parse_mail, send_issue
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


def test_each_mail_leads_to_the_issue_in_the_other_language(
    bilingual: Publication, context: AppContext, server: WebServer
) -> None:
    write_translated(bilingual)
    add_readers(bilingual)
    send_issue(context)
    seen = set()
    for mail in map(parse_mail, bilingual.mails()):
        language = str(mail["Content-Language"])
        path = "/archive/2026-11-26/" if language == "en" else "/en/archive/2026-11-26/"
        html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
        text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        other = "de" if language == "en" else "en"
        [link] = re.findall(rf'<a [^>]*hreflang="{other}"[^>]*>', html)
        [url] = re.findall(r'href="([^"]+)"', link)
        assert url == f"{server.url}{path}" and url in text
        page = server.get(url)
        assert page.status == 200 and f'<html lang="{other}"' in page.text
        seen.add(language)
    assert seen == {"de", "en"}


def test_an_issue_in_one_language_leads_to_no_other(
    bilingual: Publication, context: AppContext
) -> None:
    publication = bilingual
    publication.write_essay("Bahnhof")
    add_readers(publication)
    send_issue(publication.context(ISSUE__UNTRANSLATED="leave_out"))
    mails = [parse_mail(mail) for mail in publication.mails()]
    assert mails and not any("hreflang" in str(mail) for mail in mails)


# --- the question of an issue

QUESTION = "---\nquestion: Was wird aus der Schraube?\nanswers: [Sie bleibt, Sie rostet]\n---\n"
ASKED = "---\nquestion: What becomes of the screw?\nanswers: [It stays, It rusts]\n---\n"


def write_question(publication: Publication, english: str = ASKED) -> None:
    folder = publication.home / "content/issues"
    folder.mkdir(exist_ok=True)
    (folder / "2026-11-26.md").write_text(QUESTION, encoding="utf-8")
    (folder / "2026-11-26.en.md").write_text(english, encoding="utf-8")


def test_each_reader_is_asked_and_answers_in_their_language(
    bilingual: Publication, context: AppContext, server: WebServer
) -> None:
    write_translated(bilingual)
    add_readers(bilingual)
    write_question(bilingual)
    send_issue(context)
    links: dict[str, set[str]] = {}
    for mail in map(parse_mail, bilingual.mails()):
        html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
        found = {unescape(link) for link in re.findall(r'href="([^"]+/question/[^"]+)"', html)}
        links.setdefault(mail["Content-Language"] or "de", set()).update(found)
    assert {language: len(found) for language, found in links.items()} == {"de": 2, "en": 2}
    for language, words, other in (
        ("de", "Was wird aus der Schraube?", "What becomes of the screw?"),
        ("en", "What becomes of the screw?", "Was wird aus der Schraube?"),
    ):
        [second] = [link for link in links[language] if "answer=2" in link]
        page = server.get(second)
        assert page.headers["content-language"] == language
        assert (
            words in page.text
            and other not in page.text
            and 'value="2" required checked' in page.text
        )
        done = server.post(re.findall(r'action="([^"]+)"', page.text)[0], {"answer": "2"})
        assert done.status == 303
        thanks = server.get(done.headers["location"])
        assert thanks.headers["content-language"] == language
        assert ("Danke" in thanks.text, "Thank you" in thanks.text) == (
            language == "de",
            language == "en",
        )
        folder = "en/" if language == "en" else ""
        assert f"/{folder}archive/2026-11-26/" in thanks.text
        archived = server.get(f"/{folder}archive/2026-11-26/").text
        assert (
            words in archived and f"/question/2026-11-26{'?lang=en' if folder else ''}" in archived
        )
    asked = questions.asked_question(context, IssueId.parse("2026-11-26"))
    assert asked is not None
    counted = question_answers.answer_counts(context.store, asked.issue, asked.revision_id)
    assert dict(counted) == {2: 2}  # together


@pytest.mark.parametrize(
    "english",
    [
        ASKED.replace("It stays, It rusts", "It stays, It rusts, Both"),
        ASKED.replace("answers", "answer"),
    ],
    ids=["more-answers", "none"],
)
def test_a_translated_question_has_the_answers_of_the_issue(
    bilingual: Publication, english: str
) -> None:
    write_translated(bilingual)
    write_question(bilingual, english)
    checked = bilingual.run("check", code=1).output
    assert "content/issues/2026-11-26.en.md:" in checked


def test_a_question_without_translation_is_told_and_asked_in_its_language_only(
    bilingual: Publication, context: AppContext, server: WebServer
) -> None:
    write_translated(bilingual)
    add_readers(bilingual)
    write_question(bilingual, "---\nsubject: Screws\n---\n")
    send_issue(context)
    assert sum(b"/question/" in mail for mail in bilingual.mails()) == 3
    page = server.get("/question/2026-11-26?lang=en")
    assert page.headers["content-language"] == "de" and "Schraube" in page.text


# --- every page of a reader, in their language

OF_READERS = {"confirm", "unsubscribe", "preferences", "address"}


def visit(context: AppContext, server: WebServer, purpose: str, method: str) -> Any:
    """Follow a link of Anna's, who reads English, with a browser that prefers German."""
    reader = person(context)
    if purpose == "confirm":
        signup = subscriptions.sign_up(
            context, EmailAddress.parse("neu@example.org"), language="en"
        )
        assert signup is not None
        link = context.link_signer.token(Purpose.CONFIRM, signup.subscriber, signup.consent % 2**24)
        confirmation_mails.send_waiting(context)
        link = f"/confirm/{link}"
    elif purpose == "address":
        preferences_link = context.subscriber_link(Purpose.PREFERENCES, reader.id)
        server.post(preferences_link, {"do": "address", "address": "anna.neu@example.org"})
        subscriptions.purge_expired(context)
        number = address_changes_of(context)
        link = f"/address/{context.link_signer.token(Purpose.ADDRESS, reader.id, number)}"
    else:
        link = context.subscriber_link(Purpose(purpose), reader.id)
    body = {"language": "en"} if method == "POST" else None
    return server.request(method, link, body, Accept_Language="de", Accept="text/html")


def address_changes_of(context: AppContext) -> int:
    with context.store.reading() as connection:
        return int(connection.scalar(select(func.max(address_changes.c.id))) or 0)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("purpose", sorted(OF_READERS))
def test_every_page_of_a_reader_is_in_their_language_and_stays_private(
    context: AppContext, server: WebServer, purpose: str, method: str
) -> None:
    add_confirmed_subscribers(context, ANNA)
    subscribers.set_preferences(
        context.store, person(context), language="en", topics=(), now=context.clock()
    )
    answer = visit(context, server, purpose, method)
    assert answer.status == 200
    assert answer.headers["content-language"] == "en"
    assert '<html lang="en"' in answer.text
    assert "no-store" in answer.headers["cache-control"]
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_who_signs_up_again_in_another_language_is_asked_in_that_one(
    bilingual: Publication, context: AppContext, server: WebServer
) -> None:
    add_confirmed_subscribers(context, ANNA)
    subscribers.unsubscribe(context.store, person(context), now=context.clock())
    signup = subscriptions.sign_up(context, EmailAddress.parse(ANNA), language="en")
    assert signup is not None
    confirmation_mails.send_waiting(context)
    token = context.link_signer.token(Purpose.CONFIRM, signup.subscriber, signup.consent % 2**24)
    assert parse_mail(bilingual.mails()[-1])["Content-Language"] == "en"
    page = server.get(f"/confirm/{token}", Accept_Language="de")
    assert page.headers["content-language"] == "en"
    assert server.post(f"/confirm/{token}").headers["content-language"] == "en"


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PUT"])
def test_no_answer_below_a_path_with_a_token_is_kept_or_passed_on(
    context: AppContext, server: WebServer, method: str
) -> None:
    """Whatever the token and the answer: unknown links, refused methods, redirects, broken requests."""
    source = Path(app.__file__).read_text(encoding="utf-8")
    private = set(re.findall(r'"(/[^"]*\{(?:token|secret)[^"]*)"', source))
    assert len(private) >= 7
    for route in private:
        path = re.sub(r"\{[^}]+\}", "abc-def", route)
        for written in (path, f"{path}/", f"{path}%0A"):
            answer = server.request(method, written, "x" if method == "POST" else None)
            assert "no-store" in answer.headers["cache-control"], (method, written, answer.status)
            assert answer.headers["referrer-policy"] == "no-referrer", (method, written)
