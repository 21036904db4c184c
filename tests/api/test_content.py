"""Essays, feeds, checks and the archive through the app, as a program of one's own uses them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from upcycle_news.api import App, open_app
from upcycle_news.errors import ContentError, IssueError, SettingsError, UpcycleError
from upcycle_news.models import IssueId

from ..feeds.feed_site import site
from ..feeds.hostile_bodies import item, rss
from ..publications import Publication, send_issue

OPEN = {"FEEDS__ALLOW_PRIVATE": "true"}


@pytest.fixture
def app(publication: Publication) -> App:
    return App(publication.context(**OPEN))


def test_an_essay_is_made_and_listed(publication: Publication, app: App) -> None:
    path = app.essays.new(
        "Was bleibt", day=date(2026, 11, 20), author="Mathilde Übersee", topics=["bestand"]
    )
    assert path == publication.home / "content/essays/2026-11-20-was-bleibt.md"
    (entry,) = app.essays.list().essays
    assert (entry.status, entry.essay.author, entry.essay.topics) == (
        "draft", "Mathilde Übersee", ("bestand",),
    )  # fmt: skip
    assert app.essays.new("Heute").name.startswith(app.today.isoformat())
    with pytest.raises(ContentError, match="choose another one") as caught:
        app.essays.new("Was bleibt", day=date(2026, 12, 1))
    assert caught.value.where == "content/essays/2026-11-20-was-bleibt.md"


@pytest.mark.parametrize(
    "title", ["", "   ", "\u00a0\u200b", "Unser {{ Laden }}", "Umbau %%geheim%%"]
)
def test_no_essay_is_made_or_imported_with_a_title_that_no_mail_can_show(
    publication: Publication, tmp_path: Path, title: str
) -> None:
    text = tmp_path / "text.txt"
    text.write_text("Ein Haus steht leer.\n", encoding="utf-8")
    made = publication.run("essay", "new", title, code=1)
    taken = publication.run("essay", "import", str(text), "--title", title, code=1)
    for done in (made, taken):
        assert done.out == ""
        assert done.err.count("\n") == 1
    assert list((publication.home / "content/essays").iterdir()) == []


def test_a_text_is_imported_with_the_author_that_it_names(app: App, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("Ein Haus steht leer.\n\nVon Mathilde Übersee\n", encoding="utf-8")
    app.essays.import_file(text, "Was bleibt", day=date(2026, 11, 20))
    (entry,) = app.essays.list().essays
    assert (entry.essay.status, entry.essay.author) == ("ready", "Mathilde Übersee")
    with pytest.raises(UpcycleError, match="its language is de or en"):
        app.essays.import_file(text, "Noch einer", language="fr")
    text.write_bytes(b"")
    with pytest.raises(ContentError, match=r"text\.txt: there is nothing to import"):
        app.essays.import_file(text, "Leer")
    with pytest.raises(ContentError, match=r"gone\.txt: cannot be read"):
        app.essays.import_file(tmp_path / "gone.txt", "Weg")
    assert len(app.essays.list().essays) == 1


def test_an_essay_that_cannot_be_read_is_an_error_in_the_list(
    publication: Publication, app: App
) -> None:
    publication.write_essay()
    publication.write_essay("Kaputt", date="morgen")
    listed = app.essays.list()
    assert [entry.essay.title for entry in listed.essays] == ["Was vom Bahnhof bleibt"]
    (error,) = listed.errors
    assert "„date“ ist kein Datum" in error.message


def test_feeds_are_discovered_added_collected_and_exported(app: App, tmp_path: Path) -> None:
    with site() as server:
        server.feed = rss(item("Eins"), item("Zwei", "/zwei"))
        url = f"{server.url}/plain"
        assert [feed.entries for feed in app.feeds.discover(url)] == [2]
        feed = app.feeds.add(url, name="Blatt", topics=["bestand"])
        assert (feed.url, feed.topics) == (url, ("bestand",))
        with pytest.raises(UpcycleError, match="already"):
            app.feeds.add(url)
        report = app.feeds.collect()
        assert (report.asked, report.items, report.failed) == (1, 2, ())
        (status,) = app.feeds.health()
        assert (status.name, status.errors, status.tried_at) == ("Blatt", 0, app.now)
        assert app.feeds.collect().asked == 0
        assert app.feeds.collect(["Blatt"]).asked == 1
        (preview,) = app.feeds.show([url])
        assert {entry.title for entry in preview.parsed.items} == {"Eins", "Zwei"}
    opml = tmp_path / "feeds.opml"
    opml.write_text(app.feeds.export_opml().replace("Blatt", "Anderes"), encoding="utf-8")
    report_of_import = app.feeds.import_opml(opml)
    assert report_of_import.added == ()
    assert "listed already" in report_of_import.skipped[0]
    with pytest.raises(UpcycleError, match="there is no feed 'Nichts'"):
        app.feeds.collect(["Nichts"])


def test_a_check_returns_findings_and_says_how_readers_leave(
    publication: Publication, app: App
) -> None:
    publication.write_essay(summary="Ein Haus.", text='Ein Haus. "Leer" - sagt sie.\n')
    report = app.check()
    assert [finding.code for finding in report.findings] == ["typography-dash"]
    assert report.errors == ()
    assert report.findings[0].place[1] == 9
    assert "abmelden" in report.unsubscribe_methods.lower()
    assert report.findings == app.check(IssueId.parse("2026-11-26")).findings
    with pytest.raises(UpcycleError, match="is not an issue id"):
        app.check("heute")


def test_the_archive_is_built_corrected_and_withdrawn(publication: Publication, app: App) -> None:
    slug = publication.write_essay()
    publication.add_many_subscribers(1)
    assert send_issue(publication.context()).closed
    assert app.archive.build().written == 0
    page = app.archive.file(f"essays/{slug}/")
    assert page is not None
    assert "umgebaut" in page.read_text("utf-8")
    with pytest.raises(IssueError, match="shows this text already"):
        app.archive.correct(slug, "Nichts", by="test")
    with pytest.raises(IssueError, match="is not withdrawn"):
        app.archive.undo(slug, by="test")
    assert app.archive.withdraw(slug, "Ein Irrtum.", by="test").written > 0
    assert "Ein Irrtum." in page.read_text("utf-8")
    assert app.archive.undo(slug, by="test").written > 0
    assert "umgebaut" in page.read_text("utf-8")


@pytest.mark.parametrize(
    "path",
    ["../upcycle.db", "/etc/passwd", "archive/", "essays/../../upcycle.db", "a\0b", "x" * 9999],
)
def test_no_file_outside_of_the_archive_is_found(app: App, path: str) -> None:
    assert app.archive.file(path) is None


def test_a_folder_without_newsletter_toml_is_no_publication(tmp_path: Path) -> None:
    with open_app(tmp_path) as app, pytest.raises(SettingsError, match="go to your publication"):
        app.require_publication()
