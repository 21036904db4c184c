"""Makes DMARC aggregate reports in the dialects of receivers, broken and hostile ones among them.

All of it is made up here: domains and servers are those of documentation (RFC 2606, 5737, 3849).
"""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from email.message import EmailMessage
from email.policy import SMTP

DOMAIN = "umbaupost.example.net"
DAY = 86_400
BEGIN = 1_795_564_800  # 25 November 2026, 00:00 UTC


@dataclass(frozen=True)
class Record:
    source: str = "192.0.2.10"
    count: int | str = 3
    disposition: str = "none"
    dkim: str = "pass"
    spf: str = "pass"
    header_from: str = DOMAIN
    signed_by: str = DOMAIN


@dataclass(frozen=True)
class Dialect:
    """How a receiver writes. `{…}` of `head` are filled in; the tags of `without` are left out."""

    organisation: str = "receiver.example"
    declaration: str = '<?xml version="1.0" encoding="UTF-8" ?>'
    opening: str = "<feedback>"
    closing: str = "</feedback>"
    prefix: str = ""
    encoding: str = "utf-8"
    without: frozenset[str] = frozenset()
    extra_policy: str = "<adkim>r</adkim><aspf>r</aspf><sp>none</sp><pct>100</pct>"
    extra_metadata: str = "<extra_contact_info>https://receiver.example/dmarc</extra_contact_info>"
    before: str = ""


GOOGLE_LIKE = Dialect("google.example", closing="</feedback>\n")
MICROSOFT_LIKE = Dialect(
    "Enterprise Outlook Example",
    declaration='<?xml version="1.0"?>',
    opening='<feedback xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><version>1.0</version>',
)
YAHOO_LIKE = Dialect("Yahoo.example", declaration='<?xml version="1.0"?>')
GMX_LIKE = Dialect(
    "gmx.example",
    opening='<feedback xmlns="http://dmarc.org/dmarc-xml/0.1"><version>1.0</version>',
)
NEW_LIKE = Dialect(  # RFC 9990
    "new.example",
    opening='<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0"><version>1.0</version>',
    extra_policy="<discovery_method>treewalk</discovery_method><np>none</np><testing>n</testing>",
)
PREFIXED = Dialect(
    "prefixed.example",
    opening='<d:feedback xmlns:d="http://dmarc.org/dmarc-xml/0.1">',
    closing="</d:feedback>",
    prefix="d:",
)
WINDOWS = Dialect(
    "windows.example", '<?xml version="1.0" encoding="windows-1252"?>', encoding="cp1252"
)
DIALECTS = (GOOGLE_LIKE, MICROSOFT_LIKE, YAHOO_LIKE, GMX_LIKE, NEW_LIKE, PREFIXED, WINDOWS)


def report_xml(
    records: Sequence[Record] = (Record(),),
    dialect: Dialect = GOOGLE_LIKE,
    *,
    report_id: str = "4711",
    begin: int | str = BEGIN,
    end: int | str = BEGIN + DAY - 1,
    domain: str = DOMAIN,
) -> bytes:
    """Return the XML of a report."""

    def tag(name: str, content: str | int) -> str:
        if name in dialect.without:
            return ""
        return f"<{dialect.prefix}{name}>{content}</{dialect.prefix}{name}>\n"

    def record_xml(record: Record) -> str:
        evaluated = tag("disposition", record.disposition)
        evaluated += tag("dkim", record.dkim) + tag("spf", record.spf)
        row = tag("source_ip", record.source) + tag("count", record.count)
        row += tag("policy_evaluated", evaluated)
        signature = tag("domain", record.signed_by) + tag("result", record.dkim)
        envelope = tag("domain", record.header_from) + tag("result", record.spf)
        return tag(
            "record",
            tag("row", row)
            + tag("identifiers", tag("header_from", record.header_from))
            + tag("auth_results", tag("dkim", signature) + tag("spf", envelope)),
        )

    metadata = tag("org_name", dialect.organisation) + tag("email", "dmarc@receiver.example")
    metadata += dialect.extra_metadata if not dialect.prefix else ""
    metadata += tag("report_id", report_id)
    metadata += tag("date_range", tag("begin", begin) + tag("end", end))
    policy = tag("domain", domain) + tag("p", "none")
    policy += dialect.extra_policy if not dialect.prefix else ""
    text = "".join(
        (
            dialect.before,
            dialect.declaration,
            "\n",
            dialect.opening,
            tag("report_metadata", metadata),
            tag("policy_published", policy),
            *map(record_xml, records),
            dialect.closing,
        )
    )
    return text.encode(dialect.encoding)


# --- packed


def zipped(data: bytes, name: str = "report.xml", *, stored: bool = False) -> bytes:
    return zip_of((name, data), stored=stored)


def zip_of(*files: tuple[str, bytes], stored: bool = False) -> bytes:
    packed = io.BytesIO()
    method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return packed.getvalue()


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def bomb_gzip(megabytes: int = 50) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    block = b" " * 1_000_000
    return b"".join([packer.compress(block) for _ in range(megabytes)]) + packer.flush()


def bomb_zip(megabytes: int = 50) -> bytes:
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("report.xml", "w") as file,
    ):
        for _ in range(megabytes):
            file.write(b" " * 1_000_000)
    return packed.getvalue()


def encrypted_zip(data: bytes) -> bytes:
    """Return a zip whose headers say that its file has a password."""
    packed = bytearray(zipped(data))
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = packed.index(signature) + place
        packed[at] |= 1
    return bytes(packed)


def lying_zip(data: bytes, size: int) -> bytes:
    """Return a zip whose headers say another unpacked size."""
    packed = bytearray(zipped(data))
    for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = packed.index(signature) + place
        packed[at : at + 4] = struct.pack("<I", size)
    return bytes(packed)


# --- mailed


def report_mail(
    data: bytes,
    *,
    file_name: str = f"receiver.example!{DOMAIN}!{BEGIN}!{BEGIN + DAY - 1}.xml.gz",
    content_type: str = "application/gzip",
    subject: str = f"Report Domain: {DOMAIN} Submitter: receiver.example Report-ID: 4711",
    text: str = "This is an aggregate report.\n",
) -> bytes:
    """Return a mail with a report attached; the file is the whole mail where `text` is empty."""
    message = EmailMessage(policy=SMTP)
    message["From"] = "DMARC Reports <noreply@receiver.example>"
    message["To"] = f"dmarc@{DOMAIN}"
    message["Subject"] = subject
    message["Message-ID"] = "<report-4711@receiver.example>"
    kind, _, subtype = content_type.partition("/")
    if text:
        message.set_content(text)
        message.add_attachment(data, kind, subtype, filename=file_name)
    else:
        message.set_content(data, kind, subtype, filename=file_name)
    return message.as_bytes()


# --- the fifty and more


@dataclass(frozen=True)
class Sample:
    """A file, and what is right for it: the mails that it tells of, None if it is refused."""

    name: str
    data: bytes
    mails: int | None


_TWO = (Record(), Record("198.51.100.7", 5, "reject", "fail", "fail", signed_by="evil.example"))


def samples() -> Iterator[Sample]:
    """Yield all samples: readable ones in each dialect and packing, broken ones, hostile ones."""
    for dialect in DIALECTS:
        data = report_xml(_TWO, dialect)
        yield Sample(f"{dialect.organisation} as gzip", gzipped(data), 8)
        yield Sample(f"{dialect.organisation} as zip", zipped(data), 8)
        yield Sample(f"{dialect.organisation} as it is", data, 8)
    yield from _odd_but_readable()
    yield from _broken()
    yield from _hostile()


def _odd_but_readable() -> Iterator[Sample]:
    base = GOOGLE_LIKE
    odd = {
        "stored zip": zipped(report_xml(), stored=True),
        "a name that climbs": zipped(report_xml(), "../../../../etc/cron.d/report.xml"),
        "an absolute name": zipped(report_xml(), "/etc/passwd"),
        "a folder beside the file": zip_of(("reports/", b""), ("reports/report.xml", report_xml())),
        "zeros behind the gzip": gzipped(report_xml()) + b"\0" * 64,
        "a byte order mark": b"\xef\xbb\xbf" + report_xml(),
        "blanks before the declaration": report_xml(dialect=replace(base, before="\n  ")),
        "the schema's first tag": report_xml(
            dialect=replace(
                base,
                opening='<feedback><xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" '
                'targetNamespace="http://dmarc.org/dmarc-xml/0.1">',
            )
        ),
        "latin-1 said to be utf-8": report_xml(
            dialect=replace(base, organisation="Müller.example", encoding="latin-1")
        ),
        "an unknown encoding": report_xml(
            dialect=replace(base, declaration='<?xml version="1.0" encoding="utf8mb4"?>')
        ),
        "utf-16": report_xml(
            dialect=replace(
                base, declaration='<?xml version="1.0" encoding="UTF-16"?>', encoding="utf-16"
            )
        ),
        "no declaration": report_xml(dialect=replace(base, declaration="")),
        "no policy_published": report_xml(
            dialect=replace(base, without=frozenset({"policy_published"}))
        ),
        "no disposition": report_xml(dialect=replace(base, without=frozenset({"disposition"}))),
        "no auth_results": report_xml(dialect=replace(base, without=frozenset({"auth_results"}))),
        "no identifiers": report_xml(dialect=replace(base, without=frozenset({"identifiers"}))),
        "words in capitals": report_xml([Record(dkim="PASS", spf="Fail", disposition="None")]),
        "hardfail": report_xml([Record(dkim="pass", spf="hardfail")]),
        "the disposition pass": report_xml([Record(disposition="pass")]),
        "IPv6": report_xml([Record("2001:db8::25")]),
        "times with fractions": report_xml(begin=f"{BEGIN}.0", end=f"{BEGIN + DAY}.5"),
        "ISO times": report_xml(begin="2026-11-25T00:00:00Z", end="2026-11-25T23:59:59+00:00"),
        "the same record twice, once without a number": report_xml([Record(), Record(count="")]),
        "a record without a server": report_xml([Record(), Record(source="unknown")]),
        "a negative number beside": report_xml([Record(), Record(count=-5)]),
    }
    for name, data in odd.items():
        yield Sample(name, data, 3)
    yield Sample("no record", report_xml([]), 0)
    yield Sample("only records without results", report_xml([Record(dkim="", spf="")]), 0)


def _broken() -> Iterator[Sample]:
    data, base = report_xml(), GOOGLE_LIKE
    broken = {
        "nothing": b"",
        "the word unused": gzipped(b"unused"),
        "html": b"<html><body>Report</body></html>",
        "xml of something else": b"<?xml version='1.0'?><rss><channel/></rss>",
        "half of the xml": data[: len(data) // 2],
        "no metadata": report_xml(dialect=replace(base, without=frozenset({"report_metadata"}))),
        "no report id": report_xml(dialect=replace(base, without=frozenset({"report_id"}))),
        "no span": report_xml(dialect=replace(base, without=frozenset({"date_range"}))),
        "a span that ends before it begins": report_xml(begin=BEGIN + DAY, end=BEGIN),
        "a span of a year": report_xml(begin=BEGIN - 365 * DAY, end=BEGIN),
        "a span in words": report_xml(begin="yesterday", end="today"),
        "a time beyond the calendar": report_xml(begin=10**12 - 2, end=10**12 - 1),
        "no domain anywhere": report_xml(
            dialect=replace(base, without=frozenset({"policy_published", "identifiers"}))
        ),
    }
    for name, content in broken.items():
        yield Sample(name, content, None)


def _hostile() -> Iterator[Sample]:
    data = report_xml()
    entities = data.replace(
        b"<feedback>",
        b'<!DOCTYPE feedback [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><feedback>&b;',
        1,
    )
    hostile = {
        "gzip bomb": bomb_gzip(),
        "zip bomb": bomb_zip(),
        "a zip in a zip": zipped(zipped(data), "report.zip"),
        "a gzip in a zip": zipped(gzipped(data), "report.xml.gz"),
        "a zip in a gzip": gzipped(zipped(data)),
        "two reports in a gzip": gzipped(data) + gzipped(data),
        "two files": zip_of(("a.xml", data), ("b.xml", data)),
        "three thousand files": zip_of(*((f"{number}.xml", b"<a/>") for number in range(3000))),
        "no file": zip_of(),
        "a password": encrypted_zip(data),
        "a size that is too small": lying_zip(data, 100),
        "a size that is too large": lying_zip(data, 4_000_000_000),
        "half a gzip": gzipped(data)[:-40],
        "half a zip": zipped(data)[:-40],
        "gzip's first bytes": b"\x1f\x8b\x08" + b"\xff" * 50,
        "zip's first bytes": b"PK\x03\x04" + b"\xff" * 50,
        "entities": entities,
        "entities in utf-16": entities.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        "a document type behind a wrong encoding": entities.replace(b"UTF-8", b"utf8mb4"),
        "ten thousand elements deep": b"<feedback>" + b"<a>" * 10_000,
        "more records than anybody has": report_xml([Record()]).replace(
            b"</feedback>", b"<record/>" * 60_000 + b"</feedback>"
        ),
    }
    for name, content in hostile.items():
        yield Sample(name, content, None)
