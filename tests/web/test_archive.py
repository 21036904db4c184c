"""The archive over HTTP: pages, validators, types, and nothing of the machine behind them."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from threading import Thread
from types import SimpleNamespace
from urllib.parse import quote

import pytest

from upcycle_news.api import App
from upcycle_news.app.context import AppContext
from upcycle_news.services.archive.atomic_folder import exclusive_lock
from upcycle_news.web.archive import REBUILD_SECONDS, ArchivePages

from ..publications import Publication, parse_mail, send_issue
from ..services.archive.test_build import tree
from ..waiting import wait_until
from .browser_session import browsing
from .web_server import WebServer, running_server

PAGE = "/archive/2026-11-26/"


@pytest.fixture
def shown(publication: Publication, context: AppContext, port: int) -> Iterator[WebServer]:
    """A web server with one issue in its archive."""
    publication.add_subscribers("anna@example.org")
    publication.write_essay()
    send_issue(context)
    with running_server(context, port) as server:
        yield server


def test_the_start_page_links_to_archive_and_form(context: AppContext, server: WebServer) -> None:
    answer = server.get("/")
    assert answer.status == 200
    assert 'href="archive/"' in answer.text
    assert 'href="subscribe"' in answer.text
    assert "Noch ist keine Ausgabe erschienen" in answer.text
    for path in ("/archive/", "/essays/", "/subscribe"):
        assert server.get(path).status == 200


def test_a_store_that_does_not_know_what_the_archive_shows_removes_no_page_for_a_visitor(
    shown: WebServer, publication: Publication, caplog: pytest.LogCaptureFixture
) -> None:
    """A page that is asked for in vain is built from the store, which here lacks an issue."""
    page = publication.home / "var/archive/archive/2026-11-19/index.html"
    page.parent.mkdir()
    page.write_text("<!doctype html><title>Eine Ausgabe</title>")
    (publication.home / "var/archive/essays/was-vom-bahnhof-bleibt/index.html").unlink()
    assert shown.get("/essays/was-vom-bahnhof-bleibt/").status == 404
    assert shown.get("/archive/2026-11-19/").status == 200
    assert shown.get(PAGE).status == 200
    assert "archive not built" in caplog.text


def test_the_calendar_file_of_an_event_is_served_as_one(
    publication: Publication, context: AppContext, port: int
) -> None:
    publication.add_subscribers("anna@example.org")
    publication.write_essay(
        text="::: termin Fest\ndatum: 6.3.2027, 18 Uhr\nlink: -\n:::\n\nText.\n"
    )
    send_issue(context)
    with running_server(context, port) as server:
        page = "/essays/was-vom-bahnhof-bleibt/"
        assert "/event-1.ics" in server.get(page).text
        answer = server.get(f"{page}event-1.ics")
        assert (answer.status, answer.headers["content-type"]) == (
            200,
            "text/calendar; charset=utf-8",
        )
        assert "DTSTART:20270306T170000Z\r\n" in answer.text
        assert "anna@" not in answer.text
        for name in ("event-2.ics", "event-x.ics", "other.txt", ".upcycle-news"):
            assert server.get(f"{page}{name}").status == 404


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (PAGE, "text/html; charset=utf-8"),
        (f"{PAGE}index.html", "text/html; charset=utf-8"),
        ("/essays/was-vom-bahnhof-bleibt/", "text/html; charset=utf-8"),
        ("/feed.xml", "application/atom+xml; charset=utf-8"),
        ("/sitemap.xml", "application/xml; charset=utf-8"),
        ("/robots.txt", "text/plain; charset=utf-8"),
        (f"{PAGE}revision.txt", "text/plain; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
    ],
)
def test_every_file_has_its_content_type_and_validators(
    shown: WebServer, path: str, kind: str
) -> None:
    answer = shown.get(path)
    assert (answer.status, answer.headers["content-type"]) == (200, kind)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-robots-tag"] == "all"
    policy = answer.headers["content-security-policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert {"script-src 'self'", "connect-src 'self'"} <= set(policy)
    assert "unsafe" not in answer.headers["content-security-policy"]
    etag, stamp = answer.headers["etag"], answer.headers["last-modified"]
    for condition in ({"If_None_Match": etag}, {"If_Modified_Since": stamp}):
        again = shown.get(path, **condition)
        assert (again.status, again.text) == (304, "")
        assert again.headers["etag"] == etag
        policies = ("content-security-policy", "referrer-policy", "x-robots-tag", "cache-control")
        assert [again.headers[name] for name in policies] == [
            answer.headers[name] for name in policies
        ]
    assert shown.get(path, If_None_Match='"other"').status == 200
    head = shown.request("HEAD", path)
    assert (head.status, head.text) == (200, "")
    assert head.headers["content-length"] == answer.headers["content-length"]
    assert shown.post(path).status == 405


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("search/form.js", "text/javascript; charset=utf-8"),
        ("search/index.json", "application/json"),
        ("favicon.svg", "image/svg+xml"),
        ("hefte/Das%20Heft.PDF", "application/pdf"),
        ("hefte/", "text/html; charset=utf-8"),
        ("bild.webp", "image/webp"),
        (".well-known/security.txt", "text/plain; charset=utf-8"),
        ("ohne-endung", "application/octet-stream"),
    ],
)
def test_the_search_and_files_of_the_publication_are_served_with_their_types(
    publication: Publication, context: AppContext, port: int, name: str, kind: str
) -> None:
    static = publication.home / "content/static"
    for path in ("hefte/Das Heft.PDF", "hefte/index.html", "bild.webp", ".well-known/security.txt",
                 "ohne-endung"):  # fmt: skip
        (static / path).parent.mkdir(parents=True, exist_ok=True)
        (static / path).write_bytes(b"data")
    publication.add_subscribers("anna@example.org")
    publication.write_essay()
    send_issue(context)
    (context.archive_folder / "fremd.txt").write_text("of another program")
    with running_server(context, port) as server:
        answer = server.get(f"/{name}")
        assert (answer.status, answer.headers["content-type"]) == (200, kind)
        assert answer.headers["x-content-type-options"] == "nosniff"
        again = server.get(f"/{name}", If_None_Match=answer.headers["etag"])
        assert again.status == 304
        assert again.headers["content-security-policy"] == answer.headers["content-security-policy"]
        for missing in (
            "fremd.txt",
            ".upcycle-news",
            "search/",
            "content/static/bild.webp",
        ):
            assert server.get(f"/{missing}").status == 404


@pytest.mark.chromium
def test_the_search_works_under_the_policy_and_no_other_script_does(shown: WebServer) -> None:
    with browsing() as browser:
        found = "document.querySelector('#search-results a')?.textContent"
        for path in ("/archive/?q=Bahnhöfe", "/nix?q=Bahnhöfe"):
            browser.open(shown.url + quote(path, safe="/?="))
            wait_until(lambda: browser.run(found) == "Was vom Bahnhof bleibt", "nothing found")
        browser.run(
            "globalThis.ran = false; const made = document.createElement('script');"
            "made.textContent = 'globalThis.ran = true'; document.body.append(made)"
        )
        assert browser.run("globalThis.ran") is False
        refused = "fetch('http://127.0.0.1:9/').catch(() => 'refused')"
        assert (
            browser.run(
                "new Promise(done => { addEventListener('securitypolicyviolation', "
                f"event => done(event.effectiveDirective)); {refused}; }})"
            )
            == "connect-src"
        )


def test_a_page_that_is_missing_leads_on(shown: WebServer) -> None:
    for path in ("/nix", "/archive/1999-01-01/", "/essays/nix/", "/hefte/nix.pdf"):
        answer = shown.get(path, Range="bytes=0-9")
        assert answer.status == 404
        assert 'href="/archive/2026-11-26/"' in answer.text
        assert 'role="search"' in answer.text
        assert answer.headers["x-robots-tag"] == "noindex"
        assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert 'href="/style.css"' in answer.text
    forged = shown.get("/unsubscribe/x")
    assert forged.status == 404
    assert "/archive/" in forged.text


def test_a_url_without_final_slash_redirects_to_the_page(shown: WebServer) -> None:
    for path in ("/archive", "/archive/2026-11-26", "/essays", "/essays/was-vom-bahnhof-bleibt"):
        answer = shown.get(path)
        assert (answer.status, answer.headers["location"]) == (308, f"./{path.split('/')[-1]}/")
    # A shared search keeps its query.
    assert shown.get("/archive?q=T%C3%BCr&x=1").headers["location"] == "./archive/?q=T%C3%BCr&x=1"


def test_a_folder_of_the_publication_is_found_without_the_slash_only_where_it_has_a_page(
    publication: Publication, context: AppContext, port: int
) -> None:
    static = publication.home / "content/static"
    for name in ("über uns/index.html", "50 %?/index.html", "hefte/heft.pdf"):
        (static / name).parent.mkdir(parents=True)
        (static / name).write_text("<!doctype html><title>Wir</title>")
    App(context).archive.build()
    with running_server(context, port) as server:
        for name in ("über uns", "50 %?"):
            answer = server.get(f"/{quote(name)}?a=b")
            assert (answer.status, answer.headers["location"]) == (308, f"./{quote(name)}/?a=b")
            assert server.get(f"/{quote(name)}/").text.endswith("<title>Wir</title>")
        for path in ("/hefte", "/hefte/", "/hefte/heft.pdf/", "/.upcycle-news", "/search"):
            assert server.get(path).status == 404
        assert server.request("HEAD", "/hefte/heft.pdf").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/archive/2026-11-27/",
        "/archive/..%2F..%2Fsecrets%2Ftoken-1.key/",
        "/essays/../../upcycle.db",
        "/essays/..%2F..%2Fupcycle.db/",
        "/essays/%2e%2e/",
        "/essays/../",
        "/essays/.upcycle-news/",
        "/.upcycle-news",
        "/archive/.draft-x/",
        "/essays/x%00/",
        "/404.html/",
        "//etc/passwd",
        "/archive/2026-11-26/style.css",
        "/essays/" + "x" * 300 + "/",
        "/essays/%FF/",
    ],
)
def test_no_other_file_of_the_machine_can_be_read(shown: WebServer, path: str) -> None:
    answer = shown.get(path)
    assert answer.status in (404, 308)
    if answer.status == 404:
        assert "Diese Seite gibt es nicht" in answer.text
    if answer.status == 308:
        assert shown.get("/essays/" + answer.headers["location"]).status == 404


def test_a_missing_archive_is_rebuilt_at_most_once_a_minute(
    context: AppContext, shown: WebServer
) -> None:
    assert REBUILD_SECONDS > 0
    before = tree(context.archive_folder)
    shutil.rmtree(context.archive_folder)
    assert shown.get(PAGE).status == 200
    assert tree(context.archive_folder) == before
    (context.archive_folder / "archive/2026-11-26/index.html").unlink()
    assert shown.get(PAGE).status == 404  # asked again within the minute


def test_asking_for_what_never_was_builds_nothing_and_keeps_nobody_from_what_was_sent(
    context: AppContext, shown: WebServer
) -> None:
    """A build takes a minute of a large archive, and robots ask for anything."""
    start = context.archive_folder / "index.html"
    start.unlink()
    for path in ("/archive/1999-01-01/", "/archive/2026-99-99/", "/essays/nie-geschrieben/",
                 "/essays/was-vom-bahnhof-bleibt/event-7.ics"):  # fmt: skip
        assert shown.get(path).status == 404
    assert not start.exists()
    (context.archive_folder / "essays/was-vom-bahnhof-bleibt/index.html").unlink()
    assert shown.get("/essays/was-vom-bahnhof-bleibt/").status == 200
    assert start.exists()


def test_every_link_of_a_sent_mail_works(publication: Publication, shown: WebServer) -> None:
    import re

    (raw,) = publication.mails()
    mail = parse_mail(raw)
    links: set[str] = set()
    for kind in ("html", "plain"):
        body = mail.get_body((kind,))
        assert body is not None
        links |= set(re.findall(rf"{re.escape(shown.url)}[^\s\"<>]*", body.get_content()))
    links.add(str(mail["List-Archive"]).strip("<>"))
    assert len(links) >= 4
    for link in links:
        assert shown.get(link).status == 200, link


def test_a_build_that_hangs_blocks_one_request_only(context: AppContext) -> None:
    """The server has eight threads, and unsubscribing needs them, too."""
    begun, times = threading.Event(), iter([0.0, 2.0 * REBUILD_SECONDS])

    def clock() -> float:
        begun.set()
        return next(times)

    pages = ArchivePages(SimpleNamespace(app=App(context)), clock)  # type: ignore[arg-type]
    first, second = (Thread(target=pages._find, args=("/",), daemon=True) for _ in range(2))
    with exclusive_lock(context.settings.state / "archive.lock"):
        first.start()
        assert begun.wait(60)
        second.start()
        second.join(60)
        assert not second.is_alive()
    first.join(60)
    assert not first.is_alive()
