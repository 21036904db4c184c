"""Reads and writes essays: Markdown files with YAML front matter under content/essays."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from datetime import date
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, get_type_hints

from upcycle_news.content import frontmatter
from upcycle_news.content.essay_records import KeptRecords, essay_of, record_of
from upcycle_news.content.frontmatter import FrontMatter
from upcycle_news.errors import ContentError
from upcycle_news.fileio import (
    display_path,
    find_file,
    list_folder,
    os_reason,
    read_text,
    similar_name,
)
from upcycle_news.i18n.messages import LANGUAGES, LocalizedText, localized
from upcycle_news.models import Essay, ImageRef
from upcycle_news.models.content import LANGUAGE, base_of
from upcycle_news.models.front_matter import front_matter_keys
from upcycle_news.text.excerpts import summary_of_markdown
from upcycle_news.text.image_paths import path_below_images
from upcycle_news.text.markdown.plain_line import plain_line
from upcycle_news.text.sanitize import normalise_whitespace
from upcycle_news.text.typography import language_and_region

FRONT_MATTER = front_matter_keys(Essay)
KEYS = tuple(name for field, key in FRONT_MATTER.items() for name in (field, *key.beside))
"""Every key that may stand in the front matter of an essay."""
PROSE = ("title", "author", "summary", *FRONT_MATTER["image"].beside)
"""Keys whose values are sentences that readers see."""
WORDED = ("topics", "extra")
"""Keys of lists and tables whose words readers see."""

SHARED = ("date", "author", "topics", "pin", "ban", "status", "length")
"""Keys that a translation may leave out: they are those of the essay, and have to agree with them."""

_DATE_PREFIX = re.compile(r"^\d{4}-\d{2}-\d{2}-(?=.)")
_LANGUAGE_SUFFIX = re.compile(rf"(?<=.)\.({'|'.join(LANGUAGES)})$")


@dataclass(frozen=True)
class EssayCollection:
    """All essays that could be read, and the errors of the others.

    `texts` are the contents of the files, and of their translations', by `Essay.source`.
    """

    essays: tuple[Essay, ...]
    errors: tuple[ContentError, ...]
    texts: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)


def read_essays(
    content: Path, root: Path, default_language: str, kept: KeptRecords | None = None
) -> EssayCollection:
    """Read ``content/essays/*.md`` in the order of their names; paths are shown relative to `root`.

    ``slug.de.md`` and ``slug.en.md`` are one essay and a translation of it. Broken files become errors,
    never exceptions: an editor wants to see all of them at once. Files of which `kept` has the record are
    not parsed.
    """
    essays: list[Essay] = []
    errors: list[ContentError] = []
    folder = content / "essays"
    try:
        files = list_folder(folder)
    except OSError as error:
        reason = localized("folder-unreadable", reason=os_reason(error))
        return EssayCollection((), (ContentError(display_path(folder, root), None, reason),))
    by_slug: dict[str, list[Path]] = {}
    for path in files:
        if path.suffix == ".md" and not path.name.startswith("."):
            by_slug.setdefault(slug_of(path), []).append(path)
    reader = _FileReader(root, content / "images", default_language)
    groups = [
        [reader.read(path) for path in _main_first(paths, default_language)]
        for paths in by_slug.values()
    ]
    if kept is not None:
        reader.take_records(groups, kept)
    for group in groups:
        essay, file_errors = reader.essay_of(group)
        errors += file_errors
        if essay is not None:
            essays.append(essay)
    texts = {file.where: file.text for group in groups for file in group}
    return EssayCollection(tuple(essays), tuple(errors), texts)


def _main_first(paths: Sequence[Path], default_language: str) -> list[Path]:
    """Return the files of one slug with that of the main text first: the publication's language."""
    own = base_of(default_language)
    order = {own: 0, "": 1}
    return sorted(paths, key=lambda path: order.get(language_of(path), 2))


def slug_of(path: Path) -> str:
    """Return the slug of an essay: the stem of its file name without a leading date and its language."""
    stem = _LANGUAGE_SUFFIX.sub("", path.stem)
    return unicodedata.normalize("NFC", _DATE_PREFIX.sub("", stem))


def language_of(path: Path) -> str:
    """Return the language that the name of a file says, ``en`` of ``slug.en.md``; empty for none."""
    found = _LANGUAGE_SUFFIX.search(path.stem)
    return found[1] if found else ""


@dataclass(frozen=True)
class _File:
    """A file as it was read: its name, where messages say it is, its text or why there is none."""

    name: str
    where: str
    text: str = ""
    error: ContentError | None = None


# Essays without a mistake as they were read in this process, by all files that they were made of, which
# are read several times in a command. Whether their pictures are there is looked at each time.
_known: dict[tuple[str, tuple[_File, ...]], Essay] = {}
_MAX_KNOWN = 5000


@dataclass(frozen=True)
class _FileReader:
    """Reads the files of essays, a group for each slug; paths are shown relative to `root`."""

    root: Path
    images: Path
    default_language: str

    def read(self, path: Path) -> _File:
        """Return a file with its text."""
        where = display_path(path, self.root)
        try:
            return _File(path.name, where, read_text(path, where))
        except ContentError as error:
            return _File(path.name, where, error=error)

    def take_records(self, groups: Sequence[Sequence[_File]], kept: KeptRecords) -> None:
        """Take the essays that are not known yet from their records, and have those of new ones kept."""
        new = [
            group
            for group in groups
            if not any(file.error for file in group)
            and (self.default_language, tuple(group)) not in _known
        ]

        def make(files: Sequence[Sequence[str]]) -> dict[str, Any] | None:
            essay, errors = self.essay_of([_File(name, where, text) for name, where, text in files])
            return None if errors or essay is None else record_of(essay)

        values = [[[file.name, file.where, file.text] for file in group] for group in new]
        records = kept.each(self.default_language, values, make) if new else []
        for group, record in zip(new, records, strict=True):
            if record is not None:
                texts = {file.where: file.text for file in group}
                self._remember(group, essay_of(record, texts))

    def essay_of(self, group: Sequence[_File]) -> tuple[Essay | None, list[ContentError]]:
        """Return the essay of the first file with the others as its translations, and all errors."""
        known = _known.get((self.default_language, tuple(group)))
        if known is not None and self._has_pictures(known):
            return known, []
        essay, errors = self._parse_group(group)
        if essay is not None and not errors:
            self._remember(group, essay)
        return essay, errors

    def _remember(self, group: Sequence[_File], essay: Essay) -> None:
        if len(_known) < _MAX_KNOWN:
            _known[self.default_language, tuple(group)] = essay

    def _has_pictures(self, essay: Essay) -> bool:
        """Return whether the pictures of the heads are still there."""
        paths = {one.image.path for one in (essay, *essay.translations) if one.image}
        return all(_image_error(path, self.images) is None for path in paths)

    def _parse_group(self, group: Sequence[_File]) -> tuple[Essay | None, list[ContentError]]:
        main, errors = self._parse_or_fail(group[0])
        translations: list[Essay] = []
        for file in group[1:]:
            essay, file_errors = self._parse_or_fail(file, is_translation=True, main=main)
            errors += file_errors
            if essay is None:
                continue
            same = [
                other
                for other in ([main] if main else []) + translations
                if base_of(other.language) == base_of(essay.language)
            ]
            if same:
                text = localized("essay-same-name", other=same[0].source, slug=essay.slug)
                errors.append(ContentError(file.where, 1, text))
            else:
                translations.append(replace(essay, folder=base_of(essay.language)))
        return (main and replace(main, translations=tuple(translations))), errors

    def _parse_or_fail(
        self, file: _File, *, is_translation: bool = False, main: Essay | None = None
    ) -> tuple[Essay | None, list[ContentError]]:
        if file.error is not None:
            return None, [file.error]
        try:
            return _parse(file, self.images, self.default_language, is_translation, main)
        except ContentError as error:
            return None, [error]


def _parse(
    file: _File, images: Path, default_language: str, is_translation: bool, main: Essay | None
) -> tuple[Essay | None, list[ContentError]]:
    path, where, text = Path(file.name), file.where, file.text
    parts = frontmatter.split_front_matter(where, text)
    head = FrontMatter(where, parts.head, KEYS, prose=PROSE, worded=WORDED, is_toml=parts.is_toml)
    if head.errors and not head.has("title") and not head.has("date"):
        return None, head.errors  # not parsed: "title is missing" would only confuse
    values = _values(head, SHARED if is_translation else ())
    values["date"] = values["date"] or date.min
    image = _image(head, images, main)
    _refuse_leftovers(head, values["extra"])
    named = language_of(path)
    language = language_and_region(values["language"]) or named or default_language
    values["language"] = head.checked("language", language, _language_error)
    if named and base_of(language) != named:
        objection = localized("translation-language", language=language, name=named)
        head.add_error(head.line("language"), objection)
    for name in ("title", "author", "summary"):  # no Markdown in a head, no entities in a subject
        values[name] = plain_line(values[name], language)
    values["image"] = image and replace(
        image,
        **{
            name: plain_line(getattr(image, name), language)
            for name in ("alt", "caption", "credit")
        },
    )
    if main is not None:
        _share(head, values, main)
    _check_links(head, values["pin"])
    if values["canonical"] and not _is_page(values["canonical"]):
        head.add_error(
            head.line("canonical"), localized("canonical-no-link", link=values["canonical"][:60])
        )
    if not parts.body:
        head.add_error(parts.body_line, localized("essay-empty"))
    elif not head.errors and not values["summary"]:
        values["summary"] = summary_of_markdown(
            parts.body, language=language, title=values["title"], author=values["author"]
        )
    essay = Essay(
        slug=slug_of(path), source=where, body=parts.body, body_line=parts.body_line, **values
    )
    head.errors.sort(key=lambda error: error.line or 0)
    return (None if head.errors else essay), head.errors


def _share(head: FrontMatter, values: dict[str, Any], main: Essay) -> None:
    """Take from the essay what its translation leaves out; what has to agree and differs is an error.

    A translation may be a draft longer than the essay: then there is none yet.
    """
    for key in SHARED:
        own, of_main = values[key], getattr(main, key)
        if head.has(key) and key not in ("status", "length") and _differs(own, of_main):
            written = of_main if isinstance(of_main, str | date) else list(of_main)
            text = localized(
                "translation-differs", key=key, other=main.source, written=str(written)[:80]
            )
            head.add_error(head.line(key), text)
        if not head.has(key) or key not in ("status", "length"):
            values[key] = of_main


def _differs(own: object, of_main: object) -> bool:
    if isinstance(own, tuple) and isinstance(of_main, tuple):
        return {str(one).casefold() for one in own} != {str(one).casefold() for one in of_main}
    return own != of_main


def _language_error(language: str) -> LocalizedText | None:
    return None if LANGUAGE.fullmatch(language) else localized("language-wrong")


def _values(head: FrontMatter, optional: Collection[str] = ()) -> dict[str, Any]:
    """Read the fields of `Essay` that need nothing but their own key, as their types say.

    What is required may be missing where it is `optional`.
    """
    kinds = _kinds()
    values: dict[str, Any] = {}
    for one in fields(Essay):
        key = FRONT_MATTER.get(one.name)
        if key is None or key.beside:
            continue
        if key.required and one.name not in optional:
            head.require(one.name, key.example)
        values[one.name] = head.value(one.name, kinds[one.name], _default(one), key.example)
    return values


@cache
def _kinds() -> dict[str, Any]:
    """Return the types of the fields of an essay."""
    return get_type_hints(Essay)


def _default(field: Field[Any]) -> Any:
    """Return the default of a field; of a text that the dataclass wants, the empty one."""
    if field.default_factory is not MISSING:
        return field.default_factory()
    return "" if field.default is MISSING else field.default


def title_error(title: str) -> LocalizedText | None:
    """Return what is wrong with a title: it is empty, or no mail can show what it holds."""
    if not normalise_whitespace(title):
        return localized("title-empty")
    return leftover("title", title)


def _refuse_leftovers(head: FrontMatter, extra: Mapping[str, Any]) -> None:
    """Add an error for pieces of a template and private notes in what readers see of the head."""
    written = {key: head.written(key) for key in (*PROSE, "topics")}
    written["extra"] = "\n".join(_texts(extra))
    for key, text in written.items():
        if (objection := leftover(key, text)) is not None:
            head.add_error(head.line(key), objection)


def _texts(value: object) -> Iterator[str]:
    """Yield all texts of a table of own fields."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item)


def leftover(key: str, text: str) -> LocalizedText | None:
    """Return what must not stand in a sentence of the front matter: a template's piece, a private note."""
    if mark := re.search(r"\{[{%]", text):
        return localized("leftover", mark=mark[0])
    if re.search(r"%%|<!--", text):
        return localized("private-note-head", key=key)
    if link := re.search(r"\[\[([^\[\]|]+)(?:\|([^\[\]]+))?\]\]", text):
        written = (link[2] or link[1]).strip()[:60]
        return localized("wiki-link-head", target=link[0][:60], text=written)
    return None


def _is_page(link: str) -> bool:
    """Return whether a text is the whole address of a page."""
    return bool(re.fullmatch(r"https?://[^\s/<>\"]+[^\s<>\"]*", link))


def _check_links(head: FrontMatter, links: Sequence[str]) -> None:
    for link in links:
        if not re.match(r"https?://[^\s/]+", link):
            head.add_error(head.line("pin"), localized("pin-no-link", link=link[:60]))


def _image(head: FrontMatter, images: Path, main: Essay | None) -> ImageRef | None:
    """Read ``image: x.jpg`` with ``image_alt: …``, or ``image: {path: x.jpg, alt: …}``.

    ``image_caption`` and ``image_credit``, or ``caption`` and ``credit``, are the lines below it. A
    translation says with ``image_alt`` alone what the picture of its `main` essay shows.
    """
    if not head.has("image") and head.has("image_alt") and main and main.image:
        credit = head.text("image_credit") or main.image.credit
        return ImageRef(main.image.path, head.text("image_alt"), head.text("image_caption"), credit)
    if not head.has("image"):
        for key in ("image_alt", "image_caption", "image_credit"):
            if head.has(key):
                head.add_error(head.line(key), localized("image-key-alone", key=key))
        return None
    parts = head.mapping("image", ("path", "alt", "caption", "credit"))
    if parts is None:
        parts = {name: head.text(f"image_{name}") for name in ("alt", "caption", "credit")}
        parts["path"] = head.text("image")
        if not parts["path"]:
            return None  # 'image' is not a text, which is reported already
    path, alt = path_below_images(parts.get("path", "")), parts.get("alt", "")
    head.checked("image", path, lambda value: _image_error(value, images))
    if not alt:
        head.add_error(head.line("image"), localized("image-no-alt"))
    return ImageRef(path, alt, parts.get("caption", ""), parts.get("credit", ""))


def _image_error(path: str, images: Path) -> LocalizedText | None:
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or ".." in pure.parts or re.search(r"[\\:]", path):
        return localized("image-outside", image=path[:60], name=_file_name(path))
    file = find_file(images, path)
    try:
        if file is None:
            hint = similar_name(
                path, (display_path(entry, images) for entry in images.rglob("*.*"))
            )
            return localized("image-not-there", image=path, hint=hint)
        if not file.resolve().is_relative_to(images.resolve()):
            return localized("image-leads-out", image=path)
        with file.open("rb") as stream:
            start = stream.read(512).lstrip().lower()
    except OSError as error:
        return localized("image-unreadable", image=path, reason=os_reason(error))
    if pure.suffix.lower() in (".svg", ".svgz") or start.startswith((b"<svg", b"<?xml")):
        return localized("image-svg", image=path)
    return None


def _file_name(path: str) -> str:
    """Return the last part of a path of any system or address, as an example of what to write."""
    name = re.split(r"[\\/]", path.rstrip("\\/"))[-1]
    return name if re.search(r"\w\.\w+$", name) else "name.jpg"


def scaffold_essay(
    title: str, author: str, day: date, language: str, topics: Sequence[str] = ()
) -> str:
    """Return the Markdown of a new draft essay."""
    head = [
        ("title", yaml_quoted(title)),
        ("author", yaml_quoted(author)),
        ("date", day.isoformat()),
        ("language", language),
        ("summary", '""'),
        ("topics", f"[{', '.join(map(yaml_quoted, topics))}]"),
        ("status", "draft"),
    ]
    return join_front_matter(head, localized("essay-begins").in_language(language))


def scaffold_translation(title: str, language: str, *, has_image: bool) -> str:
    """Return the Markdown of a new draft translation, without what it has in common with its essay."""
    head = [("title", yaml_quoted(title)), ("summary", '""')]
    head += [("image_alt", '""')] if has_image else []
    return join_front_matter(
        [*head, ("status", "draft")], localized("essay-begins").in_language(language)
    )


def without_shared(text: str) -> str:
    """Return the Markdown of an essay, as we write it, without the keys that its translation shares."""
    begin, head, body = text.split("---\n", 2)
    kept = [
        line
        for line in head.splitlines(keepends=True)
        if line.partition(":")[0] not in ("date", "author", "topics", "pin", "ban", "length")
    ]
    return f"{begin}---\n{''.join(kept)}---\n{body}"


def join_front_matter(head: list[tuple[str, str]], body: str) -> str:
    """Return a Markdown file of front matter lines, whose values are YAML, and a body."""
    return "---\n" + "".join(f"{key}: {value}\n" for key, value in head) + f"---\n\n{body}\n"


def yaml_quoted(text: str) -> str:
    """Return a text as a YAML scalar in double quotes, whatever it contains."""
    return json.dumps(normalise_whitespace(text), ensure_ascii=False)


_TRANSLITERATION = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "ß": "ss",
        "æ": "ae",
        "ø": "oe",
        "å": "a",
        "œ": "oe",
        "ł": "l",
    }
)


def essay_filename(title: str, day: date) -> str:
    """Return ``2026-11-26-bauen-mit-dem-was-da-ist.md``: ASCII, lower case, 75 characters at most."""
    text = unicodedata.normalize("NFC", title).lower().translate(_TRANSLITERATION)
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", re.sub(r"['’]", "", ascii_text)).strip("-")
    if len(slug) > 60:
        slug = slug[:61].rpartition("-")[0] or slug[:60]
    return f"{day.isoformat()}-{slug or 'essay'}.md"
