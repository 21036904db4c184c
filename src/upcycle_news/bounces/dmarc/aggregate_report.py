"""Parse the XML of a DMARC aggregate report: RFC 7489, appendix C, and RFC 9990. Pure.

Receivers write dialects: with the schema's namespace, another one or none, with words of their own,
without elements that the schema demands. What is needed for the sums is taken wherever it is certain;
a record of which the server, the number or the results are not certain is left out.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from upcycle_news.bounces.dmarc.report_files import UnreadableReportError
from upcycle_news.models.dmarc import DISPOSITIONS, DmarcReport, DmarcRow, summed
from upcycle_news.text.safe_xml import UnsafeXmlError, parse_xml

MAX_RECORDS = 50_000
_MAX_COUNT = 1_000_000_000
_LONGEST_SPAN = timedelta(days=40)
_EARLIEST = datetime(2012, 1, 1, tzinfo=UTC)  # the year of the first draft

_DOCTYPE = re.compile(r"<!\s*(doctype|entity)", re.IGNORECASE)
_BEGIN = re.compile(r"<(?:[\w.-]+:)?feedback[\s>]")
# A receiver copies the first element of the schema into its reports, and does not close it.
_SCHEMA_TAG = re.compile(r"</?(?:xs|xsd):schema\b[^<>]{0,500}>")
_POLICIES = ("none", "quarantine", "reject")
_DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9_-]+(\.[a-z0-9_-]+)*")


def parse_report(data: bytes) -> DmarcReport:
    """Return what an unpacked report says; raises `UnreadableReportError`.

    A document type is refused, whatever it holds (`text.safe_xml`).
    """
    root = _root(data)
    if _name(root) != "feedback":
        raise UnreadableReportError("XML that is no aggregate report")
    metadata = _child(root, "report_metadata")
    if metadata is None:
        raise UnreadableReportError("no report_metadata")
    begins_at, ends_at = _span(_child(metadata, "date_range"))
    rows = summed(_records(root))
    published = _child(root, "policy_published")
    domain = _domain(_text(published, "domain")) or _most_frequent_author(rows)
    if not domain:
        raise UnreadableReportError("no domain that it is about")
    organisation = _line(_text(metadata, "org_name"), 100)
    report_id = _line(_text(metadata, "report_id"), 255)
    if not organisation or not report_id:
        raise UnreadableReportError("no org_name or no report_id")
    return DmarcReport(
        organisation=organisation,
        report_id=report_id,
        domain=domain,
        policy=_policy(_text(published, "p")),
        begins_at=begins_at,
        ends_at=ends_at,
        rows=rows,
    )


def _root(data: bytes) -> Any:
    try:
        return parse_xml(data)
    except UnsafeXmlError:
        pass
    # Again as a text: with a wrong encoding in its first line, or something before that line.
    text = _decoded(data)
    begin = _BEGIN.search(text)
    if begin is None:
        raise UnreadableReportError("no aggregate report")
    if _DOCTYPE.search(text):
        raise UnreadableReportError("XML with a document type")
    body = _SCHEMA_TAG.sub("", text[begin.start() :])
    try:
        return parse_xml(body.encode())
    except UnsafeXmlError:
        raise UnreadableReportError("XML that is not well-formed") from None


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _records(root: Any) -> Iterator[tuple[DmarcRow, int]]:
    for position, record in enumerate(_children(root, "record")):
        if position >= MAX_RECORDS:
            raise UnreadableReportError("too many records")
        read = _record(record)
        if read is not None:
            yield read


def _record(record: Any) -> tuple[DmarcRow, int] | None:
    row = _child(record, "row")
    evaluated = _child(row, "policy_evaluated")
    source, count = _address(_text(row, "source_ip")), _number(_text(row, "count"))
    if evaluated is None or not source or count is None:
        return None
    results = [_text(evaluated, name).lower() for name in ("dkim", "spf")]
    if not all(results):
        return None
    disposition = _text(evaluated, "disposition").lower()
    if disposition == "pass":  # RFC 9990: it passed, so no policy was applied
        disposition = "none"
    identifiers, signatures = _child(record, "identifiers"), _child(record, "auth_results")
    return (
        DmarcRow(
            source=source,
            disposition=disposition if disposition in DISPOSITIONS else "unknown",
            dkim=results[0] == "pass",
            spf=results[1] == "pass",
            header_from=_domain(_text(identifiers, "header_from")),
            signed_by=_passing_domain(signatures, "dkim"),
            mail_from=_passing_domain(signatures, "spf"),
        ),
        count,
    )


def _passing_domain(results: Any, kind: str) -> str:
    for result in _children(results, kind):
        if _text(result, "result").lower() == "pass":
            return _domain(_text(result, "domain"))
    return ""


def _most_frequent_author(rows: dict[DmarcRow, int]) -> str:
    """Return the domain of most mails, where a report does not say what it is about."""
    counts: dict[str, int] = {}
    for row, count in rows.items():
        if row.header_from:
            counts[row.header_from] = counts.get(row.header_from, 0) + count
    return max(counts, key=lambda name: counts[name]) if counts else ""


def _span(date_range: Any) -> tuple[datetime, datetime]:
    begins_at, ends_at = (_time(_text(date_range, name)) for name in ("begin", "end"))
    if begins_at is None or ends_at is None or begins_at > ends_at:
        raise UnreadableReportError("no span of time")
    if begins_at < _EARLIEST or ends_at - begins_at > _LONGEST_SPAN:
        raise UnreadableReportError("an impossible span of time")
    return begins_at, ends_at


def _time(text: str) -> datetime | None:
    """Return a time in seconds since 1970, or an ISO time as some receivers write."""
    try:
        if re.fullmatch(r"\d{1,12}(\.\d{1,9})?", text):
            return datetime.fromtimestamp(int(text.partition(".")[0]), UTC)
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _number(text: str) -> int | None:
    if not re.fullmatch(r"[0-9]{1,10}", text):
        return None
    number = int(text)
    return number if 0 < number <= _MAX_COUNT else None


def _policy(text: str) -> str:
    """Return one of the three policies (RFC 7489, section 6.3); empty for anything else."""
    word = text.strip().lower()
    return word if word in _POLICIES else ""


def _address(text: str) -> str:
    """Return an IP address in its shortest form; empty for anything else.

    A zone (``fe80::1%eth0``) names an interface of the reporter's, and may be any text of any length.
    """
    text = text.strip("[]")
    try:
        return "" if "%" in text else str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def _domain(text: str) -> str:
    """Return a domain in lower case and without final dot; empty for anything else."""
    name = text.strip().lower().rstrip(".")
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    return name if _DOMAIN.fullmatch(name) else ""


def _line(text: str, limit: int) -> str:
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())[:limit]


def _name(element: Any) -> str:
    """Return an element's name without namespace; empty for comments."""
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def _children(element: Any, name: str) -> Iterator[Any]:
    if element is not None:
        for child in element:
            if _name(child) == name:
                yield child


def _child(element: Any, name: str) -> Any:
    return next(_children(element, name), None)


def _text(element: Any, name: str) -> str:
    child = _child(element, name)
    return "" if child is None else (child.text or "").strip()
