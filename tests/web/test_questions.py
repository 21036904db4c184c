"""The page with an issue's question: who only looks answers nothing, and nobody is remembered."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.models import IssueId
from upcycle_news.services.issues import approval, compose, questions, render
from upcycle_news.services.issues.render import RefusedError, render_revision
from upcycle_news.services.reports.delivery_report import delivery_report
from upcycle_news.storage import question_answers, revisions

from ..delivery.memory_ledger import Clock
from ..publications import Publication, approve_issue, parse_mail, send_issue
from .browser_session import browsing, missing
from .test_subscriber_journey import links, scan
from .web_server import WebServer, running_server

ISSUE = IssueId.parse("2026-11-26")
PAGE = "/question/2026-11-26"
QUESTION = 'Was wird aus dem "Bahnhof"?'
AXE = Path(__file__).parents[2] / "tools/node/node_modules/axe-core/axe.min.js"
FILE = f"---\nquestion: '{QUESTION}'\nanswers:\n- Eine Werkstatt\n- Ein Café\n- Nichts & niemand\n---\n"


def write_file(publication: Publication, text: str = FILE) -> None:
    path = publication.home / f"content/issues/{ISSUE}.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def asked(publication: Publication, context: AppContext) -> AppContext:
    """An issue with a question, sent to two readers."""
    publication.write_essay("Bahnhof")
    publication.add_many_subscribers(2)
    write_file(publication)
    send_issue(context)
    return context


@pytest.fixture
def server(asked: AppContext, port: int) -> Iterator[WebServer]:
    with running_server(asked, port) as made:
        yield made


def counts(context: AppContext) -> dict[int, int]:
    revision = revisions.load_revision(context.store, ISSUE)
    assert revision is not None
    return dict(question_answers.answer_counts(context.store, ISSUE, revision.revision_id))


def answer(server: WebServer, number: int | str = 1, at: int = 1, **headers: str) -> int:
    return server.post(
        PAGE, {"answer": str(number)}, X_Forwarded_For=f"203.0.{at}.7", **headers
    ).status


# --- mail and archive


def test_the_question_is_in_the_mail_its_text_part_and_the_archive_without_a_token(
    publication: Publication, asked: AppContext, port: int
) -> None:
    mails = [parse_mail(mail) for mail in publication.mails()]
    found = []
    for mail in mails:
        html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
        text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert "Was wird aus dem „Bahnhof“?" in html and "Was wird aus dem „Bahnhof“?" in text
        assert "Nichts &amp; niemand" in html and "Nichts & niemand" in text
        in_html = re.findall(r'href="([^"]+/question/[^"]+)"', html)
        assert in_html == [f"http://127.0.0.1:{port}{PAGE}?answer={n}" for n in (1, 2, 3)]
        assert all(link in text for link in in_html)
        found.append(in_html)
    assert found[0] == found[1]  # two readers, and nothing that tells them apart
    page = (asked.archive_folder / "archive/2026-11-26/index.html").read_text("utf-8")
    assert "Was wird aus dem „Bahnhof“?" in page
    assert f'href="http://127.0.0.1:{port}{PAGE}"' in page


def test_a_changed_question_is_another_revision_and_voids_the_approval(
    publication: Publication, context: AppContext
) -> None:
    publication.write_essay("Bahnhof")
    publication.add_many_subscribers(1)
    write_file(publication)
    _, rendered = approve_issue(context)
    write_file(publication, FILE.replace("Ein Café", "Ein Bad"))
    assert compose.edits_since(context, rendered.revision) == ("content/issues/2026-11-26.md",)
    again = render_revision(context, compose.compose_issue(context, ISSUE))
    assert again.revision.revision_id != rendered.revision.revision_id
    assert again.revision.approved is None
    approval.approve(context, again, by="test", composed_now=True)


def test_a_question_that_nobody_could_see_or_answer_stops_the_issue(
    publication: Publication,
) -> None:
    publication.write_essay("Bahnhof")
    write_file(publication)
    theme = publication.home / "templates/theme.toml"
    theme.write_text(theme.read_text("utf-8").replace('"question", ', ""), encoding="utf-8")
    context = publication.context()
    with pytest.raises(RefusedError) as refused:
        render.raise_on_errors(render_revision(context, compose.compose_issue(context, ISSUE)))
    assert {finding.code for finding in refused.value.findings if finding.level == "error"} == {
        "question-unshown"
    }
    context = publication.context(  # readers leave by mail, and nothing answers on the web
        PUBLICATION__PUBLIC_URL="",
        SENDER__UNSUBSCRIBE_MAILTO="abmelden@umbaupost.example.net",
        INBOX__HOST="imap.umbaupost.example.net",
    )
    rendered = render_revision(context, compose.compose_issue(context, ISSUE))
    assert "question-no-address" in {finding.code for finding in rendered.findings}


# --- looking and answering


def test_only_a_post_counts(publication: Publication, asked: AppContext, server: WebServer) -> None:
    for mail in publication.mails():
        assert sum("/question/" in link for link in links(mail)) == 3
        scan(server, mail)
    for path in (PAGE, f"{PAGE}?answer=2", f"{PAGE}?answer=2&counted"):
        for method in ("GET", "HEAD"):
            assert server.request(method, path).status == 200
    assert counts(asked) == {}
    assert 'value="2" required checked' in server.get(f"{PAGE}?answer=2").text
    assert " checked" not in server.get(f"{PAGE}?answer=9").text
    done = server.post(PAGE, {"answer": "2"})
    assert (done.status, urlsplit(done.headers["location"]).path) == (303, PAGE)
    assert counts(asked) == {2: 1}
    assert "Danke" in server.get(done.headers["location"]).text
    assert counts(asked) == {2: 1}  # to load the page again answers no second time


def test_nothing_is_kept_of_who_answered(
    publication: Publication,
    asked: AppContext,
    server: WebServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG):
        shown = server.get(f"{PAGE}?answer=1", Cookie="a=b")
        done = server.post(PAGE, {"answer": "1"}, X_Forwarded_For="203.0.113.7")
    for reply in (shown, done):
        assert "set-cookie" not in reply.headers
        assert reply.headers["cache-control"] == "no-store"
    asked.store.close()
    assert "203.0.113" not in caplog.text
    files = [path for path in (publication.home / "var").rglob("*") if path.is_file()]
    assert files and not any(b"203.0.113" in path.read_bytes() for path in files)


def test_what_is_no_answer_counts_nothing(asked: AppContext, server: WebServer) -> None:
    for wrong in ("0", "4", "-1", "1 ", "٢", "", "1" * 300, "x"):
        assert answer(server, wrong) == 422
    assert server.post(PAGE, "answer").status == 422
    assert server.post(PAGE, "x" * 20_000).status == 413
    assert server.post("/question/2026-11-27", {"answer": "1"}).status == 404
    assert server.post("/question/..", {"answer": "1"}).status in (404, 405)
    assert server.request("PUT", PAGE).status == 405
    assert "Bitte wählen Sie eine Antwort aus." in server.post(PAGE, {}).text
    for site in ("cross-site", "same-site"):  # a form on a foreign page, sent by its visitors
        assert answer(server, 1, Sec_Fetch_Site=site) == 400
    assert counts(asked) == {}
    assert answer(server, 1, Sec_Fetch_Site="same-origin") == 303


def test_one_network_answers_so_often_and_no_more(asked: AppContext, server: WebServer) -> None:
    statuses = [answer(server, 1, at=7) for _ in range(32)]
    assert statuses == [303] * 30 + [429] * 2
    assert answer(server, 2, at=8) == 303
    assert counts(asked) == {1: 30, 2: 1}
    assert (
        server.post("/subscribe", {"email": "a@example.org"}, X_Forwarded_For="203.0.7.7").status
        == 200
    )


def test_figures_are_shown_from_five_answers_on_wherever_they_stand(
    publication: Publication, asked: AppContext, server: WebServer
) -> None:
    for number in (1, 1, 2, 1):
        answer(server, number)
    assert "sobald es 5 Antworten gibt" in server.get(PAGE).text
    status = publication.run("issue", "status", str(ISSUE), "--json").json
    assert status["question"]["answers"] is None
    assert "Eine Werkstatt" not in publication.run("issue", "status", str(ISSUE)).out
    assert "noch keine 5 Antworten" in delivery_report(asked, ISSUE)
    answer(server, 3)
    page = server.get(PAGE).text
    assert "Was wird aus dem „Bahnhof“?" in page
    assert "5 Antworten" in page and "60 %" in page
    assert "mehrmals antworten" in page  # the page says that the sums can be stuffed
    status = publication.run("issue", "status", str(ISSUE), "--json").json
    assert status["question"]["answers"] == {
        "Eine Werkstatt": 3, "Ein Café": 1, "Nichts & niemand": 1,
    }  # fmt: skip
    assert "Eine Werkstatt: 3 (60 %)" in publication.run("issue", "status", str(ISSUE)).out
    assert "Eine Werkstatt: 3 (60 %)" in delivery_report(asked, ISSUE)


def test_a_question_closes_and_its_sums_stay(
    asked: AppContext, server: WebServer, clock: Clock
) -> None:
    for number in (1, 1, 2, 1, 1):
        answer(server, number)
    clock.now += timedelta(days=14) - timedelta(seconds=1)
    assert "bis zum 10. Dezember 2026" in server.get(PAGE).text
    assert answer(server, 2) == 303
    clock.now += timedelta(seconds=1)
    page = server.get(PAGE).text
    assert "wird nicht mehr gezählt" in page and "<form" not in page
    assert server.post(PAGE, {"answer": "2"}).status == 200
    assert counts(asked) == {1: 4, 2: 2}
    assert "6 Antworten" in page
    assert not questions.count_answer(asked, ISSUE, 1)


def test_an_issue_has_no_page_before_it_is_queued_nor_without_a_question(
    publication: Publication, context: AppContext, port: int
) -> None:
    publication.write_essay("Bahnhof")
    publication.add_many_subscribers(1)
    write_file(publication)
    approve_issue(context)
    with running_server(context, port) as server:
        assert server.get(PAGE).status == 404
        assert answer(server) == 404
    (publication.home / f"content/issues/{ISSUE}.md").unlink()
    send_issue(context)
    with running_server(context, port) as server:
        assert server.get(PAGE).status == 404
    assert "question" not in json.dumps(publication.run("issue", "status", "--json").json)


def test_a_publication_with_an_older_page_of_its_own_shows_the_question(
    publication: Publication, asked: AppContext, port: int
) -> None:
    folder = publication.home / "templates"
    page = (folder / "page.html").read_text("utf-8")
    start, end = (
        page.index('{% elif view == "question" %}'),
        page.index('{% elif view == "address_asked" %}'),
    )
    (folder / "page.html").write_text(page[:start] + page[end:], encoding="utf-8")
    for name in ("texts.de.toml", "texts.en.toml"):
        words = (folder / name).read_text("utf-8").splitlines(keepends=True)
        kept = [line for line in words if not line.startswith(("page_question", "page_signup"))]
        (folder / name).write_text("".join(kept), encoding="utf-8")
    with running_server(publication.context(), port) as server:
        assert "Was wird aus dem" in server.get(PAGE).text
        assert server.get("/subscribe").status == 200


@pytest.mark.chromium
def test_a_reader_answers_in_a_browser(
    asked: AppContext, server: WebServer, tmp_path: Path
) -> None:
    if not AXE.is_file():
        missing("no axe-core here (npm ci --prefix tools/node)")
    for number in (1, 1, 2, 3):
        answer(server, number)
    with browsing() as page:
        page.without_javascript()
        page.look(width=320)
        page.open(f"{server.url}{PAGE}?answer=2")
        page.click("button")
        assert "Danke, Ihre Antwort ist gezählt." in page.text()
        assert all(url.startswith((server.url, "about:")) for url in page.requests)
    assert counts(asked) == {1: 2, 2: 2, 3: 1}
    with browsing() as page:
        for width in (320, 900):
            for dark in (False, True):
                page.look(width=width, dark=dark)
                for path in (f"{PAGE}?counted", "/archive/2026-11-26/"):
                    page.open(server.url + path)
                    assert page.overflow() <= 0
                    page.run(AXE.read_text(encoding="utf-8") + ";0")
                    found = page.run(
                        "axe.run().then(r => r.violations.map(v => v.id + ': ' + "
                        "v.nodes.map(n => n.html).join(' | ')))"
                    )
                    assert found == [], (path, width, dark)
