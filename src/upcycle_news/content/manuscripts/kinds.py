"""Tells what a manuscript is by its bytes; a name alone decides nothing.

What cannot be read is refused with a sentence that says what it is and how its text is had.
"""

from __future__ import annotations

import json
import re
from typing import Literal

from upcycle_news.content.manuscripts.package import MAX_FILE_BYTES, Package
from upcycle_news.errors import ContentError
from upcycle_news.i18n.messages import LocalizedText, localized

Kind = Literal["docx", "odt", "fodt", "html", "markdown", "text"]

_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml."
_ODT = (
    "application/vnd.oasis.opendocument.text",
    "application/vnd.oasis.opendocument.text-template",
)
_MARKDOWN_NAME = re.compile(r"\.(?:md|markdown|mdown|mkd)$", re.IGNORECASE)
_HTML_NAME = re.compile(r"\.x?html?$", re.IGNORECASE)

_PICTURES = (
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+",
    b"8BPS", b"\0\0\1\0", b"\xd7\xcd\xc6\x9a", b"\0\0\0\x0cjP  ", b"\x01\0\0\0\x58\0\0\0", b"gimp xcf",
)  # fmt: skip
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OTHERS = {
    b"{\\rtf": "rtf",
    b"%!PS": "postscript",
    b"\x1f\x8b": "archive",
    b"7z\xbc\xaf\x27\x1c": "archive",
    b"Rar!\x1a\x07": "archive",
    b"BZh": "archive",
    b"\xfd7zXZ\0": "archive",
    b"SQLite format 3\0": "unknown",
    b"\x7fELF": "unknown",
    b"MZ\x90\0": "unknown",
    b"OggS": "sound",
    b"ID3": "sound",
    b"fLaC": "sound",
    b"\x1aE\xdf\xa3": "sound",
    b"\xffWPC": "unknown",
}


def kind_of_file(name: str, data: bytes, where: str) -> Kind | Package:
    """Return what a manuscript is, or the opened package of a .docx or .odt file.

    Raises `ContentError` at `where` for what cannot be read. The name only tells Markdown from plain
    text, which look the same, and a piece of HTML from a text about it.
    """
    if len(data) > MAX_FILE_BYTES:
        millions = MAX_FILE_BYTES // 1_000_000
        raise ContentError(where, None, localized("manuscript-large", millions=millions))
    if not data.strip(b"\0 \t\r\n\xef\xbb\xbf"):
        raise ContentError(where, None, localized("manuscript-empty"))
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Package(data, where)
    if (refusal := _refusal(data)) is not None:
        raise ContentError(where, None, refusal)
    return _kind_of_text(name, data, where)


def kind_of_package(package: Package) -> Literal["docx", "odt"]:
    """Return what a ZIP package is; raises `ContentError` for macros, passwords and other programs."""
    where, names = package.where, package.names
    if "[Content_Types].xml" in names:
        types = (package.read("[Content_Types].xml", 1_000_000) or b"").decode("utf-8", "replace")
        if "macroEnabled" in types or any(name.endswith("vbaProject.bin") for name in names):
            raise ContentError(where, None, localized("manuscript-macros"))
        if f"{_WORD}document.main+xml" in types or f"{_WORD}template.main+xml" in types:
            return "docx"
    mimetype = (package.read("mimetype", 1_000) or b"").decode("ascii", "replace").strip()
    if mimetype in _ODT:
        if any(name.startswith(("Basic/", "Scripts/")) and not name.endswith((".xml", ".xlb", "/"))
               for name in names):  # fmt: skip
            raise ContentError(where, None, localized("manuscript-macros"))
        if b"encryption-data" in (package.read("META-INF/manifest.xml", 5_000_000) or b""):
            raise ContentError(where, None, localized("manuscript-password"))
        return "odt"
    if any(name.endswith(".iwa") or name == "index.xml.gz" for name in names):
        raise ContentError(where, None, localized("manuscript-pages"))
    raise ContentError(where, None, localized("manuscript-other-package"))


def _refusal(data: bytes) -> LocalizedText | None:
    """Return why a file cannot be a manuscript, by its signature; None where it may be a text."""
    start = data[:2048].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"%PDF-") or (b"%PDF-" in data[:1024] and b"endobj" in data):
        return localized("manuscript-pdf")
    if data.startswith(_PICTURES) or _is_riff_picture(data) or _is_bitmap(data):
        return localized("manuscript-picture")
    if data[4:8] == b"ftyp":  # ISO base media: pictures of phones, and films
        still = data[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"heim", b"heis")
        return localized("manuscript-picture") if still else localized("manuscript-sound")
    if data.startswith(_COMPOUND):
        return _compound(data)
    for signature, kind in _OTHERS.items():
        if start.startswith(signature) and (signature.startswith((b"{", b"%")) or _is_binary(data)):
            return _other(kind)
    if (re.match(rb"[A-Z][\w-]+: ", start) and _MAIL.search(data[:20_000])) or _has_mail_head(
        start
    ):
        return localized("manuscript-mail")
    if start.startswith((b"[InternetShortcut]", b'{"url":"https://docs.google.com', b'{"doc_id"')):
        return localized("manuscript-shortcut")
    if start.startswith((b"BEGIN:VCALENDAR", b"BEGIN:VCARD")) or _is_json(start, data):
        return localized("manuscript-no-text")
    if re.match(rb"(?:%[^\n]*\n\s*)*\\documentclass\b", start):
        return localized("manuscript-latex")
    return None


_MAIL = re.compile(rb"^(?:MIME-Version: 1|Message-ID: <)", re.MULTILINE | re.IGNORECASE)


_MAIL_FIELD = re.compile(
    rb"(From|Von|Sent|Gesendet|Date|Datum|To|An|Cc|Subject|Betreff|Message-ID)[ \t]*:",
    re.IGNORECASE,
)
_MAIL_NAMES = (
    {b"from", b"von"},
    {b"sent", b"gesendet", b"date", b"datum", b"message-id"},
    {b"subject", b"betreff"},
)


def _has_mail_head(start: bytes) -> bool:
    """Return whether a text begins as mails saved as text do: by whom, when, and about what."""
    head = re.split(rb"\r?\n[ \t]*\r?\n", re.sub(rb"^>?From [^\n]*\n", b"", start))[0]
    found = {match[1].lower() for line in head.splitlines() if (match := _MAIL_FIELD.match(line))}
    return all(found & names for names in _MAIL_NAMES)


def _is_json(start: bytes, data: bytes) -> bool:
    """Return whether a file is data of a program; Hugo's heads of JSON have a text below them."""
    if not start.startswith((b"{", b"[")) or len(data) > 1_000_000:
        return False
    try:
        return isinstance(json.loads(data), dict | list)
    except (ValueError, RecursionError):
        return False


def _other(kind: str) -> LocalizedText:
    texts = {
        "rtf": localized("manuscript-rtf"),
        "postscript": localized("manuscript-pdf"),
        "archive": localized("manuscript-archive"),
        "sound": localized("manuscript-sound"),
        "unknown": localized("manuscript-no-text"),
    }
    return texts[kind]


def _compound(data: bytes) -> LocalizedText:
    """Return what an OLE compound file is, by the names of its streams (MS-CFB, 2.6.1: in UTF-16)."""

    def has(name: str) -> bool:
        return name.encode("utf-16-le") in data

    if has("EncryptedPackage"):
        return localized("manuscript-password")
    if has("__properties_version1.0") or has("__substg1.0_"):
        return localized("manuscript-mail")
    if any(map(has, ("Workbook", "PowerPoint Document", "VisioDocument", "Quill"))):
        return localized("manuscript-no-text")
    return localized("manuscript-doc")


def _is_binary(data: bytes) -> bool:
    """Return whether a file holds bytes that no text has: "ID3" and "BZh" may begin a sentence."""
    return bool(re.search(rb"[\x00-\x08\x0e-\x19\x1c-\x1f]", data[:4096]))


def _is_riff_picture(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def _is_bitmap(data: bytes) -> bool:
    """Return whether it is a BMP: texts, too, begin with BM; the reserved bytes are no text."""
    return data.startswith(b"BM") and data[6:10] == b"\0\0\0\0" and data[14:18].endswith(b"\0\0\0")


_XML = re.compile(r"\s*<\?xml\b")
_PROLOGUE = re.compile(r"(?:\s+|<\?xml.*?\?>|<!--.*?-->)*", re.DOTALL)


def _kind_of_text(name: str, data: bytes, where: str) -> Kind:
    """Return what kind of text it is, by how it begins."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data[:8192].decode("utf-16", "replace")
    else:
        text = data[:8192].replace(b"\0", b"").decode("latin-1").removeprefix("ï»¿")
    begin = text[_PROLOGUE.match(text).end() :][:400].lower()  # type: ignore[union-attr]
    if re.match(r"<!doctype\s+html|<(?:html|head|body)[\s>]", begin):
        return "html"
    if "<svg" in begin:
        raise ContentError(where, None, localized("manuscript-picture"))
    if begin.startswith("<office:document") and "opendocument.text" in text:
        return "fodt"
    if _XML.match(text):
        raise ContentError(where, None, localized("manuscript-xml-other"))
    if _HTML_NAME.search(name) and re.match(r"<[a-z][a-z0-9]*[\s>]|<!", begin):
        return "html"
    has_head = re.match(r"\s*(?:---[ \t]*\r?\n[^\n]*?\w+\s*:|\+\+\+[ \t]*\r?\n)", text)
    if _MARKDOWN_NAME.search(name) or has_head:
        return "markdown"
    return "text"
