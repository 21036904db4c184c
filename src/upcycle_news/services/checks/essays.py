"""Checks the texts and pictures of all essays; an essay that stays as it is was checked already."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.checks.essay import check_essay
from upcycle_news.checks.pictures import PictureInput, check_picture
from upcycle_news.content.essays import EssayCollection
from upcycle_news.errors import PlacedError, UpcycleError
from upcycle_news.fileio import files_below, find_file
from upcycle_news.models import Essay, Finding
from upcycle_news.services.content.files import line_of_key
from upcycle_news.services.content.images import (
    load_essay_images,
    referenced_paths,
    shown_pictures,
)
from upcycle_news.services.kept_results import kept_each, kept_findings_each


def check_essays(context: AppContext, collection: EssayCollection) -> Iterator[Finding]:
    """Yield the findings about essays and their translations, and that their images can be converted.

    The findings about one are kept as long as its files and the pictures that it shows stay as they are.
    """
    checked = _CheckedEssays(context, collection)
    inputs = [
        checked.input_of(essay, main)
        for main in collection.essays
        for essay in (main, *main.translations)
    ]
    shown = kept_each(
        context, "essay-pictures", None, inputs,
        lambda value: sorted(referenced_paths((checked.essay_of(value),))),
    )  # fmt: skip
    values = [
        [value, [checked.picture(path) for path in paths]]
        for value, paths in zip(inputs, shown, strict=True)
    ]
    for findings in kept_findings_each(
        context, "essay-findings", values, lambda value: checked.check(checked.essay_of(value[0]))
    ):
        yield from findings


class _CheckedEssays:
    """The essays of a publication, and the pictures that there are."""

    def __init__(self, context: AppContext, collection: EssayCollection) -> None:
        self._context = context
        self._texts = collection.texts
        self._essays = {
            one.source: one for essay in collection.essays for one in (essay, *essay.translations)
        }
        self._folder = context.content_folder / "images"
        self._present = _names_below(self._folder)

    def input_of(self, essay: Essay, main: Essay) -> list[str]:
        """Return all that an essay was made of: its file, and the one that it is a translation of."""
        language = self._context.settings.publication.language
        files = dict.fromkeys((essay.source, main.source))
        return [language, *(part for source in files for part in (source, self._texts[source]))]

    def essay_of(self, value: list[str]) -> Essay:
        """Return the essay of an `input_of`."""
        return self._essays[value[1]]

    def picture(self, path: str) -> list[Any]:
        """Return what tells a picture from others; of one that is missing, all names that are there.

        One of those might be proposed instead.
        """
        file = find_file(self._folder, path)
        if file is None or path not in self._present:
            return [path, sorted(self._present)]
        found = file.stat()
        # The time of the last change is the system's: `rsync -t` and `touch -r` set the other one.
        times = (found.st_mtime_ns, found.st_ctime_ns)
        return [path, found.st_size, *times, found.st_ino, os.access(file, os.R_OK)]

    def check(self, essay: Essay) -> Iterator[Finding]:
        """Yield the findings about an essay's text and pictures."""
        findings = tuple(check_essay(essay, self._present, self._line_of))
        yield from findings
        if not any(finding.code == "image-missing" for finding in findings):
            try:
                yield from self._check_pictures(essay)
            except UpcycleError as error:
                where = error.place if isinstance(error, PlacedError) else "publication"
                yield Finding("error", "image", where, error.localized_text)

    def _check_pictures(self, essay: Essay) -> Iterator[Finding]:
        fitted = load_essay_images(self._context, (essay,))
        pictures = reversed([*shown_pictures(self._context, essay)])
        for path, picture in reversed({one.path: one for one in pictures}.items()):
            where = f"{essay.source}:{picture.line or self._line_of(essay, 'image')}"
            yield from check_picture(PictureInput(essay, path, where, picture.data, fitted[path]))

    def _line_of(self, essay: Essay, key: str) -> int:
        return line_of_key(self._texts[essay.source], essay, key)


def _names_below(folder: Path) -> Collection[str]:
    return {
        unicodedata.normalize("NFC", path.relative_to(folder).as_posix())
        for path in files_below(folder)
    }
