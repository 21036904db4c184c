"""The pieces of mails and pages that the gallery shows, each with the lines that make it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from upcycle_news.i18n.messages import LocalizedText, localized

ESSAY = "essay"
"""Stands among the partials of a piece for the text of the leading essay alone."""


@dataclass(frozen=True)
class Piece:
    """A piece by its name: the file and the lines that make it, by language, and what shows it in a mail.

    `partials` are those of its frame, without suffix; `essay` are fields of the leading essay, `teasers` how many
    other essays there are. `height` and `page_height` are CSS pixels of its views, 0 on a page where it is none.
    """

    name: str
    title: LocalizedText
    file: Literal["essay", "front matter", "newsletter.toml", "templates/theme.toml"]
    lines: Mapping[str, str]
    partials: tuple[str, ...] = (ESSAY,)
    essay: Mapping[str, Any] = field(default_factory=dict)
    teasers: int = 0
    height: int = 260
    page_height: int = 420


def _both(lines: str) -> dict[str, str]:
    return {"de": lines, "en": lines}


PIECES = (
    Piece(
        "logo",
        localized("piece-logo"),
        "templates/theme.toml",
        _both('[logo]\nlight = "logo.png"\ndark = "logo-dark.png"\nwidth = 180'),
        ("masthead",),
    ),
    Piece(
        "masthead",
        localized("piece-masthead"),
        "templates/theme.toml",
        _both('[masthead]\nalign = "center"'),
        ("masthead",),
    ),
    Piece(
        "header-picture",
        localized("piece-header-picture"),
        "templates/theme.toml",
        {
            "de": '[masthead]\npicture = "kopf.png"\npicture_alt = "Dächer einer Kleinstadt"',
            "en": '[masthead]\npicture = "kopf.png"\npicture_alt = "Roofs of a small town"',
        },
        ("masthead",),
        height=340,
        page_height=0,
    ),
    Piece(
        "kicker",
        localized("piece-kicker"),
        "front matter",
        {"de": 'kicker: "Werkstattbericht"', "en": 'kicker: "From the workshop"'},
        ("lead",),
        {"kicker": {"de": "Werkstattbericht", "en": "From the workshop"}},
    ),
    Piece(
        "author",
        localized("piece-author"),
        "newsletter.toml",
        {
            "de": '[[authors]]\nname = "Mathilde Übersee"\nportrait = "mathilde.png"\n'
            'about = "Tischlerin. Sie schreibt über das, was sie repariert."',
            "en": '[[authors]]\nname = "Mathilde Übersee"\nportrait = "mathilde.png"\n'
            'about = "A carpenter. She writes about what she repairs."',
        },
        ("author",),
        {"author": "Mathilde Übersee"},
        height=150,
    ),
    Piece(
        "picture",
        localized("piece-picture"),
        "essay",
        {
            "de": '![Eine Werkbank](werkbank.png "Die Werkbank im März. Foto: Mathilde Übersee")',
            "en": '![A workbench](werkbank.png "The workbench in March. Photo: Mathilde Übersee")',
        },
        height=340,
    ),
    Piece(
        "box",
        localized("piece-box"),
        "essay",
        {
            "de": "::: kasten Gut zu wissen\nDie Werkstatt ist **jeden Samstag** offen.\n:::",
            "en": "::: box Good to know\nThe workshop is open **every Saturday**.\n:::",
        },
    ),
    Piece(
        "event",
        localized("piece-event"),
        "essay",
        {
            "de": "::: termin Offene Werkstatt\ndatum: Sa, 6.3.2027, 18–20 Uhr\n"
            "ort: Alte Post, Musterstraße 1\nlink: https://example.org/werkstatt\n\n"
            "Werkzeug ist da.\n:::",
            "en": "::: event Open workshop\ndate: Saturday, March 6, 2027, 6 pm to 8 pm\n"
            "place: Old post office, Musterstraße 1\nlink: https://example.org/workshop\n\n"
            "Tools are there.\n:::",
        },
        height=300,
    ),
    Piece(
        "button",
        localized("piece-button"),
        "essay",
        {
            "de": "::: knopf\n[Jetzt anmelden](https://example.org/anmelden)\n:::",
            "en": "::: button\n[Register now](https://example.org/register)\n:::",
        },
        height=140,
    ),
    Piece(
        "quote",
        localized("piece-quote"),
        "essay",
        {
            "de": "::: zitat\nLeer steht hier nur, was niemand braucht.\n"
            "von: Erika Beispiel, Hausmeisterin\n:::",
            "en": "::: quote\nOnly what nobody needs stands empty here.\n"
            "by: Erika Beispiel, caretaker\n:::",
        },
        height=200,
    ),
    Piece(
        "contents",
        localized("piece-contents"),
        "templates/theme.toml",
        _both("[mail]\ncontents_from = 3"),
        ("contents",),
        teasers=2,
        height=190,
        page_height=0,
    ),
    Piece(
        "small-pictures",
        localized("piece-small-pictures"),
        "templates/theme.toml",
        _both('[mail]\nteaser_pictures = "small"'),
        ("teasers",),
        teasers=1,
        height=320,
        page_height=0,
    ),
    Piece(
        "reply",
        localized("piece-reply"),
        "templates/theme.toml",
        _both('[mail]\nsections = ["lead", "teasers", "related", "reply", "closing"]'),
        ("reply",),
        height=200,
        page_height=0,
    ),
    Piece(
        "forwarded",
        localized("piece-forwarded"),
        "templates/theme.toml",
        _both("[mail]\nforwarded = true"),
        ("footer",),
        page_height=0,
    ),
    Piece(
        "channels",
        localized("piece-channels"),
        "newsletter.toml",
        _both(
            '[[channels]]\nname = "Mastodon"\nurl = "https://social.example.org/@umbau"\n\n'
            '[[channels]]\nname = "Podcast"\nurl = "https://podcast.example.org"'
        ),
        ("footer",),
        page_height=640,
    ),
    Piece(
        "imprint",
        localized("piece-imprint"),
        "newsletter.toml",
        _both(
            '[imprint]\nurl = "https://example.org/impressum"\n'
            'privacy_url = "https://example.org/datenschutz"'
        ),
        ("footer",),
        page_height=640,
    ),
)
