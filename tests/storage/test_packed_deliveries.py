"""Packed deliveries answer every question as rows do, survive kills, and forget whom the store forgets."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from upcycle_news.errors import StoreError
from upcycle_news.i18n.messages import LocalizedText
from upcycle_news.models import DeliveryState, IssueId, IssueState, Subscriber
from upcycle_news.storage import (
    deliveries,
    issues,
    packed_deliveries,
    pending_suppressions,
    personal_data,
    subscribers,
    workers,
)
from upcycle_news.storage import issue_lifecycle as lifecycle
from upcycle_news.storage import schema as tables
from upcycle_news.storage.backup import copy
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.delivery_block import decode
from upcycle_news.storage.ledger import Ledger
from upcycle_news.storage.packed_block_check import check_blocks
from upcycle_news.storage.welcome_ledger import WelcomeLedger

from .. import fork_server
from .old_issues import (
    ERASURE_KEY,
    FIRST,
    LATER,
    READERS,
    SECOND,
    all_rows,
    answers,
    bounce,
    fill,
    number_of_rows,
    pack,
    places,
    send,
    verdict,
)
from .query_cost import query_cost
from .sample_rows import ISSUE, approved, load, manifest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_deliveries, "SPAN", 4)
    monkeypatch.setattr(packed_deliveries, "_BLOCKS_AT_ONCE", 2)


@pytest.fixture(scope="module")
def _filled_store(_migrated_store: bytes, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a SQLite store with two old issues, which each test has its own copy of."""
    path = tmp_path_factory.mktemp("filled") / "upcycle.db"
    path.write_bytes(_migrated_store)
    with closing(open_store(f"sqlite:///{path}")) as store:
        fill(store)
    return path.read_bytes()


def open_copy(filled: bytes, url: str) -> Store:
    Path(url.removeprefix("sqlite:///")).write_bytes(filled)
    store = open_store(url)
    store.erasure_key = ERASURE_KEY
    return store


@pytest.fixture
def old(any_store: str, _filled_store: bytes) -> Iterator[Store]:
    """A store with two old issues whose deliveries are rows, once in SQLite and once in Postgres."""
    if any_store.startswith("sqlite:"):
        store = open_copy(_filled_store, any_store)
    else:
        store = open_store(any_store)
        fill(store)
    yield store
    store.close()


@pytest.fixture
def plain(_filled_store: bytes, store_url: str) -> Iterator[Store]:
    """The same in SQLite, where nothing is ever packed."""
    with closing(open_copy(_filled_store, store_url)) as store:
        yield store


def damaged_blocks(store: Store) -> tuple[LocalizedText, ...]:
    with store.reading() as connection:
        return check_blocks(connection).damaged


def people(store: Store) -> tuple[Subscriber, ...]:
    return tuple(subscribers.all_subscribers(store))


def in_state(store: Store, issue: IssueId, state: DeliveryState) -> list[int]:
    return [one.subscriber for one in deliveries.list_deliveries(store, issue, state)]


# --- packing


def test_packing_changes_no_answer(old: Store) -> None:
    before = answers(old, people(old))
    assert pack(old) > READERS
    assert answers(old, people(old)) == before


def test_what_ended_usually_is_packed_and_the_rest_stays_rows(old: Store) -> None:
    bounce(old, FIRST, in_state(old, FIRST, DeliveryState.SENT)[0], "one")
    states = {row["subscriber_id"]: row["state"] for row in all_rows(old, FIRST)}
    pack(old)
    rows, packed = places(old, FIRST)
    assert {states[one] for one in packed} == {"sent", "cancelled"}
    assert [states[one] for one in rows].count("sent") == 1  # a report is about it
    assert {states[one] for one in rows} == {"sent", "rejected", "unknown"}
    assert len(rows) + len(packed) == READERS


def test_who_is_erased_before_is_not_packed(old: Store) -> None:
    who = in_state(old, FIRST, DeliveryState.SENT)[3]
    [address] = [one.email for one in people(old) if one.id == who]
    personal_data.erase_subscriber(old, address, now=LATER)
    before = answers(old, people(old))
    pack(old)
    assert who in places(old, FIRST)[0]
    assert answers(old, people(old)) == before


def test_only_issues_closed_long_enough_are_packed_and_each_once(old: Store) -> None:
    closed_at = issues.get(old, FIRST).closed_at  # type: ignore[union-attr]
    due = packed_deliveries.issues_to_pack
    assert due(old, closed_before=closed_at) == []
    assert due(old, closed_before=closed_at + timedelta(seconds=1)) == [str(FIRST)]
    assert pack(old) > 0
    assert due(old, closed_before=LATER) == []
    assert pack(old, FIRST) == 0


def test_the_next_night_costs_one_statement_however_many_issues_are_packed(plain: Store) -> None:
    pack(plain)
    with query_cost(plain) as cost:
        assert packed_deliveries.issues_to_pack(plain, closed_before=LATER) == []
    assert len([one for one in cost.statements if not one.startswith("BEGIN")]) == 1


def test_an_issue_that_is_not_closed_is_not_packed(old: Store) -> None:
    unknown = in_state(old, FIRST, DeliveryState.UNKNOWN)
    assert deliveries.requeue(old, FIRST, DeliveryState.UNKNOWN, now=LATER) == len(unknown)
    assert packed_deliveries.issues_to_pack(old, closed_before=LATER) == [str(SECOND)]
    assert pack(old, FIRST) == 0
    assert places(old, FIRST)[1] == []


def test_a_transaction_moves_a_few_blocks(old: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    add = packed_deliveries._add
    monkeypatch.setattr(
        packed_deliveries,
        "_add",
        lambda connection, issue, rows: (sizes.append(len(rows)), add(connection, issue, rows)),
    )
    pack(old, FIRST)
    assert len(sizes) >= READERS // 8
    assert max(sizes) <= 8


def test_ids_of_packed_deliveries_are_not_given_again(old: Store) -> None:
    pack(old)
    highest = max(row["id"] for row in all_rows(old, SECOND))
    send(old, ISSUE)
    assert min(row["id"] for row in all_rows(old, ISSUE)) > highest


# --- kills

DIE = """
import os, signal, sys
from upcycle_news.storage import packed_deliveries
from upcycle_news.storage.database import open_store
from datetime import UTC, datetime
url, issue, calls, step = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
packed_deliveries.SPAN, packed_deliveries._BLOCKS_AT_ONCE = 4, 2
there = getattr(packed_deliveries, step)
def dying(*arguments):
    global calls
    calls -= 1
    if not calls:
        os.kill(os.getpid(), signal.SIGKILL)
    return there(*arguments)
setattr(packed_deliveries, step, dying)
packed_deliveries.pack_issue(open_store(url), issue, now=datetime(2026, 12, 26, tzinfo=UTC))
"""


@pytest.mark.parametrize("step", ["_add", "chunks"], ids=["before a block", "before rows go"])
@pytest.mark.parametrize("calls", [1, 3], ids=["at once", "in the middle"])
def test_a_killed_process_loses_nothing_and_the_next_one_goes_on(
    old: Store, any_store: str, step: str, calls: int
) -> None:
    before = answers(old, people(old))
    command = [sys.executable, "-c", DIE, any_store, str(FIRST), str(calls), step]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    killed = fork_server.run(command, env=environment, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    rows, packed = places(old, FIRST)
    assert sorted(rows + packed) == [one.id for one in people(old)]
    assert bool(packed) is (calls > 1)
    assert answers(old, people(old)) == before
    assert packed_deliveries.issues_to_pack(old, closed_before=LATER) == [str(FIRST), str(SECOND)]
    assert pack(old) > 0
    assert answers(old, people(old)) == before


# --- what happens later, to packed ones as to rows


def report_bounces(store: Store) -> Any:
    sent = in_state(store, FIRST, DeliveryState.SENT)
    kinds = ("hard", "soft", "complaint")
    return [
        bounce(store, FIRST, who, f"{kind} {who}", kind=kind)
        for who, kind in zip(sent[2:11:3], kinds, strict=True)
    ] + [bounce(store, FIRST, sent[2], f"hard {sent[2]}"), bounce(store, FIRST, 999, "nobody")]


def report_wave(store: Store) -> Any:
    wave = [bounce(store, SECOND, one.id, f"wave {one.id}") for one in people(store)[:18]]
    return wave, sorted(one.key for one in pending_suppressions.all_pending(store))


def resend(store: Store) -> Any:
    count = deliveries.requeue(store, SECOND, DeliveryState.UNKNOWN, now=LATER)
    worker = workers.register_worker(store, host="here", pid=2, process_start="1", now=LATER)
    ledger, done = Ledger(store, SECOND, worker), 0
    while leases := ledger.lease(3, LATER):
        ledger.commit([], leases, LATER)
        ledger.commit([(one, verdict(DeliveryState.SENT, 7)) for one in leases], [], LATER)
        done += len(leases)
    reopened = (issues.status(store, SECOND), issues.variant_sums(store, SECOND))
    return count, done, reopened, issues.close_if_done(store, SECOND, now=LATER)


def bounce_of_a_reopened_issue(store: Store) -> Any:
    deliveries.requeue(store, SECOND, DeliveryState.UNKNOWN, now=LATER)
    return bounce(store, SECOND, in_state(store, SECOND, DeliveryState.SENT)[0], "late")


def cancel_a_reopened_issue(store: Store) -> Any:
    deliveries.requeue(store, FIRST, DeliveryState.REJECTED, now=LATER)
    issues.cancel(store, FIRST, by="Anna", reason="was cancelled by hand", now=LATER)


def correct(store: Store) -> Any:
    correction = IssueId(SECOND.day, correction=1)
    revision = approved(store, manifest(correction))
    audience_size = issues.enqueue(store, load(store, revision, correction), now=LATER)
    return audience_size, all_rows(store, correction)


def take_back(store: Store) -> Any:
    with store.writing() as connection:
        lifecycle.take_back(connection, str(FIRST), by="Anna", now=LATER, reason="mailbox")
    return places(store, FIRST), number_of_rows(store, tables.packed_issues)


SCENARIOS = [
    report_bounces,
    report_wave,
    resend,
    bounce_of_a_reopened_issue,
    cancel_a_reopened_issue,
    correct,
]


@pytest.mark.parametrize("happens", SCENARIOS, ids=lambda one: one.__name__)
def test_what_happens_later_ends_as_without_packing(
    old: Store, plain: Store, happens: Callable[[Store], Any]
) -> None:
    pack(old)
    assert happens(old) == happens(plain)
    assert answers(old, people(old)) == answers(plain, people(plain))
    damaged = damaged_blocks(old)
    pack(old)  # what came back as rows is packed again where it can be
    assert answers(old, people(old)) == answers(plain, people(plain))
    assert damaged == damaged_blocks(old) == ()


def test_a_late_bounce_takes_only_its_own_delivery_out(old: Store) -> None:
    pack(old)
    rows, packed = places(old, FIRST)
    assert bounce(old, FIRST, packed[5], "late").suppressed
    assert places(old, FIRST) == (sorted([*rows, packed[5]]), [*packed[:5], *packed[6:]])
    pack(old)
    assert packed[5] in places(old, FIRST)[0]


def test_the_wave_guard_sees_packed_deliveries_of_a_reopened_issue(old: Store) -> None:
    """One domain that refuses everybody is not the relay, as another one has accepted mail: packed."""
    from upcycle_news.models.refusal_wave import RefusalWave
    from upcycle_news.storage import refusal_guard

    pack(old)
    wave = RefusalWave(
        refused=9, outcomes=9, deliveries=frozenset(), doubtful=frozenset(),
        domains=frozenset({"@domain0.example.org"}), spread=False, unbroken=True,
    )  # fmt: skip
    with old.writing() as connection:
        rejected = delete(tables.deliveries).where(tables.deliveries.c.issue_id == str(FIRST))
        connection.execute(rejected)
        assert not refusal_guard._must_stop(connection, str(FIRST), wave)
        connection.execute(
            delete(tables.packed_deliveries).where(
                tables.packed_deliveries.c.issue_id == str(FIRST)
            )
        )
        assert refusal_guard._must_stop(connection, str(FIRST), wave)


def test_an_issue_that_is_taken_back_leaves_nothing_packed(old: Store) -> None:
    pack(old)
    assert take_back(old) == (([], []), 1)
    assert issues.get(old, FIRST).state is IssueState.OPEN  # type: ignore[union-attr]


def test_no_step_of_the_welcome_goes_to_who_is_in_the_packed_audience_of_its_issue(
    old: Store,
) -> None:
    pack(old)
    who = places(old, FIRST)[1][0]
    values = {
        "series": "welcome", "step": "neueste", "revision_id": "r", "issue_id": str(FIRST),
        "subscriber_id": who, "state": "queued", "attempts": 0, "worker_id": 0, "enhanced": "",
        "reason": "", "queued_at": LATER, "changed_at": LATER, "variant": 0,
    }  # fmt: skip
    with old.writing() as connection:
        connection.execute(insert(tables.welcome_deliveries).values(**values))
    worker = workers.register_worker(old, host="here", pid=3, process_start="1", now=LATER)
    ledger = WelcomeLedger(old, worker, step="neueste", revision_id="r", issue=str(FIRST))
    assert ledger.lease(5, LATER) == []
    with old.reading() as connection:
        assert connection.scalar(select(tables.welcome_deliveries.c.state)) == "cancelled"


def test_a_damaged_block_is_named_and_nothing_is_changed(old: Store) -> None:
    pack(old)
    _, packed = places(old, FIRST)
    who = next(one for one in packed if one // 4 == packed[0] // 4)
    blocks = tables.packed_deliveries
    this = (blocks.c.issue_id == str(FIRST), blocks.c.block == who // 4)
    with old.writing() as connection:
        [data] = connection.scalars(select(blocks.c.data).where(*this, blocks.c.state == "sent"))
        damaged = data[:20] + bytes([data[20] ^ 1]) + data[21:]
        connection.execute(update(blocks).where(*this).values(data=damaged))
    [reader] = [one for one in people(old) if one.id == who]
    others = [one for one in people(old) if one.id // 4 != who // 4]
    before = answers_of(old, others)
    for look in (
        lambda: personal_data.personal_data_of(old, reader),
        lambda: personal_data.erase_subscriber(old, reader.email, now=LATER),
        lambda: bounce(old, FIRST, who, "late"),
        lambda: list(deliveries.list_deliveries(old, FIRST, DeliveryState.SENT)),
    ):
        with pytest.raises(StoreError, match=f"{FIRST}.* {who // 4 * 4} to {who // 4 * 4 + 3} "):
            look()
    assert subscribers.by_id(old, reader.id) == reader
    assert answers_of(old, others) == before


def answers_of(store: Store, these: Iterable[Subscriber]) -> list[Any]:
    return [personal_data.personal_data_of(store, one) for one in these]


# --- erasure


def test_of_who_is_forgotten_nothing_stays_in_the_blocks(old: Store) -> None:
    pack(old)
    who = people(old)[8]
    with old.reading() as connection:
        data = list(connection.scalars(select(tables.packed_deliveries.c.data)))
    assert any(one.subscriber_id == who.id for block in data for one in decode(block))
    sums = [issues.status(old, issue) for issue in (FIRST, SECOND)]
    others = [one for one in people(old) if one.id != who.id]
    shown = [personal_data.personal_data_of(old, one) for one in others]
    personal_data.erase_subscriber(old, who.email, now=LATER)
    with old.reading() as connection:
        after = list(connection.scalars(select(tables.packed_deliveries.c.data)))
    assert all(one.subscriber_id != who.id for block in after for one in decode(block))
    gone = [block for block in data if block not in after]
    assert len(gone) == 2  # a block of each issue
    if old.file is not None:
        stored = b"".join(path.read_bytes() for path in old.file.parent.glob("any.db*"))
        assert [block for block in gone if block in stored] == []
        assert all(block in stored for block in after)
    assert [issues.status(old, issue) for issue in (FIRST, SECOND)] == sums
    with old.writing() as connection:  # the sums are those of the deliveries, too
        lifecycle.correct_sums(connection, str(FIRST), now=LATER)
    assert issues.status(old, FIRST) == sums[0]
    assert [personal_data.personal_data_of(old, one) for one in others] == shown


def test_a_report_about_somebody_forgotten_finds_nothing(old: Store) -> None:
    pack(old)
    who = people(old)[8]
    personal_data.erase_subscriber(old, who.email, now=LATER)
    assert bounce(old, FIRST, who.id, "late") == bounce(old, FIRST, 999, "nobody")
    assert number_of_rows(old, tables.bounces) == 0


def test_a_whole_block_may_be_forgotten(old: Store) -> None:
    pack(old)
    sums = issues.status(old, FIRST)
    for one in people(old)[:8]:
        personal_data.erase_subscriber(old, one.email, now=LATER)
    with old.writing() as connection:
        lifecycle.correct_sums(connection, str(FIRST), now=LATER)
    assert issues.status(old, FIRST) == sums
    assert len(places(old, FIRST)[1]) + len(places(old, FIRST)[0]) < READERS
    assert pack(old) >= 0


# --- work


def test_a_reader_s_page_decodes_one_block_an_issue_whatever_the_list(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []
    monkeypatch.setattr(
        packed_deliveries,
        "decode",
        lambda data, only=None: (decoded.append(1), decode(data, only))[1],
    )
    fill(store, readers=120)
    pack(store)
    decoded.clear()
    with query_cost(store) as cost:
        personal_data.personal_data_of(store, people(store)[17])
    assert sum(decoded) <= 3  # an issue with two variants may have two
    few = len(cost.statements)
    send(store, ISSUE)
    pack(store)
    with query_cost(store) as cost:
        personal_data.personal_data_of(store, people(store)[17])
    assert len(cost.statements) == few


# --- copies


def test_a_copy_in_the_other_kind_of_store_holds_the_same(
    old: Store, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    pack(old)
    before = answers(old, people(old))
    other = (
        request.getfixturevalue("empty_postgres")
        if old.dialect == "sqlite"
        else f"sqlite:///{tmp_path}/copy.db"
    )
    target = open_store(other)
    try:
        with old.reading() as source, target.writing() as connection:
            copy.raise_unless_empty(connection, target.name)
            copy.copy_all(source, connection)
        target.erasure_key = old.erasure_key
        assert answers(target, people(target)) == before
        highest = max(row["id"] for row in all_rows(target, SECOND))
        send(target, ISSUE)
        assert min(row["id"] for row in all_rows(target, ISSUE)) > highest
    finally:
        target.close()
