"""Subscriber lists as CSV: lenient reading with a report by line, safe writing.

Lists come from spreadsheets and from other systems, whose columns say in many words who left
(`permission_columns`). One bad row never refuses a list; what may be a no does. The writer escapes
formulas, and the reader undoes exactly that, so that a list survives the round trip.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, islice, starmap

from upcycle_news.errors import AddressError, ContentError, UpcycleError
from upcycle_news.i18n.messages import LANGUAGES, LocalizedText, localized
from upcycle_news.models.digest import Rhythm
from upcycle_news.storage.subscribers import ListedSubscriber, NewSubscriber
from upcycle_news.subscribers.address_cells import AddressCell, bare_address, parse_address_cell
from upcycle_news.subscribers.list_columns import COLUMNS, Column, Kind, read_header
from upcycle_news.subscribers.list_files import (
    ListRow,
    ListRows,
    ListText,
    decode_list,
    is_workbook,
)
from upcycle_news.subscribers.list_words import words_of
from upcycle_news.subscribers.permission_columns import (
    Answer,
    answer_of,
    empty_means_no,
    may_say_no,
    wants_mail,
)

# A spreadsheet runs a cell that begins like this as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_ESCAPED = (*_FORMULA, "'")
_ROWS_OF_A_PART = 1000
_MAX_SHOWN = 40
"""Characters of a cell that a sentence repeats."""
_SUBSCRIBED_WORDS = frozenset(
    {
        "confirmed", "active", "subscribed", "true", "yes", "1", "ja", "wahr", "aktiv", "aktiviert",
        "bestaetigt", "abonniert", "angemeldet", "eingetragen", "optin", "double optin",
    }
)  # fmt: skip
_LANGUAGE_WORDS = {
    "de": ("de", "ger", "deu", "german", "deutsch"),
    "en": ("en", "eng", "english", "englisch"),
}

_RHYTHM_WORDS = {
    Rhythm.EVERY_ISSUE: ("every issue", "each issue", "jede ausgabe", "einzeln"),
    Rhythm.DIGEST: (
        "digest", "gesammelt", "sammlung", "woechentlich gesammelt", "monatlich gesammelt",
        "vierteljaehrlich gesammelt",
    ),
}  # fmt: skip

Note = tuple[int, LocalizedText]
"""The line of a list that something is said about, and what."""


@dataclass
class ParsedList:
    """The subscribers of a list, the lines that were `skipped` on purpose, and the `invalid` ones.

    `subscribers` reads its rows while it is iterated, once: from then on the other fields are complete.
    `line_count` is how many lines that takes. `notes` say what of a line that was taken is not as the list has it. `unread` names the columns that
    were ignored, as the list spells them. `unknown_status` is True when a line was skipped for a word
    that `take` would accept. `guessed` is a sentence about the encoding, if it was guessed.
    """

    subscribers: Iterable[NewSubscriber] = ()
    line_count: int = 0
    skipped: list[Note] = field(default_factory=list)
    invalid: list[Note] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    unread: tuple[str, ...] = ()
    unknown_status: bool = False
    guessed: LocalizedText | None = None


def read_subscribers_csv(
    data: bytes,
    *,
    where: str,
    columns: Mapping[str, str] = {},
    ignore: Collection[str] = (),
    take: Collection[str] = (),
) -> ParsedList:
    """Read a list whose first line names its columns; of a long one no row is held in memory.

    Columns: email, name, language, topics (several joined by ; or ,), groups, rhythm, and those of other systems
    that say who wants mail and who left. Without a name, first and last name are joined. `columns` maps
    names of another system to ours, `ignore` names columns that are not read, `take` holds further words
    (lower case) of a column that count as subscribed.

    Raises `ContentError` when there is no column with addresses and when a column that is not read may
    say of somebody that they want no mail; while `subscribers` are read, when two columns hold different
    addresses.
    """
    refuse_workbook(data, where)
    decoded = decode_list(data)
    rows = ListRows(decoded.text)
    header = read_header(rows, where=where, columns=columns, ignore=ignore)
    _refuse_unread_no(header, rows, where)
    parsed = ParsedList(line_count=rows.line_count, guessed=about_encoding(decoded))
    parsed.subscribers = _RowReader(parsed, where, header, rows, take).subscribers()
    return parsed


def refuse_workbook(data: bytes, where: str) -> None:
    """Raise `ContentError` for a file of a spreadsheet program itself, with what to do."""
    if is_workbook(data):
        raise ContentError(where, None, localized("list-is-workbook"))


def _refuse_unread_no(header: list[Column], rows: ListRows, where: str) -> None:
    for column in header:
        for row in islice(rows, 1, None) if column.sense is not None else ():
            value = column.cell(row)
            if column.sense is not None and may_say_no(column.sense, answer_of(value)):
                raise ContentError(
                    where,
                    row.line,
                    localized("list-may-say-no", column=column.title, value=_shown(value)),
                )


class _RowReader:
    """Reads the rows of one list; what a column says of one person may depend on what it says of all."""

    def __init__(
        self,
        parsed: ParsedList,
        where: str,
        header: list[Column],
        rows: ListRows,
        take: Collection[str],
    ) -> None:
        self.parsed = parsed
        self._where, self._take, self._width = where, take, len(header)
        self._rows = rows
        of_kind = {kind: [one for one in header if one.kind is kind] for kind in Kind}
        # By name: an enum as a key is hashed anew for each of a million rows.
        self._emails, self._second_emails = of_kind[Kind.EMAIL], of_kind[Kind.SECOND_EMAIL]
        self._names, self._languages = of_kind[Kind.NAME], of_kind[Kind.LANGUAGE]
        self._first_names, self._last_names = of_kind[Kind.FIRST_NAME], of_kind[Kind.LAST_NAME]
        self._topics, self._groups = of_kind[Kind.TOPICS], of_kind[Kind.GROUPS]
        self._rhythms, self._unread_columns = of_kind[Kind.RHYTHM], of_kind[Kind.UNREAD]
        self._statuses, self._left = of_kind[Kind.STATUS], of_kind[Kind.LEFT]
        self._wants = of_kind[Kind.WANTS]
        # A row that is shifted would hide a no.
        self._permits = bool(self._statuses or self._wants or self._left)
        self._answers = {
            column.index: frozenset(answer_of(column.cell(row)) for row in islice(rows, 1, None))
            for column in self._wants
        }
        self._used_second = False

    def subscribers(self) -> Iterator[NewSubscriber]:
        """Yield the subscribers, and complete what is said of the list."""
        for row in islice(self._rows, 1, None):
            if (subscriber := self._read(row)) is not None:
                yield subscriber
        titles = (column.title for column in self._unread() if column.title)
        self.parsed.unread = tuple(dict.fromkeys(titles))

    def _unread(self) -> list[Column]:
        """Return the columns that told nothing."""
        labels = [
            column
            for column in self._wants
            if not self._answers[column.index] - {Answer.OTHER, Answer.BLANK}
        ]
        second = [] if self._used_second else self._second_emails
        return sorted([*self._unread_columns, *labels, *second], key=lambda column: column.index)

    def _read(self, row: ListRow) -> NewSubscriber | None:
        """Return a row's subscriber, or None with what is said of it in the result."""
        parsed, line = self.parsed, row.line
        if row.broken:
            parsed.invalid.append((line, localized("list-row-broken")))
        elif self._permits and any(cell.strip() for cell in row.cells[self._width :]):
            parsed.invalid.append((line, localized("list-row-too-long", count=self._width)))
        elif self._permits and (reason := self._skip_reason(row)):
            parsed.skipped.append((line, reason))
        else:
            try:
                return self._subscriber(row)
            except ContentError:
                raise
            except UpcycleError as error:
                parsed.invalid.append((line, error.localized_text))
        return None

    def _skip_reason(self, row: ListRow) -> LocalizedText | None:
        for column in self._statuses:
            word = column.cell(row)
            if word and not self._takes(word) and words_of(word) not in _SUBSCRIBED_WORDS:
                self.parsed.unknown_status = True
                return localized("list-listed-as", word=_shown(word))
        for column in self._wants:
            value, answers = column.cell(row), self._answers[column.index]
            empty_is_no = empty_means_no(column.title, answers)
            if self._takes(value) or wants_mail(answer_of(value), answers, empty_is_no=empty_is_no):
                continue
            if not value:
                return localized("list-column-empty", column=column.title)
            self.parsed.unknown_status |= answer_of(value) not in (Answer.NO, Answer.ENDED)
            return localized("list-column-says", column=column.title, value=_shown(value))
        for column in self._left:
            value = column.cell(row)
            if answer_of(value) not in (Answer.BLANK, Answer.NO):
                return localized("list-left", column=column.title, value=_shown(value))
        return None

    def _takes(self, value: str) -> bool:
        return bool(value) and value.lower() in self._take

    def _subscriber(self, row: ListRow) -> NewSubscriber:
        address = self._address(row)
        name = clean_name(self._name(row) or address.name)
        written = _first(self._languages, row)
        language = language_code(written)
        if written and not language:
            self.parsed.notes.append(
                (row.line, localized("list-language-unknown", language=_shown(written)))
            )
        often = _first(self._rhythms, row)
        rhythm = rhythm_of(often) if often else None
        if often and rhythm is None:
            self.parsed.notes.append(
                (row.line, localized("list-rhythm-unknown", rhythm=_shown(often)))
            )
        return NewSubscriber(
            email=address.email,
            name=name,
            language=language,
            topics=split_words(_first(self._topics, row)),
            groups=split_words(_first(self._groups, row)),
            rhythm=rhythm,
            line=row.line,
        )

    def _address(self, row: ListRow) -> AddressCell:
        """Return the row's one address; raises `ContentError` when two columns hold different ones."""
        filled = _filled(self._emails, row)
        if not filled and (filled := _filled(self._second_emails, row)):
            self._used_second = True
        if len(filled) < 2:
            return parse_address_cell(filled[0][1] if filled else "")
        found: list[tuple[Column, AddressCell]] = []
        for column, text in filled:
            try:
                found.append((column, parse_address_cell(text)))
            except AddressError:
                continue
        if not found:
            return parse_address_cell(filled[0][1])
        (first, address), *others = found
        for column, other in others:
            if other.email.key != address.email.key:
                message = localized("list-two-addresses", first=first.title, second=column.title)
                raise ContentError(self._where, row.line, message)
        return address

    def _name(self, row: ListRow) -> str:
        name, first = _first(self._names, row), _first(self._first_names, row)
        if not name:
            return f"{first} {_first(self._last_names, row)}".strip()
        # "Vorname;Name" is how German lists part the two.
        is_last = bool(first) and not self._last_names and first not in name
        return f"{first} {name}" if is_last else name


def _filled(columns: list[Column], row: ListRow) -> list[tuple[Column, str]]:
    """Return the cells of these columns that hold something that may be an address."""
    filled = []
    for column in columns:
        if bare_address(text := column.cell(row)):
            filled.append((column, unescape_formula(text)))
    return filled


def _first(columns: list[Column], row: ListRow) -> str:
    """Return the first cell of these columns that holds something."""
    for column in columns:
        if cell := unescape_formula(column.cell(row)):
            return cell
    return ""


def _shown(value: str) -> str:
    return value if len(value) <= _MAX_SHOWN else f"{value[: _MAX_SHOWN - 1]}…"


def about_encoding(decoded: ListText) -> LocalizedText | None:
    """Return a sentence about an encoding that was guessed; None if it was plain."""
    if not decoded.guessed:
        return None
    lines = decoded.guessed_lines
    if not lines:
        return localized("list-encoding-guessed", encoding=decoded.guessed)
    shown = tuple(str(line) for line in lines[:5])
    if len(lines) > len(shown):
        shown = (*shown, "…")
    return localized("list-encoding-guessed-in", encoding=decoded.guessed, lines=shown)


@lru_cache(maxsize=1024)  # of a column few cells differ, here and in the next
def language_code(text: str) -> str:
    """Return the language (``de``, ``en``) that a word or a tag means, ``Deutsch`` or ``de-AT``; or ""."""
    first = words_of(text).split(" ")[0]
    for language, words in _LANGUAGE_WORDS.items():
        if first in words and language in LANGUAGES:
            return language
    return ""


def rhythm_of(text: str) -> Rhythm | None:
    """Return the rhythm that a word means, ``digest`` or ``jede Ausgabe``; None for any other."""
    words = words_of(text)
    return next((rhythm for rhythm, known in _RHYTHM_WORDS.items() if words in known), None)


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def clean_name(text: str) -> str:
    """Return a name on one line; raises `UpcycleError` when it holds control characters."""
    name = " ".join(text.split())
    if not name.isprintable() and _CONTROL.search(name):
        raise UpcycleError(localized("name-control"))
    return name


@lru_cache(maxsize=1024)
def split_words(text: str) -> tuple[str, ...]:
    """Return the topics or groups of one field in their order, without duplicates."""
    return tuple(dict.fromkeys(word.strip() for word in re.split("[;,|]", text) if word.strip()))


def write_subscribers_csv(subscribers: Iterable[ListedSubscriber]) -> str:
    """Return the list as CSV (RFC 4180), with formulas escaped by an apostrophe."""
    rows = chain([(*COLUMNS, "status", "groups", "rhythm")], starmap(_cells, subscribers))
    parts = []
    while chunk := list(islice(rows, _ROWS_OF_A_PART)):  # `StringIO` takes four bytes a character
        out = io.StringIO(newline="")
        csv.writer(out).writerows(chunk)
        parts.append(out.getvalue())
    return "".join(parts)


def _cells(
    email: str,
    name: str,
    language: str,
    topics: tuple[str, ...],
    status: str,
    groups: tuple[str, ...],
    rhythm: str,
) -> tuple[str, ...]:
    """Return the cells of a subscriber in the order of `COLUMNS`; status and rhythm are words of ours."""
    return (
        escape_formula(email),
        escape_formula(name),
        escape_formula(language),
        escape_formula(";".join(topics)),
        status,
        escape_formula(";".join(groups)),
        rhythm,
    )


def escape_formula(cell: str) -> str:
    """Return the cell with an apostrophe if a spreadsheet would run it; reading undoes it."""
    return f"'{cell}" if cell.startswith(_ESCAPED) else cell


def unescape_formula(cell: str) -> str:
    """Return the cell as it was before `escape_formula`."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(_ESCAPED) else cell
