"""Bylines: the line of a text that says who wrote it."""

from __future__ import annotations

import re

from upcycle_news.text.sanitize import word_set

_PARTICLES = r"(?:von|van|de|der|den|zu|zur|zum|da|di|del|la|le|el|al|bin|ten|ter|und)"
_WORD = r"(?:[A-ZÀ-ÖØ-ÞĀ-Ž][\w’'.-]*)"
_NAME = rf"{_WORD}(?:[ \t]+(?:{_PARTICLES}[ \t]+){{0,2}}{_WORD}){{1,5}}"
_LABELLED = re.compile(
    rf"(?:Von|Text|Autor|Autorin|Autor\*in|Ein Beitrag von|By)(?::|[ \t])[ \t]*"
    rf"({_NAME})(?P<rest>.*)"
)
_PORTRAIT = re.compile(
    rf"({_NAME})[ \t]+(?P<verb>ist|war|is|was|arbeitet|leitet|lehrt|forscht|schreibt|lebt|studiert"
    rf"|berät|verantwortet|gründete|works|leads|teaches|writes|lives)[ \t](?P<rest>.+)"
)
_NAME_AND_ROLE = re.compile(rf"({_NAME}),[ \t]+(?P<rest>[^.!?]+)\.?")
# Roles of an author: without such a word "Urban Mining ist die Zukunft." would be an author.
_ROLE = re.compile(
    r"\b\w*(?:leiter|leitung|führer|gründer|architekt|ingenieur|planer|planung|journalist|redakt|autor"
    r"|author|editor|professor|dozent|forscher|wissenschaft|soziolog|geograf|geograph|ökonom|biolog"
    r"|historiker|jurist|anwält|anwalt|referent|sprecher|berater|mitarbeiter|mitglied|vorstand"
    r"|vorsitzende|direktor|director|bürgermeister|chef|head|founder|partner|manager|expert|künstler"
    r"|schriftsteller|publizist|verleger|handwerker|tischler|student|beauftragte|koordinator|kurator"
    r"|researcher|lehrer|fellow|volontär|praktikant|consultant|writer|architect)\w*",
    re.IGNORECASE,
)
_NOT_A_NAME = word_set(
    """
    Der Die Das Den Dem Des Ein Eine Einen Einem Einer Und Aber Oder Denn Doch Auch Nur Nicht
    Wer Was Wie Wo Wann Warum Wenn Weil Dass Ob Im In Am An Auf Aus Bei Mit Nach Vor Für Über
    Unter Es Er Sie Wir Ihr Ich Man Mein Sein Unser Diese Dieser Dieses Jede Jeder Jedes Kein
    Keine Alle Viele Manche Heute Morgen Hier Dort Da So Noch Schon The A An This That It He She
    We They And But
    """
)
_PLACE_PREPOSITIONS = frozenset(["zu", "zum", "zur"])
MAX_LENGTH = 400


def byline_author(line: str) -> str | None:
    """Return the author's name when `line` is a byline, else None.

    Careful rather than clever: a closing sentence taken for a byline would put a false name on an
    essay, a missed byline only leaves the author to the editor.
    """
    line = " ".join(line.split())
    if not line or len(line) > MAX_LENGTH:
        return None
    if match := _LABELLED.fullmatch(line):
        rest = match["rest"]
        if rest.strip(" .") == "" or (rest.startswith(",") and not re.search(r"[.!?] ", rest)):
            return _name(match[1])
    if (match := _PORTRAIT.fullmatch(line)) and (
        match["verb"] not in ("ist", "war", "is", "was") or _ROLE.search(match["rest"])
    ):
        return _name(match[1])
    if (
        (match := _NAME_AND_ROLE.fullmatch(line))
        and _ROLE.search(match["rest"])
        and len(line) <= 200
    ):
        return _name(match[1])
    return None


def leading_byline_author(line: str) -> str | None:
    """Return the author's name when `line`, above a text, is only ``Von`` and a name, else None."""
    match = _LABELLED.fullmatch(" ".join(line.split()))
    if match is None or match["rest"] or match[1].endswith("."):
        return None
    names = [name.split() for name in match[1].split(" und ")]
    # "Von Haus zu Haus" and "Von Bonn und Berlin" are headings.
    if any(len(name) < 2 or _PLACE_PREPOSITIONS.intersection(name) for name in names):
        return None
    return _name(match[1])


def _name(matched: str) -> str | None:
    """Return a matched name, or None when one of its words cannot be a name."""
    name = matched.strip(" .")
    words = re.split(r"[ \t]+", name)
    return None if _NOT_A_NAME.intersection(words) or any(map(str.isdigit, words)) else name
