"""Converts plain text as editors hand it in to Markdown with front matter; no word changes."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

from upcycle_news.content.essays import join_front_matter, yaml_quoted
from upcycle_news.errors import ContentError
from upcycle_news.text.excerpts import propose_summary
from upcycle_news.text.sanitize import word_set
from upcycle_news.text.smart_quotes import typeset

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


LONG_LINE = 120
"""Characters; a longer line is not wrapped text but a paragraph of its own."""

_LINE_ENDS = re.compile("\r\n|[\r\x0b\x85\u2028]")
_PAGE_ENDS = re.compile("[\x0c\u2029]")
# Replaced by a space, not removed: what they separated stays separated.
_CONTROLS = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]"
)


def decode_text(data: bytes) -> str:
    """Decode a file: UTF-8 or UTF-16 by its byte order mark, UTF-8 if valid, else cp1252."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # cp1252 leaves five bytes undefined; they are read as the controls of Latin-1.
        return "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in data)


def import_text(
    text: str, *, title: str, day: date, author: str | None = None, language: str = "de"
) -> str:
    """Return Markdown with front matter for a plain text; raises `ContentError` for an empty one.

    The last paragraph, when it is a byline, gives the author and closes the essay in italics. A
    repeated title and a byline above the text are removed from it: the front matter holds them.
    """
    paragraphs = [typeset(paragraph, language) for paragraph in split_paragraphs(text)]
    if not paragraphs:
        raise ContentError("the text", None, "there is nothing to import (the file is empty)")
    leading_author, paragraphs = _without_heading(paragraphs, typeset(title, language))
    closing_author = byline_author(paragraphs[-1]) if len(paragraphs) > 1 else None
    prose = paragraphs[:-1] if closing_author else paragraphs
    blocks = ["\n".join(map(escape_line, paragraph.split("\n"))) for paragraph in prose]
    if closing_author:
        blocks.append(f"*{escape_line(' '.join(paragraphs[-1].split()))}*")
    proposed_author = leading_author or closing_author or ""
    head = [
        ("title", yaml_quoted(typeset(title, language))),
        ("author", yaml_quoted(author if author is not None else proposed_author)),
        ("date", day.isoformat()),
        ("language", language),
        ("summary", yaml_quoted(propose_summary(" ".join(prose)))),
        ("topics", "[]"),
        ("status", "ready"),
    ]
    return join_front_matter(head, "\n\n".join(blocks))


def _without_heading(paragraphs: list[str], title: str) -> tuple[str | None, list[str]]:
    """Return the author named above the text, and the text without that line and its title."""
    first, rest = _first_line(paragraphs)
    titled = bool(rest) and first.casefold() == title.casefold()
    body = rest if titled else paragraphs
    first, rest = _first_line(body)
    # Without a title above it, the first line of a wrapped paragraph may end with any name.
    author = leading_byline_author(first) if rest and (titled or first == body[0]) else None
    return author, rest if author else body


def _first_line(paragraphs: list[str]) -> tuple[str, list[str]]:
    """Return the first line, and the paragraphs that follow it."""
    line, _, rest = paragraphs[0].partition("\n")
    return line, [*([rest] if rest else []), *paragraphs[1:]]


def split_paragraphs(text: str) -> list[str]:
    """Split a text into paragraphs: at blank lines, and at line ends where lines are long."""
    text = _PAGE_ENDS.sub("\n\n", _LINE_ENDS.sub("\n", text.removeprefix("\ufeff")))
    text = unicodedata.normalize("NFC", _CONTROLS.sub(" ", text))
    lines = [line.strip() for line in text.strip().split("\n")]
    has_blank_lines = "" in lines
    paragraphs: list[str] = []
    for block in re.split(r"\n{2,}", "\n".join(lines)):
        rows = [row for row in block.split("\n") if row]
        if any(len(row) > LONG_LINE for row in rows):
            paragraphs += rows
        elif rows:
            paragraphs += ["\n".join(rows)] if has_blank_lines else _unwrap(rows)
    return paragraphs


def _unwrap(rows: list[str]) -> list[str]:
    """Split wrapped lines without blank ones: a short line that ends a sentence ends a paragraph."""
    width = max(map(len, rows))
    paragraphs: list[list[str]] = [[]]
    for row in rows:
        paragraphs[-1].append(row)
        if len(row) < 0.75 * width and re.search(r"[.!?…][\"'“”’‘»«)]*$", row):
            paragraphs.append([])
    *most, last = paragraphs
    if len(rows) > 1 and last and byline_author(last[-1]):
        most, last = [*most, last[:-1]], last[-1:]
    return ["\n".join(group) for group in (*most, last) if group]


# All that Markdown (with tables, strikethrough, typographic replacements) could read as markup.
_INLINE = re.compile(
    r"[\\`*\[\]|]|~~|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?])|&(?=#?\w+;)|\((?=(?:c|r|p|tm)\))|\+(?=-)",
    re.IGNORECASE,
)
_BLOCK = re.compile(r"(#{1,6}(?=\s|$)|>|[-+](?=\s|$)|~{3,}|=+\s*$|-+\s*$|:)")
_NUMBERED = re.compile(r"(\d{1,9})([.)])(?=\s|$)")


def escape_line(line: str) -> str:
    """Escape one line of plain text so that Markdown shows it unchanged."""
    line = _INLINE.sub(r"\\\g<0>", line.strip())
    if match := _NUMBERED.match(line):
        return f"{match[1]}\\{line[match.start(2) :]}"
    return "\\" + line if _BLOCK.match(line) else line
