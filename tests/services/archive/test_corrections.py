"""Corrections and withdrawals of sent essays and issues, which the archive always marks."""

from __future__ import annotations

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.services.archive import corrections
from upcycle_news.services.archive.build import build_archive

from ...archive_site.sample_archive import dead_links
from ...delivery.memory_ledger import Clock
from ...publications import Publication
from ...rendering.sample_manifest import png
from .test_build import tree, two_sent

SLUG, OTHER = "was-vom-bahnhof-bleibt", "die-schule-am-rand"
ROOT = "https://umbaupost.example.net/"


def page(context: AppContext, path: str) -> str:
    return (context.archive_folder / path / "index.html").read_text("utf-8")


def rewrite(publication: Publication, old: str, new: str) -> None:
    (path,) = (publication.home / "content/essays").glob(f"*{SLUG}.md")
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_changed_file_changes_nothing_until_an_editor_corrects_it(
    publication: Publication, clock: Clock
) -> None:
    context = two_sent(publication)
    rewrite(publication, "umgebaut", "abgerissen")
    assert build_archive(context).written == 0
    clock.now = clock.now.replace(day=28)
    report = corrections.correct(context, SLUG, "Er wird  abgerissen,\nnicht umgebaut.", by="test")
    assert report.written > 0
    note = (
        "<strong>Korrigiert am 28.\u00a0November 2026:</strong> Er wird abgerissen, nicht umgebaut."
    )
    for path in (f"essays/{SLUG}", "archive/2026-11-26"):
        assert note in page(context, path)
        assert "wird abgerissen" in page(context, path)
    feed = (context.archive_folder / "feed.xml").read_text("utf-8")
    assert feed.count("<updated>2026-11-28T06:00:00Z</updated>") == 2  # the feed's and the entry's
    assert feed.count("<published>2026-11-26T06:00:00Z</published>") == 2
    rewrite(publication, "abgerissen", "verkauft")
    assert build_archive(context).written == 0
    assert "umgebaut" in publication.mails()[0].decode("utf-8", "replace")


def test_two_corrections_are_shown_in_their_order(publication: Publication) -> None:
    context = two_sent(publication)
    for old, new in (("umgebaut", "abgerissen"), ("abgerissen", "verkauft")):
        rewrite(publication, old, new)
        publication.run("archive", "correct", SLUG, "--note", f"Er wird {new}.")
    text = page(context, f"essays/{SLUG}")
    assert text.index("Er wird abgerissen.") < text.index("Er wird verkauft.")


def test_a_correction_may_add_an_image(publication: Publication) -> None:
    context = two_sent(publication)
    (publication.home / "content/images").mkdir(exist_ok=True)
    (publication.home / "content/images/haus.png").write_bytes(png(60, 40))
    rewrite(publication, "status: ready", "image: haus.png\nimage_alt: Ein Haus\nstatus: ready")
    corrections.correct(context, SLUG, "Mit Bild.", by="test")
    (image,) = (context.archive_folder / "images").iterdir()
    assert f'src="../../images/{image.name}"' in page(context, f"essays/{SLUG}")
    assert build_archive(context).written == 0


def test_an_impossible_correction_is_refused_with_the_reason(publication: Publication) -> None:
    two_sent(publication)
    correct = ("archive", "correct")
    errors = publication.run(*correct, SLUG, "--note", "x", code=1).err
    assert "Das Archiv zeigt diesen Text schon. Berichtigen Sie zuerst die Datei." in errors
    errors = publication.run(*correct, "unbekannt", "--note", "x", code=1).err
    assert "Keine verschickte Ausgabe enthält „unbekannt“" in errors
    assert SLUG in errors
    rewrite(publication, "umgebaut", "abgerissen")
    publication.run("archive", "withdraw", SLUG, "--yes")
    assert "--undo" in publication.run(*correct, SLUG, "--note", "x", code=1).err


def test_a_withdrawn_essay_leaves_only_a_page_that_says_so(
    publication: Publication,
) -> None:
    context = two_sent(publication)
    before = tree(context.archive_folder)
    publication.run("archive", "withdraw", SLUG, "--note", "Auf Bitte der Stadt.", "--yes")
    assert "Auf Bitte der Stadt." in page(context, f"essays/{SLUG}")
    assert '<meta name="robots" content="noindex">' in page(context, f"essays/{SLUG}")
    for path, data in tree(context.archive_folder).items():
        assert b"Was vom Bahnhof" not in data, path
    assert f"essays/{SLUG}".encode() not in tree(context.archive_folder)["sitemap.xml"]
    assert dead_links(tree(context.archive_folder), ROOT, ("subscribe",)) == []
    errors = publication.run("archive", "withdraw", SLUG, "--yes", code=1).err
    assert "Es gibt nichts zu tun" in errors
    publication.run("archive", "withdraw", SLUG, "--undo")
    after = tree(context.archive_folder)
    changed = {path for path in before if before[path] != after[path]}
    assert changed <= {"feed.xml", "sitemap.xml", "archive/2026-11-26/index.html"}  # their times


def test_withdrawing_an_issue_withdraws_its_essays(publication: Publication) -> None:
    context = two_sent(publication)
    publication.run("archive", "withdraw", "2026-11-26-2", "--yes")
    assert "nicht mehr da" in page(context, "archive/2026-11-26-2")
    assert "nicht mehr da" in page(context, f"essays/{OTHER}")
    assert b"Schule" not in tree(context.archive_folder)["feed.xml"]
    assert dead_links(tree(context.archive_folder), ROOT, ("subscribe",)) == []
    publication.run("archive", "withdraw", "2026-11-26-2", "--undo")
    assert "Die Schule am Rand" in page(context, "archive/2026-11-26-2")


def test_withdrawing_asks_for_confirmation(publication: Publication) -> None:
    context = two_sent(publication)
    before = tree(context.archive_folder)
    publication.run("archive", "withdraw", SLUG, code=1, typed="n\n")
    assert tree(context.archive_folder) == before


@pytest.mark.parametrize("note", ["", "Ein Satz."])
def test_a_note_is_escaped(publication: Publication, note: str) -> None:
    context = two_sent(publication)
    publication.run("archive", "withdraw", SLUG, "--note", f"{note}<script>", "--yes")
    assert "&lt;script&gt;" in page(context, f"essays/{SLUG}")
