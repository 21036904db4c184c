"""Damages values of a store, as a disk or a mistaken hand would."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from sqlalchemy import Table, select, update

from upcycle_news.storage import delivery_block
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import packed_deliveries


def cut_off(data: bytes) -> bytes:
    return data[: len(data) // 2]


def one_byte_changed(data: bytes) -> bytes:
    return data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]


def not_compressed(_: bytes) -> bytes:
    return delivery_block.FORMAT + b"Liebe Leserinnen und Leser"


def something_else_compressed(_: bytes) -> bytes:
    return delivery_block.FORMAT + zlib.compress(b"[]")


def of_nobody(_: bytes) -> bytes:
    return delivery_block.encode([])


WAYS: tuple[Callable[[bytes], bytes], ...] = (
    cut_off, one_byte_changed, not_compressed, something_else_compressed, of_nobody,
)  # fmt: skip


def damage(
    store: Store, table: Table, column: str, change: Callable[[Any], Any], *where: Any
) -> Any:
    """Change a value of the first row; returns its row as it was."""
    key = list(table.primary_key.columns)
    with store.writing() as connection:
        row = connection.execute(select(table).where(*where).order_by(*key).limit(1)).one()
        this = [one == getattr(row, one.name) for one in key]
        value = change(getattr(row, column))
        connection.execute(update(table).where(*this).values({column: value}))
    return row


def damage_block(
    store: Store, change: Callable[[bytes], bytes] = cut_off, issue: object = None
) -> Any:
    """Damage the first block of packed deliveries, of an issue or of all; returns its row as it was."""
    where = [] if issue is None else [packed_deliveries.c.issue_id == str(issue)]
    return damage(store, packed_deliveries, "data", change, *where)
