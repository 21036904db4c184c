"""Lists of what is never written to: addresses, ``@domains`` and hashes, of ours and of other systems. Pure."""

from __future__ import annotations

import re

from upcycle_news.errors import AddressError, ContentError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import EmailAddress
from upcycle_news.subscribers.address_cells import bare_address, parse_address_cell
from upcycle_news.subscribers.csv_lists import Note, refuse_workbook, unescape_formula
from upcycle_news.subscribers.list_columns import Column, Kind, read_header
from upcycle_news.subscribers.list_files import ListRow, ListRows, decode_list
from upcycle_news.subscribers.list_words import words_of


def read_suppressions(data: bytes, *, where: str) -> tuple[list[str], list[Note]]:
    """Read addresses and ``@domains`` to suppress: our own CSV, another system's, or one a line.

    Returns the keys under which the store suppresses, and the invalid lines with their reasons. Raises
    `ContentError` when two columns of a line hold different addresses, or the file is a workbook.
    """
    refuse_workbook(data, where)
    rows = list(ListRows(decode_list(data).text))
    columns = _suppression_columns(rows, where)
    keys: dict[str, None] = {}
    invalid: list[Note] = []
    for row in rows[1:] if columns else rows:
        try:
            found = _keys_of_row(row, columns)
        except AddressError as error:
            invalid.append((row.line, error.localized_text))
            continue
        if row.broken:
            invalid.append((row.line, localized("list-row-broken")))
        elif len(found) > 1:
            raise ContentError(where, row.line, localized("list-two-addresses-left"))
        else:
            keys.update(found)
    return list(keys), invalid


def _keys_of_row(row: ListRow, columns: list[Column]) -> dict[str, None]:
    for kind in (Kind.EMAIL, Kind.SECOND_EMAIL):
        cells = [column.cell(row) for column in columns if column.kind is kind]
        if not columns and kind is Kind.EMAIL:
            cells = [row.cells[0]]
        if filled := [cell for cell in map(unescape_formula, cells) if bare_address(cell)]:
            return dict.fromkeys(map(suppression_key, filled))
    return {}


def _suppression_columns(rows: list[ListRow], where: str) -> list[Column]:
    """Return the columns that hold what is to be suppressed; none for a list without a header."""
    if not rows:
        return []
    for index, title in enumerate(rows[0].cells):
        if words_of(title) == "key":
            return [Column(index, title, Kind.EMAIL)]
    try:
        header = read_header(rows, where=where)
    except ContentError:
        return []
    return [column for column in header if column.kind in (Kind.EMAIL, Kind.SECOND_EMAIL)]


def suppression_key(text: str) -> str:
    """Return the store's key of an address, a ``@domain`` or a ``#hash``; raises `AddressError`."""
    plain = bare_address(text)
    if re.fullmatch(r"#[0-9a-f]{64}", plain):
        return plain
    if plain.startswith("@"):
        # An address in the domain is valid exactly if the domain is; IDN becomes ASCII.
        return f"@{EmailAddress.parse('postmaster' + plain).domain}"
    return parse_address_cell(plain).email.key
