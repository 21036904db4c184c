"""Composes the essay of a post: the converter of manuscripts writes its text, the head is the post's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

from upcycle_news.content.essays import essay_filename, slug_of
from upcycle_news.content.manuscripts.compose import (
    ComposedEssay,
    ImportRequest,
    compose_document,
)
from upcycle_news.content.manuscripts.document import Document
from upcycle_news.content.manuscripts.html import document_of_html
from upcycle_news.content.posts.markup import PostMarkup
from upcycle_news.models.posts import Post


def post_digest(post: Post) -> str:
    """Return a digest of what an essay is made of: SHA-256, in hexadecimal."""
    parts = [post.title, post.html, post.author, post.topics, post.summary, post.image, post.link]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def post_document(markup: PostMarkup, where: str, pictures: Mapping[str, bytes]) -> Document:
    """Return a prepared post as a document; `pictures` are those that were fetched, by address."""
    by_place = {
        str(place): pictures[address]
        for place, address in enumerate(markup.pictures)
        if address in pictures
    }
    return document_of_html(markup.with_names(), where, by_place.get)


def compose_post(
    document: Document, notes: PostMarkup, request: ImportRequest, name: str,
    suffix: Callable[[bytes], str],
) -> ComposedEssay:  # fmt: skip
    """Return the essay `name` of a post, with pictures named after it; raises `ContentError`."""

    def picture(_: str, data: bytes) -> str:
        # By content: a picture that is added or swapped later renames no other.
        return f"{name[len('2026-11-26-') :]}-{hashlib.sha256(data).hexdigest()[:8]}{suffix(data)}"

    essay = compose_document(document, request, picture)
    return replace(essay, notes=(*notes.notes, *essay.notes))


def draft_name(title: str, day: date, source: str, taken: frozenset[str]) -> str:
    """Return the stem of a draft's file, whose slug is none of `taken`; the source's name parts equals."""
    stem = essay_filename(title, day).removesuffix(".md")
    own = essay_filename(source, day)[len("2026-11-26-") : -len(".md")]
    candidates = [stem, f"{stem}-{own}"]
    candidates += [f"{stem}-{own}-{number}" for number in range(2, 1000)]
    return next(name for name in candidates if slug_of_name(name) not in taken)


def slug_of_name(name: str) -> str:
    """Return the slug of an essay whose file has this stem."""
    return slug_of(Path(f"{name}.md"))
