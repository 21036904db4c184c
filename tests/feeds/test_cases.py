"""Bodies that were read wrongly once, each with what is right; the files lie in cases/read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from upcycle_news.feeds.parser import ParsedFeed, parse_feed
from upcycle_news.models import Feed

CASES = Path(__file__).parent / "cases/read"
NOW = datetime(2025, 11, 26, 12, tzinfo=UTC)
HOF = "https://hof.example.org"


def read(name: str) -> ParsedFeed:
    """Read a case as `feeds show FILE` does: without an address and a content type."""
    body = (CASES / name).read_bytes()
    return parse_feed(body, url="", content_type="", feed=Feed(name, ""), now=NOW)


# What is right of each case: (title, summary, link) of its entries; None where it does not matter.
RIGHT = {
    "atom-hreflang.xml": [("Hofladen", "", f"{HOF}/laden")],
    "atom-rel-as-iri.xml": [("Tor", "", f"{HOF}/tor")],
    "atom-same-id.xml": [("Markt am 4. (verlegt)", "", f"{HOF}/3")],
    "author-link-in-item.xml": [("Bienen im Turm", "Vier Völker.", f"{HOF}/bienen")],
    "control-atom-bases.xml": [
        ("Relativ zum Blatt", "", f"{HOF}/a/eins"),
        ("Relativ zum Eintrag", "", f"{HOF}/a/b/zwei"),
        ("Von der Wurzel", "", f"{HOF}/drei"),
    ],
    "control-far-future.xml": [
        ("Fest in ferner Zeit", "Noch lange hin.", None),
        ("Heu eingefahren", "Zwölf Fuder.", None),
    ],
    "control-guid-no-permalink.xml": [
        ("Ziege im Baum", "Sie kam von selbst herunter.", f"{HOF}/ziege")
    ],
    "control-script-with-end.xml": [("Waage geeicht", "Vor dem Tor. Hinter dem Tor.", None)],
    "control-title-markup.xml": [("Eins Zwei fett", "", None), ("Drei Vier", "", None)],
    "control-trailer-with-title.xml": [
        ("Ofenbank", "Lehm wärmt lange.", None),
        ("Kachel", "Ton bleibt kühl.", None),
    ],
    "dc-title-first.xml": [("Wagenrad gefunden", "Im Heu.", f"{HOF}/rad")],
    "emoji-and-joiners.xml": [
        ("Hof für alle 👨\u200d👩\u200d👧", "", None),
        ("Regenbogen 🏳\ufe0f\u200d🌈", "", None),
        ("خانه\u200cها", "", None),
    ],
    "entities-doctype-same-line.xml": [("Sträuße fürs Büro", "Ab 9 € – „schön“.", None)],
    "entities-with-doctype.xml": [("Sträuße fürs Büro", "Ab 9 € – „schön“.", None)],
    "eszett-host.xml": [("Neues vom Fuß der Burg", "Ein Weg.", "https://xn--burgfu-gta.example/a")],
    "image-title-in-item.xml": [("Backhaus heizt an", "Brot gibt es freitags.", f"{HOF}/backhaus")],
    "json-bad-link.json": [("Gut", "", f"{HOF}/1")],
    "json-id-is-the-url.json": [("Notiz", "Kurz.", f"{HOF}/notiz")],
    "link-with-uri-attribute.xml": [("Zaun", "", f"{HOF}/zaun")],
    "markup-first.xml": [("Brief aus dem Hof", "Die Pumpe ist repariert.", None)],
    "media-description-before-text.xml": [
        ("Trecker läuft", "Nach zwei Jahren sprang er an.", f"{HOF}/trecker")
    ],
    "no-link-but-enclosure.xml": [("Folge 2: Sensen", "Mit Klang.", f"{HOF}/2.mp3")],
    "one-bad-byte.xml": [
        ("Gärten, Mäuse und Öl", "Süße Äpfel für jeden Gärtner – drei Körbe.", None),
        ("Gekürzt", "Wir grüßen alle Nachbarn, besonders J\ufffd", None),
    ],
    "one-latin1-item.xml": [
        *[
            (f"Gärten und Höfe, Teil {n}", f"Schöne Bäume über Mauern, Teil {n}.", None)
            for n in range(1, 6)
        ],
        ("Fremder Beitrag", "M\ufffdhle und B\ufffdckerei am Bach.", None),
    ],
    "reference-too-big.xml": [("Zuerst", "", None), ("Dann", "Vor \ufffd nach.", None)],
    "says-utf16-is-utf8.xml": [("Hühner zählen", "", f"{HOF}/1")],
    "selfclosed-iframe.xml": [("Film vom Dreschen", "Gedreht im August.", None)],
    "selfclosed-iframe-titleless.xml": [("Der Mäher steht still.", "Er wird geschmiert.", None)],
    "selfclosed-iframe-twice.xml": [
        ("Zwei Filme vom Dreschen", "Gedreht im August. Und im Herbst.", None)
    ],
    "sentence-with-read-on.xml": [
        ("Kurs", "Es gibt Tee. Mehr lesen lernen alle, die kommen.", None),
        ("Weiterlesen macht Freude, sagt Opa.", "", None),
        ("Tür", "Die Tür klemmt.", None),
    ],
    "superscript.xml": [("Volumen", "Das Silo fasst 10⁵ Liter.", None)],
    "surrogate-pair.xml": [("Zuerst", "", None), ("Danke 🙏 an alle", "", None)],
    "title-names-a-tag.xml": [
        ("Was <title> bewirkt und was nicht", "", None),
        ("Mit <svg> malen", "", None),
    ],
}
DATES = {
    "dates-us.xml": ["2025-11-05T14:00", "2025-11-23T14:00"],
    "control-dates-day-first.xml": ["2025-11-05T14:00", "2025-11-23T14:00"],
    "dates-iso-loose.xml": ["2025-11-20T09:00"] * 4,
    "control-far-future.xml": ["2025-11-26T12:00", "2025-11-20T08:00"],
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_body_of_the_collection_is_read_for_what_it_means(name: str) -> None:
    feed = read(name)
    entries = [
        (item.title, item.summary, item.link if link else None)
        for item, (_, _, link) in zip(feed.items, RIGHT[name], strict=True)
    ]
    assert entries == RIGHT[name]
    if name == "json-bad-link.json":
        assert feed.problems == ("entry 2 was left out: its link is not a web address",)
    else:
        assert feed.problems == ()


@pytest.mark.parametrize("name", DATES)
def test_dates_of_the_collection_are_read_by_their_neighbours(name: str) -> None:
    assert [f"{item.date:%Y-%m-%dT%H:%M}" for item in read(name).items] == DATES[name]


def test_the_reason_of_an_ambiguous_date_is_kept() -> None:
    first, second = read("dates-us.xml").items
    assert first.date_reason == "month first, as in 11/23/2025 of this feed"
    assert second.date_reason == ""


def test_every_case_has_an_expectation() -> None:
    assert {path.name for path in CASES.iterdir()} == {*RIGHT, *DATES}
