"""The files of a mail that may hold a DMARC aggregate report, unpacked within bounds.

Anybody may send such a mail. Nothing is written to disk and no name in an archive is used; what an
archive says about its own sizes is not believed.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message

from upcycle_news.bounces.mail_parts import decode_header_text, own_parts

MAX_FILES = 5
"""Files of one mail that are looked at; a mail has one report (RFC 7489, section 7.2.1.1)."""
MAX_UNPACKED = 8_000_000
"""Bytes of one unpacked report. Reports of the largest receivers have a tenth."""
MAX_RATIO = 250
"""Of unpacked to packed bytes, above `_SMALL`. Reports reach 40, an archive made to burst 1000."""
_SMALL = 100_000

_ZIP, _GZIP = b"PK\x03\x04", b"\x1f\x8b"
_NAMES = re.compile(r"\.(xml|zip|gz|gzip)$", re.IGNORECASE)
_TYPES = frozenset(
    {
        *("application/zip", "application/x-zip-compressed", "application/x-zip"),
        *("application/gzip", "application/x-gzip", "application/gzip-compressed"),
        *("text/xml", "application/xml", "application/dmarc+xml"),
    }
)
# "receiver!policy-domain!begin!end[!unique-id].extension" and the subject (RFC 7489, section 7.2.1.1).
_FILE_NAME = re.compile(r"[^!]{0,255}![^!]{1,255}!\d{1,15}!\d{1,15}(![^!]*)?\.\w+(\.\w+)?")
_SUBJECT = re.compile(r"report[- ]domain:.{1,300}(submitter|report-id):", re.IGNORECASE | re.DOTALL)


class UnreadableReportError(ValueError):
    """It cannot be read as a DMARC aggregate report; the text says why, in words for the log."""


@dataclass(frozen=True)
class ReportFile:
    """An attached file as it came."""

    name: str
    data: bytes


def announces_report(message: Message) -> bool:
    """Return True if subject or file names say that the mail is an aggregate report."""
    subject = decode_header_text(str(message.get("Subject", ""))[:1000])
    if _SUBJECT.search(subject):
        return True
    return any(_FILE_NAME.fullmatch(_file_name(part)) for part in own_parts(message))


def report_files(message: Message) -> tuple[ReportFile, ...]:
    """Return the files that may be a report, by type or name; raises `UnreadableReportError` for many."""
    files = list(_candidates(message))
    if len(files) > MAX_FILES:
        raise UnreadableReportError("too many files in one mail")
    return tuple(
        ReportFile(_file_name(part), payload)
        for part in files
        if isinstance(payload := part.get_payload(decode=True), bytes)
    )


def _candidates(message: Message) -> Iterator[Message]:
    for part in own_parts(message):
        if part.is_multipart():
            continue
        if part.get_content_type() in _TYPES or _NAMES.search(_file_name(part)):
            yield part


def _file_name(part: Message) -> str:
    try:
        return decode_header_text((part.get_filename() or "").strip())[:600]
    except (LookupError, UnicodeError, ValueError, TypeError):
        return ""


def unpack(data: bytes) -> bytes:
    """Return the XML in a zip, a gzip or a plain file; raises `UnreadableReportError`.

    The first bytes decide which it is: receivers name the wrong type.
    """
    if data.startswith(_ZIP):
        unpacked = _unzip(data)
    elif data.startswith(_GZIP):
        unpacked = _gunzip(data)
    else:
        unpacked = data
    if len(unpacked) > MAX_UNPACKED:
        raise UnreadableReportError("too large")
    if unpacked.startswith((_ZIP, _GZIP)):
        raise UnreadableReportError("an archive in an archive")
    return unpacked


def _limit(packed: int) -> int:
    return min(MAX_UNPACKED, max(_SMALL, MAX_RATIO * packed))


def _gunzip(data: bytes) -> bytes:
    unpacker, limit = zlib.decompressobj(wbits=31), _limit(len(data))
    try:
        unpacked = unpacker.decompress(data, limit + 1)
    except zlib.error:
        raise UnreadableReportError("a damaged gzip file") from None
    if len(unpacked) > limit:
        raise UnreadableReportError("much larger unpacked than packed")
    if not unpacker.eof:
        raise UnreadableReportError("a gzip file that breaks off")
    if unpacker.unused_data.startswith(_GZIP):
        raise UnreadableReportError("more than one file in an archive")
    return unpacked


def _unzip(data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = [info for info in archive.infolist() if not info.is_dir()]
            if len(files) != 1:
                raise UnreadableReportError("not one file in an archive")
            [info] = files
            if info.flag_bits & 0x1:
                raise UnreadableReportError("an archive with a password")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise UnreadableReportError("an unusual compression")
            limit = _limit(len(data))
            with archive.open(info) as file:
                unpacked = file.read(limit + 1)
            if len(unpacked) > limit:
                raise UnreadableReportError("much larger unpacked than packed")
            if len(unpacked) != info.file_size:
                raise UnreadableReportError("an archive whose sizes are wrong")
            return unpacked
    except UnreadableReportError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError,
            RuntimeError, UnicodeError, OverflowError):  # fmt: skip
        raise UnreadableReportError("a damaged zip file") from None
