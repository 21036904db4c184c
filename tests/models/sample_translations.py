"""A manifest of an issue in two languages."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from upcycle_news.models import (
    Author,
    Essay,
    Issue,
    IssueId,
    Manifest,
    PublicationTexts,
)

from ..rendering.sample_manifest import PUBLICATION

GERMAN = Essay(
    "schraube",
    "content/essays/schraube.de.md",
    "Lob der Schraube",
    "Mathilde Übersee",
    date(2026, 11, 20),
    "de",
    "Was sich lösen lässt.",
    "Wer schraubt, kann auch lösen.",
)
ENGLISH = replace(
    GERMAN,
    source="content/essays/schraube.en.md",
    title="In Praise of the Screw",
    language="en",
    summary="What comes apart again.",
    body="Whoever uses screws can undo things.",
    folder="en",
)


def translated_manifest() -> Manifest:
    """The issue of 26 November 2026 with one essay in both languages."""
    day = IssueId(date(2026, 11, 26))
    english = Issue(day, "en", ENGLISH.title, ENGLISH.summary, (ENGLISH,), folder="en")
    publication = replace(
        PUBLICATION,
        texts=(PublicationTexts("en", "Conversion Post", imprint=("Umbau e. V., Germany",)),),
        authors=(Author("Mathilde Übersee", "Tischlerin.", "", (("en", "A joiner."),)),),
        topic_labels=(("de", "bauen", "Bauen"), ("en", "bauen", "Building")),
        language_labels=(("de", "en", "Englisch"),),
    )
    issue = Issue(day, "de", GERMAN.title, GERMAN.summary, (GERMAN,), translations=(english,))
    return Manifest(issue, publication, {})
