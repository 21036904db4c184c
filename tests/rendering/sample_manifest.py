"""A sample issue for rendering tests: an essay with everything, two teasers, three stories."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from upcycle_news.models import (
    Essay,
    FeedItem,
    ImageRef,
    Issue,
    IssueId,
    Manifest,
    Publication,
    Related,
    Story,
)
from upcycle_news.rendering.templates import load_templates

TEMPLATES = load_templates(Path(__file__).parents[2] / "templates")

BODY = """\
Wer am Dienstagvormittag durch die Lange Straße geht, hört zuerst die Bohrmaschine. Im früheren \
Kaufhaus, das elf Jahre leer stand, setzt die Tischlerin "ihre" Fenster ein: Sie stammen aus einer \
Schule, die z. B. nach § 5 der alten Satzung abgerissen worden wäre. "Das Wort 'Leerstand' ist \
falsch", sagt der Hausmeister. "Leer steht hier nur, was niemand braucht."

Der Bestand ist gebaut, bezahlt und *vertraut*. Was fehlt, ist selten Geld – **es fehlt das \
Zutrauen**, dass ein Haus mehr als ein Leben hat. Eine [Übersicht der Kommunen]\
(https://beispiel.example/kommunen?jahr=2026&seite=2) zählt 40 % mehr Umbauten als vor drei Jahren.

## Drei Dinge, die fast nichts kosten

Was die Stadt zuerst getan hat, passt auf einen Zettel:

- den Schlüssel beim Bäcker hinterlegen, damit Neugierige das Haus von innen sehen;
- eine Liste führen, wer welches Werkzeug verleiht (d. h. auch, wer es *zurückbringt*);
- den Ratssaal einmal im Monat dorthin verlegen, wo gebaut wird.

> Ein Haus, das man repariert hat, verkauft man nicht so leicht. Es gehört einem dann auf eine \
andere Weise als vorher.

Nicht jedes Bauteil findet seinen Platz. Türen schon, Heizkörper selten, Fliesen nur, wenn jemand \
sie beim Ausbau einzeln nummeriert.

### Was sich wiederverwenden lässt

| Bauteil | Aufwand | Ersparnis |
|---|---|---|
| Fenster | mittel | 55 % |
| Türen | gering | 70 % |
| Ziegel | hoch | 30 % |

1. Vor dem Abbruch ansehen, nicht danach.
2. Aufschreiben: Maße, Menge, Ort, etwa als `fenster.csv`.
3. Erst dann entscheiden.

## Und danach?

Im Frühjahr zieht die Bücherei ein. Der Kreislaufwirtschaftsbetrieb des Landkreises hat die Regale \
gespendet, die Feuerwehr trägt sie hoch. Wer mithelfen will, schreibt an \
[die Werkstatt](mailto:werkstatt@beispiel.example) oder kommt vorbei.

---

*Redaktionelle Notiz:* Der Text erscheint in einer Reihe über das [Bauen mit dem, was da ist]\
(https://beispiel.example/bestand).
"""

LEAD = Essay(
    slug="das-zweite-leben-der-langen-strasse",
    source="content/essays/lange-strasse.md",
    title="Das zweite Leben der Langen Straße",
    author="Redaktion upcycle",
    date=date(2026, 10, 20),
    language="de",
    summary="Eine Kleinstadt baut um, statt abzureißen.",
    body=BODY,
    topics=("kleinstadt",),
    body_line=9,
)

TEASERS = (
    replace(
        LEAD,
        slug="werkstatt-statt-wertstoffhof",
        source="content/essays/werkstatt.md",
        title="Werkstatt statt Wertstoffhof",
        summary="Reparieren ist kein Verzicht, sondern eine Fertigkeit, die eine Gegend reicher "
        "macht. Was passiert, wenn der Landkreis sie wieder lehrt?",
    ),
    replace(
        LEAD,
        slug="ziegel-mit-geschichte",
        source="content/essays/ziegel.md",
        title='Ziegel mit "Geschichte"',
        summary="Warum ein alter Stein doppelt so viel wert ist wie ein neuer, und wer ihn putzt.",
    ),
)

PUBLICATION = Publication(
    name="e+k upcycle",
    tagline="Essays über das, was schon da ist",
    language="de",
    timezone="Europe/Berlin",
    public_url="https://news.upcycle.example",
    imprint=(
        "e+k upcycle gGmbH · Lange Straße 7 · 01234 Musterstadt",
        "Vertreten durch: Erika Muster · redaktion@upcycle.example",
    ),
    closing_note="Die nächste Ausgabe kommt in zwei Wochen. Antworten Sie gern auf diese Mail: "
    "Wir lesen alles.",
)


def item(number: int, **changes: Any) -> FeedItem:
    """A feed item; `number` makes it differ from the others."""
    base = FeedItem(
        key=f"tag:feed,{number}",
        feed="Umbau-Anzeiger",
        link=f"https://feed{number}.example/artikel/{number}?a=1&b=2",
        canonical=f"https://feed{number}.example/artikel/{number}",
        title=f"Landkreis sammelt Bauteile: Lager Nr. {number} eröffnet",
        summary="In der alten Molkerei lagern jetzt Türen, Fenster und Balken. Wer baut, kann sie "
        "kostenlos ansehen und gegen eine kleine Gebühr mitnehmen.",
        date=datetime(2026, 11, 23, 23, 30, tzinfo=UTC),
        date_source="feed",
    )
    return replace(base, **changes)


RELATED = (
    Related(
        Story(
            (
                item(1),
                item(2, feed="Kreisbote"),
                item(3, feed="Nordblatt", language="de"),
            )
        ),
        3.2,
        ("bauteile",),
    ),
    Related(
        Story(
            (
                item(
                    4,
                    feed="Small Towns Review",
                    language="en",
                    title="A library moves into the department store",
                    summary="The town bought the empty store for one euro. Now it has a reading "
                    "room, a tool library and the best coffee within ten miles.",
                ),
            )
        ),
        2.1,
        ("bücherei",),
    ),
    Related(
        Story(
            (
                item(
                    5,
                    feed="Kommunal kompakt",
                    title="Förderung für Umbau statt Abriss: Frist endet am 15. Dezember",
                    summary="",
                ),
            )
        ),
        1.4,
        ("umbau",),
    ),
)

ISSUE = Issue(
    id=IssueId(date(2026, 11, 26)),
    language="de",
    subject="Das zweite Leben der Langen Straße",
    preheader="Eine Kleinstadt baut um, statt abzureißen – und zwei Texte vom Reparieren.",
    essays=(LEAD, *TEASERS),
    related=RELATED,
    topics=("kleinstadt",),
)


def png(width: int = 1072, height: int = 603, shade: int = 90) -> bytes:
    """A PNG without an image library: a sky above a row of gables, in one grey and two greens."""
    rows = []
    for y in range(height):
        row = bytearray([0])
        for x in range(width):
            gable = height * 0.45 + abs((x % (width // 5)) - width // 10) * 0.8
            colour = (shade, 120, 104) if y > gable else (226 - y * 40 // height, 231, 221)
            row += bytes(colour)
        rows.append(bytes(row))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(b"".join(rows), 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def manifest(**changes: Any) -> Manifest:
    """The sample issue; `changes` replace fields of the issue."""
    return Manifest(replace(ISSUE, **changes), PUBLICATION, TEMPLATES)


def with_body(body: str, **changes: Any) -> Manifest:
    """The sample issue led by another text."""
    return manifest(essays=(replace(LEAD, body=body, **changes), *TEASERS))


def with_picture(alt: str = "Giebel in der Langen Straße", **changes: Any) -> Manifest:
    """The sample issue with an image above its lead essay."""
    lead = replace(LEAD, image=ImageRef("giebel.png", alt), **changes)
    small = png(60, 40)
    return replace(manifest(essays=(lead, *TEASERS)), images={"giebel.png": small})
