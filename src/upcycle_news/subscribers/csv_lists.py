"""Subscriber lists as CSV: lenient reading with a report by line, safe writing.

The reader takes what spreadsheets produce (BOM, semicolons, Latin-1, quoted newlines). The writer
escapes formulas, and the reader undoes exactly that, so that a list survives the round trip.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from upcycle_news.errors import AddressError, ContentError, UpcycleError
from upcycle_news.i18n.messages import LANGUAGES
from upcycle_news.models import EmailAddress, Subscriber
from upcycle_news.storage.subscribers import NewSubscriber

COLUMNS = ("email", "name", "language", "topics")
# Columns of other systems that tell who is subscribed, and who no longer is.
STATUS_COLUMNS = ("status", "subscribed_to_emails")
UNSUBSCRIBED_COLUMNS = (
    "unsub_time",
    "unsubscribed_at",
    "clean_time",
    "bounced_at",
    "deleted_at",
    "email_disabled",
)
LISTED_AS = "is listed as"
_SUBSCRIBED_VALUES = frozenset({"", "confirmed", "active", "subscribed", "true", "yes", "1"})
_NO_VALUES = frozenset({"", "false", "no", "0"})
_SPELLINGS = {
    "e-mail": "email",
    "mail": "email",
    "e-mail-adresse": "email",
    "email address": "email",
    "sprache": "language",
    "themen": "topics",
    "vorname": "first",
    "first name": "first",
    "nachname": "last",
    "last name": "last",
}
_KNOWN_COLUMNS = (*COLUMNS, "groups", "first", "last", *STATUS_COLUMNS, *UNSUBSCRIBED_COLUMNS)
# A spreadsheet runs a cell that begins like this as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass
class ParsedList:
    """The subscribers of a list, the lines that were `skipped` on purpose, and the `invalid` ones.

    `unread` names the columns that were ignored, as the list spells them.
    """

    subscribers: list[NewSubscriber] = field(default_factory=list)
    skipped: list[tuple[int, str]] = field(default_factory=list)
    invalid: list[tuple[int, str]] = field(default_factory=list)
    unread: tuple[str, ...] = ()


def read_subscribers_csv(
    data: bytes,
    *,
    where: str,
    columns: Mapping[str, str] = {},
    take: Collection[str] = (),
    progress: Callable[[int], None] = lambda _: None,
) -> ParsedList:
    """Read a CSV file with a header line; raises `ContentError` when it is not such a file.

    Columns: email, name, language, topics (several joined by ; or ,), groups, and those that mark
    unsubscribed lines (`skip_reason`). Without a name, first and last name are joined. Other columns
    are ignored. `columns` maps names of another system to ours, `take` holds further status values
    that count as subscribed, `progress` is called with 1 for each row.
    """
    text = _decode(data)
    rows = csv.reader(io.StringIO(text, newline=""), _dialect(text), strict=True)
    try:
        names = next(rows, [])
        header = [_column(name, columns) for name in names]
        if "email" not in header:
            raise ContentError(
                where, 1, "has no column 'email': the first line must name the columns, "
                "as in email,name,language,topics"
            )  # fmt: skip
        unread = (a.strip() for a, b in zip(names, header, strict=True) if b not in _KNOWN_COLUMNS)
        parsed = ParsedList(unread=tuple(name for name in unread if name))
        for line, row in _numbered(rows):
            _add_row(dict(zip(header, row, strict=False)), line, parsed, take)
            progress(1)
    except csv.Error as error:
        raise ContentError(where, rows.line_num, f"is not CSV here: {error}") from None
    return parsed


def _add_row(
    row: dict[str, str], line: int, parsed: ParsedList, accepted_statuses: Collection[str]
) -> None:
    fields = {key: _unescape_formula(value) for key, value in row.items()}
    if not any(value.strip() for value in fields.values()):
        return
    if reason := skip_reason(fields, accepted_statuses):
        parsed.skipped.append((line, reason))
        return
    try:
        email = EmailAddress.parse(fields.get("email", ""))
    except AddressError as error:
        parsed.invalid.append((line, str(error)))
        return
    try:
        full_name = f"{fields.get('first', '')} {fields.get('last', '')}"
        name = clean_name(fields.get("name", "") or full_name)
    except UpcycleError as error:
        parsed.invalid.append((line, str(error)))
        return
    language = fields.get("language", "").strip().lower()
    if language and language not in LANGUAGES:
        parsed.invalid.append((line, f"the language must be one of {', '.join(LANGUAGES)}"))
        return
    parsed.subscribers.append(
        NewSubscriber(
            email=email,
            name=name,
            language=language,
            topics=split_words(fields.get("topics", "")),
            groups=split_words(fields.get("groups", "")),
            line=line,
        )
    )


def skip_reason(fields: Mapping[str, str], take: Collection[str] = ()) -> str:
    """Return why a line is skipped, or ""; `take` holds further status values that count as subscribed.

    The keys of `fields` are column names in lower case.
    """
    for column in STATUS_COLUMNS:
        word = fields.get(column, "").strip()
        if word.lower() not in _SUBSCRIBED_VALUES and word.lower() not in take:
            if column == "status":
                return f"{LISTED_AS} {word[:20]}"
            return f"{column} is {word[:20]}"
    for column in UNSUBSCRIBED_COLUMNS:
        if fields.get(column, "").strip().lower() not in _NO_VALUES:
            return f"left there ({column})"
    return ""


def _numbered(rows: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the line number it begins on (quoted newlines make rows span lines)."""
    csv_reader = rows
    begins = csv_reader.line_num + 1  # type: ignore[attr-defined]
    for row in csv_reader:
        yield begins, row
        begins = csv_reader.line_num + 1  # type: ignore[attr-defined]


def clean_name(text: str) -> str:
    """Return a name on one line; raises `UpcycleError` when it holds control characters."""
    name = " ".join(text.split())
    if re.search(r"[\x00-\x1f\x7f-\x9f]", name):
        raise UpcycleError("the name holds control characters; remove them")
    return name


def split_words(text: str) -> tuple[str, ...]:
    """Return the topics or groups of one field in their order, without duplicates."""
    return tuple(dict.fromkeys(word.strip() for word in re.split("[;,|]", text) if word.strip()))


def write_subscribers_csv(subscribers: Iterable[Subscriber]) -> str:
    """Return the list as CSV (RFC 4180), with formulas escaped by an apostrophe."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow((*COLUMNS, "status", "groups"))
    for subscriber in subscribers:
        row = (
            subscriber.email.address,
            subscriber.name,
            subscriber.language,
            ";".join(subscriber.topics),
            subscriber.status.value,
            ";".join(subscriber.groups),
        )
        writer.writerow([escape_formula(cell) for cell in row])
    return out.getvalue()


def escape_formula(cell: str) -> str:
    """Return the cell with an apostrophe if a spreadsheet would run it; reading undoes it."""
    return f"'{cell}" if cell.startswith((*_FORMULA, "'")) else cell


def _unescape_formula(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith((*_FORMULA, "'")) else cell


def _decode(data: bytes) -> str:
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _dialect(text: str) -> type[csv.Dialect]:
    first = text.partition("\n")[0]

    class Dialect(csv.excel):
        delimiter = max(",;\t", key=first.count)

    return Dialect


def _column(name: str, columns: Mapping[str, str]) -> str:
    plain = name.strip().strip('"').lower()
    mapped = {foreign.strip().lower(): own for foreign, own in columns.items()}.get(plain)
    return mapped or _SPELLINGS.get(plain, plain)


def parse_column_mapping(pairs: Iterable[str]) -> dict[str, str]:
    """Read ``THEIRS=ours`` pairs; raises `UpcycleError` for an unknown column of ours."""
    known = (*COLUMNS, "status", "groups")
    mapping = {}
    for pair in pairs:
        foreign, equals, own = pair.rpartition("=")
        if not equals or not foreign.strip() or own.strip() not in known:
            raise UpcycleError(
                f"{pair[:40]!r} maps nothing: write THEIRS=ours, ours one of {', '.join(known)}"
            )
        mapping[foreign] = own.strip()
    return mapping


def read_suppressions(data: bytes, *, where: str) -> tuple[list[str], list[tuple[int, str]]]:
    """Read addresses and ``@domains`` to suppress: our own CSV, another system's, or one a line.

    Returns the keys under which the store suppresses, and the invalid lines with their reasons.
    """
    text = _decode(data)
    rows = csv.reader(io.StringIO(text, newline=""), _dialect(text), strict=True)
    keys: dict[str, None] = {}
    invalid: list[tuple[int, str]] = []
    column = 0
    try:
        for line, row in _numbered(rows):
            cells = [_unescape_formula(cell.strip()) for cell in row]
            names = [_column(cell, {}) for cell in cells]
            if line == 1 and ("key" in names or "email" in names):
                column = names.index("key") if "key" in names else names.index("email")
                continue
            if len(cells) <= column or not cells[column]:
                continue
            try:
                keys[suppression_key(cells[column])] = None
            except AddressError as error:
                invalid.append((line, str(error)))
    except csv.Error as error:
        raise ContentError(where, rows.line_num, f"is not CSV here: {error}") from None
    return list(keys), invalid


def suppression_key(text: str) -> str:
    """Return the store's key of an address, a ``@domain`` or a ``#hash``; raises `AddressError`."""
    if re.fullmatch(r"#[0-9a-f]{64}", text):
        return text
    if text.startswith("@"):
        # An address in the domain is valid exactly if the domain is; IDN becomes ASCII.
        return f"@{EmailAddress.parse('postmaster' + text).domain}"
    return EmailAddress.parse(text).key
