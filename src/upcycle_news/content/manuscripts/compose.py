"""Composes an essay's file from a manuscript: its own title and byline stand in the head only."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from upcycle_news.content.essays import essay_filename, join_front_matter, yaml_quoted
from upcycle_news.content.manuscripts.document import Document
from upcycle_news.content.manuscripts.inline import TooManyPiecesError
from upcycle_news.content.manuscripts.languages import language_of
from upcycle_news.content.manuscripts.markdown_file import MarkdownFile, notes_of
from upcycle_news.content.manuscripts.to_markdown import (
    Block,
    join_blocks,
    write_document,
)
from upcycle_news.content.plaintext_import import import_text, split_paragraphs
from upcycle_news.errors import ContentError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.text.bylines import byline_author, leading_byline_author
from upcycle_news.text.excerpts import propose_summary, summary_of_markdown
from upcycle_news.text.sanitize import normalise_whitespace
from upcycle_news.text.smart_quotes import typeset

MAX_TITLE = 120
"""Characters of a line that is taken for a title when none is given."""


@dataclass(frozen=True)
class ImportRequest:
    """What the editor says about a manuscript; None is left to the manuscript, `day` is its default."""

    where: str
    title: str | None
    day: date
    author: str | None
    language: str | None
    publication_language: str
    day_is_given: bool = False
    status: Literal["ready", "draft"] = "ready"
    summary: str = ""
    topics: tuple[str, ...] = ()
    canonical: str = ""


@dataclass(frozen=True)
class ComposedEssay:
    """An essay's file before it is written, the pictures that go with it, and what is to be told."""

    title: str
    day: date
    text: str
    pictures: dict[str, bytes]
    notes: tuple[LocalizedText, ...] = ()


PictureNamer = Callable[[str, bytes], str]
"""Returns the name for a picture below content/images, by the essay's title and its bytes."""


def compose_text(text: str, request: ImportRequest) -> ComposedEssay:
    """Return the essay of a plain text; raises `ContentError`."""
    language = request.language or language_of(text, "", request.publication_language)
    title = request.title or _title_of_text(text)
    if not title:
        raise ContentError(request.where, None, localized("manuscript-no-title"))
    try:
        essay = import_text(
            text,
            title=title,
            day=request.day,
            author=request.author,
            language=language,
            status=request.status,
        )
    except ContentError as error:
        raise ContentError(request.where, error.line, error.text) from None
    return ComposedEssay(title, request.day, essay, {})


def _title_of_text(text: str) -> str:
    """Return the first line of a text if it looks like a title: short, alone, and no sentence."""
    paragraphs = split_paragraphs(text)
    if len(paragraphs) < 2:
        return ""
    first = paragraphs[0].split("\n")[0]
    return first if _is_title(first) and not leading_byline_author(first) else ""


def _is_title(line: str) -> bool:
    return 0 < len(line) <= MAX_TITLE and not re.search(r"[.:;,…][\"“”’]*$", line)


def compose_document(
    document: Document, request: ImportRequest, name_picture: PictureNamer
) -> ComposedEssay:
    """Return the essay of a document; raises `ContentError` for one without text or title."""
    words = " ".join("".join(document.body.itertext()).split())
    language = request.language or language_of(
        words, document.language, request.publication_language
    )
    places: dict[str, str] = {}

    def hold(key: str) -> str:
        """Return a stand-in for the name of a picture, which follows from the title."""
        return places.setdefault(key, f"\ue000{key}\ue001")

    try:
        written = write_document(document, language, hold)
    except TooManyPiecesError:
        raise ContentError(request.where, None, localized("manuscript-bomb")) from None
    blocks = list(written.blocks)
    if all(block.kind == "heading" for block in blocks):
        raise ContentError(request.where, None, localized("manuscript-empty"))
    title, blocks = _take_title(blocks, document, request, language)
    author, blocks = _take_author(blocks)
    notes = list(document.losses.notes())
    if request.author is None and not author and (name := _person(document.author)):
        author = name
        notes.append(localized("import-author", name=name))
    body = join_blocks(tuple(blocks), written.notes)
    names = {key: name_picture(title, document.pictures[key]) for key in places}
    for key, holder in places.items():
        body = body.replace(holder, names[key])
    prose = " ".join(block.plain for block in blocks if block.kind == "paragraph")
    head = [
        ("title", yaml_quoted(title)),
        ("author", yaml_quoted(request.author if request.author is not None else author)),
        ("date", request.day.isoformat()),
        ("language", language),
        ("summary", yaml_quoted(typeset(request.summary, language) or propose_summary(prose))),
        ("topics", _yaml_list(request.topics)),
        ("status", request.status),
    ]
    head += [("canonical", yaml_quoted(request.canonical))] if request.canonical else []
    if not normalise_whitespace(re.sub(r"[*#>\-|]", "", body)):
        raise ContentError(request.where, None, localized("manuscript-empty"))
    pictures = {names[key]: document.pictures[key] for key in places}
    return ComposedEssay(title, request.day, join_front_matter(head, body), pictures, tuple(notes))


def _take_title(
    blocks: list[Block], document: Document, request: ImportRequest, language: str
) -> tuple[str, list[Block]]:
    """Return the title, and the blocks without it where they begin with it."""
    first = blocks[0]
    heads = [block for block in blocks if block.kind == "heading" and block.level <= 1]
    own = normalise_whitespace(first.plain)
    heading = first.kind == "heading" and (first.level == 0 or heads == [first])
    if request.title:
        title = typeset(request.title, language)
    elif heading:
        title = own
    elif document.title:
        title = typeset(document.title, language)
    elif len(blocks) > 1 and first.kind == "paragraph" and _is_title(own):
        title = own
    else:
        raise ContentError(request.where, None, localized("manuscript-no-title"))
    if own.casefold() == normalise_whitespace(title).casefold() and len(blocks) > 1:
        return title, blocks[1:]
    return title, blocks


def _take_author(blocks: list[Block]) -> tuple[str, list[Block]]:
    """Return the author that a byline names: one above the text goes, one below it stays in italics."""
    for position, block in enumerate(blocks[:3]):
        if block.kind == "paragraph" and (name := leading_byline_author(block.plain)):
            rest = [*blocks[:position], *blocks[position + 1 :]]
            return (name, rest) if rest else ("", blocks)
        if block.kind == "paragraph" and len(block.plain) > MAX_TITLE:
            break
    last = blocks[-1]
    if len(blocks) > 1 and last.kind == "paragraph" and (name := byline_author(last.plain)):
        if not re.search(r"[*_]", last.markdown):
            blocks = [*blocks[:-1], replace(last, markdown=f"*{last.markdown}*")]
        return name, blocks
    return "", blocks


def _person(name: str) -> str:
    """Return a name from a file's properties if it is a person's: programs write their own there."""
    return leading_byline_author(f"Von {name}") or ""


_PICTURE = re.compile(r"(!\[[^\]]*\]\()<?([^)\s>]+)>?")


def compose_markdown(
    file: MarkdownFile, request: ImportRequest, read_beside: Callable[[str], bytes | None],
    name_picture: PictureNamer,
) -> ComposedEssay:  # fmt: skip
    """Return the essay of a Markdown file, whose text stays as it is; raises `ContentError`."""
    title, body = _title_of_markdown(file, request)
    if not body.strip():
        raise ContentError(request.where, None, localized("manuscript-empty"))
    pictures: dict[str, bytes] = {}

    def take(match: re.Match[str]) -> str:
        """Take a picture that lies beside the file along; others stay as they are written."""
        if (data := read_beside(match[2])) is None:
            return match[0]
        name = name_picture(title, data)
        pictures[name] = data
        return f"{match[1]}{name}"

    body = _PICTURE.sub(take, body)
    declared = file.texts.get("language", "")
    language = request.language or declared or language_of(body, "", request.publication_language)
    day = request.day if request.day_is_given or file.day is None else file.day
    author = request.author if request.author is not None else file.texts.get("author", "")
    head = [
        ("title", yaml_quoted(title)),
        ("author", yaml_quoted(author)),
        ("date", day.isoformat()),
        ("language", language),
        ("summary", yaml_quoted(file.texts.get("summary") or summary_of_markdown(body))),
        ("topics", _yaml_list(file.lists.get("topics", ()))),
    ]
    notes = [*notes_of(file)]
    if source := file.texts.get("image", ""):
        if (data := read_beside(source)) is not None:
            source = name_picture(title, data)
            pictures[source] = data
        head.append(("image", yaml_quoted(source)))
    keys = ("image_alt", "image_caption", "image_credit") if source else ()
    head += [(key, yaml_quoted(file.texts[key])) for key in keys if file.texts.get(key)]
    head += [("length", file.texts["length"])] if file.texts.get("length") else []
    head += [(key, _yaml_list(file.lists[key])) for key in ("pin", "ban") if file.lists.get(key)]
    is_draft = "draft" in (request.status, file.texts.get("status"))
    head.append(("status", "draft" if is_draft else "ready"))
    return ComposedEssay(title, day, join_front_matter(head, body), pictures, tuple(notes))


def _title_of_markdown(file: MarkdownFile, request: ImportRequest) -> tuple[str, str]:
    """Return the title, and the body without a first heading that repeats it."""
    body = file.body.strip("\n")
    match = re.match(r"#[ \t]+(.+?)[ \t]*#*[ \t]*(?:\n|$)", body)
    title = request.title or file.texts.get("title") or (match[1] if match else "")
    if not title:
        raise ContentError(request.where, None, localized("manuscript-no-title"))
    if match and match[1].casefold() == title.casefold():
        body = body[match.end() :].lstrip("\n")
    return title, body


def _yaml_list(texts: tuple[str, ...]) -> str:
    return f"[{', '.join(map(yaml_quoted, texts))}]"


def picture_stem(title: str, day: date) -> str:
    """Return how the files of an essay's pictures begin: ``bauen-mit-dem-was-da-ist``."""
    return essay_filename(title, day)[len("2026-11-26-") : -len(".md")]
