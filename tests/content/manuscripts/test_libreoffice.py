"""Manuscripts that LibreOffice has converted, where it is installed: words and structure stay the same."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import cast

import pytest

from upcycle_news.content.manuscripts.compose import ComposedEssay, ImportRequest, compose_document
from upcycle_news.content.manuscripts.kinds import kind_of_file, kind_of_package
from upcycle_news.content.manuscripts.odt import read_fodt
from upcycle_news.content.manuscripts.package import Package
from upcycle_news.errors import ContentError

from .test_same_text import HEAD, MANUSCRIPTS, SHAPES, WRITERS, composed, parts, shape, shown_words
from .writers import Block, words_of

SOFFICE = shutil.which("soffice") or shutil.which("libreoffice")
pytestmark = pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed")

EVERYTHING = [block for blocks in MANUSCRIPTS.values() for block in blocks]
SHAPE = [each for name in MANUSCRIPTS for each in SHAPES[name]]
EMBEDDED = "html:HTML (StarWriter):EmbedImages"

Convert = Callable[[str, str], bytes]


@pytest.fixture(scope="module")
def convert(tmp_path_factory: pytest.TempPathFactory) -> Convert:
    """Returns a function that has LibreOffice write a manuscript of one kind as another kind."""
    folder = tmp_path_factory.mktemp("libreoffice")
    for kind in ("docx", "odt"):
        (folder / f"from-{kind}.{kind}").write_bytes(WRITERS[kind]([*HEAD, *EVERYTHING]))
    (folder / "from-html.html").write_bytes(WRITERS["html"]([*HEAD, *without_notes()]))

    def run(source: str, target: str) -> bytes:
        out = folder / target.partition(":")[0] / source
        suffix = target.partition(":")[0]
        reading = ["--infilter=HTML (StarWriter)"] if source == "html" else []
        command = [
            str(SOFFICE),
            f"-env:UserInstallation={(folder / 'profile').as_uri()}",
            "--headless",
        ]
        command += [
            *reading,
            "--convert-to",
            target,
            "--outdir",
            str(out),
            str(folder / f"from-{source}.{source}"),
        ]
        subprocess.run(command, check=True, capture_output=True)
        return Path(out / f"from-{source}.{suffix}").read_bytes()

    return run


def without_notes() -> list[Block]:
    """All but the notes and the pictures in the page: LibreOffice reads neither from HTML."""
    left_out = ("notes", "pictures")
    return [b for name, blocks in MANUSCRIPTS.items() if name not in left_out for b in blocks]


def essay_of(kind: str, data: bytes) -> ComposedEssay:
    if kind != "fodt":
        return composed(kind, data)
    request = ImportRequest("x.fodt", None, date(2026, 11, 26), None, None, "de")
    return compose_document(read_fodt(data, "x.fodt"), request, lambda title, data: "bild.png")


@pytest.mark.parametrize(
    ("source", "target"),
    [("docx", "docx"), ("docx", "odt"), ("docx", "fodt"), ("docx", EMBEDDED),
     ("odt", "docx"), ("odt", "odt"), ("odt", "fodt"), ("odt", EMBEDDED)],
)  # fmt: skip
def test_every_word_and_what_stands_out_survive_a_conversion(
    convert: Convert, source: str, target: str
) -> None:
    kind = target.partition(":")[0]
    essay = essay_of(kind, convert(source, target))
    head, body = parts(essay)
    assert head["author"] == "Rosa Beispiel"
    assert shown_words(body) == words_of(EVERYTHING)
    expected = SHAPE
    if (source, kind) == ("docx", "html"):  # LibreOffice itself writes the style as italics
        expected = ["em" if each == "blockquote" else each for each in SHAPE]
    assert shape(body) == expected
    if kind == "html":  # and no descriptions of pictures
        assert [note.key for note in essay.notes] == ["import-undescribed"]
    else:
        assert essay.notes == ()
        assert "![Das Tor, rot und offen](bild" in body


@pytest.mark.parametrize("target", ["odt:writer8", "docx:MS Word 2007 XML"])
def test_a_page_that_became_a_document_keeps_its_words(convert: Convert, target: str) -> None:
    essay = essay_of(target.partition(":")[0], convert("html", target))
    assert shown_words(parts(essay)[1]) == words_of(without_notes())


@pytest.mark.parametrize(
    ("target", "sentence"),
    [("rtf", "RTF"), ("doc", "old Word file"), ("pdf", "PDF"), ("epub", "another program")],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_as_what_it_is(
    convert: Convert, target: str, sentence: str
) -> None:
    data = convert("odt", target)
    with pytest.raises(ContentError, match=sentence):
        kind_of_package(cast(Package, kind_of_file("x.txt", data, "x.txt")))
