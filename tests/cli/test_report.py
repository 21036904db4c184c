"""`upcycle-news report` writes a page and says where."""

from __future__ import annotations

from pathlib import Path

from ..publications import Publication


def test_the_page_is_written_and_named_in_the_publications_language(
    publication: Publication, tmp_path: Path
) -> None:
    publication.add_many_subscribers(3)
    result = publication.run("report", "--no-open")
    assert result.out == "Die Seite liegt in var/report.html.\n" and result.err == ""
    page = (publication.home / "var/report.html").read_text(encoding="utf-8")
    assert "<h1>Umbaupost: die Zahlen</h1>" in page
    assert "@example" not in page and "http:" not in page and "https:" not in page
    elsewhere = tmp_path / "new folder" / "figures.html"
    publication.run("report", "--no-open", "--out", str(elsewhere))
    assert elsewhere.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_place_that_cannot_be_written_to_is_a_sentence(
    publication: Publication, tmp_path: Path
) -> None:
    (tmp_path / "taken").mkdir()
    result = publication.run("report", "--no-open", "--out", str(tmp_path / "taken"), code=1)
    assert str(tmp_path / "taken") in result.err and "Traceback" not in result.err
