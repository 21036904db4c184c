"""What a block of packed deliveries holds comes back as it was, and takes little room."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.storage.delivery_block import BlockEntry, decode, decode_keys, encode

QUEUED = datetime(2026, 11, 26, 6, 30, tzinfo=UTC)

numbers = st.integers(0, 2**63 - 1)
times = st.datetimes(timezones=st.just(UTC))
entries = st.builds(
    BlockEntry,
    id=numbers,
    subscriber_id=numbers,
    attempts=numbers,
    worker_id=numbers,
    code=st.none() | st.integers(0, 2**31),
    enhanced=st.text(),
    reason=st.text(),
    queued_at=times,
    changed_at=times,
)


@given(st.lists(entries, max_size=30))
def test_entries_come_back_as_they_were_in_their_order(block: list[BlockEntry]) -> None:
    assert decode(encode(block)) == block


@given(st.lists(entries, max_size=30), st.data())
def test_only_the_entries_of_some_subscribers(block: list[BlockEntry], data: st.DataObject) -> None:
    readers = [entry.subscriber_id for entry in block]
    only = data.draw(st.sets(st.sampled_from(readers))) if readers else {1}
    assert decode(encode(block), only) == [entry for entry in block if entry.subscriber_id in only]


def test_times_of_another_zone_come_back_in_utc() -> None:
    entry = usual(1)._replace(changed_at=datetime.fromisoformat("2026-11-26T07:31:00.000001+01:00"))
    [back] = decode(encode([entry]))
    assert back == entry
    assert back.changed_at.utcoffset() == timedelta()


def test_an_unknown_format_is_refused() -> None:
    for data in (b"", b"\x02" + encode([])[1:]):
        with pytest.raises(ValueError, match="unknown format"):
            decode(data)


@given(st.data())
def test_whatever_is_damaged_is_refused(data: st.DataObject) -> None:
    block = encode([usual(number) for number in range(9)])
    place = data.draw(st.integers(0, len(block) - 1))
    change = data.draw(st.integers(1, 255))
    changed = block[:place] + bytes([block[place] ^ change]) + block[place + 1 :]
    for damaged in (changed, block[:place]):
        for read in (decode, decode_keys):
            try:
                found = read(damaged)
            except ValueError as error:
                assert "block of deliveries" in str(error)
            else:  # deflate has several ways to write the same bytes
                assert (damaged, found) == (changed, read(block))


@given(st.lists(entries, max_size=30))
def test_the_keys_are_those_of_the_entries(block: list[BlockEntry]) -> None:
    assert decode_keys(encode(block)) == (
        [entry.id for entry in block],
        [entry.subscriber_id for entry in block],
    )


def test_a_usual_block_takes_a_few_bytes_a_delivery() -> None:
    block = [usual(number) for number in range(512)]
    assert len(encode(block)) < 3 * len(block)
    each_its_own = [
        entry._replace(reason=f"2.0.0 Ok: queued as {(entry.id * 0x9E3779B97F4A7C15) % 2**44:011X}")
        for entry in block
    ]
    assert len(encode(each_its_own)) < 12 * len(block)


def usual(number: int) -> BlockEntry:
    """Return an accepted delivery: eight to a commit, a commit each few milliseconds, readers who left between."""
    at = QUEUED + timedelta(microseconds=7_300 * (number // 8) + number // 8 * number % 997)
    return BlockEntry(
        id=70_000 + number,
        subscriber_id=5_000 + number + number // 7,
        attempts=1,
        worker_id=17,
        code=250,
        enhanced="2.0.0",
        reason="2.0.0 Ok",
        queued_at=QUEUED,
        changed_at=at,
    )
