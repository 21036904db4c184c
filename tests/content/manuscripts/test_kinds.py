"""What a file is, is told by its bytes; what cannot be read is refused with what to do instead."""

from __future__ import annotations

import struct
import zipfile
from io import BytesIO

import pytest

from upcycle_news.content.manuscripts import package
from upcycle_news.content.manuscripts.docx import read_docx
from upcycle_news.content.manuscripts.kinds import kind_of_file, kind_of_package
from upcycle_news.content.manuscripts.odt import read_odt
from upcycle_news.content.manuscripts.package import Package
from upcycle_news.errors import ContentError

from .writers import edited, p, png, write_docx, write_odt

DOCX = write_docx([p("Ein Satz.")])
ODT = write_odt([p("Ein Satz.")])


def zipped(**parts: bytes) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return out.getvalue()


def bitmap() -> bytes:
    return b"BM" + struct.pack("<IHHI", 70, 0, 0, 54) + struct.pack("<I", 40) + bytes(52)


def compound(stream: str) -> bytes:
    """The beginning of an OLE file, and the name of one of its streams."""
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + stream.encode("utf-16-le")


REFUSED = [
    (b"%PDF-1.7\n1 0 obj\nendobj\n", "PDF"),
    (b"\n\n%PDF-1.4 ...", "PDF"),
    (b"%!PS-Adobe-3.0\n", "PDF"),
    (b"{\\rtf1\\ansi Text}", "RTF"),
    (b"\xef\xbb\xbf{\\rtf1 Text}", "RTF"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old Word file"),
    (png(), "picture"),
    (b"\xff\xd8\xff\xe0\0\x10JFIF", "picture"),
    (b"GIF89a\x01\0\x01\0", "picture"),
    (b"II*\0\x08\0\0\0", "picture"),
    (b"RIFF\x10\0\0\0WEBPVP8 ", "picture"),
    (b"\0\0\0\x18ftypheic\0\0\0\0", "picture"),
    (b"\0\0\0\x18ftypmp42\0\0\0\0", "recording"),
    (b"ID3\x04\0\0\0\0\x01\x02", "recording"),
    (bitmap(), "picture"),
    (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "picture"),
    (b"<?xml version='1.0'?>\n<rss version='2.0'/>", "XML"),
    (b"\x1f\x8b\x08\0\0\0\0\0", "archive"),
    (b"7z\xbc\xaf\x27\x1c\0\x04", "archive"),
    (b"% Kommentar\n\\documentclass{article}\n", "LaTeX"),
    (b"From: a@example.org\nMIME-Version: 1.0\n\nText", "e-mail"),
    (
        b"From a@example.org Mon Jan  5 10:00:00 2026\nFrom: a@example.org\nDate: x\nSubject: y\n\nText",
        "e-mail",
    ),
    (
        b"Von: Rosa Beispiel\r\nGesendet: Montag\r\nAn: Alle\r\nBetreff: Tor\r\n\r\nText",
        "e-mail",
    ),
    (compound("__properties_version1.0"), "e-mail"),
    (compound("EncryptedPackage"), "password"),
    (compound("Workbook"), "another program"),
    (compound("WordDocument"), "old Word file"),
    (b'{"url":"https://docs.google.com/open?id=x","email":"a@example.org"}', "leads to a document"),
    (b"[InternetShortcut]\r\nURL=https://example.org/\r\n", "leads to a document"),
    (b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n", "another program"),
    (b'{"title": "Eins"}\n', "another program"),
    (b"", "nothing to import"),
    (b"\xef\xbb\xbf \r\n", "nothing to import"),
]


@pytest.mark.parametrize("name", ["x.txt", "x.docx", "x.md", "x.html"])
@pytest.mark.parametrize(("data", "sentence"), REFUSED)
def test_what_is_no_manuscript_is_named_whatever_it_is_called(
    name: str, data: bytes, sentence: str
) -> None:
    with pytest.raises(ContentError, match=sentence) as caught:
        kind_of_file(name, data, name)
    assert str(caught.value).startswith(f"{name}: ")
    assert caught.value.in_language("de") != str(caught.value)


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("x.txt", b"BMW baut Wagen.\n", "text"),
        ("x.txt", "ID3 heißt ein Modell, GIF ein Format.\n".encode(), "text"),
        ("x.txt", b"BZh, sagte er. PDF ist kein %PDF- am Anfang.\n", "text"),
        ("x.txt", "MZ steht für Mainz.\n".encode("cp1252"), "text"),
        ("x.txt", b"Subject: Einladung\n\nLiebe Leute", "text"),
        ("x.txt", b"<b> ist ein Tag.\n", "text"),
        ("x.txt", b"Von: Rosa Beispiel\nBetreff: das Tor\n\nLiebe Leute", "text"),
        ("x.txt", b"[Anfang]\n\nEs war ein Kran.\n", "text"),
        ("x.md", b'{"title": "Eins"}\n\nText\n', "markdown"),
        ("x.docx", b"Nur Text.\n", "text"),
        ("x.md", b"Nur Text.\n", "markdown"),
        ("x.txt", b"---\ntitle: Eins\n---\n\nText", "markdown"),
        ("x.txt", b"+++\ntitle = 'Eins'\n+++\n\nText", "markdown"),
        ("x.txt", b"---\n\nEin Strich am Anfang.\n", "text"),
        ("x.txt", b"<!DOCTYPE html><p>Text</p>", "html"),
        ("x.txt", b"\xef\xbb\xbf\n<!-- Notiz -->\n<html><p>Text</p>", "html"),
        ("x.html", b"<p>Text</p>", "html"),
        ("x.htm", "<html><p>Text</p>".encode("utf-16"), "html"),
        ("x.html", b"Nur Text.\n", "text"),
    ],
)
def test_texts_are_told_by_how_they_begin(name: str, data: bytes, kind: str) -> None:
    assert kind_of_file(name, data, name) == kind


@pytest.mark.parametrize(("data", "kind"), [(DOCX, "docx"), (ODT, "odt")])
def test_a_package_is_told_by_what_it_holds(data: bytes, kind: str) -> None:
    opened = kind_of_file("x.txt", data, "x.txt")
    assert isinstance(opened, Package)
    assert kind_of_package(opened) == kind


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (zipped(mimetype=b"application/vnd.oasis.opendocument.spreadsheet"), "another program"),
        (zipped(mimetype=b"application/epub+zip"), "another program"),
        (zipped(readme_dot_txt=b"Text"), "another program"),
        (zipped(Index__Document_dot_iwa=b"x"), "file of Pages"),
        (edited(DOCX, {}, {"word/vbaProject.bin": b"x"}), "macros"),
        (edited(DOCX, {"[Content_Types].xml": ("document.main+xml", "document.macroEnabled.main+xml")}), "macros"),
        (edited(ODT, {}, {"Basic/Standard/Modul1.bas": b"x"}), "macros"),
        (edited(ODT, {"META-INF/manifest.xml": ("</manifest:manifest>",
            "<manifest:encryption-data/></manifest:manifest>")}), "password"),
    ],
)  # fmt: skip
def test_other_packages_are_refused_with_what_they_are(data: bytes, sentence: str) -> None:
    with pytest.raises(ContentError, match=sentence):
        kind_of_package(Package(data, "x"))


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


def read(data: bytes) -> object:
    opened = Package(data, "x")
    return read_docx(opened) if kind_of_package(opened) == "docx" else read_odt(opened)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (edited(DOCX, {"word/document.xml": ("<w:document", f"{BOMB}<w:document")}), "XML"),
        (edited(DOCX, {"word/styles.xml": ("<w:styles", f"{BOMB}<w:styles")}), "XML"),
        (edited(DOCX, {"word/document.xml": ("<w:body>", "<w:body>" + "<w:sdt><w:sdtContent>" * 300)}), "XML"),
        (edited(DOCX, {}, {"../../outside.txt": b"x"}), "outside"),
        (edited(DOCX, {}, {"/etc/passwd": b"x"}), "outside"),
        (edited(DOCX, {}, {"..\\outside.txt": b"x"}), "outside"),
        (edited(ODT, {"content.xml": ("<office:document-content", f"{BOMB}<office:document-content")}), "XML"),
        (DOCX[: len(DOCX) // 2], "damaged"),
        (DOCX.replace(b"word/document.xml", b"word/dokument.xml"), "damaged"),
    ],
)  # fmt: skip
def test_hostile_and_damaged_packages_are_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(ContentError, match=sentence):
        read(data)


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "MAX_UNPACKED_BYTES", 3_000_000)
    bomb = edited(DOCX, {}, {"word/media/bild.png": bytes(4_000_000)})
    assert len(bomb) < 200_000
    with pytest.raises(ContentError, match="more than a manuscript needs"):
        read(bomb)


def test_the_size_that_a_package_announces_is_not_believed() -> None:
    long_part = b"<a>" + b"x" * package.MAX_XML_BYTES + b"</a>"
    bomb = bytearray(edited(DOCX, {}, {"word/header1.xml": long_part}))
    name = bomb.rindex(b"word/header1.xml")
    bomb[name - 46 + 24 : name - 46 + 28] = struct.pack("<I", 100)  # the uncompressed size
    with pytest.raises(ContentError, match=r"more than a manuscript needs|damaged"):
        read(bytes(bomb))


def test_a_package_with_two_parts_of_one_name_or_too_many_is_refused() -> None:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("word/document.xml", b"a")
        file.writestr("word/document.xml", b"b")
    with pytest.raises(ContentError, match="more than a manuscript needs"):
        Package(out.getvalue(), "x")
    many = zipped(**{f"part{number}": b"" for number in range(package.MAX_PARTS + 1)})
    with pytest.raises(ContentError, match="more than a manuscript needs"):
        Package(many, "x")


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ContentError, match="60 million"):
        kind_of_file("x.txt", b"x" * (package.MAX_FILE_BYTES + 1), "x.txt")
