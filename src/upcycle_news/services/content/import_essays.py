"""Imports manuscripts as essays: files are read, their pictures looked at, and both written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote

from upcycle_news.app.context import AppContext
from upcycle_news.content.essays import without_shared
from upcycle_news.content.manuscripts import kinds
from upcycle_news.content.manuscripts.compose import (
    ComposedEssay,
    ImportRequest,
    compose_document,
    compose_markdown,
    compose_text,
    picture_stem,
)
from upcycle_news.content.manuscripts.document import Document
from upcycle_news.content.manuscripts.docx import read_docx
from upcycle_news.content.manuscripts.encodings import decode_text
from upcycle_news.content.manuscripts.html import read_html
from upcycle_news.content.manuscripts.languages import LANGUAGES
from upcycle_news.content.manuscripts.markdown_file import read_markdown
from upcycle_news.content.manuscripts.odt import read_fodt, read_odt
from upcycle_news.content.manuscripts.package import MAX_FILE_BYTES, Package
from upcycle_news.errors import ContentError, UpcycleError
from upcycle_news.fileio import os_reason, read_given_file, write_atomically
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.rendering.images import open_image
from upcycle_news.services.content.new_essay import (
    TranslationPlace,
    place_of_translation,
    refuse_taken_title,
    write_essay,
)

_SUFFIXES = {
    b"\x89PNG\r\n\x1a\n": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"GIF87a": ".gif",
    b"GIF89a": ".gif",
}


_NO_MANUSCRIPTS = ("README", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class ImportedFile:
    """What became of one file: the essay's path, or the error that refused it.

    `notes` say what was not carried over, a sentence each. Both are missing for a file of a folder
    that is no manuscript and stands beside them, such as a picture.
    """

    file: Path
    essay: Path | None = None
    error: UpcycleError | None = None
    notes: tuple[LocalizedText, ...] = ()


def import_essays(
    context: AppContext,
    files: Sequence[Path],
    *,
    title: str | None = None,
    day: date | None = None,
    author: str | None = None,
    language: str | None = None,
    draft: bool = False,
    translates: str = "",
) -> tuple[ImportedFile, ...]:
    """Write each file, and each manuscript of a folder, as an essay that is ready, or as a draft.

    What one file is refused for is in its result; the others are imported. `translates` is the slug of
    the essay whose translation the one file is. Raises `UpcycleError` for
    a language whose typography is not known, and for one title of several files.
    """
    if language is not None and language not in LANGUAGES:
        raise UpcycleError(localized("import-language", language=language[:20]))
    if title is not None and (len(files) != 1 or files[0].is_dir()):
        raise UpcycleError(localized("import-one-title"))
    place = place_of_translation(context, translates, language) if translates else None
    if place is not None:
        if len(files) != 1 or files[0].is_dir():
            raise UpcycleError(localized("import-one-translation"))
        language = place.language
    results = []
    for file in files:
        for each in _manuscripts(file):
            request = ImportRequest(
                where=str(each),
                title=title,
                day=day or context.today,
                author=author,
                language=language,
                publication_language=context.settings.publication.language,
                day_is_given=day is not None,
                status="draft" if draft else "ready",
            )
            results.append(_import(context, each, request, place, in_folder=each != file))
    if not any(result.essay or result.error for result in results):
        raise UpcycleError(localized("import-no-manuscript", folder=", ".join(map(str, files))))
    return tuple(results)


def _manuscripts(file: Path) -> list[Path]:
    """Return a file, or those of a folder but for hidden files, programs' own and read-me files."""
    if not file.is_dir():
        return [file]
    return [
        path
        for path in sorted(file.iterdir())
        if path.is_file() and not path.name.startswith((".", "~$", *_NO_MANUSCRIPTS))
    ]


def _import(
    context: AppContext,
    file: Path,
    request: ImportRequest,
    place: TranslationPlace | None,
    *,
    in_folder: bool,
) -> ImportedFile:
    try:
        data = _read(file)
        if in_folder and picture_suffix(data):
            return ImportedFile(file)
        essay = _compose(context, file, data, request)
        return ImportedFile(file, _write(context, essay, place), notes=essay.notes)
    except UpcycleError as error:
        return ImportedFile(file, error=error)


def _read(file: Path) -> bytes:
    try:
        return read_given_file(file, MAX_FILE_BYTES + 1)
    except OSError as error:
        reason = os_reason(error)
        raise ContentError(file, None, localized("file-unreadable", reason=reason)) from None


def _compose(context: AppContext, file: Path, data: bytes, request: ImportRequest) -> ComposedEssay:
    where = request.where
    kind = kinds.kind_of_file(file.name, data, where)
    read_beside = _reader_beside(file)
    namer = _picture_namer(context, request.day)
    if kind == "text":
        return compose_text(decode_text(data, where), request)
    if kind == "markdown":
        markdown = read_markdown(decode_text(data, where), where)
        return compose_markdown(markdown, request, read_beside, namer)
    if isinstance(kind, Package):
        document = read_docx(kind) if kinds.kind_of_package(kind) == "docx" else read_odt(kind)
    elif kind == "fodt":
        document = read_fodt(data, where)
    else:
        document = read_html(data, where, read_beside)
    _drop_unusable_pictures(document, where)
    return compose_document(document, request, namer)


def _reader_beside(file: Path) -> Callable[[str], bytes | None]:
    """Return a function that reads a picture beside the manuscript or in a folder below it."""
    folder = file.resolve().parent

    def read(source: str) -> bytes | None:
        path = Path(unquote(source.partition("?")[0].partition("#")[0]))
        try:
            beside = (folder / path).resolve()
            if path.is_absolute() or not beside.is_relative_to(folder) or not beside.is_file():
                return None
            data = _read(beside)
        except (OSError, ValueError, ContentError):
            return None
        return data if picture_suffix(data) and len(data) <= MAX_FILE_BYTES else None

    return read


def picture_suffix(data: bytes) -> str:
    """Return the suffix of a picture that mails can show, empty for anything else."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ".webp"
    return next((end for begin, end in _SUFFIXES.items() if data.startswith(begin)), "")


def _drop_unusable_pictures(document: Document, where: str) -> None:
    """Take out pictures in formats that no mail shows, and damaged ones; both are told.

    Raises `ContentError` for one with too many pixels: such a file is made to do harm.
    """
    for element in list(document.body.iter("img")):
        key = element.get("src") or ""
        data = document.pictures.get(key)
        if data is None:
            continue
        kind = "" if picture_suffix(data) else "format"
        if not kind:
            try:
                with open_image(where, data):
                    pass
            except ContentError as error:
                text = error.text
                if isinstance(text, LocalizedText) and text.key == "picture-too-many-pixels":
                    raise
                kind = "picture"
        if kind:
            document.losses.at(kind, element.get("alt") or "".join(element.getparent().itertext()))
            del document.pictures[key]


def _picture_namer(context: AppContext, day: date) -> Callable[[str, bytes], str]:
    """Return a function that names pictures after their essay; the same picture has one name."""
    folder = context.content_folder / "images"
    given: dict[str, str] = {}

    def name(title: str, data: bytes) -> str:
        digest = sha256(data).hexdigest()
        if digest in given:
            return given[digest]
        stem, suffix = picture_stem(title, day), picture_suffix(data)
        number = len(given) + 1
        while True:
            candidate = f"{stem}-{number}{suffix}"
            there = folder / candidate
            if candidate not in given.values() and (
                not there.exists() or there.read_bytes() == data
            ):
                given[digest] = candidate
                return candidate
            number += 1

    return name


def _write(context: AppContext, essay: ComposedEssay, place: TranslationPlace | None) -> Path:
    """Write pictures and essay; if the essay cannot be written, neither are its pictures.

    A translation goes to its `place`, without what it has in common with its essay.
    """
    if place is None:
        refuse_taken_title(context, essay.title, essay.day)
    folder = context.content_folder / "images"
    written: list[Path] = []
    try:
        for name, data in essay.pictures.items():
            if not (folder / name).exists():
                write_atomically(folder / name, data, exclusive=True)
                written.append(folder / name)
        if place is not None:
            write_atomically(place.path, without_shared(essay.text).encode(), exclusive=True)
            return place.path
        return write_essay(context, essay.title, essay.day, essay.text)
    except UpcycleError:
        for path in written:
            path.unlink(missing_ok=True)
        raise
