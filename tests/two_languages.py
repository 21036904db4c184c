"""A publication in German and English: its settings, an essay with its translation, and readers of both."""

from __future__ import annotations

from pathlib import Path

from upcycle_news.models import EmailAddress
from upcycle_news.storage.subscribers import NewSubscriber

from .publications import Publication

SETTINGS = """
[languages.en]
de = "Englisch"
name = "Conversion Post"
tagline = "Essays on what is there"
closing_note = "Write to us."
imprint = ["Umbau e. V., Lange Straße 1, 12345 Musterstadt, Germany"]

[topics.bauen]
de = "Bauen & Umbauen"
en = "Building"

[audience]
topics = ["bauen"]
"""

GERMAN = """\
---
title: Lob der Schraube
author: Mathilde Übersee
date: 2026-11-20
topics: [bauen]
summary: Was sich lösen lässt.
status: ready
---

Wer schraubt, "kann" auch lösen. Der Leim dagegen hält für immer.
"""

ENGLISH = """\
---
title: In Praise of the Screw
summary: What comes apart again.
---

Whoever uses screws can "undo" things. Glue holds for ever.
"""


def make_bilingual(publication: Publication, settings: str = SETTINGS) -> None:
    """Let readers choose English."""
    path = publication.home / "newsletter.toml"
    path.write_text(path.read_text("utf-8") + settings, encoding="utf-8")


def write_translated(publication: Publication, english: str = ENGLISH) -> tuple[Path, Path]:
    """Write an essay and its translation; returns both files."""
    folder = publication.home / "content/essays"
    german, translation = folder / "2026-11-20-schraube.de.md", folder / "2026-11-20-schraube.en.md"
    german.write_text(GERMAN, encoding="utf-8")
    translation.write_text(english, encoding="utf-8")
    return german, translation


def add_readers(publication: Publication) -> None:
    """Add two readers of German, one of English, and one of a language that nobody offers."""
    people = {"anna": "de", "bert": "de", "carol": "en", "delphine": "fr"}
    publication.add_subscribers(
        *(
            NewSubscriber(EmailAddress.parse(f"{name}@example.org"), language=language)
            for name, language in people.items()
        )
    )
