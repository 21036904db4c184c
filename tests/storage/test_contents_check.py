"""What a store holds is looked at before somebody needs it: each damage is named, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import delete, select, text, update

from upcycle_news.storage import packed_deliveries, personal_data, subscribers
from upcycle_news.storage import schema as tables
from upcycle_news.storage.backup.contents import ContentsReport, check_contents
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.packed_block_check import check_blocks

from .damage import WAYS, damage, damage_block
from .old_issues import FIRST, LATER, SECOND, bounce, fill, number_of_rows, pack, places
from .query_cost import query_cost


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_deliveries, "SPAN", 4)
    monkeypatch.setattr(packed_deliveries, "_BLOCKS_AT_ONCE", 2)


@pytest.fixture
def old(any_store: str) -> Iterator[Store]:
    """A store with two old issues that are packed, once in SQLite and once in Postgres."""
    store = open_store(any_store)
    fill(store)
    pack(store)
    yield store
    store.close()


def looked_at(store: Store, newest: int | None = None) -> ContentsReport:
    with store.snapshot() as connection:
        return check_contents(connection, newest=newest)


def said(store: Store) -> list[str]:
    return [text.in_language("en") for text in looked_at(store).damaged]


def test_nothing_is_wrong_with_a_store_whatever_became_of_its_readers(old: Store) -> None:
    blocks = number_of_rows(old, tables.packed_deliveries)
    assert looked_at(old) == ContentsReport((), blocks, blocks)
    _, packed = places(old, FIRST)
    reported, forgotten, *_ = packed
    assert bounce(old, FIRST, reported, "late")
    people = {one.id: one for one in subscribers.all_subscribers(old)}
    personal_data.erase_subscriber(old, people[forgotten].email, now=LATER)
    assert said(old) == []


@pytest.mark.parametrize("change", WAYS, ids=lambda change: change.__name__)
def test_a_damaged_block_is_named(old: Store, change: Callable[[bytes], bytes]) -> None:
    row = damage_block(old, change, SECOND)
    first = row.block * 4
    [sentence] = said(old)
    assert sentence.startswith(f"issue {SECOND}: {row.number} deliver")
    assert f"in 1 block, to subscribers with the ids {first} to {first + 3}" in sentence


def test_damaged_blocks_of_an_issue_are_one_sentence(old: Store) -> None:
    blocks = tables.packed_deliveries
    with old.writing() as connection:
        connection.execute(update(blocks).values(data=b"\x01"))
        number = len(
            connection.execute(select(blocks).where(blocks.c.issue_id == str(FIRST))).all()
        )
    assert [f"{number} blocks" in one for one in said(old)] == [True, False]


def test_the_block_of_another_issue_is_not_taken_for_it(old: Store) -> None:
    blocks = tables.packed_deliveries
    with old.writing() as connection:
        [other] = connection.scalars(
            select(blocks.c.data).where(blocks.c.issue_id == str(SECOND)).limit(1)
        )
    damage_block(old, lambda _: other, FIRST)
    assert [one.startswith(f"issue {FIRST}") for one in said(old)] == [True]


def test_a_block_that_is_away_is_missed_and_so_is_a_wrong_number(old: Store) -> None:
    blocks = tables.packed_deliveries
    damage(old, blocks, "number", lambda number: number + 1, blocks.c.issue_id == str(FIRST))
    with old.writing() as connection:
        connection.execute(delete(blocks).where(blocks.c.issue_id == str(SECOND)))
    first, second = said(old)
    assert first.startswith(f"issue {FIRST}: it was closed with")
    assert second.startswith(f"issue {SECOND}: it was closed with")


def test_of_many_blocks_the_newest_are_looked_at_and_that_is_said(old: Store) -> None:
    damage_block(old, issue=FIRST)
    newest = len(
        {(row.block, row.state, row.variant) for row in rows(old, tables.packed_deliveries)
         if row.issue_id == str(SECOND)}
    )  # fmt: skip
    total = number_of_rows(old, tables.packed_deliveries)
    assert looked_at(old, newest) == ContentsReport((), newest, total)
    assert len(looked_at(old, newest + 1).damaged) == 1


def rows(store: Store, table: Any) -> list[Any]:
    with store.reading() as connection:
        return list(connection.execute(select(table)).all())


def test_each_block_is_read_and_decoded_once(old: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from upcycle_news.storage import packed_block_check

    decoded: list[bytes] = []

    def decode_keys(data: bytes) -> Any:
        decoded.append(data)
        return original(data)

    original = packed_block_check.decode_keys
    monkeypatch.setattr(packed_block_check, "decode_keys", decode_keys)
    with old.snapshot() as connection, query_cost() as cost:
        check_blocks(connection)
    assert len(decoded) == number_of_rows(old, tables.packed_deliveries)
    assert len(cost.statements) == 5


# --- revisions, pictures, JSON


def test_a_revision_and_a_picture_with_another_byte_are_named(old: Store) -> None:
    with old.writing() as connection:
        connection.execute(tables.blobs.insert().values(sha256="0" * 64, data=b"a picture"))
    row = damage(old, tables.revisions, "manifest", lambda manifest: manifest[:-1])
    assert said(old) == [
        f"issue {row.issue_id}: the content of revision {row.revision_id[:12]} is not what was stored",
        f"the picture {'0' * 12} is not what was stored",
    ]


def test_json_that_was_cut_off_is_named_and_what_is_made_anew_is_not(store: Store) -> None:
    fill(store)
    with store.writing() as connection:
        connection.execute(text("UPDATE subscribers SET topics = '[\"Ener' WHERE id = 3"))
        connection.execute(text("INSERT INTO feed_bodies VALUES ('https://f.test', '[\"a', '')"))
        connection.execute(text("UPDATE revisions SET manifest = CAST(x'ff' AS TEXT) WHERE id = 1"))
    revision, topics = said(store)
    assert "the content of revision" in revision
    assert topics == "table subscribers: 1 row cannot be read, the first where id is 3"
