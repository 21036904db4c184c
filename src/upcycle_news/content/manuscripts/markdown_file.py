"""Reads a Markdown file with the head of any program: Hugo's, Jekyll's, Obsidian's, our own."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date

from upcycle_news.content.frontmatter import FrontMatter, split_front_matter
from upcycle_news.errors import ContentError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.text.sanitize import normalise_whitespace

_NAMES = {
    "title": ("title", "titel"),
    "author": ("author", "authors", "autor", "autorin", "by"),
    "date": ("date", "datum", "publishdate", "pubdate", "published"),
    "language": ("language", "lang", "sprache"),
    "summary": ("summary", "description", "excerpt", "abstract", "teaser"),
    "topics": ("topics", "tags", "categories", "keywords", "themen"),
    "status": ("status", "draft"),
    "image": ("image", "cover", "featured_image", "thumbnail"),
    "image_alt": ("image_alt", "cover_alt", "imagealt"),
    "image_caption": ("image_caption", "imagecaption"),
    "image_credit": ("image_credit", "imagecredit"),
    "length": ("length",),
    "pin": ("pin",),
    "ban": ("ban",),
}
"""Keys of an essay, and what other programs call them, in lower case."""


class _EveryKey(Collection[str]):
    """All keys are known: those we have no use for are told, not refused."""

    def __contains__(self, key: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@dataclass(frozen=True)
class MarkdownFile:
    """The head's values by our names, and the body; `left` are keys that an essay does not have."""

    body: str
    texts: dict[str, str] = field(default_factory=dict)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    day: date | None = None
    left: tuple[str, ...] = ()


def read_markdown(text: str, where: str) -> MarkdownFile:
    """Return a Markdown file's head and body; raises `ContentError` for a head that is broken."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\n")
    text = _with_fences(text)
    if text.split("\n", 1)[0].rstrip() not in ("---", "+++") or not _has_keys(text):
        return MarkdownFile(text.strip("\n"))
    parts = split_front_matter(where, text)
    head = FrontMatter(where, parts.head, _EveryKey(), prose=("title",), is_toml=parts.is_toml)
    names = {key.lower(): key for key in head.keys()}  # noqa: SIM118  it is no mapping
    chosen = {
        name: next((names[other] for other in others if other in names), "")
        for name, others in _NAMES.items()
    }
    texts = {
        name: _text(head, key)
        for name, key in chosen.items()
        if key and name not in ("date", "topics", "pin", "ban")
    }
    if (key := chosen["status"]) and texts["status"] not in ("draft", "ready"):
        is_draft = texts["status"].lower() in ("true", "yes") if key.lower() == "draft" else False
        texts["status"] = "draft" if is_draft else "ready"
    lists = {name: _texts(head, chosen[name]) for name in ("topics", "pin", "ban") if chosen[name]}
    day = head.day(chosen["date"]) if chosen["date"] else None
    if head.errors:
        first, *more = head.errors
        raise ContentError(where, first.line, first.text, more)
    left = tuple(key for key in head.keys() if key not in chosen.values())  # noqa: SIM118
    return MarkdownFile(parts.body, texts, lists, day, left)


def _with_fences(text: str) -> str:
    """Return a text whose head is JSON (Hugo) or pandoc's title block with a head of YAML.

    JSON is YAML (YAML 1.2, 1.3), so its object stands between fences as it is.
    """
    if text.startswith("{"):
        try:
            head, end = json.JSONDecoder().raw_decode(text)
        except (ValueError, RecursionError):
            return text
        is_head = isinstance(head, dict) and head and text[end:].startswith("\n")
        return f"---\n{text[:end]}\n---\n{text[end:]}" if is_head else text
    if match := re.match(r"% (.+)\n(?:%(?: (.+))?\n)?(?:%(?: (.+))?\n)?", text):
        keys = zip(("title", "author", "date"), match.groups(), strict=True)
        lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in keys if value)
        return f"---\n{lines}---\n{text[match.end() :]}"
    return text


def _has_keys(text: str) -> bool:
    """Return whether a first line of three signs opens a head: it may be a rule above a text."""
    if re.match(r"---\n\{\s*\"", text):
        return True
    return bool(
        re.match(r"(?:---|\+\+\+)[ \t]*\n\s*(?:#[^\n]*\n\s*)*[\w.-]+\s*[:=\]]|\+\+\+", text)
    )


def _text(head: FrontMatter, key: str) -> str:
    """Return a key as one line; a list, such as several authors, with commas."""
    written = head.written(key)
    return normalise_whitespace(", ".join(filter(None, written.split("\n"))))


def _texts(head: FrontMatter, key: str) -> tuple[str, ...]:
    """Return a key as a list; a text is one at its commas."""
    written = head.written(key)
    pieces = written.split("\n") if "\n" in written else written.split(",")
    return tuple(filter(None, map(normalise_whitespace, pieces)))


def notes_of(file: MarkdownFile) -> tuple[LocalizedText, ...]:
    """Return a sentence for the keys that are not taken over."""
    return (localized("import-keys", keys=file.left),) if file.left else ()
