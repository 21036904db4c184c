"""The columns of a list: which of them holds what, by the names in its first line. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from upcycle_news.errors import ContentError, UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.subscribers.list_files import ListRow
from upcycle_news.subscribers.list_words import BLANKS, visible, words_of
from upcycle_news.subscribers.permission_columns import Sense, sense_of

COLUMNS = ("email", "name", "language", "topics")


class Kind(StrEnum):
    """What a column holds; the values are its names in ``--column THEIRS=ours``."""

    EMAIL = "email"
    SECOND_EMAIL = "second email"
    """A further address, which counts where the first is missing."""
    NAME = "name"
    FIRST_NAME = "first name"
    LAST_NAME = "last name"
    LANGUAGE = "language"
    TOPICS = "topics"
    GROUPS = "groups"
    RHYTHM = "rhythm"
    STATUS = "status"
    WANTS = "wants"
    LEFT = "left"
    UNREAD = "unread"


MAPPABLE = (*COLUMNS, "groups", "rhythm", "status", "left")
"""What a column of another system may be mapped to: `status` says who is subscribed, `left` who is not."""

_NAMES = {
    Kind.NAME: ("name", "full name", "fullname", "vollstaendiger name", "display name", "anzeigename"),
    Kind.FIRST_NAME: ("first", "first name", "firstname", "fname", "given name", "vorname", "rufname"),
    Kind.LAST_NAME: (
        "last", "last name", "lastname", "lname", "family name", "surname", "nachname", "familienname",
    ),
    Kind.LANGUAGE: ("language", "sprache", "lang", "locale", "preferred language"),
    Kind.TOPICS: ("topics", "themen"),
    Kind.GROUPS: ("groups",),
    Kind.RHYTHM: ("rhythm", "rhythmus"),
}  # fmt: skip
_KIND_OF_NAME = {name: kind for kind, names in _NAMES.items() for name in names}
_KIND_OF_SENSE = {Sense.STATUS: Kind.STATUS, Sense.WANTS: Kind.WANTS, Sense.LEFT: Kind.LEFT}
_QUALIFIERS = (
    r"privat\w*|private|geschaeftlich|dienstlich|beruflich|arbeit|work|business|home|alt|neu|value"
)
_ADDRESS_NAME = re.compile(
    r"(ihre |deine |meine |your |my |kontakt |contact |subscriber |primary |haupt )?(email|mail) ?"
    rf"(adresse|address|addr)?( ({_QUALIFIERS}))*|adresse email|({_QUALIFIERS}) email( address)?"
)
_SECOND_ADDRESS_NAME = re.compile(
    r"(zweit\w*|alternativ\w*|alternate|secondary|weitere|other) (email|mail)\w*( address)?"
    r"|(email|mail) ?(adresse|address)? ?([2-9]|zwei\w*|zweit\w*|alternativ\w*|alternate|secondary)( value)?"
)
_FIRST_OF_MANY = re.compile(r"(email|mail) ?(adresse|address)? ?1( value)?")
_SPEAKS_OF_ADDRESSES = re.compile(r"email|mail ?adress")


@dataclass(frozen=True)
class Column:
    """A column by its place, with its title as the list spells it.

    `sense` is set for one that is not read although its name may speak of permission.
    """

    index: int
    title: str
    kind: Kind
    sense: Sense | None = None

    def cell(self, row: ListRow) -> str:
        """Return the column's cell of a row, without blanks at its ends; empty where the row is short."""
        cells = row.cells
        return cells[self.index].strip(BLANKS) if self.index < len(cells) else ""


def read_header(
    rows: Iterable[ListRow],
    *,
    where: str,
    columns: Mapping[str, str] = {},
    ignore: Collection[str] = (),
) -> list[Column]:
    """Return the columns of a list, whose first row names them; `rows` may be iterated more than once.

    `columns` maps names of the list to ours, `ignore` names those that are not read. Raises
    `ContentError` when no column holds addresses, or one that was named is not there.
    """
    head = next(iter(rows), None)
    if head is None:
        raise ContentError(where, 1, localized("list-no-addresses"))
    titles = [" ".join(visible(cell).strip('"').split()) for cell in head.cells]
    mapped = {_key(theirs): Kind(ours) for theirs, ours in columns.items()}
    ignored = {_key(name) for name in ignore}
    for name in [*columns, *ignore]:
        if _key(name) not in map(_key, titles):
            raise ContentError(where, head.line, localized("list-no-such-column", column=name))
    kinds = [
        Kind.UNREAD if _key(title) in ignored else mapped.get(_key(title)) or _kind(title)
        for title in titles
    ]
    if Kind.EMAIL in mapped.values():
        # Who named the column with the addresses means no other.
        kinds = [
            Kind.UNREAD if kind in _ADDRESSES and mapped.get(_key(title)) is not kind else kind
            for kind, title in zip(kinds, titles, strict=True)
        ]
    if Kind.EMAIL not in kinds:
        index = _only_column_with_addresses(titles, kinds, rows)
        if index is None:
            raise ContentError(where, head.line, localized("list-no-addresses"))
        kinds[index] = Kind.EMAIL
    return [
        Column(
            index, title, kind, _asked_about(title, kind) if _key(title) not in ignored else None
        )
        for index, (title, kind) in enumerate(zip(titles, kinds, strict=True))
    ]


_ADDRESSES = (Kind.EMAIL, Kind.SECOND_EMAIL)


def _key(title: str) -> str:
    return " ".join(visible(title).strip('"').lower().split())


def _kind(title: str) -> Kind:
    words = words_of(title)
    if "@" in title:
        return Kind.UNREAD  # an address, no name of a column
    if kind := _KIND_OF_NAME.get(words):
        return kind
    if _ADDRESS_NAME.fullmatch(words) or _FIRST_OF_MANY.fullmatch(words):
        return Kind.EMAIL
    if _SECOND_ADDRESS_NAME.fullmatch(words):
        return Kind.SECOND_EMAIL
    return _KIND_OF_SENSE.get(sense_of(title), Kind.UNREAD)


def _asked_about(title: str, kind: Kind) -> Sense | None:
    sense = sense_of(title)
    return sense if kind is Kind.UNREAD and sense is not Sense.SILENT else None


def _only_column_with_addresses(
    titles: list[str], kinds: list[Kind], rows: Iterable[ListRow]
) -> int | None:
    """Return the one column that asks for an address in a sentence of its own, as forms do."""
    found = [
        index
        for index, title in enumerate(titles)
        if kinds[index] in (Kind.UNREAD, Kind.SECOND_EMAIL)
        and "@" not in title
        and _SPEAKS_OF_ADDRESSES.search(words_of(title))
        and any(index < len(row.cells) and "@" in row.cells[index] for row in islice(rows, 1, None))
    ]
    return found[0] if len(found) == 1 else None


def parse_column_mapping(pairs: Iterable[str]) -> dict[str, str]:
    """Read ``THEIRS=ours`` pairs; raises `UpcycleError` for an unknown column of ours."""
    mapping = {}
    for pair in pairs:
        theirs, equals, ours = pair.rpartition("=")
        if not equals or not theirs.strip() or ours.strip() not in MAPPABLE:
            raise UpcycleError(localized("list-maps-nothing", pair=pair[:40], names=MAPPABLE))
        mapping[theirs] = ours.strip()
    return mapping
