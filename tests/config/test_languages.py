"""What is wrong with newsletter.toml, feeds.toml and variables is said in the publication's language alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from upcycle_news.config.settings import publication_language

from ..publications import Publication

ENGLISH = re.compile(
    r"\b(?:input|should|valid|integer|string|must|cannot|write|the|is not|expected|twice|unknown)\b",
    re.IGNORECASE,
)


def german(sentence: str) -> bool:
    return not ENGLISH.search(sentence) and bool(re.search(r"[a-zäöüß]{3}", sentence))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[publication]", '[issue]\nessays = "viele"\n[publication]'),
        ("[publication]", "[issue]\nitems = -1\n[publication]"),
        ("[publication]", '[issue]\nitems_only = "vielleicht"\n[publication]'),
        ("[publication]", '[publication]\ntimezone = "Berlin"'),
        ("[publication]", '[publication]\ntaglin = "x"'),
        ("[publication]", '[publication]\nxyzzy = "x"'),
        ("[publication]", '[publication]\nname = ""\n[x]'),
        ("[sender]", '[relays.main]\nsecurity = "ssl"\n[sender]'),
        ("[sender]", "[relays.main]\nport = 70000\n[sender]"),
        ("[sender]", '[relays.main]\npassword = "geheim"\n[sender]'),
        ("[sender]", '[window]\nstart = "8:3"\n[sender]'),
        ("[sender]", '[window]\nstart = "08:30"\n[sender]'),
        ("[sender]", '[sender]\nreply_to = "umbau"'),
        ("[sender]", "[sender]\nreply_to = umbau"),
        ("[sender]", "[publication]\n[sender]"),
        ("[sender]", '[sender]\nreply_to = "a'),
        ("[sender]", "reply_to\n[sender]"),
        ("lines = [", 'lines = "eins"\nlines = ['),
        ("[publication]", "relays = 3\n[publication]"),
        ("[imprint]", '[imprint]\nlines = "Umbau e. V."\n[x]'),
    ],
)
def test_a_german_publication_reads_german_about_its_settings(
    publication: Publication, old: str, new: str
) -> None:
    publication.change_setting(old, new)
    done = publication.run("check", code=1)
    assert done.err.startswith("newsletter.toml:")
    assert german(done.err.partition(": ")[2]), done.err


def test_an_english_publication_reads_english_about_its_settings(publication: Publication) -> None:
    publication.change_setting(
        "[publication]", '[publication]\nlanguage = "en"\ntimezone = "Berlin"'
    )
    assert "it is not a time zone" in publication.run("check", code=1).err


def test_a_variable_that_is_no_setting_is_told_in_the_language_of_the_publication(
    publication: Publication,
) -> None:
    done = publication.run("check", code=1, ISSUE__ITEMS="viele")
    assert done.err.startswith("UPCYCLE_NEWS_ISSUE__ITEMS: „issue.items“ lässt sich so nicht")
    assert german(done.err.partition(": ")[2])


@pytest.mark.parametrize(
    "feeds",
    [
        '[[feeds]]\nname = "Eckblatt"\nurl = "gopher://example.org/feed"\n',
        '[[feeds]]\nname = "Eckblatt"\nurl = "https://example.org/feed"\n\n[feeds]\n',
        '[[feeds]]\nname = "Eckblatt"\nname = "Eckblatt"\n',
        "[[feeds]]\nname = Eckblatt\n",
        '[[feeds]]\nname = "Eckblatt\n',
        '[[feeds]\nname = "Eckblatt"\n',
        '[[feeds]]\nname "Eckblatt"\n',
        '[[feeds]]\nname = "Eck\\blatt\\q"\n',
        '[[feeds]]\nname = "Eckblatt" url\n',
        '[[feeds]]\nname = "Eckblatt"\nurl = "https://[example.org/feed"\n',
        '[[feeds]]\nname = "Eckblatt"\nurl = 7\n',
        "feeds = 3\n",
        "Eckblatt\n",
    ],
)
def test_a_german_publication_reads_german_about_its_feeds(
    publication: Publication, feeds: str
) -> None:
    (publication.home / "content/feeds.toml").write_text(feeds, encoding="utf-8")
    [finding] = [
        line for line in publication.run("check", "--json", code=1).lines if line["code"] == "feeds"
    ]
    assert german(re.sub(r"\(schreiben Sie .*", "", finding["message"])), finding["message"]


def test_a_file_that_the_system_refuses_is_told_in_german(publication: Publication) -> None:
    (publication.home / "content/essays/x.md").mkdir()
    line = publication.run("check", code=1).out.splitlines()[0]
    assert line.endswith("Die Datei lässt sich nicht lesen: es ist ein Ordner")
    missing = publication.run("check", code=1, RELAYS__MAIN__PASSWORD_FILE="/gone/secret")
    assert "lässt sich nicht lesen: sie ist nicht da" in missing.err


def test_the_language_is_read_from_a_file_that_cannot_be(tmp_path: Path) -> None:
    assert publication_language(tmp_path) == "de"
    (tmp_path / "newsletter.toml").write_text('[publication\nlanguage = "en"\n', encoding="utf-8")
    assert publication_language(tmp_path) == "en"
